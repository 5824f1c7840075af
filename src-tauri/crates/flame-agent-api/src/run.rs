//! Runs and their journals.

use flame_types::{RunId, RunStatus, Timestamp, json};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::compensation::CompensationView;
use crate::schemas;
use crate::workflow::WorkflowRef;

/// One execution of a workflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunView {
    #[schema(value_type = String, format = Uuid)]
    pub id: RunId,
    pub workflow: WorkflowRef,
    /// Hash of the definition that the run is pinned to.
    pub definition_hash: String,
    #[schema(value_type = schemas::RunStatus)]
    pub status: RunStatus,
    pub trigger: Trigger,
    /// It was started as a test.
    #[serde(default, skip_serializing_if = "is_false")]
    pub test: bool,
    /// What the run is about, in a few words: a key out of its input, or the hook's path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay_of: Option<ReplayOf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<ParentRun>,
    /// Absent in lists.
    #[serde(
        default,
        deserialize_with = "json::read",
        skip_serializing_if = "Option::is_none"
    )]
    pub input: Option<Value>,
    /// Of a completed run; absent in lists.
    #[serde(
        default,
        deserialize_with = "json::read",
        skip_serializing_if = "Option::is_none"
    )]
    pub output: Option<Value>,
    /// Of a faulted run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RunError>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// The tasks that work or wait now; several in a fork. Lists show the first alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub current_tasks: Vec<CurrentTask>,
    /// Once the run undoes what it did; absent in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compensation: Option<CompensationView>,
    /// Sequence of the last journal entry; 0 before the first.
    pub sequence: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_false(value: &bool) -> bool {
    !*value
}

/// What started a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Trigger {
    /// A call of this API or the command line.
    Api,
    Webhook,
    Schedule,
    /// An event, by `schedule.on`.
    Event,
    Replay,
    /// A task of another run.
    Workflow,
}

/// The run and task that a replay starts from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplayOf {
    #[schema(value_type = String, format = Uuid)]
    pub run: RunId,
    /// JSON pointer of the task.
    pub task: String,
}

/// The run and task that a run was started by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ParentRun {
    #[schema(value_type = String, format = Uuid)]
    pub run: RunId,
    /// JSON pointer of the task.
    pub task: String,
}

/// The DSL's error object (RFC 7807 shape).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunError {
    #[serde(rename = "type")]
    pub kind: String,
    pub status: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// JSON pointer of the task that raised it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
}

/// A task that works or waits now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CurrentTask {
    /// JSON pointer of the task.
    pub task: String,
    pub name: String,
    #[schema(value_type = schemas::RunStatus)]
    pub status: RunStatus,
    /// When a wait or a retry's delay ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub due: Option<Timestamp>,
    /// Number of a compensation that waits for a person; the task is the one it undoes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked: Option<u64>,
}

/// A page of runs, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunPage {
    pub items: Vec<RunView>,
    /// Give it as `cursor` to get the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Filters and paging of the list of runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunQuery {
    /// One status, or several with commas between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// `namespace`, `namespace/name` or `namespace/name/version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// Started by a task of this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<RunId>,
    /// Created at or after this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Created before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Ended at or after this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_since: Option<Timestamp>,
    /// Ended before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_until: Option<Timestamp>,
    /// In the run's id, subject, workflow or error, without regard to case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Conditions on fields of the input or output, such as `input/customer/id=42`, with ` and ` between.
    #[serde(rename = "where", default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<String>,
    /// Out of `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Rows of a page, 1 to 200; 50 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// How long the start of a run waits for its end.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StartQuery {
    /// A number with `ms`, `s` or `m`, at most 5 minutes, such as `30s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<String>,
}

/// Where a replay starts, and with what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReplayRequest {
    /// JSON pointer of the task at which the new run starts; tasks before it do not run again. An
    /// empty pointer starts the whole workflow.
    pub task: String,
    /// Input of that task; without it the input that it had.
    #[serde(
        default,
        deserialize_with = "json::read",
        skip_serializing_if = "Option::is_none"
    )]
    pub input: Option<Value>,
    /// `$context` at that task; without it the context that it had. Not with an empty pointer: the
    /// start makes its context of the input.
    #[serde(
        default,
        deserialize_with = "json::read",
        skip_serializing_if = "Option::is_none"
    )]
    pub context: Option<Value>,
}

