//! The store as its users see it: what is acknowledged stays, what is refused leaves no trace.

mod commits;
mod crash;
mod folder;
mod full;
mod laws;
mod reading;
mod values;
