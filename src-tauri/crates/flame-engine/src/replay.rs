//! A new run that goes on from a task of an old one, with its recorded or an edited input and context.
//!
//! The scopes around the task are entered again as they were: `do`, `try`, `catch.do`, `for`, `fork`, `listen` with
//! its `foreach`. What was at work beside it, in other branches of a `fork`, is entered as well: branches that had
//! ended keep their outputs, and the tasks that were at work there begin anew.

use std::sync::Arc;

use flame_dsl::{TaskKind, Workflow};
use flame_types::{RunId, RunStatus};
use serde_json::Value;

use crate::apply::{Corrupt, apply};
use crate::data_flow::unless_same;
use crate::decide;
use crate::error::Error;
use crate::event::Moment;
use crate::extension;
use crate::key;
use crate::pinned;
use crate::record::{FrameId, Record, ReplayOrigin, Slot};
use crate::run::{Run, Step};
use crate::secrets::Secrets;
use crate::state::{Attempts, Branch, Cursor, Frame, Phase, Progress, State};
use crate::turn::Turn;

/// Where a replay starts.
#[derive(Debug, Clone)]
pub struct ReplayFrom<'a> {
    /// JSON pointer of the task.
    pub reference: &'a str,
    /// Indices of the loops around it, from the outside in; `None` is its last execution.
    pub iteration: Option<&'a [usize]>,
    /// What flows into it; `None` is what flowed into it in the old run.
    pub input: Option<Arc<Value>>,
    /// `$context` there; `None` is what it was in the old run.
    pub context: Option<Arc<Value>>,
}

/// Why a run can't be replayed from a task.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReplayable {
    #[error("the run never began the task {0}; choose one that its timeline shows")]
    NotReached(String),
    #[error("the task {0} undid another one; replay from a task that did something")]
    Compensation(String),
    #[error("the run is a test; start another test with the input, context and task that you want")]
    Test,
    #[error(
        "the task {task} handles a message that {call} received, and it does not come again; replay from {call} instead"
    )]
    InsideSubscription { task: String, call: String },
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
}

impl Run {
    /// A run that goes on from a task of the run `old`. That one has not begun, or comes from a snapshot;
    /// `records` are those that follow in its journal. The step is that of the new run's start.
    pub fn replay(
        id: RunId,
        old: Self,
        records: impl IntoIterator<Item = Record>,
        from: &ReplayFrom<'_>,
        moment: Moment,
    ) -> Result<(Self, Step), NotReplayable> {
        Self::replay_knowing(id, old, records, from, moment, Secrets::default())
    }

    /// As [`Run::replay`], with what `$secrets` gives to the first step.
    pub fn replay_knowing(
        id: RunId,
        old: Self,
        records: impl IntoIterator<Item = Record>,
        from: &ReplayFrom<'_>,
        moment: Moment,
        secrets: Secrets,
    ) -> Result<(Self, Step), NotReplayable> {
        let (workflow, old_id, published) = (old.workflow, old.id, old.published);
        let mut records = records.into_iter().peekable();
        let begins_test = matches!(
            records.peek(),
            Some(Record::RunStarted { test: Some(_), .. })
        );
        if begins_test || old.state.test.is_some() {
            return Err(NotReplayable::Test);
        }
        let pinned = records
            .peek()
            .and_then(|record| pinned::by_record(&workflow, record));
        let workflow = pinned.unwrap_or(workflow);
        let (past, target) = find(&workflow, old.state, records, from)?
            .ok_or_else(|| NotReplayable::NotReached(from.reference.to_owned()))?;
        if past.compensation.is_some() {
            return Err(NotReplayable::Compensation(from.reference.to_owned()));
        }
        if let Some(call) = subscription_around(&workflow, &past, target) {
            return Err(NotReplayable::InsideSubscription {
                task: from.reference.to_owned(),
                call,
            });
        }
        let mut run = Self::new(id, Arc::clone(&workflow));
        run.know(secrets);
        run.publish(published);
        let origin = ReplayOrigin {
            run: old_id,
            task: from.reference.to_owned(),
        };
        let step = run.decide(moment, |turn| {
            let origin = decide::Origin {
                replay: Some(origin),
                parent: None,
            };
            decide::start(turn, Arc::clone(&past.input), origin);
            if turn.state.status == RunStatus::Running {
                let old = Old {
                    past: &past,
                    target,
                    from,
                };
                old.enter(turn);
            }
        });
        Ok((run, step))
    }
}

/// The state right after the wanted execution of the task began, and that execution.
fn find(
    workflow: &Workflow,
    mut state: State,
    records: impl IntoIterator<Item = Record>,
    from: &ReplayFrom<'_>,
) -> Result<Option<(State, FrameId)>, Corrupt> {
    let mut found = None;
    for record in records {
        apply(&mut state, workflow, &record)?;
        let Record::TaskStarted {
            frame,
            parent,
            reference,
            ..
        } = &record
        else {
            continue;
        };
        let wanted = **reference == *from.reference
            && from
                .iteration
                .is_none_or(|wanted| key::iterations(&state, *parent) == wanted);
        if wanted {
            found = Some((state.clone(), *frame));
        }
    }
    Ok(found)
}

/// Reference of the call that receives messages and in whose `foreach` the task is, if there is one.
fn subscription_around(workflow: &Workflow, past: &State, task: FrameId) -> Option<String> {
    let parent = |id: &FrameId| past.frame(*id).parent;
    let call = std::iter::successors(parent(&task), parent)
        .find(|id| matches!(past.frame(*id).progress, Progress::Receiving(_)))?;
    Some(past.task(workflow, call)?.reference.to_string())
}

