//! What happened to a run: the journal's vocabulary, append-only once released.
//!
//! Deliberately absent: evaluated HTTP requests, which may hold secrets. They are evaluated again from
//! the task's input, the context and the pinned definition.

use std::collections::BTreeMap;
use std::sync::Arc;

use flame_dsl::{Externals, Flow};
use flame_types::{IdempotencyKey, RunId, Timestamp, json};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::action::{EffectId, TimerId};
use crate::error::Error;
use crate::gathering::Gathering;
use crate::secrets::Secrets;
use crate::size;
use crate::test_plan::TestPlan;

/// Numbers a task execution within its run; never reused. 0 is the workflow itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FrameId(pub u64);

impl FrameId {
    /// The workflow's own list of tasks.
    pub const ROOT: Self = Self(0);
}

/// Which of its parent's lists a task stands in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Slot {
    /// The workflow's, `do`'s, `for`'s or `try`'s own list.
    #[default]
    Body,
    /// `catch.do`.
    Handler,
    /// `fork.branches`.
    Branch,
    /// `metadata."mastra.io/compensate"`.
    Undo,
    /// An extension's `before`.
    Before,
    /// An extension's `after`.
    After,
}

impl Slot {
    fn is_body(&self) -> bool {
        *self == Self::Body
    }
}

/// Where the flow goes after a task; absent where it is `continue`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Next {
    #[default]
    Continue,
    Exit,
    End,
    /// The task at this index of the same list.
    Task(usize),
}

impl Next {
    fn is_continue(&self) -> bool {
        *self == Self::Continue
    }
}

impl From<Flow> for Next {
    fn from(flow: Flow) -> Self {
        match flow {
            Flow::Continue => Self::Continue,
            Flow::Exit => Self::Exit,
            Flow::End => Self::End,
            Flow::To(index) => Self::Task(index),
        }
    }
}

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TimerPurpose {
    /// A `wait` task's own.
    Wait,
    /// The `timeout` of a task, or of the workflow.
    Timeout,
    /// `retry.limit.attempt.duration`.
    Attempt,
    /// `consume.for` of a subscription with `foreach`.
    Consume,
}

/// Behind which message a source of messages goes on after a crash, where it can be told so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mark {
    /// The source's own id of the message.
    Id(String),
    /// How many messages stand before it in an answer that is given whole.
    Place(usize),
}

/// What a person is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    pub title: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
}

/// The run and the task that a replay starts from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReplayOrigin {
    pub run: RunId,
    /// JSON pointer of the task.
    pub task: String,
}

/// What the undoing of a run came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CompensationEnd {
    pub undone: u64,
    /// A person gave them up.
    pub skipped: u64,
    /// A person cancelled the run before it came to them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left: u64,
}

/// The task that a run is started by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParentRun {
    pub run: RunId,
    /// JSON pointer of the task.
    pub task: String,
    /// Runs around the child, from 1.
    pub depth: u32,
    /// One of the runs around it listens to lifecycle events, so that those of the child are not published.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unseen: bool,
}

