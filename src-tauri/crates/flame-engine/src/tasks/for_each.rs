//! `for`: the list once per item, each iteration's output flowing into the next.

use std::sync::Arc;

use flame_dsl::{For, Task};
use serde_json::Value;

use crate::error::{Error, StandardError};
use crate::record::{FrameId, Record, Slot};
use crate::scope::excerpt;
use crate::state::Progress;
use crate::tasks::do_list;
use crate::turn::Turn;

pub(crate) fn advance(turn: &mut Turn<'_>, id: FrameId, task: &Task, definition: &For) {
    let Progress::Loop(progress) = &turn.state.frame(id).progress else {
        return begin(turn, id, task, definition);
    };
    let next = match &progress.pass {
        None => 0,
        Some(_) => progress.index + 1,
    };
    if next > 0 && do_list::next(turn, id, Slot::Body) {
        return;
    }
    match goes_on(turn, id, task, definition, next) {
        Ok(true) => turn.emit(Record::IterationStarted {
            frame: id,
            index: next,
            at: turn.moment.now,
        }),
        Ok(false) => {
            let output = turn.state.own_output(id);
            turn.complete(id, task, output, task.then);
        }
        Err(error) => turn.fault(id, error),
    }
}

fn begin(turn: &mut Turn<'_>, id: FrameId, task: &Task, definition: &For) {
    let items = turn.scope(id, task).template(&definition.items, "for.in");
    let items = items.and_then(|items| match items {
        Value::Array(items) => Ok(items),
        Value::Null => Ok(Vec::new()),
        other => Err(StandardError::Expression.with(
            "Not a list",
            format!("for.in gave {}; it needs an array or null", excerpt(&other)),
        )),
    });
    match items {
        Ok(items) => {
            turn.emit(Record::LoopStarted {
                frame: id,
                items: Arc::new(items),
                at: turn.moment.now,
            });
        }
        Err(error) => turn.fault(id, error),
    }
}

/// Whether there is an item at `index`, and `while` holds on what flows into its iteration.
fn goes_on(
    turn: &Turn<'_>,
    id: FrameId,
    task: &Task,
    definition: &For,
    index: usize,
) -> Result<bool, Error> {
    let frame = turn.state.frame(id);
    let Progress::Loop(progress) = &frame.progress else {
        return Ok(false);
    };
    let Some(item) = progress.items.get(index) else {
        return Ok(false);
    };
    let Some(condition) = &definition.condition else {
        return Ok(true);
    };
    let data = turn.state.own_output(id);
    let at = Value::from(index);
    let scope = turn
        .scope(id, task)
        .on(&data)
        .with(&definition.at, &at)
        .with(&definition.each, item);
    scope.holds(condition, "while")
}
