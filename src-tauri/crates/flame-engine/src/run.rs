//! One run: its state, and what follows from each event as records to store and actions to carry out.
//!
//! Deliberately absent: storing and carrying out. If a step's records could not be stored, the run in
//! memory is ahead of its journal: drop it, and resume from the journal.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use flame_dsl::{LifecycleSet, Task, TaskKind, Workflow};
use flame_types::{RunId, RunStatus, Timestamp};
use serde_json::Value;

use crate::action::{Action, Call, EffectId, Interest, TimerId};
use crate::apply::{Corrupt, apply};
use crate::compensation::CompensationProgress;
use crate::decide;
use crate::error::Error;
use crate::event::{Event, Moment};
use crate::key;
use crate::pinned;
use crate::record::{FrameId, Record, ReplayOrigin};
use crate::scope::RunView;
use crate::secrets::Secrets;
use crate::snapshot::{self, NotRestorable};
use crate::state::{Listening, Phase, Progress, State};
use crate::tasks;
use crate::test_plan::{self, NotTestable, TestPlan};
use crate::turn::Turn;

/// How much one run may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Pieces of pure work in one step before the run gives way to others.
    pub steps_per_turn: u32,
    /// Payload in one step's records, after which it gives way too, so that no commit grows without
    /// bounds.
    pub bytes_per_turn: usize,
    /// Tasks, iterations and attempts that a run may begin, in one generation.
    pub steps_max: u64,
    /// Those after which a loop through the workflow's own list that also waits begins a new generation.
    pub generation_steps: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            steps_per_turn: 1_000,
            bytes_per_turn: 4 << 20,
            steps_max: 10_000_000,
            generation_steps: 10_000,
        }
    }
}

/// What follows from an event. The records are stored, all in one commit, before any action but
/// `Action::Emit` and `Action::Publish`, which belong to that commit.
#[derive(Debug, Default)]
pub struct Step {
    pub records: Vec<Record>,
    pub actions: Vec<Action>,
    /// Roughly what the records' payloads take.
    pub bytes: usize,
}

/// One execution of a workflow.
#[derive(Debug)]
pub struct Run {
    pub(crate) id: RunId,
    pub(crate) workflow: Arc<Workflow>,
    pub(crate) state: State,
    limits: Limits,
    pub(crate) descriptor: OnceCell<Value>,
    /// Of a test run that has not begun.
    test: Option<Arc<TestPlan>>,
    /// Why it can't begin.
    pub(crate) refusal: Option<Error>,
    pub(crate) secrets: Secrets,
    /// Lifecycle events that somebody asks for.
    pub(crate) published: LifecycleSet,
    /// Effects that this process was asked to invoke and has not answered.
    invoked: BTreeSet<EffectId>,
    /// Those that it was asked for a message and has not given one.
    asked: BTreeSet<EffectId>,
    /// Timers that this process was asked to arm, with their due times.
    armed: BTreeMap<TimerId, Timestamp>,
    /// Task executions for which this process was asked to listen.
    listening: BTreeSet<FrameId>,
}

/// A task at which a run is at work, for display.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtWork {
    pub reference: Arc<str>,
    pub name: Arc<str>,
    /// The kind's word, such as `call http`.
    pub kind: &'static str,
    /// Indices of the loops around it, from the outside in.
    pub iteration: Vec<usize>,
    /// Of the innermost `try` around it, from 1.
    pub attempt: u32,
    pub since: Timestamp,
    /// When its timer is due, where it waits for one.
    pub due: Option<Timestamp>,
    /// The number of a compensation that waits for a person; the task is the one it undoes.
    pub parked: Option<u64>,
}

/// Why a run can't be retried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRetryable {
    #[error("the run is {0}; only a faulted run can be retried")]
    Status(RunStatus),
    #[error(
        "the run's input was refused, and a retry has the same input; start a new run with another one"
    )]
    InputRefused,
    #[error("what the run did was undone; start a new run")]
    Compensated,
}

impl Run {
    /// A run that has not begun.
    pub fn new(id: RunId, workflow: Arc<Workflow>) -> Self {
        Self {
            id,
            workflow,
            state: State::new(),
            limits: Limits::default(),
            descriptor: OnceCell::new(),
            test: None,
            refusal: None,
            secrets: Secrets::default(),
            published: LifecycleSet::default(),
            invoked: BTreeSet::new(),
            asked: BTreeSet::new(),
            armed: BTreeMap::new(),
            listening: BTreeSet::new(),
        }
    }

