//! Undoing what a run did, the last first, before it ends faulted or cancelled.
//!
//! Each task with `metadata."mastra.io/compensate"` that completed is undone by a frame of its own below
//! the workflow's, in the shape of a `try` without a catch: its list is run until it succeeds, with
//! backoff, and then waits for a person. Deliberately absent: undoing of what did not complete.

use std::sync::Arc;
use std::time::Duration;

use flame_types::json;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::action::TimerId;
use crate::duration;
use crate::error::Error;
use crate::key;
use crate::record::{CompensationEnd, FrameId, Record, Slot};
use crate::scope;
use crate::state::{Attempts, Phase, Progress, State};
use crate::tasks::do_list;
use crate::turn::Turn;

/// Attempts of one compensation before it waits for a person.
const ATTEMPTS_MAX: u32 = 5;
/// After the first attempt; twice as long after each further one.
const DELAY: Duration = Duration::from_secs(1);

/// A task that completed and can be undone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Completed {
    pub(crate) reference: Arc<str>,
    #[serde(deserialize_with = "json::read")]
    pub(crate) input: Arc<Value>,
    #[serde(deserialize_with = "json::read")]
    pub(crate) output: Arc<Value>,
    /// Indices of the loops around it, from the outside in.
    pub(crate) iteration: Vec<usize>,
    /// Of loops and handlers around it, from the inside out.
    #[serde(deserialize_with = "json::read")]
    pub(crate) variables: Vec<(Arc<str>, Value)>,
    /// What its idempotency key is made of: the same in every attempt of a `try` around it.
    place: String,
}

/// How far the undoing is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Compensation {
    /// Why the run faults; `None` where it is cancelled.
    pub(crate) error: Option<Error>,
    /// Compensations begun; the number of the one at work.
    pub(crate) begun: u64,
    pub(crate) undone: u64,
    pub(crate) skipped: u64,
    /// What is being undone.
    pub(crate) task: Option<Completed>,
}

/// How far the undoing of a run is, or came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CompensationProgress {
    pub undone: u64,
    /// A person gave them up.
    pub skipped: u64,
    /// The one at work included.
    pub left: u64,
    /// Number of the one that waits for a person.
    pub parked: Option<u64>,
}

impl State {
    /// Whether a frame undoes a task: the one around the tasks that do it.
    pub(crate) fn is_undo(&self, id: FrameId) -> bool {
        self.frames
            .get(&id)
            .is_some_and(|frame| frame.slot == Slot::Undo && frame.parent == Some(FrameId::ROOT))
    }

    /// Remembers a task that is about to leave the tree as completed, if it can be undone.
    pub(crate) fn remember(
        &mut self,
        workflow: &flame_dsl::Workflow,
        id: FrameId,
        output: &Arc<Value>,
    ) {
        if !workflow.compensates || self.compensation.is_some() {
            return;
        }
        let Some(task) = self
            .task(workflow, id)
            .filter(|task| task.compensation.is_some())
        else {
            return;
        };
        let frame = self.frame(id);
        let parent = frame.parent.unwrap_or(FrameId::ROOT);
        let variables = scope::variables(self, workflow, parent);
        let completed = Completed {
            reference: Arc::clone(&task.reference),
            input: Arc::clone(&frame.input),
            output: Arc::clone(output),
            iteration: key::iterations(self, parent),
            variables: variables
                .into_iter()
                .map(|(name, value)| (name.into(), value.clone()))
                .collect(),
            place: key::place(self, id, &task.reference),
        };
        if key::own_attempt(self, parent) > 1 {
            // The effect of an earlier attempt is the same one.
            self.completed
                .retain(|earlier| earlier.place != completed.place);
        }
        self.completed.push(completed);
    }

    /// The number of the compensation that a frame belongs to.
    pub(crate) fn compensation_of(&self, id: FrameId) -> Option<u64> {
        let compensation = self.compensation.as_ref()?;
        let within = self.outwards(id).any(|(id, _)| self.is_undo(id));
        within.then_some(compensation.begun)
    }

    /// The frame of the compensation at work.
    fn undoing(&self) -> Option<FrameId> {
        self.compensation.as_ref()?.task.as_ref()?;
        self.frames.keys().copied().find(|id| self.is_undo(*id))
    }

    /// The number and the frame of the compensation that waits for a person.
    pub(crate) fn parked(&self) -> Option<(u64, FrameId)> {
        let frame = self.undoing()?;
        let attempts = attempts(self, frame)?;
        let number = self.compensation.as_ref()?.begun;
        matches!(attempts.phase, Phase::Parked(_)).then_some((number, frame))
    }

