//! `wait`: a timer; the data passes through.

use flame_dsl::{DurationSource, Task};

use crate::record::{FrameId, TimerPurpose};
use crate::turn::Turn;

pub(crate) fn advance(turn: &mut Turn<'_>, id: FrameId, task: &Task, source: &DurationSource) {
    let duration = turn.scope(id, task).duration(source, "wait");
    match duration {
        Ok(duration) if duration.is_zero() => fired(turn, id, task),
        Ok(duration) => turn.arm(id, TimerPurpose::Wait, duration),
        Err(error) => turn.fault(id, error),
    }
}

pub(crate) fn fired(turn: &mut Turn<'_>, id: FrameId, task: &Task) {
    let output = turn.state.own_output(id);
    turn.complete(id, task, output, task.then);
}
