//! The real agent as a child process: what a person, a script or another program sees of it.

mod catalog;
mod crash;
mod hardening;
mod harness;
mod hooks;
mod http;
mod pipelines;
mod streams;
mod feeds;
mod samples;
mod command;
mod runtime;
mod server;
mod serving;
#[cfg(target_os = "linux")]
mod tmpfs;
