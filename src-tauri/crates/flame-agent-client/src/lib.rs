//! Client of the agent HTTP API: one method per operation, and streams for what is followed.
//!
//! Paths and methods come from the table in `flame-agent-api`; a test holds the whole client against
//! the committed OpenAPI document. Deliberately absent: retries and reconnects. A caller that follows a
//! stream knows best when to ask again, and [`AgentClient::follow_run`] takes the place to go on from.

mod agent;
mod client;
mod connections;
mod containers;
mod dead_letters;
mod error;
mod events;
mod host_execution;
mod people;
mod pipelines;
mod runs;
mod sse;
mod workflows;

pub use client::AgentClient;
pub use error::Error;
pub use flame_agent_api as api;
pub use runs::{RunEvent, StartOptions, Started};
pub use workflows::Format;

/// What every call gives.
pub type Result<T> = std::result::Result<T, Error>;