    /// A test run that has not begun.
    pub fn testing(
        id: RunId,
        workflow: Arc<Workflow>,
        plan: Arc<TestPlan>,
    ) -> Result<Self, NotTestable> {
        plan.check(&workflow)?;
        let workflow = test_plan::alone(&workflow, &plan).unwrap_or(workflow);
        let mut run = Self::new(id, workflow);
        run.test = Some(plan);
        Ok(run)
    }

    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What `$secrets` gives from now on. They are in no journal, so they are given again after a
    /// resume, and before a decision that may need them.
    pub fn know(&mut self, secrets: Secrets) {
        self.secrets = secrets;
    }

    /// A run out of its journal. Evaluates nothing; call [`Run::pending`] to set it going.
    pub fn resume(
        id: RunId,
        workflow: Arc<Workflow>,
        records: impl IntoIterator<Item = Record>,
    ) -> Result<Self, Corrupt> {
        let mut run = Self::new(id, workflow);
        for record in records {
            run.fold(&record)?;
        }
        Ok(run)
    }

    /// Folds the next record of the run's journal.
    pub fn fold(&mut self, record: &Record) -> Result<(), Corrupt> {
        if let Some(pinned) = pinned::by_record(&self.workflow, record) {
            self.workflow = pinned;
        }
        apply(&mut self.state, &self.workflow, record)
    }

    /// The state as bytes, from which [`Run::restore`] and [`Timeline::restore`](crate::Timeline::restore)
    /// go on without the records before it.
    pub fn snapshot(&self) -> Vec<u8> {
        snapshot::write(&self.state)
    }

    /// A run out of a snapshot; fold what its journal holds behind it.
    pub fn restore(
        id: RunId,
        workflow: Arc<Workflow>,
        snapshot: &[u8],
    ) -> Result<Self, NotRestorable> {
        let mut run = Self::new(id, workflow);
        run.state = snapshot::read(snapshot)?;
        if let Some(pinned) = run.state.pinned(&run.workflow) {
            run.workflow = pinned;
        }
        Ok(run)
    }

    /// Decides what follows from an event. An event that the run's state has no use for, such as a late
    /// answer, gives an empty step.
    pub fn handle(&mut self, event: Event, moment: Moment) -> Step {
        match &event {
            Event::EffectDone { effect, .. } => {
                self.invoked.remove(effect);
            }
            Event::MessageArrived { effect, .. } => {
                self.asked.remove(effect);
            }
            Event::TimerFired { timer } => {
                self.armed.remove(timer);
            }
            _ => {}
        }
        self.decide(moment, |turn| decide::event(turn, event))
    }

    /// What is to be done after [`Run::resume`]: effects without an answer are invoked again under the
    /// same key, timers armed at their original due times, and `Action::Yield` where pure work is left.
    /// Also what is to be done once the clock went back, at any time.
    pub fn pending(&mut self, moment: Moment) -> Step {
        let mut turn_limits = self.limits;
        // Nothing new is decided here, so that the caller sees what was at work first.
        turn_limits.steps_per_turn = 0;
        let limits = std::mem::replace(&mut self.limits, turn_limits);
        let step = self.decide(moment, |_| ());
        self.limits = limits;
        step
    }

