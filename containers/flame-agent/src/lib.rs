//! The flame-agent: engine, store and connectors behind one HTTP API and a command line.
//!
//! `runtime` drives runs and knows no HTTP server; `http` and `cli` talk to its `Handle`; `pipeline`
//! streams files into connectors; `warehouse` is the server that the samples call.

pub mod cli;
pub mod http;
pub mod pipeline;
pub mod runtime;
pub mod warehouse;
