//! Workflows and pipelines as documents of the workspace.

use serde::{Deserialize, Serialize};
use specta::Type;

use crate::{Moment, RunStatusView, Whole};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum DocumentKind {
    Workflow,
    Pipeline,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct DocumentSummary {
    pub id: String,
    pub kind: DocumentKind,
    /// Empty while the text can't be read as far as its name.
    pub namespace: String,
    pub name: String,
    pub version: String,
    pub title: String,
    pub summary: Option<String>,
    pub trigger: Trigger,
    pub revision: Whole,
    pub updated_at: Moment,
    pub deployed_version: Option<String>,
    /// The saved text is not what the agent runs.
    pub changed: bool,
    /// Errors in the saved text; a document with errors can't be deployed.
    pub problems: Whole,
    /// Came with the app.
    pub sample: bool,
    /// The last 20, oldest first.
    pub last_runs: Vec<RunBar>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Trigger {
    pub kind: TriggerKind,
    /// Such as `/hooks/orders`, `0 6 * * *` or `inbox/*.csv`; empty for manual.
    pub detail: String,
    pub next_at: Option<Moment>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum TriggerKind {
    Webhook,
    Schedule,
    Folder,
    Manual,
}

/// One bar of the last 20 runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct RunBar {
    pub id: String,
    pub status: RunStatusView,
    pub started_at: Option<Moment>,
    pub duration_ms: Option<Whole>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct DocumentText {
    pub summary: DocumentSummary,
    pub text: String,
}

/// What a delete or a discard gives back so that it can be undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Undo {
    pub undo_token: String,
}

/// A version of a document's text that was saved before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct DocumentRevision {
    pub revision: Whole,
    pub saved_at: Moment,
    pub text_bytes: Whole,
}

/// A start for a new document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct DocumentTemplate {
    pub id: String,
    pub kind: DocumentKind,
    pub title: String,
    pub description: String,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    Error,
    Warning,
}

/// A problem in a text. Lines and columns count from 1; a column counts UTF-16 units, as editors do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    pub severity: Severity,
    pub code: String,
    pub message: String,
    pub value: Option<String>,
    pub hint: Option<String>,
    pub line: u32,
    pub column: u32,
    pub end_line: u32,
    pub end_column: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Deployed {
    pub version: String,
    /// Runs in flight that stay on the version they started with.
    pub runs_on_older: Whole,
}

/// Input to start from: what was used last, else the sample's, else `{}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct SampleInput {
    /// JSON text.
    pub text: String,
    pub origin: SampleOrigin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum SampleOrigin {
    LastRun,
    Sample,
    Empty,
}

/// A watched folder of a pipeline and what became of its files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Feed {
    pub document_id: String,
    pub title: String,
    pub folder: String,
    pub pattern: String,
    /// Why the folder can't be watched.
    pub error: Option<crate::ErrorView>,
    /// Newest first, at most 100.
    pub files: Vec<FeedFile>,
    /// The file that comes with the sample, as long as the pipeline is as it came and the file is there.
    pub sample: Option<FeedSample>,
}

/// A file to drop into a watched folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct FeedSample {
    /// Where it is.
    pub path: String,
    /// Of its first line.
    pub columns: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct FeedFile {
    pub file: String,
    pub state: FeedState,
    pub bytes: Whole,
    pub bytes_done: Whole,
    pub rows: Whole,
    /// Rows that went to the dead letters.
    pub rows_dead: Whole,
    pub updated_at: Moment,
    pub error: Option<crate::ErrorView>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum FeedState {
    /// Still being written by someone.
    Settling,
    Queued,
    Reading,
    Done,
    Failed,
}
