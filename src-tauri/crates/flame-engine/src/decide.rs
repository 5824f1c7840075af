//! What each event means for a run as a whole.

use std::sync::Arc;

use flame_dsl::{TaskKind, Workflow};
use flame_types::RunStatus;
use serde_json::{Value, json};

use crate::action::{EffectId, TimerId};
use crate::compensation;
use crate::data_flow::{check, transform, unless_same};
use crate::error::{Error, StandardError};
use crate::event::Event;
use crate::record::{CompensationEnd, FrameId, ParentRun, Record, ReplayOrigin, TimerPurpose};
use crate::scope::{RunView, Scope};
use crate::size;
use crate::state::{Phase, Progress};
use crate::tasks;
use crate::turn::Turn;

pub(crate) fn event(turn: &mut Turn<'_>, event: Event) {
    let (status, at) = (turn.state.status, turn.moment.now);
    match event {
        Event::Start { input } if status == RunStatus::Pending => {
            start(turn, input, Origin::default());
        }
        Event::StartChild { input, parent } if status == RunStatus::Pending => {
            let parent = Some(parent);
            start(
                turn,
                input,
                Origin {
                    parent,
                    ..Origin::default()
                },
            );
        }
        Event::EffectDone { effect, outcome } => effect_done(turn, effect, outcome),
        Event::MessageArrived {
            effect,
            message,
            mark,
        } if matches!(status, RunStatus::Running | RunStatus::Suspended) => {
            tasks::receive::arrived(turn, effect, &message, mark);
        }
        Event::TimerFired { timer } if status == RunStatus::Running => timer_fired(turn, timer),
        Event::EventsArrived { frame, events } if status == RunStatus::Running => {
            for arrived in &events {
                tasks::listen::offer(turn, frame, arrived);
            }
        }
        Event::Cancel if !status.is_terminal() => cancel(turn),
        Event::CancelAndCompensate if !status.is_terminal() => cancel_and_compensate(turn),
        Event::RetryCompensation { number } if status == RunStatus::Running => {
            compensation::retry(turn, number);
        }
        Event::SkipCompensation { number } if status == RunStatus::Running => {
            compensation::skip(turn, number);
        }
        Event::Suspend if status == RunStatus::Running => turn.emit(Record::RunSuspended { at }),
        Event::Resume if status == RunStatus::Suspended => turn.emit(Record::RunResumed { at }),
        Event::Fault { error } if status == RunStatus::Running => turn.fault_run(None, error),
        Event::Retry if status == RunStatus::Faulted => retry(turn),
        // `Continue` needs nothing but its turn; the others came too late or too early.
        _ => {}
    }
}

/// Where nothing can be undone, or that is under way already, there is nothing to begin.
fn cancel_and_compensate(turn: &mut Turn<'_>) {
    if turn.state.compensation.is_none() && !compensation::begin(turn, None, None) {
        cancel(turn);
    }
}

fn cancel(turn: &mut Turn<'_>) {
    let progress = turn.state.compensation_progress();
    turn.cancel_below(FrameId::ROOT, &[]);
    turn.emit(Record::RunCancelled {
        compensation: progress.map(|progress| CompensationEnd {
            undone: progress.undone,
            skipped: progress.skipped,
            left: progress.left,
        }),
        at: turn.moment.now,
    });
}

/// Where a run comes from, other than from outside.
#[derive(Default)]
pub(crate) struct Origin {
    pub(crate) replay: Option<ReplayOrigin>,
    pub(crate) parent: Option<ParentRun>,
}

/// Begins the run. Without input it is an empty object (DSL 1.0.3). `false` where the input is refused.
pub(crate) fn start(turn: &mut Turn<'_>, input: Arc<Value>, origin: Origin) {
    let Origin { replay, parent } = origin;
    let input = if input.is_null() {
        Arc::new(json!({}))
    } else {
        input
    };
    let (test, at) = (turn.test.cloned(), turn.moment.now);
    let texts = &turn.workflow.externals;
    let externals = (!texts.is_empty()).then(|| Arc::clone(texts));
    let taken = match turn.refusal {
        Some(error) => Err(error.clone()),
        None => complete(turn.workflow).and_then(|()| take_input(turn, &input)),
    };
    match taken {
        Ok(data) => {
            let data = unless_same(data, &input);
            turn.emit(Record::RunStarted {
                input,
                data,
                refused: false,
                replay,
                test,
                parent,
                externals,
                at,
            });
            arm_workflow_timeout(turn);
        }
        Err(error) => {
            turn.emit(Record::RunStarted {
                input,
                data: None,
                refused: true,
                replay,
                test,
                parent,
                externals,
                at,
            });
            turn.fault_run(None, error);
        }
    }
}

