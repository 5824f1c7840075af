//! What may happen to a run from outside.

use std::sync::Arc;

use flame_types::Timestamp;
use serde_json::Value;

use crate::action::{EffectId, TimerId};
use crate::error::Error;

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
    /// Continues pure work that the step budget interrupted.
    Continue,
    EffectDone {
        effect: EffectId,
        outcome: Result<Arc<Value>, Error>,
    },
    TimerFired {
        timer: TimerId,
    },
    Cancel,
    Suspend,
    Resume,
    /// Runs the task at which the run faulted again, with the input that it had.
    Retry,
}
