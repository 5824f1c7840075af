//! `fork`: one execution per branch, all at work at once; an array of their outputs, or the winner's.
//!
//! An error in a branch that nothing in it catches is the fork's error, also where branches compete.

use std::sync::Arc;

use flame_dsl::{Fork, Task};

use crate::record::{FrameId, Slot};
use crate::state::Branch;
use crate::turn::Turn;

pub(crate) fn advance<'r>(turn: &mut Turn<'r>, id: FrameId, task: &'r Task, fork: &'r Fork) {
    let winner = turn.branches(id).iter().find_map(Branch::output);
    if let Some(output) = winner.filter(|_| fork.compete) {
        let output = Arc::clone(output);
        turn.cancel_below(id, &[]);
        return turn.complete(id, task, output, task.then);
    }
    let pending = turn.branches(id).iter().position(Branch::is_pending);
    match pending.and_then(|index| Some((index, fork.branches.0.get(index)?))) {
        Some((index, branch)) => turn.begin(id, Slot::Branch, index, branch),
        None => {
            let output = turn.state.own_output(id);
            turn.complete(id, task, output, task.then);
        }
    }
}
