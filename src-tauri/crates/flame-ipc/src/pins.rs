//! Outputs that are pinned for tests of a workflow.

use serde::{Deserialize, Serialize};
use specta::Type;

use crate::{Json, Moment};

/// What a task gives in tests, instead of being executed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Pin {
    /// Reference of the task, such as `/do/2/charge`.
    pub task: String,
    pub name: String,
    pub output: Json,
    /// The run that gave it.
    pub run: String,
    pub pinned_at: Moment,
    /// The saved text still has the task; without it, tests leave the pin out.
    pub known: bool,
}
