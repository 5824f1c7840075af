//! A subscription with `foreach`: takes one message after the other, and its tasks run before the next is
//! taken.
//!
//! Deliberately absent: receiving. A message comes as an event, each after it was asked for.

use std::sync::Arc;

use flame_dsl::{EventIterator, ProtocolCall, Subscription, Task};
use serde_json::Value;

use crate::action::EffectId;
use crate::error::Error;
use crate::record::{FrameId, Mark, Record, Slot, TimerPurpose};
use crate::size;
use crate::state::{Progress, Receiving};
use crate::subscription::{self, Verdict};
use crate::tasks::{call, do_list, listen};
use crate::turn::Turn;

pub(crate) fn advance(turn: &mut Turn<'_>, id: FrameId, task: &Task, protocol: &ProtocolCall) {
    let Some((subscription, each)) = protocol.each() else {
        return call::advance(turn, id, task);
    };
    let Progress::Receiving(state) = &turn.state.frame(id).progress else {
        call::advance(turn, id, task);
        return limit(turn, id, task, subscription);
    };
    if state.pass.is_some() {
        if !do_list::next(turn, id, Slot::Body) {
            end_iteration(turn, id, task, subscription, each);
        }
        return;
    }
    if state.message.is_some() {
        let index = state.index();
        return turn.emit(Record::IterationStarted {
            frame: id,
            index,
            at: turn.moment.now,
        });
    }
    let output = turn.state.own_output(id);
    turn.complete(id, task, output, task.then);
}

/// Arms the timer of `consume.for`, once the call was asked for.
fn limit(turn: &mut Turn<'_>, id: FrameId, task: &Task, subscription: &Subscription) {
    let is_asked =
        turn.state.frames.get(&id).is_some_and(|frame| {
            matches!(frame.progress, Progress::Receiving(_)) && !frame.faulted
        });
    let Some(source) = subscription.duration.as_ref().filter(|_| is_asked) else {
        return;
    };
    let duration = turn
        .scope(id, task)
        .duration(source, "with.subscription.consume.for");
    match duration {
        Ok(duration) => turn.arm(id, TimerPurpose::Consume, duration),
        Err(error) => turn.fault(id, error),
    }
}

/// A message has come that was asked for.
pub(crate) fn arrived(
    turn: &mut Turn<'_>,
    effect: EffectId,
    message: &Arc<Value>,
    mark: Option<Mark>,
) {
    let Some(id) = turn.state.effects().get(&effect).copied() else {
        return;
    };
    let Some(task) = turn.state.task(turn.workflow, id) else {
        return;
    };
    let (flame_dsl::TaskKind::CallProtocol(call), Progress::Receiving(state)) =
        (&task.kind, &turn.state.frame(id).progress)
    else {
        return;
    };
    let Some((subscription, _)) = call.each().filter(|_| state.wants()) else {
        return;
    };
    let at = turn.moment.now;
    let verdict = size::check(message, "the subscription")
        .and_then(|()| judge(turn, id, task, state, subscription, message));
    match verdict {
        Ok(Verdict::Passed) => {}
        Ok(Verdict::Ended) => turn.emit(Record::SubscriptionEnded { frame: id, at }),
        Ok(verdict) => turn.emit(Record::MessageTaken {
            frame: id,
            message: Arc::clone(message),
            mark,
            last: verdict == Verdict::TakenLast,
            at,
        }),
        Err(error) => call::failed(turn, id, effect, error),
    }
}

fn judge(
    turn: &Turn<'_>,
    id: FrameId,
    task: &Task,
    state: &Receiving,
    subscription: &Subscription,
    message: &Value,
) -> Result<Verdict, Error> {
    let scope = || turn.scope(id, task);
    subscription::before(subscription, state.taken, &|condition, property| {
        subscription::holds(scope(), condition, message, &state.messages, property)
    })
}

fn end_iteration(
    turn: &mut Turn<'_>,
    id: FrameId,
    task: &Task,
    subscription: &Subscription,
    each: &EventIterator,
) {
    let message = match &turn.state.frame(id).progress {
        Progress::Receiving(state) => state.message.clone(),
        _ => None,
    };
    if !listen::end_iteration(turn, id, task, each) {
        return;
    }
    let Progress::Receiving(state) = &turn.state.frame(id).progress else {
        return;
    };
    let Some(message) = message.filter(|_| !state.complete) else {
        return;
    };
    // Asked now, so that what the message's tasks have exported counts.
    let enough = subscription::after(subscription, &|condition, property| {
        let scope = turn.scope(id, task);
        subscription::holds(scope, condition, &message, &state.messages, property)
    });
    match enough {
        Ok(false) => {}
        Ok(true) => turn.emit(Record::SubscriptionEnded {
            frame: id,
            at: turn.moment.now,
        }),
        Err(error) => turn.fault(id, error),
    }
}
