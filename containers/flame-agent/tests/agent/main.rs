//! The real agent as a child process: what a person, a script or another program sees of it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod bad_input;
mod catalog;
mod command;
mod compensations;
mod crash;
mod events;
mod feeds;
#[cfg(target_os = "linux")]
mod full_disk;
mod gate;
mod hardening;
mod harness;
mod help;
mod hooks;
mod host_execution;
mod http;
mod killed;
mod large_feeds;
mod operations;
mod people;
mod pipelines;
mod pressure;
mod proxies;
mod runs;
mod runtime;
mod samples;
mod server;
mod serving;
mod streams;
#[cfg(target_os = "linux")]
mod syscalls;
mod test_runs;
#[cfg(target_os = "linux")]
mod tmpfs;
