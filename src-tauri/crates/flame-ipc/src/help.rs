//! The offline help: a page for each kind of task and one for each error code.

use serde::{Deserialize, Serialize};
use specta::Type;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct HelpText {
    /// The keyword of a task, such as `for`, or an error code, such as `MD-404`.
    pub id: String,
    pub kind: HelpKind,
    /// Without the id.
    pub title: String,
    /// Markdown.
    pub markdown: String,
    /// YAML: a workflow that runs as it is. Only pages on tasks have one.
    pub example: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum HelpKind {
    Task,
    Error,
}
