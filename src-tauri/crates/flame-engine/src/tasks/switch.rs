//! `switch`: the first case that holds says where the flow goes; the data passes through.

use flame_dsl::{Case, Flow, Task};

use crate::error::Error;
use crate::record::FrameId;
use crate::turn::Turn;

pub(crate) fn advance(turn: &mut Turn<'_>, id: FrameId, task: &Task, cases: &[Case]) {
    match choose(turn, id, task, cases) {
        Ok(then) => {
            let output = turn.state.own_output(id);
            turn.complete(id, task, output, then);
        }
        Err(error) => turn.fault(id, error),
    }
}

/// Without a match the default case, wherever it stands; without one the task's own `then`.
fn choose(turn: &Turn<'_>, id: FrameId, task: &Task, cases: &[Case]) -> Result<Flow, Error> {
    let scope = turn.scope(id, task);
    let mut otherwise = task.then;
    for case in cases {
        match &case.when {
            None => otherwise = case.then,
            Some(when) if scope.holds(when, &format!("switch.{}.when", case.name))? => {
                return Ok(case.then);
            }
            Some(_) => {}
        }
    }
    Ok(otherwise)
}
