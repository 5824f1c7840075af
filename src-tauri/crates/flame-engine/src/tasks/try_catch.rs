//! `try`: its list again and again as the retry policy says, then `catch.do`, or the error goes up.

use std::time::Duration;

use flame_dsl::expression::Expression;
use flame_dsl::{Backoff, Catch, ErrorFilter, RetryPolicy, Task, TaskKind, Try};

use crate::action::TimerId;
use crate::duration;
use crate::error::{Error, StandardError};
use crate::record::{FrameId, Record, Slot, TimerPurpose};
use crate::scope::Scope;
use crate::state::{Attempts, Phase, Progress};
use crate::tasks::do_list;
use crate::turn::Turn;

pub(crate) fn advance(turn: &mut Turn<'_>, id: FrameId, task: &Task, definition: &Try) {
    let Progress::Try(attempts) = &turn.state.frame(id).progress else {
        return;
    };
    let handled = definition.catch.then.unwrap_or(task.then);
    let (slot, then) = match attempts.phase {
        Phase::Delay(_) => return attempt(turn, id, task, definition),
        Phase::Body(_) => (Slot::Body, task.then),
        Phase::Handler { .. } => (Slot::Handler, handled),
        Phase::Caught => {
            let output = turn.state.own_output(id);
            return turn.complete(id, task, output, handled);
        }
        // Of a compensation alone.
        Phase::Parked(_) => return,
    };
    if !do_list::next(turn, id, slot) {
        let output = turn.state.own_output(id);
        turn.complete(id, task, output, then);
    }
}

/// Begins the next attempt.
pub(crate) fn attempt(turn: &mut Turn<'_>, id: FrameId, task: &Task, definition: &Try) {
    let attempt = attempts(turn, id).map_or(1, |attempts| attempts.attempt) + 1;
    turn.emit(Record::AttemptStarted {
        frame: id,
        attempt,
        at: turn.moment.now,
    });
    if let Err(error) = arm_attempt(turn, id, task, definition) {
        turn.fault(id, error);
    }
}

/// `retry.limit.attempt.duration` of the attempt that begins.
pub(crate) fn arm_attempt(
    turn: &mut Turn<'_>,
    id: FrameId,
    task: &Task,
    definition: &Try,
) -> Result<(), Error> {
    let policy = definition.catch.retry.as_ref();
    let Some(limit) = policy.and_then(|policy| policy.attempt_duration_max.as_ref()) else {
        return Ok(());
    };
    let limit = turn
        .scope(id, task)
        .duration(limit, "retry.limit.attempt.duration")?;
    turn.arm(id, TimerPurpose::Attempt, limit);
    Ok(())
}

/// The attempt at work took too long: it fails with a timeout, which this `try` may catch.
pub(crate) fn attempt_timed_out(turn: &mut Turn<'_>, id: FrameId, task: &Task) {
    let error = StandardError::Timeout
        .with(
            "Attempt timed out",
            format!("an attempt of {:?} took longer than its limit", task.name),
        )
        .at(&task.reference);
    turn.cancel_below(id, &[]);
    let handled = match catches(turn, id, task, &error) {
        Ok(true) => caught(turn, id, &error),
        Ok(false) => Err(error),
        Err(own) => Err(own),
    };
    if let Err(error) = handled {
        turn.fault(id, error);
    }
}

/// The place in a chain of frames, from the inside out, of the `try` that catches the error; or of the
/// one that failed while it was asked, with its own error.
pub(crate) fn find(
    turn: &Turn<'_>,
    chain: &[FrameId],
    error: &Error,
) -> Result<Option<usize>, (usize, Error)> {
    for (place, id) in chain.iter().enumerate().skip(1) {
        let in_body = !turn.state.is_undo(*id)
            && attempts(turn, *id).is_some_and(|attempts| matches!(attempts.phase, Phase::Body(_)));
        let Some(task) = turn.state.task(turn.workflow, *id).filter(|_| in_body) else {
            continue;
        };
        match catches(turn, *id, task, error) {
            Ok(true) => return Ok(Some(place)),
            Ok(false) => {}
            Err(own) => return Err((place, own)),
        }
    }
    Ok(None)
}

fn catches(turn: &Turn<'_>, id: FrameId, task: &Task, error: &Error) -> Result<bool, Error> {
    let TaskKind::Try(definition) = &task.kind else {
        return Ok(false);
    };
    let catch = &definition.catch;
    if !matches_filter(&catch.filter, error) {
        return Ok(false);
    }
    let value = error.to_value();
    let scope = turn.scope(id, task).with(&catch.name, &value);
    admits(
        &scope,
        catch.when.as_ref(),
        catch.except_when.as_ref(),
        "catch",
    )
}

