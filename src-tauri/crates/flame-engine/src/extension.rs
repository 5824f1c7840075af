//! Extensions: tasks before and after a task, in the task's own frame.
//!
//! Each extension stands around those behind it, like the skins of an onion: the first one's `before` runs
//! first and its `after` last. What `before` gives is not the task's input, and what `after` gives not its
//! output; `then: exit` in `before` leaves this extension and all that is inside of it, and what was given
//! last stands for the task's raw output. Within both, `$task` is the task that is extended.
//!
//! The task's `timeout` holds for all of it. Deliberately absent: extensions of a task whose `if` does not
//! hold, or whose output a test run pins.

use std::sync::Arc;

use flame_dsl::{Task, TaskList, Workflow};
use flame_types::json;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::data_flow::unless_same;
use crate::error::Error;
use crate::record::{FrameId, Next, Record, Slot};
use crate::scope::{RunView, Scope, TaskView};
use crate::state::{Frame, Pass, Progress, State};
use crate::tasks::do_list;
use crate::turn::Turn;

/// How far the extensions of a task are, on one side of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Extending {
    /// `Before` or `After`.
    pub(crate) slot: Slot,
    /// Place of the one whose turn it is, among the task's; `None` where none is left after the task.
    pub(crate) extension: Option<usize>,
    /// `None` until its tasks begin.
    pub(crate) pass: Option<Pass>,
    /// One of its tasks went `exit`.
    pub(crate) exits: bool,
    /// What the task gave, once it did.
    pub(crate) given: Option<Given>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Given {
    #[serde(deserialize_with = "json::read")]
    pub(crate) output: Arc<Value>,
    pub(crate) next: Next,
}

impl Extending {
    pub(crate) fn list<'t>(&self, task: &'t Task) -> Option<&'t TaskList> {
        list(task, self.extension?, self.slot)
    }

    /// What the task gives by itself: its output, or what stands for it.
    pub(crate) fn output(&self) -> Option<&Arc<Value>> {
        match &self.given {
            Some(given) => Some(&given.output),
            None => self.pass.as_ref().map(|pass| &pass.data),
        }
    }
}

fn list(task: &Task, extension: usize, slot: Slot) -> Option<&TaskList> {
    let extension = task.extensions.get(extension)?;
    match slot {
        Slot::Before => Some(&extension.before),
        Slot::After => Some(&extension.after),
        _ => None,
    }
}

/// The first with something to do before the task, behind this one.
pub(crate) fn next_before(task: &Task, chosen: &[usize], behind: Option<usize>) -> Option<usize> {
    let mut open = chosen
        .iter()
        .filter(|at| behind.is_none_or(|behind| **at > behind));
    open.find(|at| has(task, **at, Slot::Before)).copied()
}

/// The innermost with something to do after the task, outside of this one.
pub(crate) fn next_after(task: &Task, chosen: &[usize], outside: Option<usize>) -> Option<usize> {
    let mut open = chosen
        .iter()
        .rev()
        .filter(|at| outside.is_none_or(|outside| **at < outside));
    open.find(|at| has(task, **at, Slot::After)).copied()
}

fn has(task: &Task, extension: usize, slot: Slot) -> bool {
    list(task, extension, slot).is_some_and(|list| !list.0.is_empty())
}

impl State {
    /// Whether something is to run after the task that now gives its output.
    pub(crate) fn has_afters(&self, workflow: &Workflow, id: FrameId) -> bool {
        let frame = self.frame(id);
        !frame.extensions.is_empty()
            && self
                .task(workflow, id)
                .is_some_and(|task| frame.next_after(task).is_some())
    }

    /// Whether the task gave its output before, so that what it did is known.
    pub(crate) fn has_returned(&self, id: FrameId) -> bool {
        let progress = self.frames.get(&id).map(|frame| &frame.progress);
        matches!(progress, Some(Progress::Extending(state)) if state.given.is_some())
    }
}

impl Frame {
    /// The extension that is first to run when the task gives its output now.
    pub(crate) fn next_after(&self, task: &Task) -> Option<usize> {
        let outside = match &self.progress {
            Progress::Extending(state) if state.slot == Slot::After => return None,
            // `exit` leaves the extension that it stands in.
            Progress::Extending(state) => state.extension,
            _ => None,
        };
        next_after(task, &self.extensions, outside)
    }
}

