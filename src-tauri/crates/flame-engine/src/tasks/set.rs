//! `set`: the output is the evaluated template and nothing of the input.

use std::sync::Arc;

use flame_dsl::{Task, Template};

use crate::record::FrameId;
use crate::turn::Turn;

pub(crate) fn advance(turn: &mut Turn<'_>, id: FrameId, task: &Task, template: &Template) {
    let data = turn.scope(id, task).template(template, "set");
    match data {
        Ok(data) => turn.complete(id, task, Arc::new(data), task.then),
        Err(error) => turn.fault(id, error),
    }
}