    pub(crate) fn compensation_progress(&self) -> Option<CompensationProgress> {
        let compensation = self.compensation.as_ref()?;
        let left = self.completed.len() + usize::from(compensation.task.is_some());
        Some(CompensationProgress {
            undone: compensation.undone,
            skipped: compensation.skipped,
            left: left as u64,
            parked: self.parked().map(|(number, _)| number),
        })
    }
}

/// Begins the undoing; `false` where there is nothing to undo, or it is under way.
pub(crate) fn begin(turn: &mut Turn<'_>, error: Option<&Error>, frame: Option<FrameId>) -> bool {
    if turn.state.completed.is_empty() || turn.state.compensation.is_some() {
        return false;
    }
    turn.cancel_below(FrameId::ROOT, &[]);
    turn.emit(Record::CompensationStarted {
        error: error.cloned(),
        frame,
        at: turn.moment.now,
    });
    true
}

/// The next one, or the end of the run.
pub(crate) fn next(turn: &mut Turn<'_>) {
    let at = turn.moment.now;
    let Some(compensation) = &turn.state.compensation else {
        return;
    };
    if let Some(last) = turn.state.completed.last() {
        return turn.emit(Record::CompensationBegan {
            frame: FrameId(turn.state.next_frame),
            number: compensation.begun + 1,
            reference: Arc::clone(&last.reference),
            at,
        });
    }
    let end = Some(CompensationEnd {
        undone: compensation.undone,
        skipped: compensation.skipped,
        left: 0,
    });
    match compensation.error.clone() {
        Some(error) => turn.emit(Record::RunFaulted {
            error,
            frame: None,
            compensation: end,
            at,
        }),
        None => turn.emit(Record::RunCancelled {
            compensation: end,
            at,
        }),
    }
}

/// The frame of a compensation has its turn.
pub(crate) fn advance(turn: &mut Turn<'_>, id: FrameId) {
    let delayed =
        attempts(turn.state, id).is_some_and(|attempts| matches!(attempts.phase, Phase::Delay(_)));
    if delayed {
        attempt(turn, id);
    } else if !do_list::next(turn, id, Slot::Undo) {
        end(turn, id, false);
    }
}

/// Begins the next attempt.
pub(crate) fn attempt(turn: &mut Turn<'_>, id: FrameId) {
    let attempt = attempts(turn.state, id).map_or(1, |attempts| attempts.attempt) + 1;
    turn.emit(Record::AttemptStarted {
        frame: id,
        attempt,
        at: turn.moment.now,
    });
}

/// An error that nothing inside caught.
pub(crate) fn failed(turn: &mut Turn<'_>, id: FrameId, error: Error) {
    let attempt = attempts(turn.state, id).map_or(1, |attempts| attempts.attempt);
    let at = turn.moment.now;
    if attempt >= ATTEMPTS_MAX {
        return turn.emit(Record::CompensationParked {
            frame: id,
            error,
            at,
        });
    }
    let delay = DELAY.saturating_mul(1 << (attempt - 1));
    turn.emit(Record::RetryScheduled {
        frame: id,
        error,
        attempt: attempt + 1,
        timer: Some(TimerId(turn.state.next_timer)),
        due: duration::after(at, delay),
        at,
    });
}

/// It is undone, or a person gave it up.
pub(crate) fn end(turn: &mut Turn<'_>, id: FrameId, skipped: bool) {
    turn.emit(Record::CompensationEnded {
        frame: id,
        skipped,
        at: turn.moment.now,
    });
}

/// Tries the one again that waits for a person, once.
pub(crate) fn retry(turn: &mut Turn<'_>, number: u64) {
    if let Some((_, frame)) = turn.state.parked().filter(|(parked, _)| *parked == number) {
        attempt(turn, frame);
    }
}

/// Gives the one up that waits for a person.
pub(crate) fn skip(turn: &mut Turn<'_>, number: u64) {
    if let Some((_, frame)) = turn.state.parked().filter(|(parked, _)| *parked == number) {
        end(turn, frame, true);
    }
}

/// More work than one compensation may do, as a loop of `then` would: it fails.
pub(crate) fn exhausted(turn: &mut Turn<'_>, error: &Error) -> bool {
    let Some(frame) = turn.state.undoing() else {
        return false;
    };
    turn.cancel_below(frame, &[]);
    failed(turn, frame, error.clone());
    true
}

fn attempts(state: &State, id: FrameId) -> Option<&Attempts> {
    match &state.frame(id).progress {
        Progress::Try(attempts) => Some(attempts),
        _ => None,
    }
}