/// What a journal entry records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum JournalType {
    RunStarted,
    /// A replay took over `$context` of the run it replays.
    ContextRestored,
    /// A replay goes on at a place of a list, or with a branch of a fork.
    FlowPositioned,
    /// A branch of a fork had ended in the run that is replayed.
    BranchRestored,
    /// What a task that listens had taken in the run that is replayed.
    ListenRestored,
    TaskStarted,
    /// The tasks of an extension begin, before or after the task.
    ExtensionStarted,
    /// They have ended.
    ExtensionEnded,
    /// A task has its output; its extensions run what comes after it before it completes.
    TaskReturned,
    /// Its `if` did not hold.
    TaskSkipped,
    LoopStarted,
    IterationStarted,
    /// A call goes out; it carries `key`.
    EffectRequested,
    /// The answer of a call came while the run was suspended.
    EffectHeld,
    /// In a test: the task's pinned output, or its call's mocked answer, follows.
    TaskStubbed,
    /// A wait or a timeout began; it ends at `due`.
    TimerArmed,
    EventEmitted,
    /// A task listens to events from here on.
    ListenStarted,
    /// A task that listens took an event.
    EventConsumed,
    /// A subscription with `foreach` took a message.
    MessageTaken,
    /// It takes no more messages.
    SubscriptionEnded,
    /// `foreach` is done with an event or message.
    IterationCompleted,
    TaskCompleted,
    TaskFaulted,
    TaskCancelled,
    /// A `try` caught an error and goes on in `catch.do`, or after it.
    ErrorCaught,
    /// A `try` caught an error and runs its list again at `due`.
    RetryScheduled,
    AttemptStarted,
    /// An endless loop begins anew: its steps are counted from here, its oldest entries are let go of.
    RunContinued,
    /// The clock went back: waits and timeouts run their whole length from here on.
    ClockTurnedBack,
    RunSuspended,
    RunResumed,
    /// A person runs the task again at which the run faulted.
    RunRetried,
    /// The run will end with `error`, or cancelled; what it did is undone before.
    CompensationStarted,
    /// A completed task is being undone.
    CompensationBegan,
    /// It failed too often and waits for a person.
    CompensationParked,
    CompensationEnded,
    RunCompleted,
    RunFaulted,
    RunCancelled,
}

/// One fact of a run's journal. Fields that do not belong to its type are absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JournalEntry {
    /// From 1 without gaps.
    pub sequence: u64,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    #[serde(rename = "type")]
    pub kind: JournalType,
    /// JSON pointer of the task, such as `/do/0/tryGetPet/try/0/getPet`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The word for the task's kind, such as `switch` or `call http`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_kind: Option<String>,
    /// Pairs the entries of one execution of a task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<u64>,
    /// The execution around it; absent in the workflow's own list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<u64>,
    /// Index of every loop around the task, from 0, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub iteration: Vec<u64>,
    /// How often the flow has come to this task, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visit: Option<u64>,
    /// Attempt of the innermost `try` around it, from 1; of a `try` itself, its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u64>,
    /// Number of the compensation that it belongs to, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compensation: Option<u64>,
    #[serde(
        default,
        deserialize_with = "json::read",
        skip_serializing_if = "Option::is_none"
    )]
    pub input: Option<Value>,
    #[serde(
        default,
        deserialize_with = "json::read",
        skip_serializing_if = "Option::is_none"
    )]
    pub output: Option<Value>,
    /// `$context`, where the task changed it, or the run begins with another one than its input.
    #[serde(
        default,
        deserialize_with = "json::read",
        skip_serializing_if = "Option::is_none"
    )]
    pub context: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RunError>,
    /// When a timer fires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub due: Option<Timestamp>,
    /// The extension whose tasks begin or have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<ExtensionView>,
    /// Idempotency key that the call carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Where the flow goes, unless to the next task: `exit`, `end` or a task's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<String>,
}

/// An extension of the task that an entry is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExtensionView {
    /// Its name in `use.extensions`.
    pub name: String,
    /// `before` or `after` the task.
    pub place: String,
}

/// What a webhook answers where it does not wait for the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HookAccepted {
    #[schema(value_type = String, format = Uuid)]
    pub run_id: RunId,
    #[schema(value_type = schemas::RunStatus)]
    pub status: RunStatus,
}

/// A page of a journal, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JournalPage {
    pub items: Vec<JournalEntry>,
    /// Give it as `after` to get the next page; absent where the journal ends for now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
    /// Entries at the beginning that are not kept any more: an endless loop keeps its recent history.
    #[serde(default)]
    pub compacted: u64,
}

/// Paging of a journal.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JournalQuery {
    /// Entries after this sequence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// Entries of a page, 1 to 1,000; 200 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}