/// Goes on after a caught error: with a retry, with `catch.do`, or past the task.
pub(crate) fn caught(turn: &mut Turn<'_>, id: FrameId, error: &Error) -> Result<(), Error> {
    let Some(task) = turn.state.task(turn.workflow, id) else {
        return Ok(());
    };
    let TaskKind::Try(definition) = &task.kind else {
        return Ok(());
    };
    let delay = retry_delay(turn, id, task, &definition.catch, error)?;
    let (at, has_handler) = (turn.moment.now, definition.catch.tasks.is_some());
    let retries = definition.catch.retry.is_some();
    match delay {
        Some(delay) => {
            let attempt = attempts(turn, id).map_or(1, |attempts| attempts.attempt) + 1;
            let timer = (!delay.is_zero()).then_some(TimerId(turn.state.next_timer));
            let due = duration::after(at, delay);
            turn.emit(Record::RetryScheduled {
                frame: id,
                error: error.clone(),
                attempt,
                timer,
                due,
                at,
            });
        }
        // Retries are used up and nobody else handles it.
        None if retries && !has_handler => return Err(error.clone()),
        None => turn.emit(Record::ErrorCaught {
            frame: id,
            error: error.clone(),
            at,
        }),
    }
    Ok(())
}

/// How long to wait for the next attempt; `None` where there is none.
fn retry_delay(
    turn: &Turn<'_>,
    id: FrameId,
    task: &Task,
    catch: &Catch,
    error: &Error,
) -> Result<Option<Duration>, Error> {
    let (Some(policy), Some(attempts)) = (&catch.retry, attempts(turn, id)) else {
        return Ok(None);
    };
    if policy
        .attempts_max
        .is_some_and(|retries| attempts.attempt > retries)
    {
        return Ok(None);
    }
    let value = error.to_value();
    let scope = turn.scope(id, task).with(&catch.name, &value);
    if !admits(
        &scope,
        policy.when.as_ref(),
        policy.except_when.as_ref(),
        "retry",
    )? {
        return Ok(None);
    }
    let delay = delay(turn, id, &scope, policy, attempts.attempt)?;
    if let Some(limit) = &policy.duration_max {
        let limit = scope.duration(limit, "retry.limit.duration")?;
        if duration::after(turn.moment.now, delay) > duration::after(attempts.first_at, limit) {
            return Ok(None);
        }
    }
    Ok(Some(delay))
}

/// After the failed attempt of this number, counted from 1.
fn delay(
    turn: &Turn<'_>,
    id: FrameId,
    scope: &Scope<'_>,
    policy: &RetryPolicy,
    attempt: u32,
) -> Result<Duration, Error> {
    let base = match &policy.delay {
        None => Duration::ZERO,
        Some(source) => scope.duration(source, "retry.delay")?,
    };
    let factor = match policy.backoff {
        Backoff::Constant => 1,
        Backoff::Linear => attempt,
        Backoff::Exponential => 1_u32.checked_shl(attempt - 1).unwrap_or(u32::MAX),
    };
    let jitter = match &policy.jitter {
        None => Duration::ZERO,
        Some((from, to)) => {
            let from = scope.duration(from, "retry.jitter.from")?;
            let to = scope.duration(to, "retry.jitter.to")?;
            let share = turn.roll(id.0 << 32 | u64::from(attempt)) >> 32;
            #[expect(clippy::cast_precision_loss, reason = "32 bits fit into a double")]
            let share = share as f64 / f64::from(u32::MAX);
            from.saturating_add(to.saturating_sub(from).mul_f64(share))
        }
    };
    Ok(base.saturating_mul(factor).saturating_add(jitter))
}

fn admits(
    scope: &Scope<'_>,
    when: Option<&Expression>,
    except_when: Option<&Expression>,
    property: &str,
) -> Result<bool, Error> {
    let holds = |condition: Option<&Expression>, name: &str| match condition {
        None => Ok(None),
        Some(condition) => scope
            .holds(condition, &format!("{property}.{name}"))
            .map(Some),
    };
    Ok(holds(when, "when")? != Some(false) && holds(except_when, "exceptWhen")? != Some(true))
}

/// Each given field must equal the error's; the standard types match by meaning.
fn matches_filter(filter: &ErrorFilter, error: &Error) -> bool {
    let kind = |wanted: &String| {
        *wanted == error.kind
            || error
                .standard()
                .is_some_and(|kind| StandardError::from_uri(wanted) == Some(kind))
    };
    let text =
        |wanted: &Option<String>, given: &Option<String>| wanted.is_none() || wanted == given;
    filter.kind.as_ref().is_none_or(kind)
        && filter.status.is_none_or(|wanted| wanted == error.status)
        && text(&filter.instance, &error.instance)
        && text(&filter.title, &error.title)
        && text(&filter.detail, &error.detail)
}

fn attempts<'s>(turn: &'s Turn<'_>, id: FrameId) -> Option<&'s Attempts> {
    match &turn.state.frame(id).progress {
        Progress::Try(attempts) => Some(attempts),
        _ => None,
    }
}