/// One journalled fact. Folding them in order gives the state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Record {
    RunStarted {
        /// The raw input.
        #[serde(deserialize_with = "json::read")]
        input: Arc<Value>,
        /// The input after `input.from`, where it differs.
        #[serde(
            default,
            deserialize_with = "json::present",
            skip_serializing_if = "Option::is_none"
        )]
        data: Option<Arc<Value>>,
        /// The input does not fit; a `runFaulted` follows.
        #[serde(default, skip_serializing_if = "is_false")]
        refused: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replay: Option<ReplayOrigin>,
        /// Of a test run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        test: Option<Arc<TestPlan>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent: Option<ParentRun>,
        /// Texts from outside that the run is pinned to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        externals: Option<Arc<Externals>>,
        at: Timestamp,
    },
    /// `$context` as it was in the run that is replayed.
    ContextRestored {
        #[serde(deserialize_with = "json::read")]
        context: Arc<Value>,
        at: Timestamp,
    },
    /// A replay goes on at this place of a list, or with this branch of a fork, with this data.
    FlowPositioned {
        frame: FrameId,
        index: usize,
        #[serde(deserialize_with = "json::read")]
        data: Arc<Value>,
        at: Timestamp,
    },
    /// A branch of a fork had ended in the run that is replayed.
    BranchRestored {
        frame: FrameId,
        index: usize,
        #[serde(deserialize_with = "json::read")]
        output: Arc<Value>,
        at: Timestamp,
    },
    /// What a `listen` task had taken, and its `foreach` had made of it, in the run that is replayed.
    ListenRestored {
        frame: FrameId,
        gathering: Gathering,
        #[serde(deserialize_with = "json::read")]
        outputs: Vec<Arc<Value>>,
        at: Timestamp,
    },
    TaskStarted {
        frame: FrameId,
        parent: FrameId,
        #[serde(default, skip_serializing_if = "Slot::is_body")]
        slot: Slot,
        /// Place in the list.
        index: usize,
        reference: Arc<str>,
        name: Arc<str>,
        /// The input after `input.from`, where it differs from the data that flows in.
        #[serde(
            default,
            deserialize_with = "json::present",
            skip_serializing_if = "Option::is_none"
        )]
        input: Option<Arc<Value>>,
        /// Places of those of the task's extensions whose `when` holds.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        extensions: Vec<usize>,
        at: Timestamp,
    },
    /// The tasks of an extension begin, before or after the one that they extend.
    ExtensionStarted {
        /// The task that is extended.
        frame: FrameId,
        /// Place among the task's extensions.
        extension: usize,
        slot: Slot,
        at: Timestamp,
    },
    /// They have ended.
    ExtensionEnded {
        frame: FrameId,
        extension: usize,
        slot: Slot,
        at: Timestamp,
    },
    /// A task has its output; it completes when its extensions have run what comes after.
    TaskReturned {
        frame: FrameId,
        /// As in `TaskCompleted`.
        #[serde(
            default,
            deserialize_with = "json::present",
            skip_serializing_if = "Option::is_none"
        )]
        output: Option<Arc<Value>>,
        #[serde(
            default,
            deserialize_with = "json::present",
            skip_serializing_if = "Option::is_none"
        )]
        context: Option<Arc<Value>>,
        #[serde(default, skip_serializing_if = "Next::is_continue")]
        next: Next,
        at: Timestamp,
    },
    /// Its `if` did not hold.
    TaskSkipped {
        parent: FrameId,
        #[serde(default, skip_serializing_if = "Slot::is_body")]
        slot: Slot,
        index: usize,
        reference: Arc<str>,
        name: Arc<str>,
        at: Timestamp,
    },
    /// `for.in` was evaluated.
    LoopStarted {
        frame: FrameId,
        #[serde(deserialize_with = "json::read")]
        items: Arc<Vec<Value>>,
        at: Timestamp,
    },
    IterationStarted {
        frame: FrameId,
        index: usize,
        at: Timestamp,
    },
    /// The intent: on disk before the effect is invoked.
    EffectRequested {
        frame: FrameId,
        effect: EffectId,
        key: IdempotencyKey,
        /// Counts from 1; of the innermost `try` around the task.
        attempt: u32,
        at: Timestamp,
    },
    /// An answer that came while the run was suspended; it is used when the run goes on.
    EffectHeld {
        frame: FrameId,
        effect: EffectId,
        #[serde(
            default,
            deserialize_with = "json::present",
            skip_serializing_if = "Option::is_none"
        )]
        output: Option<Arc<Value>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<Error>,
        at: Timestamp,
    },
    /// In a test run: what follows comes out of the plan; the task, or its call, was not executed.
    TaskStubbed {
        frame: FrameId,
        at: Timestamp,
    },
    TimerArmed {
        frame: FrameId,
        timer: TimerId,
        purpose: TimerPurpose,
        due: Timestamp,
        at: Timestamp,
    },
    /// The event is stored in the same commit.
    EventEmitted {
        frame: FrameId,
        id: String,
        kind: String,
        at: Timestamp,
    },
    /// A `listen` task waits for events from here on.
    ListenStarted {
        frame: FrameId,
        /// What a person is asked, where the events are a person's answers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ask: Option<Ask>,
        at: Timestamp,
    },
    /// A `listen` task took an event.
    EventConsumed {
        frame: FrameId,
        /// The event's place in the event log; absent where it came from a person.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sequence: Option<u64>,
        /// The event as it is read; absent where it counts for `until`.
        #[serde(
            default,
            deserialize_with = "json::present",
            skip_serializing_if = "Option::is_none"
        )]
        item: Option<Arc<Value>>,
        /// Place of the filter that took it, among those of the strategy or of `until`.
        filter: usize,
        /// Correlations that it fixes.
        #[serde(
            default,
            deserialize_with = "json::read",
            skip_serializing_if = "BTreeMap::is_empty"
        )]
        correlations: BTreeMap<String, Value>,
        /// No more events are taken.
        #[serde(default, skip_serializing_if = "is_false")]
        completes: bool,
        at: Timestamp,
    },
    /// A subscription with `foreach` took a message.
    MessageTaken {
        frame: FrameId,
        #[serde(deserialize_with = "json::read")]
        message: Arc<Value>,
        /// Where the source goes on behind it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mark: Option<Mark>,
        /// No more are taken.
        #[serde(default, skip_serializing_if = "is_false")]
        last: bool,
        at: Timestamp,
    },
    /// It takes no more messages: there are enough, or its time is over.
    SubscriptionEnded {
        frame: FrameId,
        at: Timestamp,
    },
    /// `foreach` of a `listen` task or of a subscription is done with an event or message.
    IterationCompleted {
        frame: FrameId,
        /// After `foreach.output`; absent where it is what the tasks gave.
        #[serde(
            default,
            deserialize_with = "json::present",
            skip_serializing_if = "Option::is_none"
        )]
        output: Option<Arc<Value>>,
        /// What `foreach.export` made of `$context`.
        #[serde(
            default,
            deserialize_with = "json::present",
            skip_serializing_if = "Option::is_none"
        )]
        context: Option<Arc<Value>>,
        at: Timestamp,
    },
    TaskCompleted {
        frame: FrameId,
        /// The output after `output.as`; absent where it is what the task would give by itself: the
        /// data of its list, or its input.
        #[serde(
            default,
            deserialize_with = "json::present",
            skip_serializing_if = "Option::is_none"
        )]
        output: Option<Arc<Value>>,
        /// What `export.as` made of `$context`.
        #[serde(
            default,
            deserialize_with = "json::present",
            skip_serializing_if = "Option::is_none"
        )]
        context: Option<Arc<Value>>,
        #[serde(default, skip_serializing_if = "Next::is_continue")]
        next: Next,
        at: Timestamp,
    },
    TaskFaulted {
        frame: FrameId,
        error: Error,
        at: Timestamp,
    },
    TaskCancelled {
        frame: FrameId,
        at: Timestamp,
    },
    /// A `try` caught an error and goes on in `catch.do`, or after it.
    ErrorCaught {
        frame: FrameId,
        error: Error,
        at: Timestamp,
    },
    /// A `try` caught an error and runs its list again at `due`.
    RetryScheduled {
        frame: FrameId,
        error: Error,
        /// The attempt that will start; the first was 1.
        attempt: u32,
        /// Absent where the attempt starts at once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timer: Option<TimerId>,
        due: Timestamp,
        at: Timestamp,
    },
    AttemptStarted {
        frame: FrameId,
        attempt: u32,
        at: Timestamp,
    },
    /// The workflow's list came back to a task that it had begun, after many steps: they count anew, and
    /// what stands before a snapshot of this place is not needed to go on.
    RunContinued {
        /// Counts from 1.
        generation: u64,
        at: Timestamp,
    },
    /// The clock went back behind a time at which a timer was armed: it and its like run their whole
    /// length from here on.
    ClockTurnedBack {
        at: Timestamp,
    },
    RunSuspended {
        at: Timestamp,
    },
    RunResumed {
        at: Timestamp,
    },
    /// A person runs the task again at which the run faulted.
    RunRetried {
        at: Timestamp,
    },
    /// The run will end, faulted with the error or cancelled without; what it did is undone before.
    CompensationStarted {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<Error>,
        /// The task that raised it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        frame: Option<FrameId>,
        at: Timestamp,
    },
    /// The task that completed last, of those that are left, is being undone.
    CompensationBegan {
        frame: FrameId,
        /// Counts from 1 within the run.
        number: u64,
        /// The task that is undone.
        reference: Arc<str>,
        at: Timestamp,
    },
    /// It failed too often and waits for a person.
    CompensationParked {
        frame: FrameId,
        error: Error,
        at: Timestamp,
    },
    CompensationEnded {
        frame: FrameId,
        /// A person gave it up.
        #[serde(default, skip_serializing_if = "is_false")]
        skipped: bool,
        at: Timestamp,
    },
    RunCompleted {
        /// Absent where it is the last task's output.
        #[serde(
            default,
            deserialize_with = "json::present",
            skip_serializing_if = "Option::is_none"
        )]
        output: Option<Arc<Value>>,
        at: Timestamp,
    },
    RunFaulted {
        error: Error,
        /// The task that raised it; absent where the workflow itself did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        frame: Option<FrameId>,
        /// What it did was undone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        compensation: Option<CompensationEnd>,
        at: Timestamp,
    },
    RunCancelled {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        compensation: Option<CompensationEnd>,
        at: Timestamp,
    },
}

