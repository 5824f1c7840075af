//! The store as its users see it: what is acknowledged stays, what is refused leaves no trace.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod blobs;
mod commits;
mod crash;
mod folder;
mod full;
mod laws;
mod migration;
mod reading;
mod retention;
mod searching;
mod snapshots;
mod values;