/// Those of a task's extensions whose `when` holds, asked once, on the task's input.
pub(crate) fn chosen(
    view: RunView<'_>,
    parent: FrameId,
    task: TaskView<'_>,
    input: &Value,
) -> Result<Vec<usize>, Error> {
    let extensions = &task.task.extensions;
    if extensions.is_empty() {
        return Ok(Vec::new());
    }
    let mut scope = Scope::of_task(view, parent, task, input);
    scope.input = Some(input);
    let mut chosen = Vec::new();
    for (place, extension) in extensions.iter().enumerate() {
        let applies = match &extension.when {
            None => true,
            Some(when) => scope.fits(when, "when")?,
        };
        if applies {
            chosen.push(place);
        }
    }
    Ok(chosen)
}

/// The task that is extended where the tasks of this parent belong to an extension: their `$task`.
pub(crate) fn extended<'a>(
    state: &'a State,
    workflow: &'a Workflow,
    parent: FrameId,
) -> Option<TaskView<'a>> {
    if !workflow.extends {
        return None;
    }
    state.outwards(parent).find_map(|(id, frame)| {
        let Progress::Extending(extending) = &frame.progress else {
            return None;
        };
        Some(TaskView {
            task: state.task(workflow, id)?,
            raw_input: &frame.raw,
            raw_output: extending.given.as_ref().map(|given| &*given.output),
            started_at: frame.started_at,
        })
    })
}

/// The extensions of a task have their turn.
pub(crate) fn advance(turn: &mut Turn<'_>, id: FrameId, task: &Task) {
    let Progress::Extending(state) = &turn.state.frame(id).progress else {
        return;
    };
    let (slot, at) = (state.slot, turn.moment.now);
    let Some(extension) = state.extension else {
        let next = state
            .given
            .as_ref()
            .map_or(Next::Continue, |given| given.next);
        return turn.end_task(id, None, None, next);
    };
    if state.pass.is_none() {
        return turn.emit(Record::ExtensionStarted {
            frame: id,
            extension,
            slot,
            at,
        });
    }
    if do_list::next(turn, id, slot) {
        return;
    }
    let Progress::Extending(state) = &turn.state.frame(id).progress else {
        return;
    };
    if slot == Slot::Before && state.exits {
        let output = turn.state.own_output(id);
        return turn.complete(id, task, output, task.then);
    }
    turn.emit(Record::ExtensionEnded {
        frame: id,
        extension,
        slot,
        at,
    });
    if let Err(error) = turn.arm_attempt(id, task) {
        turn.fault(id, error);
    }
}

/// Brings a task that a replay enters again to where its extensions were in the old run.
pub(crate) fn enter(turn: &mut Turn<'_>, id: FrameId, old: &Frame) {
    let was = match &old.progress {
        Progress::Extending(state) => Some(&**state),
        _ => None,
    };
    if pass_over(turn, id, was) {
        return;
    }
    if let Some(given) = was.and_then(|was| was.given.clone()) {
        let own = turn.state.own_output(id);
        turn.emit(Record::TaskReturned {
            frame: id,
            output: unless_same(given.output, &own),
            context: None,
            next: given.next,
            at: turn.moment.now,
        });
        pass_over(turn, id, was);
    }
}

/// Leaves out the extensions that ran in the old run, up to where it was; `false` where it was further on.
fn pass_over(turn: &mut Turn<'_>, id: FrameId, was: Option<&Extending>) -> bool {
    let at = turn.moment.now;
    while let Progress::Extending(state) = &turn.state.frame(id).progress {
        let (slot, Some(extension)) = (state.slot, state.extension) else {
            return false;
        };
        let reached = was.is_some_and(|was| was.slot == slot && was.extension == Some(extension));
        turn.emit(if reached {
            Record::ExtensionStarted {
                frame: id,
                extension,
                slot,
                at,
            }
        } else {
            Record::ExtensionEnded {
                frame: id,
                extension,
                slot,
                at,
            }
        });
        if reached {
            return true;
        }
    }
    false
}
