//! What a commit is made of: the values that the writer applies and the reader gives back.

use flame_types::{RunId, RunStatus, Timestamp, WorkflowId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Operations that are applied together or not at all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Commit {
    pub operations: Vec<Operation>,
}

impl Commit {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an operation.
    #[must_use]
    pub fn with(mut self, operation: Operation) -> Self {
        self.operations.push(operation);
        self
    }

    /// Bytes of payload, for the limit of a batch.
    pub(crate) fn bytes(&self) -> usize {
        self.operations.iter().map(Operation::bytes).sum()
    }
}

impl From<Operation> for Commit {
    fn from(operation: Operation) -> Self {
        Self {
            operations: vec![operation],
        }
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    /// Adds a run; its id must be new.
    CreateRun(Box<NewRun>),
    /// Adds records at the end of a run's journal; `first` must be where the journal ends.
    Append(JournalBatch),
    /// Keeps the state of a run after so many records.
    PutSnapshot(Box<Snapshot>),
    /// Forgets the beginning of a run's journal, as far as a snapshot stands for it and at least `keep`
    /// records are left.
    Compact {
        run: RunId,
        keep: u64,
    },
    /// Replaces what lists show of a run. A terminal status stays unless `reopen` says otherwise.
    UpdateRun {
        id: RunId,
        state: Box<RunState>,
        reopen: bool,
    },
    /// Takes an idempotency key for a run; refused with `Error::KeyTaken` when it is taken.
    ClaimKey(IdempotencyClaim),
    PutDefinition(Box<Definition>),
    DeleteDefinition(DefinitionKey),
    /// Adds an event at the end of the log. One from outside that is there already, by its source and id,
    /// is not added again.
    AppendEvent(Box<AppendedEvent>),
    /// A task execution of a run listens to events from the end of the log on, as it is at this place of
    /// the commit.
    OpenListener {
        run: RunId,
        frame: u64,
    },
    CloseListener {
        run: RunId,
        frame: u64,
    },
    /// Adds a dead letter; the store numbers it, whatever its `id` says.
    AddDeadLetter(Box<DeadLetter>),
    /// Replaces a dead letter whose revision is still `expected_revision`.
    UpdateDeadLetter {
        letter: Box<DeadLetter>,
        expected_revision: u64,
    },
    /// Removes a dead letter whose revision is still `expected_revision`; one that has gone already stays gone.
    DeleteDeadLetter {
        id: u64,
        expected_revision: u64,
    },
    /// Moves a feed on; refused with `Error::FeedOffset` unless it stands at `expected_offset`.
    /// A feed that is not there yet stands at 0.
    AdvanceFeed {
        feed: Box<Feed>,
        expected_offset: u64,
    },
    /// Forgets where a feed stands.
    DeleteFeed {
        pipeline: String,
        source: String,
    },
    /// Deletes a run that has ended: journal, payloads, idempotency keys. One that has not ended stays.
    DeleteRun {
        id: RunId,
    },
    /// Deletes a part of what is left of deleted runs.
    Clear,
    /// Takes up to so many free pages out of the file.
    Shrink {
        pages: u32,
    },
    /// How far a workflow that events start has read the log; `None` is its end, as it is at this place of
    /// the commit.
    PutSubscription(Box<Subscription>),
    DeleteSubscription(DefinitionKey),
    PutSchedule(Schedule),
    DeleteSchedule(DefinitionKey),
    /// Says which run's task started a run; in the commit that creates it.
    AddChild(Child),
}

impl Operation {
    fn bytes(&self) -> usize {
        match self {
            Self::CreateRun(run) => run.input.len() + run.state.bytes(),
            Self::Append(batch) => batch.records.len(),
            Self::PutSnapshot(snapshot) => snapshot.state.len(),
            Self::UpdateRun { state, .. } => state.bytes(),
            Self::PutDefinition(definition) => definition.body.len(),
            Self::AppendEvent(event) => event.body.len(),
            Self::AddDeadLetter(letter) | Self::UpdateDeadLetter { letter, .. } => {
                letter.payload.len() + letter.original.len()
            }
            _ => 0,
        }
    }
}

/// A run as it is created.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    pub id: RunId,
    pub workflow: WorkflowId,
    /// Hash of the definition that the run is pinned to.
    pub hash: String,
    /// What started it: `api`, `webhook`, `schedule`, `command`, `replay`.
    pub trigger: String,
    /// What the run is about, for people.
    pub subject: Option<String>,
    /// The run that this one replays, and the task it starts at.
    pub replay_of: Option<(RunId, String)>,
    pub created: Timestamp,
    /// JSON.
    pub input: Vec<u8>,
    pub state: RunState,
}

/// A run that a task of another run started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Child {
    pub run: RunId,
    pub parent: RunId,
    /// JSON pointer of the parent's task.
    pub task: String,
    /// Whether the task waits for the run's end.
    pub awaited: bool,
}

