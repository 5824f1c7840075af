//! The values that go in and out of the runtime.

use std::sync::Arc;

use flame_dsl::{Webhook, Workflow};
use flame_engine::{CompensationProgress, Record, TestPlan};
use flame_types::{RunId, RunStatus, Timestamp, WorkflowId};
use serde_json::Value;

/// What started a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// A call of the API or the command line.
    Api,
    Webhook,
    Schedule,
    /// An event, by `schedule.on`.
    Event,
    Replay,
    /// A call of the API or the command line that asks for a test.
    Test,
    /// A task of another run.
    Workflow,
}

impl Trigger {
    /// The word under which it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Webhook => "webhook",
            Self::Schedule => "schedule",
            Self::Event => "event",
            Self::Replay => "replay",
            Self::Test => "test",
            Self::Workflow => "workflow",
        }
    }

    /// The trigger of that name, or `None`.
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::Api,
            Self::Webhook,
            Self::Schedule,
            Self::Event,
            Self::Replay,
            Self::Test,
            Self::Workflow,
        ]
        .into_iter()
        .find(|trigger| trigger.as_str() == name)
    }
}

/// Asks for a run.
#[derive(Debug, Clone)]
pub struct StartRequest {
    pub workflow: WorkflowId,
    pub input: Arc<Value>,
    pub trigger: Trigger,
    pub idempotency: Option<IdempotencyKey>,
    /// What the run is about, for people; taken out of the input where it is `None`.
    pub subject: Option<String>,
    /// Refuse an input that does not fit the workflow's schema instead of starting a run that faults.
    pub refuse_unfit: bool,
    /// Makes it a test run.
    pub test: Option<Arc<TestPlan>>,
}

impl StartRequest {
    /// A request of the API without an idempotency key.
    pub fn new(workflow: WorkflowId, input: impl Into<Arc<Value>>) -> Self {
        Self {
            workflow,
            input: input.into(),
            trigger: Trigger::Api,
            idempotency: None,
            subject: None,
            refuse_unfit: false,
            test: None,
        }
    }

    /// A request for a test run.
    pub fn test(workflow: WorkflowId, input: impl Into<Arc<Value>>, plan: TestPlan) -> Self {
        Self {
            trigger: Trigger::Test,
            test: Some(Arc::new(plan)),
            ..Self::new(workflow, input)
        }
    }
}

/// The key with which a client may send a request again; unique within a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    pub key: String,
    /// SHA-256 of the body as it came.
    pub body_hash: [u8; 32],
}

/// A run that is on disk.
#[derive(Debug, Clone)]
pub struct Started {
    /// As it was after its first commit; it may have ended by then.
    pub run: flame_store::Run,
    /// The idempotency key was used before: this is the run of that time.
    pub existing: bool,
}

/// A workflow as it is deployed.
#[derive(Debug, Clone)]
pub struct Deployed {
    pub workflow: Arc<Workflow>,
    /// `application/yaml` or `application/json`.
    pub content_type: String,
    /// The document as it was put.
    pub text: Arc<str>,
    pub updated: Timestamp,
    /// When its schedule starts it next.
    pub next: Option<Timestamp>,
}

impl Deployed {
    pub fn webhook(&self) -> Option<&Webhook> {
        self.workflow.webhook.as_ref()
    }
}

/// One record of a run's journal.
#[derive(Debug, Clone, PartialEq)]
pub struct JournalEntry {
    /// From 1 without gaps.
    pub sequence: u64,
    pub record: Record,
}

/// A task that works or waits now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrentTask {
    pub reference: Arc<str>,
    pub name: Arc<str>,
    pub status: RunStatus,
    /// When a wait or a retry's delay ends.
    pub due: Option<Timestamp>,
    /// The number of a compensation that waits for a person.
    pub parked: Option<u64>,
}

/// What a run is at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inspection {
    /// Those that work or wait now; empty for a run that has ended.
    pub tasks: Vec<CurrentTask>,
    /// Once the run undoes what it did.
    pub compensation: Option<CompensationProgress>,
}

/// Something a window may want to show anew. Sent after the commit that made it true.
#[derive(Debug, Clone)]
pub enum Change {
    /// A run was created or went on; the newest state, without input and output.
    Run(Arc<flame_store::RunSummary>),
    Workflows,
    Connections,
    Events,
    Pipelines,
    DeadLetters,
    /// A feed moved on.
    Feed(Arc<flame_store::Feed>),
}

impl Change {
    /// The run that changed.
    pub fn run(&self) -> Option<RunId> {
        match self {
            Self::Run(summary) => Some(summary.id),
            _ => None,
        }
    }
}

/// How much work the runtime holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Not ended: pending, running, waiting or suspended.
    pub in_flight: u64,
    pub running: u64,
    pub waiting: u64,
    pub suspended: u64,
    pub in_flight_max: u64,
    /// Runs that wait for the store: the disk is full or failed.
    pub held: u64,
    /// Calls to the outside that are under way.
    pub calls: u64,
    /// Since the start of the agent.
    pub started: u64,
    pub completed: u64,
    pub faulted: u64,
    pub cancelled: u64,
}

/// Runs that wait for the store.
#[derive(Debug, Clone, Default)]
pub struct Held {
    pub runs: u64,
    /// What the store said last to one of them.
    pub why: Option<flame_store::Error>,
}

/// A host that was called since the agent started.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboundHost {
    /// Host and port, such as `pay.example.com:443`.
    pub host: String,
    pub calls: u64,
    pub failures: u64,
    pub last: Timestamp,
    /// Workflows and connections that called it, by name; the first 100.
    pub callers: Vec<String>,
}

/// A task that waits for a person.
#[derive(Debug, Clone, PartialEq)]
pub struct PersonTask {
    pub run: RunId,
    pub workflow: WorkflowId,
    /// JSON pointer of the task.
    pub reference: Arc<str>,
    /// The type of the event that the answer becomes.
    pub kind: Arc<str>,
    pub title: String,
    pub description: Option<String>,
    pub assignee: Option<String>,
    /// JSON Schema of the answer.
    pub schema: Arc<Value>,
    pub since: Timestamp,
}