/// Members of records that say what they are about.
const ADDRESS: [&str; 8] = [
    "type",
    "reference",
    "name",
    "slot",
    "key",
    "due",
    "externals",
    "at",
];

impl Record {
    /// The record without a secret in its data. What says where it belongs is no data.
    #[must_use]
    pub(crate) fn masked(self, secrets: &Secrets) -> Self {
        let mut json = serde_json::to_value(&self).expect("a record always serialises");
        for (name, value) in json.as_object_mut().into_iter().flatten() {
            if !ADDRESS.contains(&name.as_str()) {
                secrets.mask(value);
            }
        }
        serde_json::from_value(json).expect("a text in place of a text leaves the record's form")
    }

    /// The word that stands under `type` in JSON.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::RunStarted { .. } => "runStarted",
            Self::ContextRestored { .. } => "contextRestored",
            Self::FlowPositioned { .. } => "flowPositioned",
            Self::BranchRestored { .. } => "branchRestored",
            Self::ListenRestored { .. } => "listenRestored",
            Self::TaskStarted { .. } => "taskStarted",
            Self::TaskSkipped { .. } => "taskSkipped",
            Self::ExtensionStarted { .. } => "extensionStarted",
            Self::ExtensionEnded { .. } => "extensionEnded",
            Self::TaskReturned { .. } => "taskReturned",
            Self::LoopStarted { .. } => "loopStarted",
            Self::IterationStarted { .. } => "iterationStarted",
            Self::EffectRequested { .. } => "effectRequested",
            Self::EffectHeld { .. } => "effectHeld",
            Self::TaskStubbed { .. } => "taskStubbed",
            Self::TimerArmed { .. } => "timerArmed",
            Self::EventEmitted { .. } => "eventEmitted",
            Self::ListenStarted { .. } => "listenStarted",
            Self::EventConsumed { .. } => "eventConsumed",
            Self::MessageTaken { .. } => "messageTaken",
            Self::SubscriptionEnded { .. } => "subscriptionEnded",
            Self::IterationCompleted { .. } => "iterationCompleted",
            Self::TaskCompleted { .. } => "taskCompleted",
            Self::TaskFaulted { .. } => "taskFaulted",
            Self::TaskCancelled { .. } => "taskCancelled",
            Self::ErrorCaught { .. } => "errorCaught",
            Self::RetryScheduled { .. } => "retryScheduled",
            Self::AttemptStarted { .. } => "attemptStarted",
            Self::RunContinued { .. } => "runContinued",
            Self::ClockTurnedBack { .. } => "clockTurnedBack",
            Self::RunSuspended { .. } => "runSuspended",
            Self::RunResumed { .. } => "runResumed",
            Self::RunRetried { .. } => "runRetried",
            Self::CompensationStarted { .. } => "compensationStarted",
            Self::CompensationBegan { .. } => "compensationBegan",
            Self::CompensationParked { .. } => "compensationParked",
            Self::CompensationEnded { .. } => "compensationEnded",
            Self::RunCompleted { .. } => "runCompleted",
            Self::RunFaulted { .. } => "runFaulted",
            Self::RunCancelled { .. } => "runCancelled",
        }
    }

    /// The task execution that it is about.
    pub const fn frame(&self) -> Option<FrameId> {
        match self {
            Self::FlowPositioned { frame, .. }
            | Self::BranchRestored { frame, .. }
            | Self::ListenRestored { frame, .. }
            | Self::TaskStarted { frame, .. }
            | Self::ExtensionStarted { frame, .. }
            | Self::ExtensionEnded { frame, .. }
            | Self::TaskReturned { frame, .. }
            | Self::LoopStarted { frame, .. }
            | Self::IterationStarted { frame, .. }
            | Self::EffectRequested { frame, .. }
            | Self::EffectHeld { frame, .. }
            | Self::TaskStubbed { frame, .. }
            | Self::TimerArmed { frame, .. }
            | Self::EventEmitted { frame, .. }
            | Self::ListenStarted { frame, .. }
            | Self::EventConsumed { frame, .. }
            | Self::MessageTaken { frame, .. }
            | Self::SubscriptionEnded { frame, .. }
            | Self::IterationCompleted { frame, .. }
            | Self::TaskCompleted { frame, .. }
            | Self::TaskFaulted { frame, .. }
            | Self::TaskCancelled { frame, .. }
            | Self::ErrorCaught { frame, .. }
            | Self::RetryScheduled { frame, .. }
            | Self::AttemptStarted { frame, .. } => Some(*frame),
            Self::CompensationBegan { frame, .. }
            | Self::CompensationParked { frame, .. }
            | Self::CompensationEnded { frame, .. } => Some(*frame),
            Self::CompensationStarted { frame, .. } | Self::RunFaulted { frame, .. } => *frame,
            _ => None,
        }
    }

    /// Roughly what its data takes in JSON.
    pub(crate) fn payload_bytes(&self) -> usize {
        let optional = |value: &Option<Arc<Value>>| value.as_deref().map_or(0, size::rough);
        match self {
            Self::RunStarted { input, data, .. } => size::rough(input) + optional(data),
            Self::ContextRestored { context, .. } => size::rough(context),
            Self::FlowPositioned { data, .. } => size::rough(data),
            Self::BranchRestored { output, .. } => size::rough(output),
            Self::ListenRestored {
                gathering, outputs, ..
            } => {
                let values = gathering.events.iter().chain(outputs);
                values.map(|value| size::rough(value)).sum()
            }
            Self::TaskStarted { input, .. } => optional(input),
            Self::LoopStarted { items, .. } => items.iter().map(size::rough).sum(),
            Self::TaskCompleted {
                output, context, ..
            }
            | Self::TaskReturned {
                output, context, ..
            }
            | Self::IterationCompleted {
                output, context, ..
            } => optional(output) + optional(context),
            Self::EventConsumed { item, .. } => optional(item),
            Self::MessageTaken { message, .. } => size::rough(message),
            Self::EffectHeld { output, .. } | Self::RunCompleted { output, .. } => optional(output),
            _ => 0,
        }
    }

    /// Whether it ends the run.
    pub const fn ends_run(&self) -> bool {
        matches!(
            self,
            Self::RunCompleted { .. } | Self::RunFaulted { .. } | Self::RunCancelled { .. }
        )
    }

    /// When it happened.
    pub const fn at(&self) -> Timestamp {
        match self {
            Self::RunStarted { at, .. }
            | Self::ContextRestored { at, .. }
            | Self::FlowPositioned { at, .. }
            | Self::BranchRestored { at, .. }
            | Self::ListenRestored { at, .. }
            | Self::TaskStarted { at, .. }
            | Self::TaskSkipped { at, .. }
            | Self::ExtensionStarted { at, .. }
            | Self::ExtensionEnded { at, .. }
            | Self::TaskReturned { at, .. }
            | Self::LoopStarted { at, .. }
            | Self::IterationStarted { at, .. }
            | Self::EffectRequested { at, .. }
            | Self::EffectHeld { at, .. }
            | Self::TaskStubbed { at, .. }
            | Self::TimerArmed { at, .. }
            | Self::EventEmitted { at, .. }
            | Self::ListenStarted { at, .. }
            | Self::EventConsumed { at, .. }
            | Self::MessageTaken { at, .. }
            | Self::SubscriptionEnded { at, .. }
            | Self::IterationCompleted { at, .. }
            | Self::TaskCompleted { at, .. }
            | Self::TaskFaulted { at, .. }
            | Self::TaskCancelled { at, .. }
            | Self::ErrorCaught { at, .. }
            | Self::RetryScheduled { at, .. }
            | Self::AttemptStarted { at, .. }
            | Self::RunContinued { at, .. }
            | Self::ClockTurnedBack { at }
            | Self::RunSuspended { at }
            | Self::RunResumed { at }
            | Self::RunRetried { at }
            | Self::CompensationStarted { at, .. }
            | Self::CompensationBegan { at, .. }
            | Self::CompensationParked { at, .. }
            | Self::CompensationEnded { at, .. }
            | Self::RunCompleted { at, .. }
            | Self::RunFaulted { at, .. }
            | Self::RunCancelled { at, .. } => *at,
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_false(value: &bool) -> bool {
    !*value
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_zero(value: &u64) -> bool {
    *value == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_null_output_is_not_an_absent_one() {
        let at = Timestamp::UNIX_EPOCH;
        for output in [None, Some(Arc::new(Value::Null))] {
            let record = Record::TaskCompleted {
                frame: FrameId(1),
                output,
                context: None,
                next: Next::Task(3),
                at,
            };
            let text = serde_json::to_string(&record).unwrap();
            assert_eq!(
                serde_json::from_str::<Record>(&text).unwrap(),
                record,
                "{text}"
            );
        }
    }
}
