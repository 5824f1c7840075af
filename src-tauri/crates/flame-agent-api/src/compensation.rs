//! Undoing what a run did.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a run is cancelled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CancelRequest {
    /// Undo the completed tasks with `metadata."mastra.io/compensate"` first, the last one first; the
    /// run is cancelled after it. False without it.
    #[serde(default)]
    pub compensate: bool,
}

/// How far the undoing of a run's completed tasks is, or came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CompensationView {
    pub undone: u64,
    /// Given up by a person.
    pub skipped: u64,
    /// To be undone yet, the one at work included; of an ended run what a cancel left.
    pub left: u64,
    /// Number of the one that failed too often and waits for a person: retry or skip it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked: Option<u64>,
}
