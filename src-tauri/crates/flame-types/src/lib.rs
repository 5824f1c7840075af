//! Ids and plain values that every room shares.
//!
//! Deliberately absent: clocks, randomness and IO. An id is parsed at the edge and trusted inside.

mod ids;
pub mod json;
mod key;
mod run;

pub use ids::{InvalidId, Namespace, ProgramDigest, RunId, Version, WorkflowId, WorkflowName};
pub use jiff::Timestamp;
pub use key::IdempotencyKey;
pub use run::{Durability, RunStatus};