/// What lists show of a run and what changes while it runs.
#[derive(Debug, Clone, PartialEq)]
pub struct RunState {
    pub status: RunStatus,
    /// Reference of the task at which the run is, or where it ended in a fault.
    pub task: Option<String>,
    pub updated: Timestamp,
    pub ended: Option<Timestamp>,
    /// When a waiting run goes on by itself.
    pub wakes: Option<Timestamp>,
    /// JSON, once the run has completed.
    pub output: Option<Vec<u8>>,
    /// The DSL error object as JSON, once the run has faulted.
    pub error: Option<Vec<u8>>,
}

impl RunState {
    fn bytes(&self) -> usize {
        self.output.as_ref().map_or(0, Vec::len) + self.error.as_ref().map_or(0, Vec::len)
    }
}

/// Consecutive records of one run's journal.
#[derive(Debug, Clone, PartialEq)]
pub struct JournalBatch {
    pub run: RunId,
    /// Sequence of the first record; a journal starts at 0 and has no gaps.
    pub first: u64,
    /// How many records, at least one.
    pub count: u32,
    /// A JSON array of `count` records.
    pub records: Vec<u8>,
}

/// The state of a run, so that reading can begin in the middle of its journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    pub run: RunId,
    /// How many records it stands for.
    pub sequence: u64,
    /// JSON.
    pub state: Vec<u8>,
}

/// A key with which a client may send the same request again.
#[derive(Debug, Clone, PartialEq)]
pub struct IdempotencyClaim {
    /// What the key is unique within, such as the workflow.
    pub scope: String,
    pub key: String,
    /// Tells the same body from another.
    pub body_hash: [u8; 32],
    pub run: RunId,
    pub created: Timestamp,
}

/// The address of a definition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DefinitionKey {
    /// Kind of document: `workflow`, `pipeline`.
    pub kind: String,
    pub namespace: String,
    pub name: String,
    /// Empty for kinds without versions.
    pub version: String,
}

impl DefinitionKey {
    /// The address of a workflow.
    pub fn workflow(id: &WorkflowId) -> Self {
        Self {
            kind: "workflow".to_owned(),
            namespace: id.namespace.to_string(),
            name: id.name.to_string(),
            version: id.version.to_string(),
        }
    }

    /// The address of a document of a kind that has no versions.
    pub fn unversioned(kind: &str, namespace: &str, name: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            version: String::new(),
        }
    }
}

/// A document as it was deployed. The text stays readable by its hash after it was replaced.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    pub key: DefinitionKey,
    pub hash: String,
    /// `application/yaml` or `application/json`.
    pub content_type: String,
    pub body: Vec<u8>,
    /// What lists and the start-up need without parsing the text.
    pub detail: Value,
    pub updated: Timestamp,
}

/// An event for the log.
#[derive(Debug, Clone, PartialEq)]
pub struct AppendedEvent {
    /// The run that emitted it; `None` where it came from outside.
    pub run: Option<RunId>,
    /// CloudEvents `id`.
    pub id: String,
    /// CloudEvents `type`.
    pub kind: String,
    /// CloudEvents `source`.
    pub source: String,
    pub time: Timestamp,
    /// The CloudEvent as JSON.
    pub body: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeadLetterState {
    /// Waits for a person.
    Open,
    /// Was sent again and taken.
    Sent,
    /// A person decided that it is not needed.
    Discarded,
}

impl DeadLetterState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Sent => "sent",
            Self::Discarded => "discarded",
        }
    }

    /// The state of that name, or `None`.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Open, Self::Sent, Self::Discarded]
            .into_iter()
            .find(|state| state.as_str() == name)
    }
}

/// A record or event that could not be handled.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetter {
    pub id: u64,
    /// Where it was to go, such as `pipeline/shop/orders`.
    pub origin: String,
    /// As it may be edited, UTF-8 text where possible.
    pub payload: Vec<u8>,
    /// As it came; never changes.
    pub original: Vec<u8>,
    pub content_type: String,
    /// What went wrong, as JSON.
    pub error: Value,
    /// Where it came from: file, line, headers.
    pub detail: Value,
    pub state: DeadLetterState,
    pub attempts: u32,
    /// Counts changes, from 1.
    pub revision: u64,
    pub created: Timestamp,
    pub updated: Timestamp,
}

/// How far a source has been read into a pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Feed {
    /// `namespace/name`.
    pub pipeline: String,
    /// Identity of the file or stream.
    pub source: String,
    /// Bytes taken so far.
    pub offset: u64,
    /// Records written.
    pub records: u64,
    /// Records that went to the dead letters.
    pub dead: u64,
    pub complete: bool,
    /// What the reader needs to go on, such as the header line and the line number.
    pub detail: Value,
    pub updated: Timestamp,
}

/// When a scheduled workflow is due.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    pub workflow: DefinitionKey,
    pub next: Timestamp,
    pub last: Option<Timestamp>,
}

/// A workflow that events start.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscription {
    pub workflow: DefinitionKey,
    /// Everything up to this place of the log was looked at; `None` puts it at the end.
    pub position: Option<u64>,
    /// What was gathered for the next start.
    pub state: Value,
}
