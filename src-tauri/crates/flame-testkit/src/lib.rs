//! Fakes, fixtures and servers that tests share; never shipped.

mod absent;
mod agent;
mod certificate;
mod counterpart;
mod effects;
mod podman;
mod postgres;
mod program;

pub use absent::{open_workflow, skipped, tell};
pub use agent::Agent;
pub use certificate::Certificate;
pub use counterpart::Counterpart;
pub use effects::Effects;
pub use podman::Podman;
pub use postgres::{Encryption, Postgres};
pub use program::agent_program;
