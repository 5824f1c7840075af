//! The commands over a host that records, with a real workspace and the real agent.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod connections;
mod containers;
mod documents;
mod feed_crashes;
mod feeds;
mod host_execution;
mod moves;
mod people;
mod pins;
mod podman;
mod runs;
mod runtime;
mod stage;
