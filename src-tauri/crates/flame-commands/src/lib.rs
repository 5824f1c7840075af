//! The bodies of every command of the window, over a narrow [`Host`].
//!
//! [`Execute`] is implemented for each command of the contract; a shell calls it and does nothing else.
//! Deliberately absent: Tauri, windows, and any storage of its own; what a room below knows how to do
//! is done there.

mod app;
mod connections;
mod containers;
mod dead_letters;
mod doctor;
mod documents;
mod execute;
mod failure;
mod feeds;
mod follow;
mod general;
mod help;
mod host;
mod host_execution;
mod overview;
mod people;
mod pins;
mod runs;
mod runtime;
mod session;
mod settings;
mod vault;

pub use app::{App, Options};
pub use containers::{ContainerWorker, WorkerOptions};
pub use execute::Execute;
pub use host::Host;
pub use session::Session;
