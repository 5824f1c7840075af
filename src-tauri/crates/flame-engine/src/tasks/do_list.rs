//! `do`, and lists of tasks wherever they stand: the workflow's, a loop's, a `try`'s.

use flame_dsl::{Task, TaskList};

use crate::compensation;
use crate::record::{FrameId, Record, Slot};
use crate::state::Cursor;
use crate::turn::Turn;

pub(crate) fn advance(turn: &mut Turn<'_>, id: FrameId, task: &Task) {
    if !next(turn, id, Slot::Body) {
        let output = turn.state.own_output(id);
        turn.complete(id, task, output, task.then);
    }
}

/// The workflow's own list, or what undoes it.
pub(crate) fn workflow(turn: &mut Turn<'_>) {
    if turn.state.compensation.is_some() {
        return compensation::next(turn);
    }
    continue_as_new(turn);
    if !next(turn, FrameId::ROOT, Slot::Body) {
        turn.finish();
    }
}

/// A loop of `then` through the workflow's own list may go on for ever, as long as it also waits for
/// something: each time round can be the beginning.
fn continue_as_new(turn: &mut Turn<'_>) {
    let state = &*turn.state;
    let Some(pass) = state.frame(FrameId::ROOT).progress.pass() else {
        return;
    };
    let came_back = match pass.cursor {
        Cursor::At(index) => pass.visits.get(index).is_some_and(|visits| *visits > 0),
        Cursor::In(_) => false,
    };
    if came_back && state.waited && state.steps >= turn.limits.generation_steps {
        let (generation, at) = (state.generation + 1, turn.moment.now);
        turn.emit(Record::RunContinued { generation, at });
    }
}

/// Begins the task that is next in the list; `false` where the list has ended.
pub(crate) fn next(turn: &mut Turn<'_>, id: FrameId, slot: Slot) -> bool {
    let cursor = turn.state.frame(id).progress.pass().map(|pass| pass.cursor);
    let Some(Cursor::At(index)) = cursor else {
        return false;
    };
    let list: Option<&TaskList> = turn.state.list(turn.workflow, id, slot);
    let Some(task) = list.and_then(|list| list.0.get(index)) else {
        return false;
    };
    turn.begin(id, slot, index, task);
    true
}
