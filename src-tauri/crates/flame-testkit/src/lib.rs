//! Fakes, fixtures and servers that tests share; never shipped.

mod absent;
mod agent;
mod audit;
mod certificate;
mod counterpart;
mod effects;
mod podman;
mod postgres;
mod program;
mod wait;

pub use absent::{may_trace, open_workflow, skipped, tell};
pub use agent::Agent;
pub use audit::{CHANGES, once, postgres_audit, sqlite_audit};
pub use certificate::Certificate;
pub use counterpart::Counterpart;
pub use effects::Effects;
pub use podman::Podman;
pub use postgres::{Encryption, Postgres};
pub use program::agent_program;
pub use wait::until;