    pub(crate) fn decide(&mut self, moment: Moment, decide: impl FnOnce(&mut Turn<'_>)) -> Step {
        let workflow = Arc::clone(&self.workflow);
        let published = self.visible();
        let mut turn = Turn {
            id: self.id,
            workflow: &workflow,
            state: &mut self.state,
            limits: self.limits,
            moment,
            descriptor: &self.descriptor,
            test: self.test.as_ref(),
            refusal: self.refusal.as_ref(),
            secrets: &self.secrets,
            records: Vec::new(),
            bytes: 0,
            emitted: Vec::new(),
            published,
            lifecycle: Vec::new(),
            calls: BTreeMap::new(),
        };
        decide(&mut turn);
        turn.follow_the_clock();
        turn.work();
        evaluate_calls(&mut turn, &self.invoked);
        let Turn {
            records,
            emitted,
            lifecycle,
            calls,
            bytes,
            ..
        } = turn;
        let mut actions: Vec<Action> = emitted
            .into_iter()
            .map(|event| Action::Emit { event })
            .collect();
        actions.extend(lifecycle.into_iter().map(|event| Action::Publish {
            event: Arc::new(event),
        }));
        self.settle(calls, &mut actions);
        if self.state.status == RunStatus::Running && !self.state.ready.is_empty() {
            actions.push(Action::Yield);
        }
        if records.iter().any(Record::ends_run) {
            actions.push(Action::Finish {
                status: self.state.status,
            });
        }
        Step {
            records,
            actions,
            bytes,
        }
    }

    /// Brings what this process has in flight in line with the state.
    fn settle(&mut self, mut calls: BTreeMap<EffectId, Call>, actions: &mut Vec<Action>) {
        let running = self.state.status == RunStatus::Running;
        // A suspended run lets its calls finish, and keeps their answers.
        let effects = if running || self.state.status == RunStatus::Suspended {
            self.state.effects()
        } else {
            BTreeMap::new()
        };
        let timers = if running {
            self.state.timers()
        } else {
            BTreeMap::new()
        };
        self.invoked.retain(|effect| {
            let wanted = effects.contains_key(effect);
            if !wanted {
                actions.push(Action::Abort { effect: *effect });
            }
            wanted
        });
        self.asked.retain(|effect| self.invoked.contains(effect));
        self.armed.retain(|timer, due| {
            let wanted = timers.get(timer).map(|(due, _)| due);
            if wanted.is_none() {
                actions.push(Action::Disarm { timer: *timer });
            }
            wanted == Some(due)
        });
        for (effect, frame) in effects {
            let (Some(call), Some(task)) = (
                calls.remove(&effect),
                self.state.task(&self.workflow, frame),
            ) else {
                continue;
            };
            let reference = Arc::clone(&task.reference);
            let key = key::idempotency_key(self.id, &self.state, frame, &reference);
            self.invoked.insert(effect);
            actions.push(Action::Invoke {
                effect,
                key,
                reference,
                call,
            });
        }
        let receivers = self.state.receivers().filter(|_| running);
        for effect in receivers.filter(|effect| self.invoked.contains(effect)) {
            if self.asked.insert(effect) {
                actions.push(Action::Next { effect });
            }
        }
        for (timer, (due, _)) in timers {
            if self.armed.insert(timer, due).is_none() {
                actions.push(Action::Arm { timer, due });
            }
        }
        self.settle_listeners(running, actions);
    }

    /// The same for the tasks that listen.
    fn settle_listeners(&mut self, running: bool, actions: &mut Vec<Action>) {
        let wanted: BTreeMap<FrameId, Interest> = if running {
            let interest = |(id, state): (FrameId, &Listening)| {
                let task = self.state.task(&self.workflow, id)?;
                Some((id, interest(task, state, self.state.frame(id).started_at)?))
            };
            self.state.listeners().filter_map(interest).collect()
        } else {
            BTreeMap::new()
        };
        self.listening.retain(|frame| {
            let wanted = wanted.contains_key(frame);
            if !wanted {
                actions.push(Action::Unlisten { frame: *frame });
            }
            wanted
        });
        for (frame, interest) in wanted {
            if self.listening.insert(frame) {
                actions.push(Action::Listen { frame, interest });
            }
        }
    }

    /// Task executions that listen, also while the run is suspended or faulted.
    pub fn listeners(&self) -> BTreeSet<FrameId> {
        self.state.listeners().map(|(id, _)| id).collect()
    }

    pub const fn id(&self) -> RunId {
        self.id
    }

    pub const fn workflow(&self) -> &Arc<Workflow> {
        &self.workflow
    }

    /// `waiting` where nothing but timers can take the run further.
    pub fn status(&self) -> RunStatus {
        let waiting = self.state.status == RunStatus::Running
            && self.state.ready.is_empty()
            && self.state.effects().is_empty();
        if waiting {
            RunStatus::Waiting
        } else {
            self.state.status
        }
    }

    /// When the run goes on by itself, where nothing but time can take it further.
    ///
    /// Such a run needs no place in memory until then: its journal has everything.
    pub fn wakes(&self) -> Option<Timestamp> {
        // Events come at any time.
        let waits = self.status() == RunStatus::Waiting && self.state.listeners().next().is_none();
        waits.then(|| self.state.timers().into_values().map(|(due, _)| due).min())?
    }

    pub fn input(&self) -> &Value {
        &self.state.input
    }

    /// Of a completed run.
    pub fn output(&self) -> Option<&Value> {
        self.state.output.as_deref()
    }

    /// Of a faulted run.
    pub const fn error(&self) -> Option<&Error> {
        self.state.error.as_ref()
    }

    pub const fn started_at(&self) -> Option<Timestamp> {
        self.state.started_at
    }

    /// When the run ended.
    pub fn ended_at(&self) -> Option<Timestamp> {
        self.state
            .halted_at
            .filter(|_| self.state.status.is_terminal())
    }

    /// The run and task that this run replays.
    pub const fn replay_of(&self) -> Option<&ReplayOrigin> {
        self.state.replay.as_ref()
    }

    /// The plan of a test run.
    pub const fn test(&self) -> Option<&Arc<TestPlan>> {
        self.state.test.as_ref()
    }

    /// Whether a task of this run waits for that child.
    pub fn awaits(&self, child: RunId) -> bool {
        self.state.effects().into_values().any(|frame| {
            let task = self.state.task(&self.workflow, frame);
            task.is_some_and(|task| {
                tasks::run::awaits(task)
                    && child
                        == tasks::run::child_id(&tasks::run::Asking {
                            run: self.id,
                            state: &self.state,
                            frame,
                            task,
                            unseen: self.state.unseen,
                        })
            })
        })
    }

    /// Records that the run stands on; the number of the next one.
    pub const fn sequence(&self) -> u64 {
        self.state.sequence
    }

    /// How often the run was continued as new.
    pub const fn generation(&self) -> u64 {
        self.state.generation
    }

    /// Tasks, iterations and attempts begun in this generation.
    pub const fn steps(&self) -> u64 {
        self.state.steps
    }

    /// Whether `Event::Retry` would do anything, and if not, why.
    pub fn retryable(&self) -> Result<(), NotRetryable> {
        if self.state.status != RunStatus::Faulted {
            return Err(NotRetryable::Status(self.status()));
        }
        if self.state.compensation.is_some() {
            return Err(NotRetryable::Compensated);
        }
        if self.state.frames.is_empty() {
            return Err(NotRetryable::InputRefused);
        }
        Ok(())
    }

    /// How far the undoing of what the run did is, or came; `None` where it was not begun.
    pub fn compensation(&self) -> Option<CompensationProgress> {
        self.state.compensation_progress()
    }

    /// The innermost tasks at work.
    pub fn at_work(&self) -> Vec<AtWork> {
        let frames = self.state.frames.iter().filter(|(id, frame)| {
            let inside = match &frame.progress {
                Progress::Try(attempts) => {
                    !matches!(attempts.phase, Phase::Delay(_) | Phase::Parked(_))
                }
                Progress::List(_) | Progress::Loop(_) | Progress::Fork(_) => true,
                Progress::Listening(state) => state.pass.is_some(),
                Progress::Receiving(state) => state.pass.is_some(),
                Progress::Extending(state) => state.pass.is_some(),
                _ => false,
            };
            **id != FrameId::ROOT && !inside
        });
        let at_work = |(id, frame): (&FrameId, &crate::state::Frame)| {
            let task = self.state.task(&self.workflow, *id)?;
            let due = match &frame.progress {
                Progress::Waiting(timer) => Some(timer.due),
                Progress::Try(attempts) => match attempts.phase {
                    Phase::Delay(timer) => timer.map(|timer| timer.due),
                    _ => None,
                },
                _ => None,
            };
            Some(AtWork {
                reference: Arc::clone(&task.reference),
                name: Arc::clone(&task.name),
                kind: task.kind.name(),
                iteration: key::iterations(&self.state, frame.parent?),
                attempt: key::attempt(&self.state, *id),
                since: frame.started_at,
                due,
                parked: self
                    .state
                    .parked()
                    .filter(|(_, parked)| *parked == *id)
                    .map(|(number, _)| number),
            })
        };
        frames
            .map(|(id, frame)| (id, &**frame))
            .filter_map(at_work)
            .collect()
    }
}

fn interest(task: &Task, state: &Listening, since: Timestamp) -> Option<Interest> {
    let TaskKind::Listen(listen) = &task.kind else {
        return None;
    };
    Some(match &state.ask {
        Some(ask) => Interest::Person {
            reference: Arc::clone(&task.reference),
            ask: ask.clone(),
            since,
        },
        None => Interest::Log {
            types: listen.to.types(),
            taken: state.taken,
        },
    })
}

/// Evaluates the calls that were not made in this process, so after a crash. One that can no longer be
/// evaluated faults its task.
fn evaluate_calls(turn: &mut Turn<'_>, invoked: &BTreeSet<EffectId>) {
    while turn.state.status == RunStatus::Running {
        let missing = turn
            .state
            .effects()
            .into_iter()
            .find(|(effect, _)| !invoked.contains(effect) && !turn.calls.contains_key(effect));
        let Some((effect, frame)) = missing else {
            return;
        };
        let Some(task) = turn.state.task(turn.workflow, frame) else {
            return;
        };
        let view = RunView {
            id: turn.id,
            workflow: turn.workflow,
            state: turn.state,
            descriptor: turn.descriptor,
            secrets: turn.secrets,
            now: turn.moment.now,
        };
        match tasks::call::evaluate(view, frame, task, turn.moment) {
            Ok(call) => {
                turn.calls.insert(effect, call);
            }
            Err(error) => {
                turn.fault(frame, error);
                turn.work();
            }
        }
    }
}

/// Equal where their records led to the same state; what is in flight in this process does not count.
impl PartialEq for Run {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.state == other.state
    }
}
