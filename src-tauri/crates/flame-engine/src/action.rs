//! What the engine asks of the world. Actions are carried out after the records are on disk.

use std::sync::Arc;
use std::time::Duration;

use flame_dsl::{HttpOutput, Protocol, PullPolicy, ScriptLanguage};
use flame_types::{IdempotencyKey, Namespace, RunId, RunStatus, Timestamp, Version, WorkflowName};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::authentication::Credentials;
use crate::record::{Ask, FrameId, Mark, ParentRun};
use crate::subscription::Subscription;

/// Numbers an effect within its run; never reused, also not by a retry of the same task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EffectId(pub u64);

/// Numbers a timer within its run; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TimerId(pub u64);

#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Make this call and answer with `Event::EffectDone`.
    Invoke {
        effect: EffectId,
        key: IdempotencyKey,
        reference: Arc<str>,
        call: Call,
    },
    /// Hand over the next message of this subscription as `Event::MessageArrived`; before, none is wanted.
    Next {
        effect: EffectId,
    },
    /// Nobody waits for this effect any more: stop it, its answer is ignored.
    Abort {
        effect: EffectId,
    },
    /// Answer with `Event::TimerFired` at or after `due`.
    Arm {
        timer: TimerId,
        due: Timestamp,
    },
    Disarm {
        timer: TimerId,
    },
    /// Store a CloudEvent in the event log, in the same commit as the records.
    Emit {
        event: Arc<Value>,
    },
    /// Store a lifecycle event in the event log, in the same commit as the records.
    Publish {
        event: Arc<Value>,
    },
    /// Send the events that come from now on, and those after `after`, as `Event::EventsArrived`.
    Listen {
        frame: FrameId,
        interest: Interest,
    },
    /// Send no more events to this task.
    Unlisten {
        frame: FrameId,
    },
    /// Send `Event::Continue` when it is this run's turn again.
    Yield,
    /// The run has ended; nothing of it is in flight.
    Finish {
        status: RunStatus,
    },
}

/// What a task listens to.
#[derive(Debug, Clone, PartialEq)]
pub enum Interest {
    Log {
        /// The types of the events; `None` is every type.
        types: Option<Vec<Arc<str>>>,
        /// Place of the last event that the task took; 0 where it took none.
        taken: u64,
    },
    /// The answer of a person.
    Person {
        reference: Arc<str>,
        ask: Ask,
        since: Timestamp,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    Http(HttpRequest),
    Function {
        connector: Arc<str>,
        operation: Arc<str>,
        version: Arc<str>,
        arguments: Arc<Value>,
    },
    Protocol(ProtocolRequest),
    Process(Box<ProcessCall>),
    Workflow(SubflowCall),
}

/// A call that another document describes, with every expression evaluated. The caller sends the
/// idempotency key along where the protocol has a place for it.
#[derive(Debug, Clone, PartialEq)]
pub struct ProtocolRequest {
    pub protocol: Protocol,
    /// Where the document is that describes the operation.
    pub document: Option<String>,
    /// What it is got with, where not everybody may read it.
    pub document_credentials: Option<Box<Credentials>>,
    /// Whom to call, where the task says so itself.
    pub server: Option<String>,
    /// What the call proves itself with.
    pub credentials: Option<Box<Credentials>>,
    /// How messages are received, where the call is a subscription.
    pub receipt: Option<Receipt>,
    /// `with`, without the above.
    pub arguments: Arc<Value>,
    /// What is left of the task's timeout, if it has one.
    pub timeout: Option<Duration>,
}

/// How the messages of a subscription are received.
#[derive(Debug, Clone, PartialEq)]
pub enum Receipt {
    /// All that it takes, as one answer.
    Whole(Box<Subscription>),
    /// One after the other, each when it is asked for. It has no answer: it ends when it is aborted, or with
    /// an error.
    Singly {
        /// It goes on behind this message.
        after: Option<Mark>,
    },
}

impl ProtocolRequest {
    /// The operation, method or channel that is called.
    pub fn operation(&self) -> &str {
        ["operationId", "method", "operation", "channel"]
            .iter()
            .find_map(|key| self.arguments[key].as_str())
            .unwrap_or_default()
    }
}

/// A process to start and, unless it is not awaited, its result: `{code, stdout, stderr}`.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcessCall {
    pub program: Program,
    pub stdin: Option<String>,
    pub arguments: Vec<String>,
    pub environment: Vec<(String, String)>,
    /// What is left of the task's timeout, if it has one.
    pub timeout: Option<Duration>,
    pub awaits: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Program {
    Container(Box<ContainerCall>),
    Script(ScriptLanguage, ScriptText),
    /// A command for `sh -c`.
    Shell(Arc<str>),
}

#[derive(Debug, Clone, PartialEq)]
pub enum ScriptText {
    Inline(Arc<str>),
    Source {
        /// Where it is fetched from.
        address: String,
        /// What it is got with, where not everybody may read it.
        credentials: Option<Box<Credentials>>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub struct ContainerCall {
    pub image: String,
    pub name: Option<String>,
    /// A command for `sh -c` in the container.
    pub command: Option<Arc<str>>,
    /// Port of this machine, port of the container.
    pub ports: Vec<(u16, u16)>,
    /// Path on this machine, path in the container.
    pub volumes: Vec<(String, String)>,
    /// How long after its end it is removed; `None` keeps it.
    pub remove_after: Option<Duration>,
    pub pull: PullPolicy,
}

/// A child run to start under this id, unless it was started before, and its output.
#[derive(Debug, Clone, PartialEq)]
pub struct SubflowCall {
    pub run: RunId,
    pub namespace: Namespace,
    pub name: WorkflowName,
    /// `None` is the newest one.
    pub version: Option<Version>,
    pub input: Arc<Value>,
    pub awaits: bool,
    pub parent: ParentRun,
}

/// An HTTP request with every expression evaluated. The caller adds `Idempotency-Key` unless
/// `headers` has one.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpRequest {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub query: Vec<(String, String)>,
    /// JSON unless the document's own `content-type` says otherwise; a string is then sent as it is.
    pub body: Option<Arc<Value>>,
    pub credentials: Option<Box<Credentials>>,
    pub output: HttpOutput,
    pub redirect: bool,
    /// What is left of the task's timeout, if it has one.
    pub timeout: Option<Duration>,
}
