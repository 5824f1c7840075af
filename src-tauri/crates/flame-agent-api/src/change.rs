//! What changed, for a window that follows the agent instead of polling it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::pipeline::FeedStatus;
use crate::run::RunView;

/// What changed since the last message; newest wins, at most 10 messages a second.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Changes {
    /// The newest state of each changed run, without input and output; at most 100.
    #[serde(default)]
    pub runs: Vec<RunView>,
    /// The newest state of each changed feed.
    #[serde(default)]
    pub feeds: Vec<FeedStatus>,
    /// Whether a workflow was put or deleted.
    #[serde(default)]
    pub workflows: bool,
    /// Whether a pipeline was put or deleted.
    #[serde(default)]
    pub pipelines: bool,
    /// Whether a connection was put or deleted.
    #[serde(default)]
    pub connections: bool,
    /// Whether a dead letter came, changed or went.
    #[serde(default)]
    pub dead_letters: bool,
    /// Whether an event was stored.
    #[serde(default)]
    pub events: bool,
    /// More changed than fits: load the lists again.
    #[serde(default)]
    pub missed: bool,
}

impl Changes {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
