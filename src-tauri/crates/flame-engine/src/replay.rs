//! A new run that goes on from a task of an old one, with its recorded or an edited input and context.
//!
//! The scopes around the task are entered again as they were: `do`, `try`, `catch.do`, `for`. A branch of
//! a `fork` is not, since the branches beside it were at work too.

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
use crate::record::{FrameId, Record, ReplayOrigin};
use crate::run::{Run, Step};
use crate::secrets::Secrets;
use crate::state::{Attempts, Frame, Phase, Progress, State};
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
    #[error("the task {task} is in a branch of the fork {fork}; replay from the fork instead")]
    InsideFork { task: String, fork: String },
    #[error("the task {0} undid another one; replay from a task that did something")]
    Compensation(String),
    #[error("the run is a test; start another test with the input, context and task that you want")]
    Test,
    #[error(
        "the task {task} handles an event of {listen}, which does not come again; replay from {listen} instead"
    )]
    InsideListen { task: String, listen: String },
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
        let mut path: Vec<FrameId> = past
            .outwards(target)
            .map(|(id, _)| id)
            .filter(|id| *id != FrameId::ROOT)
            .collect();
        path.reverse();
        if past.compensation.is_some() {
            return Err(NotReplayable::Compensation(from.reference.to_owned()));
        }
        refuse_scopes(&workflow, &past, &path)?;
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
                enter(turn, &past, &path, from);
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

fn refuse_scopes(workflow: &Workflow, past: &State, path: &[FrameId]) -> Result<(), NotReplayable> {
    let reference = |id: &FrameId| {
        past.task(workflow, *id)
            .map_or_else(String::new, |task| task.reference.to_string())
    };
    let Some((target, around)) = path.split_last() else {
        return Ok(());
    };
    let listen = around
        .iter()
        .find(|id| matches!(past.frame(**id).progress, Progress::Listening(_)));
    if let Some(listen) = listen {
        return Err(NotReplayable::InsideListen {
            task: reference(target),
            listen: reference(listen),
        });
    }
    let fork = around
        .iter()
        .find(|id| matches!(past.frame(**id).progress, Progress::Fork(_)));
    fork.map_or(Ok(()), |fork| {
        Err(NotReplayable::InsideFork {
            task: reference(target),
            fork: reference(fork),
        })
    })
}

/// Enters the scopes on the path, up to where the last task of it is next.
fn enter(turn: &mut Turn<'_>, past: &State, path: &[FrameId], from: &ReplayFrom<'_>) {
    let at = turn.moment.now;
    turn.emit(Record::ContextRestored {
        context: Arc::clone(from.context.as_ref().unwrap_or(&past.context)),
        at,
    });
    let Some((target, around)) = path.split_last() else {
        return;
    };
    let mut parent = FrameId::ROOT;
    for id in around {
        let old = past.frame(*id);
        position(turn, parent, old, Arc::clone(&old.raw));
        let Some(frame) = begin_again(turn, parent, old) else {
            return;
        };
        parent = frame;
    }
    let old = past.frame(*target);
    position(
        turn,
        parent,
        old,
        Arc::clone(from.input.as_ref().unwrap_or(&old.raw)),
    );
}

fn position(turn: &mut Turn<'_>, frame: FrameId, old: &Frame, data: Arc<Value>) {
    turn.emit(Record::FlowPositioned {
        frame,
        index: old.index,
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
            turn.emit(Record::IterationStarted {
                frame,
                index: progress.index,
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
