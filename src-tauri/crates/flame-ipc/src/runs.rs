//! Runs: rows, detail with a timeline of tasks, and the journal behind them.

use flame_types::RunStatus;
use serde::{Deserialize, Serialize};
use specta::Type;

use crate::{Json, Moment, Whole};

/// The specification's words for the state of a run or task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
#[serde(rename = "RunStatus")]
pub enum RunStatusView {
    Pending,
    Running,
    Waiting,
    Suspended,
    Cancelled,
    Faulted,
    Completed,
}

impl From<RunStatus> for RunStatusView {
    fn from(status: RunStatus) -> Self {
        match status {
            RunStatus::Pending => Self::Pending,
            RunStatus::Running => Self::Running,
            RunStatus::Waiting => Self::Waiting,
            RunStatus::Suspended => Self::Suspended,
            RunStatus::Cancelled => Self::Cancelled,
            RunStatus::Faulted => Self::Faulted,
            RunStatus::Completed => Self::Completed,
        }
    }
}

impl From<RunStatusView> for RunStatus {
    fn from(status: RunStatusView) -> Self {
        match status {
            RunStatusView::Pending => Self::Pending,
            RunStatusView::Running => Self::Running,
            RunStatusView::Waiting => Self::Waiting,
            RunStatusView::Suspended => Self::Suspended,
            RunStatusView::Cancelled => Self::Cancelled,
            RunStatusView::Faulted => Self::Faulted,
            RunStatusView::Completed => Self::Completed,
        }
    }
}

/// The specification's error object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct DslError {
    #[serde(rename = "type")]
    pub kind: String,
    /// The code that the detail begins with, such as `MD-407`; `helpPage` explains it.
    pub code: Option<String>,
    pub status: u16,
    pub title: Option<String>,
    pub detail: Option<String>,
    pub instance: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct RunSummary {
    pub id: String,
    pub namespace: String,
    pub name: String,
    pub version: String,
    /// The workflow's title, else its name.
    pub title: String,
    /// What the run is about, such as an order's number, where its input says so.
    pub subject: Option<String>,
    pub status: RunStatusView,
    pub started_by: StartedBy,
    /// It was started as a test.
    pub test: bool,
    pub created_at: Moment,
    pub ended_at: Option<Moment>,
    /// Until now when it has not ended.
    pub duration_ms: Whole,
    /// The task it is at, or the one it faulted at.
    pub current_task: Option<String>,
    pub error: Option<DslError>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct StartedBy {
    pub kind: StartKind,
    /// Such as `/hooks/orders`.
    pub detail: Option<String>,
    /// The run that this one replays.
    pub replay_of: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum StartKind {
    /// Over the API: from this window or by another program.
    Api,
    Webhook,
    Schedule,
    Replay,
    /// A task of another run.
    Workflow,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct RunPage {
    pub items: Vec<RunSummary>,
    /// Give it back as `cursor` for the next page.
    pub next: Option<String>,
    /// How many match in all, where the agent counted them.
    pub total: Option<Whole>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct RunDetail {
    pub summary: RunSummary,
    pub input: Json,
    pub output: Option<Json>,
    pub error: Option<DslError>,
    /// Entries in the journal.
    pub journal_length: Whole,
    /// The agent's mode now; entries of before it was changed had the one that held then.
    pub durability: crate::DurabilityView,
    /// The text that the run is pinned to.
    pub definition: Option<String>,
    /// Once the run undoes what it did.
    pub compensation: Option<CompensationView>,
    /// Some task that completed can be undone, so a cancel may undo it.
    pub undoable: bool,
    /// In order of appearance; tasks that were not reached are pending and carry no times.
    pub tasks: Vec<TaskView>,
    /// Entries of the journal before those that `tasks` are made of: a long run shows where it is or ended.
    pub entries_omitted: Whole,
}

/// How far the undoing of a run's completed tasks is, or came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct CompensationView {
    pub undone: Whole,
    /// Given up by a person.
    pub skipped: Whole,
    pub left: Whole,
    /// Number of the one that waits for a person.
    pub parked: Option<Whole>,
}

/// One visit of one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct TaskView {
    /// Where it stands in the definition, such as `/do/5/chargeCard`.
    pub reference: String,
    /// Unique within the run: reference, iteration path and visit.
    pub key: String,
    pub name: String,
    /// Such as `call http` or `set`.
    pub kind: String,
    pub depth: u32,
    /// The key of the task around it.
    pub parent: Option<String>,
    /// Such as `0` or `2.1` inside loops.
    pub iteration: Option<String>,
    pub status: RunStatusView,
    pub started_at: Option<Moment>,
    pub ended_at: Option<Moment>,
    pub input: Option<Json>,
    pub output: Option<Json>,
    pub error: Option<DslError>,
    /// One line about it, such as the case that a switch took.
    pub note: Option<String>,
    pub attempts: Vec<AttemptView>,
    pub idempotency_key: Option<String>,
    /// It undoes what was done: by `mastra.io/compensate`, or inside `catch.do`.
    pub compensation: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct AttemptView {
    /// Counts from 1.
    pub number: u32,
    pub started_at: Moment,
    pub ended_at: Option<Moment>,
    pub status: RunStatusView,
    pub error: Option<DslError>,
    /// The wait after it.
    pub backoff_ms: Option<Whole>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct JournalEntry {
    pub seq: Whole,
    pub at: Moment,
    pub kind: String,
    /// Reference of the task it is about.
    pub task: Option<String>,
    pub data: Json,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct JournalPage {
    pub items: Vec<JournalEntry>,
    /// Give it back as `after` for the next page.
    pub next: Option<Whole>,
    /// Entries at the beginning that are not kept any more.
    pub compacted: Whole,
}

/// What a task had, as JSON texts for editors: no digit is lost on the way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct TaskInput {
    pub input: String,
    /// `$context` when the task began; none for the run itself, whose input becomes its context.
    pub context: Option<String>,
}
