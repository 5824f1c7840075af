//! What may happen to a run from outside.

use std::sync::Arc;

use flame_types::Timestamp;
use serde_json::Value;

use crate::action::{EffectId, TimerId};
use crate::error::Error;
use crate::record::{FrameId, Mark, ParentRun};

/// What the world knows when an event arrives: the engine has no clock and no dice.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    pub now: Timestamp,
    /// Seeds jitter and event ids of this decision only.
    pub entropy: u64,
}

#[derive(Debug, Clone)]
pub enum Event {
    /// Begins the run. Only on a fresh run.
    Start {
        input: Arc<Value>,
    },
    /// Begins a run that another one asked for. Only on a fresh run.
    StartChild {
        input: Arc<Value>,
        parent: ParentRun,
    },
    /// Continues pure work that the step budget interrupted.
    Continue,
    EffectDone {
        effect: EffectId,
        outcome: Result<Arc<Value>, Error>,
    },
    /// The message of a subscription that was asked for.
    MessageArrived {
        effect: EffectId,
        message: Arc<Value>,
        mark: Option<Mark>,
    },
    TimerFired {
        timer: TimerId,
    },
    /// Events of the log for a task that listens, in their order.
    EventsArrived {
        frame: FrameId,
        events: Vec<Arrived>,
    },
    Cancel,
    /// Undoes what the run did, and cancels it then.
    CancelAndCompensate,
    /// Tries the compensation of this number again, which waits for a person.
    RetryCompensation {
        number: u64,
    },
    /// Gives it up.
    SkipCompensation {
        number: u64,
    },
    Suspend,
    Resume,
    /// Faults the run from outside: what it decided can't be kept.
    Fault {
        error: Error,
    },
    /// Runs the task at which the run faulted again, with the input that it had.
    Retry,
}

/// An event that may be taken by a task that listens.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// Its place in the event log; `None` for the answer of a person.
    pub sequence: Option<u64>,
    /// The CloudEvent.
    pub event: Arc<Value>,
}