/// Refuses to begin without what the document needs from outside.
fn complete(workflow: &Workflow) -> Result<(), Error> {
    match workflow.missing.first() {
        None => Ok(()),
        Some(missing) => Err(StandardError::Configuration
            .with(
                "A text is missing",
                format!(
                    "the run needs what is at {}, and it was not fetched",
                    missing.address
                ),
            )
            .at(&missing.reference)),
    }
}

/// `input.schema` and `input.from` of the workflow.
fn take_input(turn: &Turn<'_>, input: &Arc<Value>) -> Result<Arc<Value>, Error> {
    check(turn.workflow.input.schema.as_ref(), input, "input.schema")?;
    let mut begun = turn.state.clone();
    begun.input = Arc::clone(input);
    begun.started_at = Some(turn.moment.now);
    let view = RunView {
        id: turn.id,
        workflow: turn.workflow,
        state: &begun,
        descriptor: turn.descriptor,
        secrets: turn.secrets,
        now: turn.moment.now,
    };
    let scope = Scope::new(view, input);
    transform(
        turn.workflow.input.transform.as_ref(),
        input,
        &scope,
        "input.from",
    )
}

fn arm_workflow_timeout(turn: &mut Turn<'_>) {
    let Some(source) = &turn.workflow.timeout else {
        return;
    };
    let input = Arc::clone(&turn.state.frame(FrameId::ROOT).input);
    let timeout = {
        let mut scope = Scope::new(turn.view(), &input);
        scope.context = Some(&turn.state.context);
        scope.input = Some(&input);
        scope.duration(source, "timeout.after")
    };
    match timeout {
        Ok(timeout) => turn.arm(FrameId::ROOT, TimerPurpose::Timeout, timeout),
        Err(error) => turn.fault_run(None, error),
    }
}

fn effect_done(turn: &mut Turn<'_>, effect: EffectId, outcome: Result<Arc<Value>, Error>) {
    let Some(frame) = turn.state.effects().get(&effect).copied() else {
        return;
    };
    let outcome = outcome.and_then(|answer| size::check(&answer, "the call").map(|()| answer));
    match turn.state.status {
        RunStatus::Running => {
            if let Some(task) = turn.state.task(turn.workflow, frame) {
                tasks::call::answered(turn, frame, task, outcome);
            }
        }
        RunStatus::Suspended => {
            let (output, error) = match outcome {
                Ok(output) => (Some(output), None),
                Err(error) => (None, Some(error)),
            };
            turn.emit(Record::EffectHeld {
                frame,
                effect,
                output,
                error,
                at: turn.moment.now,
            });
        }
        _ => {}
    }
}

fn timer_fired(turn: &mut Turn<'_>, timer: TimerId) {
    let Some((due, id)) = turn.state.timers().get(&timer).copied() else {
        return;
    };
    if due > turn.moment.now {
        // A clock that went back: the timer is armed again.
        return;
    }
    let frame = turn.state.frame(id);
    if frame.timeout.is_some_and(|timeout| timeout.id == timer) {
        return turn.timed_out(id);
    }
    let Some(task) = turn.state.task(turn.workflow, id) else {
        return;
    };
    match (&frame.progress, &task.kind) {
        _ if turn.state.is_undo(id) => compensation::attempt(turn, id),
        (Progress::Waiting(_), _) => tasks::wait::fired(turn, id, task),
        (Progress::Receiving(_), _) => turn.emit(Record::SubscriptionEnded {
            frame: id,
            at: turn.moment.now,
        }),
        (Progress::Try(attempts), TaskKind::Try(definition)) => match attempts.phase {
            Phase::Delay(_) => tasks::try_catch::attempt(turn, id, task, definition),
            _ => tasks::try_catch::attempt_timed_out(turn, id, task),
        },
        _ => {}
    }
}

fn retry(turn: &mut Turn<'_>) {
    if turn.state.frames.is_empty() {
        return;
    }
    let at = turn.moment.now;
    turn.emit(Record::RunRetried { at });
    let expired = turn
        .state
        .frame(FrameId::ROOT)
        .timeout
        .is_some_and(|timeout| timeout.due <= at);
    if expired {
        arm_workflow_timeout(turn);
    }
}