/// The old run as it was when the task began.
struct Old<'a> {
    past: &'a State,
    target: FrameId,
    from: &'a ReplayFrom<'a>,
}

impl Old<'_> {
    /// Enters everything that was at work, up to where the task is next.
    fn enter(&self, turn: &mut Turn<'_>) {
        let context = self.from.context.as_ref().unwrap_or(&self.past.context);
        turn.emit(Record::ContextRestored {
            context: Arc::clone(context),
            at: turn.moment.now,
        });
        // Nothing more is entered where something faulted on the way.
        let _ = self.inside(turn, FrameId::ROOT, FrameId::ROOT);
    }

    /// Brings a scope that was entered to where it was; `None` where it faulted on the way.
    fn inside(&self, turn: &mut Turn<'_>, id: FrameId, frame: FrameId) -> Option<()> {
        let old = self.past.frame(id);
        if let Progress::Fork(branches) = &old.progress {
            for (index, branch) in branches.iter().enumerate() {
                match branch {
                    Branch::Running(child) => self.task(turn, *child, frame)?,
                    Branch::Done(output) => turn.emit(Record::BranchRestored {
                        frame,
                        index,
                        output: Arc::clone(output),
                        at: turn.moment.now,
                    }),
                    Branch::Given(data) => position(turn, frame, index, Arc::clone(data)),
                    Branch::Pending => {}
                }
            }
            return Some(());
        }
        let Some(pass) = old.progress.pass() else {
            return Some(());
        };
        match pass.cursor {
            Cursor::In(child) => self.task(turn, child, frame),
            Cursor::At(index) => {
                position(turn, frame, index, Arc::clone(&pass.data));
                Some(())
            }
        }
    }

    /// A task of this parent that was at work: a scope is entered, another one is next.
    fn task(&self, turn: &mut Turn<'_>, id: FrameId, parent: FrameId) -> Option<()> {
        let old = self.past.frame(id);
        let edited = self.from.input.as_ref().filter(|_| id == self.target);
        let data = Arc::clone(edited.unwrap_or(&old.raw));
        if turn.state.data_for(parent, old.index) != Some(&data) || !is_branch(old) {
            position(turn, parent, old.index, data);
        }
        if id == self.target || !is_entered(&old.progress) {
            return Some(());
        }
        let frame = begin_again(turn, parent, old)?;
        self.inside(turn, id, frame)
    }
}

fn is_branch(frame: &Frame) -> bool {
    frame.slot == Slot::Branch
}

/// Whether a task was inside others, and is no single piece of work.
const fn is_entered(progress: &Progress) -> bool {
    match progress {
        Progress::List(_)
        | Progress::Loop(_)
        | Progress::Try(_)
        | Progress::Fork(_)
        | Progress::Extending(_) => true,
        Progress::Listening(state) => state.pass.is_some(),
        Progress::Fresh
        | Progress::Effect { .. }
        | Progress::Answered(_)
        | Progress::Receiving(_)
        | Progress::Waiting(_) => false,
    }
}

fn position(turn: &mut Turn<'_>, frame: FrameId, index: usize, data: Arc<Value>) {
    turn.emit(Record::FlowPositioned {
        frame,
        index,
        data,
        at: turn.moment.now,
    });
}

/// Begins a scope as it was; `None` where it faulted on the way.
fn begin_again(turn: &mut Turn<'_>, parent: FrameId, old: &Frame) -> Option<FrameId> {
    let (frame, at) = (FrameId(turn.state.next_frame), turn.moment.now);
    let task = turn
        .state
        .list(turn.workflow, parent, old.slot)?
        .0
        .get(old.index)?;
    turn.emit(Record::TaskStarted {
        frame,
        parent,
        slot: old.slot,
        index: old.index,
        reference: Arc::clone(&task.reference),
        name: Arc::clone(&task.name),
        input: unless_same(Arc::clone(&old.input), &old.raw),
        extensions: old.extensions.clone(),
        at,
    });
    extension::enter(turn, frame, old);
    if let Err(error) = turn.arm_timers(frame, task) {
        turn.fault(frame, error);
        return None;
    }
    match (&old.progress, &task.kind) {
        (Progress::Loop(progress), TaskKind::For(_)) => {
            turn.emit(Record::LoopStarted {
                frame,
                items: Arc::clone(&progress.items),
                at,
            });
            if progress.pass.is_some() {
                turn.emit(Record::IterationStarted {
                    frame,
                    index: progress.index,
                    at,
                });
            }
        }
        (Progress::Listening(state), TaskKind::Listen(_)) => {
            turn.emit(Record::ListenStarted {
                frame,
                ask: state.ask.clone(),
                at,
            });
            turn.emit(Record::ListenRestored {
                frame,
                gathering: state.gathering.clone(),
                outputs: state.outputs.clone(),
                at,
            });
            turn.emit(Record::IterationStarted {
                frame,
                index: state.next,
                at,
            });
        }
        (
            Progress::Try(Attempts {
                phase: Phase::Handler { error, .. },
                ..
            }),
            TaskKind::Try(_),
        ) => {
            let error: Error = serde_json::from_value((**error).clone()).ok()?;
            turn.emit(Record::ErrorCaught { frame, error, at });
        }
        _ => {}
    }
    Some(frame)
}
