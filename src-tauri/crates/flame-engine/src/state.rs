//! The state of a run: a tree of task executions, and what each of them waits for.
//!
//! Deliberately absent: changing it (that is `apply`) and deciding (that is `turn`).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use flame_dsl::{Externals, Task, TaskKind, TaskList, Workflow};
use flame_types::{RunStatus, Timestamp, json};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::action::{EffectId, TimerId};
use crate::compensation::{Compensation, Completed};
use crate::error::Error;
use crate::extension::Extending;
use crate::gathering::{Gathering, array};
use crate::pinned;
use crate::record::{Ask, FrameId, Mark, ReplayOrigin, Slot};
use crate::test_plan::TestPlan;

/// Everything a fold of the journal gives. Payloads are shared; those of finished scopes are dropped.
///
/// Its JSON is what snapshots hold: what is added needs a default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct State {
    pub(crate) status: RunStatus,
    /// What its status was last for whoever looks at it: `waiting` where nothing is at work.
    #[serde(default = "pending")]
    pub(crate) shown: RunStatus,
    #[serde(deserialize_with = "json::read")]
    pub(crate) input: Arc<Value>,
    #[serde(deserialize_with = "json::read")]
    pub(crate) context: Arc<Value>,
    #[serde(
        default,
        deserialize_with = "json::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) output: Option<Arc<Value>>,
    pub(crate) error: Option<Error>,
    /// The task that raised the error of a faulted run.
    pub(crate) origin: Option<FrameId>,
    pub(crate) replay: Option<ReplayOrigin>,
    pub(crate) test: Option<Arc<TestPlan>>,
    /// Texts from outside that the run is pinned to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) externals: Option<Arc<Externals>>,
    /// Runs around this one.
    pub(crate) depth: u32,
    /// Its lifecycle events are not published: one of the runs around it listens to such.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) unseen: bool,
    pub(crate) started_at: Option<Timestamp>,
    /// When the run last came to a halt: ended or was suspended.
    pub(crate) halted_at: Option<Timestamp>,
    /// Completed tasks that can be undone, in the order of their completion.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) completed: Vec<Completed>,
    /// Once the run undoes what it did; stays when it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) compensation: Option<Compensation>,
    /// In boxes: they are large, and the tree moves what it holds.
    pub(crate) frames: BTreeMap<FrameId, Box<Frame>>,
    /// Task executions with something to do now, in the order in which they get their turn.
    pub(crate) ready: VecDeque<FrameId>,
    pub(crate) next_frame: u64,
    pub(crate) next_effect: u64,
    pub(crate) next_timer: u64,
    /// Tasks, iterations and attempts begun in this generation, against the step limit.
    pub(crate) steps: u64,
    /// How often the run was continued as new.
    pub(crate) generation: u64,
    /// Whether something outside was asked for or waited for in this generation.
    pub(crate) waited: bool,
    /// Records folded so far.
    pub(crate) sequence: u64,
}

/// One execution of one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Frame {
    pub(crate) parent: Option<FrameId>,
    pub(crate) slot: Slot,
    pub(crate) index: usize,
    /// How often the task was begun before in the same pass of its list.
    pub(crate) visit: u32,
    /// The data that flowed in.
    #[serde(deserialize_with = "json::read")]
    pub(crate) raw: Arc<Value>,
    /// The data after `input.from`.
    #[serde(deserialize_with = "json::read")]
    pub(crate) input: Arc<Value>,
    pub(crate) started_at: Timestamp,
    pub(crate) timeout: Option<Timer>,
    pub(crate) faulted: bool,
    /// Places of the extensions that apply, among the task's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) extensions: Vec<usize>,
    pub(crate) progress: Progress,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Timer {
    pub(crate) id: TimerId,
    pub(crate) due: Timestamp,
    /// When it was armed; older snapshots don't say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) armed: Option<Timestamp>,
}

impl Timer {
    /// Where the clock says now that it was armed later, it is due after its whole length from now on.
    fn turn_back(&mut self, now: Timestamp) {
        if let Some(armed) = self.armed.filter(|armed| *armed > now) {
            let length = self.due.duration_since(armed);
            self.due = now.checked_add(length).unwrap_or(Timestamp::MAX);
            self.armed = Some(now);
        }
    }

    /// Moves it as a whole.
    pub(crate) fn postpone(&mut self, by: SignedDuration) {
        for at in [Some(&mut self.due), self.armed.as_mut()]
            .into_iter()
            .flatten()
        {
            *at = at.checked_add(by).unwrap_or(Timestamp::MAX);
        }
    }
}

/// How far a task execution is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Progress {
    /// Begun, and nothing done.
    Fresh,
    /// The workflow, or a `do`.
    List(Pass),
    Loop(Loop),
    Try(Attempts),
    /// A result for each branch, in declaration order.
    Fork(Vec<Branch>),
    /// An effect is in flight. `context` is what its call was evaluated with.
    Effect {
        effect: EffectId,
        #[serde(deserialize_with = "json::read")]
        context: Arc<Value>,
    },
    /// The answer of an effect that came while the run was suspended.
    #[serde(deserialize_with = "json::read")]
    Answered(Result<Arc<Value>, Error>),
    Waiting(Timer),
    Listening(Box<Listening>),
    Receiving(Box<Receiving>),
    /// Its extensions have their turn, before it or after it.
    Extending(Box<Extending>),
}

/// One pass through a list of tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pass {
    /// What flows into the next task.
    #[serde(deserialize_with = "json::read")]
    pub(crate) data: Arc<Value>,
    pub(crate) cursor: Cursor,
    /// How often each task was begun; as long as the furthest one.
    pub(crate) visits: Vec<u32>,
}

impl Pass {
    pub(crate) const fn new(data: Arc<Value>) -> Self {
        Self {
            data,
            cursor: Cursor::At(0),
            visits: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Cursor {
    /// This task is next; past the last one the pass has ended.
    At(usize),
    /// Inside this task execution.
    In(FrameId),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Loop {
    #[serde(deserialize_with = "json::read")]
    pub(crate) items: Arc<Vec<Value>>,
    /// The index as expressions see it.
    #[serde(deserialize_with = "json::read")]
    pub(crate) at: Value,
    pub(crate) index: usize,
    /// `None` before the first iteration.
    pub(crate) pass: Option<Pass>,
}

/// A `listen` task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listening {
    pub(crate) gathering: Gathering,
    /// Place in the event log of the last event that was taken.
    pub(crate) taken: u64,
    /// What a person is asked.
    pub(crate) ask: Option<Ask>,
    /// The event that `foreach` handles next, or handles now.
    pub(crate) next: usize,
    /// The same as expressions see it.
    #[serde(deserialize_with = "json::read")]
    pub(crate) at: Value,
    /// `None` between the iterations of `foreach`.
    pub(crate) pass: Option<Pass>,
    /// What `foreach` made of the events before.
    #[serde(deserialize_with = "json::read")]
    pub(crate) outputs: Vec<Arc<Value>>,
    /// The task has a `foreach`.
    pub(crate) iterates: bool,
}

/// A subscription with `foreach`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Receiving {
    pub(crate) effect: EffectId,
    /// What its call was evaluated with.
    #[serde(deserialize_with = "json::read")]
    pub(crate) context: Arc<Value>,
    /// `consume.for`.
    pub(crate) timer: Option<Timer>,
    /// Messages taken so far.
    pub(crate) taken: usize,
    /// The same, where a condition looks at them.
    #[serde(deserialize_with = "json::read")]
    pub(crate) messages: Vec<Arc<Value>>,
    /// Where the source goes on.
    pub(crate) mark: Option<Mark>,
    /// The message that is handled next, or now.
    #[serde(deserialize_with = "json::read")]
    pub(crate) message: Option<Arc<Value>>,
    /// Its index as expressions see it.
    #[serde(deserialize_with = "json::read")]
    pub(crate) at: Value,
    /// `None` between the iterations.
    pub(crate) pass: Option<Pass>,
    /// What became of the messages before.
    #[serde(deserialize_with = "json::read")]
    pub(crate) outputs: Vec<Arc<Value>>,
    /// No more are taken.
    pub(crate) complete: bool,
}

impl Receiving {
    pub(crate) const fn new(effect: EffectId, context: Arc<Value>) -> Self {
        Self {
            effect,
            context,
            timer: None,
            taken: 0,
            messages: Vec::new(),
            mark: None,
            message: None,
            at: Value::Null,
            pass: None,
            outputs: Vec::new(),
            complete: false,
        }
    }

    /// Whether it takes a message now.
    pub(crate) const fn wants(&self) -> bool {
        !self.complete && self.message.is_none()
    }

    /// Of the message that is handled.
    pub(crate) const fn index(&self) -> usize {
        self.taken.saturating_sub(1)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Attempts {
    /// Counts from 1.
    pub(crate) attempt: u32,
    pub(crate) first_at: Timestamp,
    /// `retry.limit.attempt.duration` of the attempt at work.
    pub(crate) timer: Option<Timer>,
    pub(crate) phase: Phase,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Phase {
    Body(Pass),
    /// Until the next attempt; without a timer it starts at once.
    Delay(Option<Timer>),
    /// In `catch.do`; `error` is what its expressions see.
    Handler {
        #[serde(deserialize_with = "json::read")]
        error: Arc<Value>,
        pass: Pass,
    },
    /// Caught, and there is no `catch.do`.
    Caught,
    /// A compensation that failed with this and waits for a person.
    Parked(Error),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Branch {
    Pending,
    /// Pending, with this data instead of the fork's input: a replay begins there.
    #[serde(deserialize_with = "json::read")]
    Given(Arc<Value>),
    Running(FrameId),
    #[serde(deserialize_with = "json::read")]
    Done(Arc<Value>),
}

impl State {
    pub(crate) fn new() -> Self {
        Self {
            status: RunStatus::Pending,
            shown: RunStatus::Pending,
            input: Arc::new(Value::Null),
            context: Arc::new(json!({})),
            output: None,
            error: None,
            origin: None,
            replay: None,
            test: None,
            externals: None,
            depth: 0,
            unseen: false,
            started_at: None,
            halted_at: None,
            completed: Vec::new(),
            compensation: None,
            frames: BTreeMap::new(),
            ready: VecDeque::new(),
            next_frame: 1,
            next_effect: 1,
            next_timer: 1,
            steps: 0,
            generation: 0,
            waited: false,
            sequence: 0,
        }
    }

    /// The workflow that the run executes, where it is another one than its definition.
    pub(crate) fn pinned(&self, workflow: &Workflow) -> Option<Arc<Workflow>> {
        pinned::of(workflow, self.externals.as_deref(), self.test.as_deref())
    }

    /// Ids come from records or from this tree, so a missing one is a fault in the engine; callers on
    /// the fold's side check first.
    pub(crate) fn frame(&self, id: FrameId) -> &Frame {
        self.frames
            .get(&id)
            .expect("a frame that is at work is in the tree")
    }

    /// The frame and those around it, from the inside out, with the workflow's own last.
    pub(crate) fn outwards(&self, id: FrameId) -> impl Iterator<Item = (FrameId, &Frame)> {
        let mut next = Some(id);
        std::iter::from_fn(move || {
            let id = next?;
            let frame = &**self.frames.get(&id)?;
            next = frame.parent;
            Some((id, frame))
        })
    }

    /// The task that a frame executes, or undoes; `None` for the workflow itself and for what does not fit.
    pub(crate) fn task<'w>(&self, workflow: &'w Workflow, id: FrameId) -> Option<&'w Task> {
        let frame = self.frames.get(&id)?;
        if self.is_undo(id) {
            let completed = self.compensation.as_ref()?.task.as_ref()?;
            return workflow.task(&completed.reference);
        }
        self.list(workflow, frame.parent?, frame.slot)?
            .0
            .get(frame.index)
    }

    /// One of the lists of a frame's task.
    pub(crate) fn list<'w>(
        &self,
        workflow: &'w Workflow,
        id: FrameId,
        slot: Slot,
    ) -> Option<&'w TaskList> {
        if id == FrameId::ROOT {
            return (slot == Slot::Body).then_some(&workflow.tasks);
        }
        let task = self.task(workflow, id)?;
        match &self.frames.get(&id)?.progress {
            Progress::Extending(state) => state.list(task).filter(|_| state.slot == slot),
            _ => list_of(task, slot),
        }
    }

    /// What flows into the task at this place of a frame's list, or into this branch of its fork.
    pub(crate) fn data_for(&self, id: FrameId, index: usize) -> Option<&Arc<Value>> {
        let frame = self.frames.get(&id)?;
        let given = match &frame.progress {
            Progress::Fork(branches) => match branches.get(index) {
                Some(Branch::Given(data)) => Some(data),
                _ => None,
            },
            progress => progress.pass().map(|pass| &pass.data),
        };
        Some(given.unwrap_or(&frame.input))
    }

    /// Every frame below this one, children before their parents.
    pub(crate) fn below(&self, id: FrameId) -> Vec<FrameId> {
        let mut found = Vec::new();
        let mut open = vec![id];
        while let Some(parent) = open.pop() {
            let Some(frame) = self.frames.get(&parent) else {
                continue;
            };
            let children = frame.progress.children();
            found.extend(
                children
                    .iter()
                    .filter(|child| self.frames.contains_key(child)),
            );
            open.extend(children);
        }
        found.reverse();
        found
    }

    /// What the task gives by itself: the data of its list, the branches' results, or its input.
    pub(crate) fn own_output(&self, id: FrameId) -> Arc<Value> {
        let frame = self.frame(id);
        match &frame.progress {
            Progress::Fork(branches) => Arc::new(Value::Array(
                branches
                    .iter()
                    .map(|branch| branch.output().map_or(Value::Null, |v| (**v).clone()))
                    .collect(),
            )),
            Progress::Extending(state) => state.output().unwrap_or(&frame.input).clone(),
            Progress::Listening(state) if state.iterates => Arc::new(array(&state.outputs)),
            Progress::Listening(state) => Arc::new(state.gathering.array()),
            Progress::Receiving(state) => Arc::new(array(&state.outputs)),
            progress => progress
                .pass()
                .map_or(&frame.input, |pass| &pass.data)
                .clone(),
        }
    }

    /// Effects whose answers are awaited.
    pub(crate) fn effects(&self) -> BTreeMap<EffectId, FrameId> {
        let effect = |(id, progress): (&FrameId, &Progress)| match progress {
            Progress::Effect { effect, .. } => Some((*effect, *id)),
            Progress::Receiving(state) if !state.complete => Some((state.effect, *id)),
            _ => None,
        };
        let frames = self.frames.iter();
        frames
            .map(|(id, frame)| (id, &frame.progress))
            .filter_map(effect)
            .collect()
    }

    /// Subscriptions that take a message now.
    pub(crate) fn receivers(&self) -> impl Iterator<Item = EffectId> {
        self.frames
            .values()
            .filter_map(|frame| match &frame.progress {
                Progress::Receiving(state) if state.wants() => Some(state.effect),
                _ => None,
            })
    }

    /// Task executions that wait for events.
    pub(crate) fn listeners(&self) -> impl Iterator<Item = (FrameId, &Listening)> {
        self.frames
            .iter()
            .filter_map(|(id, frame)| match &frame.progress {
                Progress::Listening(state) if !state.gathering.complete => Some((*id, &**state)),
                _ => None,
            })
    }

    /// Timers that have not fired.
    pub(crate) fn timers(&self) -> BTreeMap<TimerId, (Timestamp, FrameId)> {
        let mut timers = BTreeMap::new();
        for (id, frame) in &self.frames {
            for timer in frame.timers() {
                timers.insert(timer.id, (timer.due, *id));
            }
        }
        timers
    }

    /// Whether a timer was armed, or a `try` begun, later than it is now.
    pub(crate) fn is_ahead_of(&self, now: Timestamp) -> bool {
        self.frames.values().any(|frame| {
            let begun = match &frame.progress {
                Progress::Try(attempts) => Some(attempts.first_at),
                _ => None,
            };
            let armed = frame.timers().filter_map(|timer| timer.armed);
            armed.chain(begun).any(|at| at > now)
        })
    }

    /// Puts right what was begun later than it is now.
    pub(crate) fn turn_back(&mut self, now: Timestamp) {
        for frame in self.frames.values_mut() {
            if let Some(timeout) = &mut frame.timeout {
                timeout.turn_back(now);
            }
            match &mut frame.progress {
                Progress::Waiting(timer) => timer.turn_back(now),
                Progress::Try(attempts) => {
                    attempts.first_at = attempts.first_at.min(now);
                    if let Some(timer) = &mut attempts.timer {
                        timer.turn_back(now);
                    }
                    if let Phase::Delay(Some(timer)) = &mut attempts.phase {
                        timer.turn_back(now);
                    }
                }
                _ => {}
            }
        }
    }

    pub(crate) fn is_ready(&self, id: FrameId, workflow: &Workflow) -> bool {
        let Some(frame) = self.frames.get(&id) else {
            return false;
        };
        if frame.faulted {
            return false;
        }
        match &frame.progress {
            Progress::Fresh | Progress::Answered(_) => true,
            Progress::List(pass) => pass.is_ready(),
            Progress::Loop(state) => state.pass.as_ref().is_none_or(Pass::is_ready),
            Progress::Try(attempts) => match &attempts.phase {
                Phase::Body(pass) | Phase::Handler { pass, .. } => pass.is_ready(),
                Phase::Delay(timer) => timer.is_none(),
                Phase::Caught => true,
                Phase::Parked(_) => false,
            },
            Progress::Fork(branches) => {
                let done = |branch: &Branch| matches!(branch, Branch::Done(_));
                branches.iter().any(Branch::is_pending)
                    || branches.iter().all(done)
                    || (branches.iter().any(done) && self.competes(id, workflow))
            }
            Progress::Listening(state) => match &state.pass {
                Some(pass) => pass.is_ready(),
                None => {
                    state.gathering.complete
                        || (state.iterates && state.next < state.gathering.events.len())
                }
            },
            Progress::Receiving(state) => match &state.pass {
                Some(pass) => pass.is_ready(),
                None => state.complete || state.message.is_some(),
            },
            Progress::Extending(state) => state.pass.as_ref().is_none_or(Pass::is_ready),
            Progress::Effect { .. } | Progress::Waiting(_) => false,
        }
    }

    /// The status for whoever looks at the run; `None` amid a decision, whose further records say it.
    pub(crate) fn status_to_show(&self) -> Option<RunStatus> {
        if self.status != RunStatus::Running || !self.ready.is_empty() || self.frames.is_empty() {
            return Some(self.status);
        }
        let mut waits = false;
        for frame in self.frames.values() {
            let is_whole = |child: &FrameId| self.frames.contains_key(child);
            match &frame.progress {
                _ if frame.faulted => return None,
                Progress::Effect { .. } => return Some(RunStatus::Running),
                Progress::Receiving(state) if !state.complete => return Some(RunStatus::Running),
                progress if progress.waits() => waits = true,
                progress if progress.children().iter().all(is_whole) => {}
                _ => return None,
            }
        }
        waits.then_some(RunStatus::Waiting)
    }

    fn competes(&self, id: FrameId, workflow: &Workflow) -> bool {
        matches!(
            self.task(workflow, id).map(|task| &task.kind),
            Some(TaskKind::Fork(fork)) if fork.compete
        )
    }
}

impl Frame {
    pub(crate) fn timers(&self) -> impl Iterator<Item = Timer> {
        let own = match &self.progress {
            Progress::Waiting(timer) => [Some(*timer), None],
            Progress::Receiving(state) if !state.complete => [state.timer, None],
            Progress::Try(attempts) => match attempts.phase {
                Phase::Delay(timer) => [timer, attempts.timer],
                _ => [attempts.timer, None],
            },
            _ => [None, None],
        };
        self.timeout.into_iter().chain(own.into_iter().flatten())
    }
}

impl Progress {
    /// How a task of this kind begins.
    pub(crate) fn begin(kind: &TaskKind, input: &Arc<Value>, at: Timestamp) -> Self {
        match kind {
            TaskKind::Do(_) => Self::List(Pass::new(Arc::clone(input))),
            TaskKind::Try(_) => Self::Try(Attempts {
                attempt: 1,
                first_at: at,
                timer: None,
                phase: Phase::Body(Pass::new(Arc::clone(input))),
            }),
            TaskKind::Fork(fork) => Self::Fork(vec![Branch::Pending; fork.branches.0.len()]),
            _ => Self::Fresh,
        }
    }

    /// Whether it waits for time, events or a person.
    pub(crate) const fn waits(&self) -> bool {
        match self {
            Self::Waiting(_) => true,
            Self::Listening(state) => state.pass.is_none() && !state.gathering.complete,
            Self::Try(attempts) => {
                matches!(attempts.phase, Phase::Delay(Some(_)) | Phase::Parked(_))
            }
            _ => false,
        }
    }

    pub(crate) fn pass(&self) -> Option<&Pass> {
        match self {
            Self::List(pass) => Some(pass),
            Self::Loop(state) => state.pass.as_ref(),
            Self::Listening(state) => state.pass.as_ref(),
            Self::Receiving(state) => state.pass.as_ref(),
            Self::Extending(state) => state.pass.as_ref(),
            Self::Try(attempts) => match &attempts.phase {
                Phase::Body(pass) | Phase::Handler { pass, .. } => Some(pass),
                Phase::Delay(_) | Phase::Caught | Phase::Parked(_) => None,
            },
            _ => None,
        }
    }

    pub(crate) fn pass_mut(&mut self) -> Option<&mut Pass> {
        match self {
            Self::List(pass) => Some(pass),
            Self::Loop(state) => state.pass.as_mut(),
            Self::Listening(state) => state.pass.as_mut(),
            Self::Receiving(state) => state.pass.as_mut(),
            Self::Extending(state) => state.pass.as_mut(),
            Self::Try(attempts) => match &mut attempts.phase {
                Phase::Body(pass) | Phase::Handler { pass, .. } => Some(pass),
                Phase::Delay(_) | Phase::Caught | Phase::Parked(_) => None,
            },
            _ => None,
        }
    }

    fn children(&self) -> Vec<FrameId> {
        if let Self::Fork(branches) = self {
            let running = |branch: &Branch| match branch {
                Branch::Running(child) => Some(*child),
                _ => None,
            };
            return branches.iter().filter_map(running).collect();
        }
        match self.pass().map(|pass| pass.cursor) {
            Some(Cursor::In(child)) => vec![child],
            _ => Vec::new(),
        }
    }
}

impl Pass {
    const fn is_ready(&self) -> bool {
        matches!(self.cursor, Cursor::At(_))
    }
}

impl Branch {
    /// With data for it, of a fork with this input.
    pub(crate) fn given(data: Arc<Value>, input: &Arc<Value>) -> Self {
        if data == *input {
            Self::Pending
        } else {
            Self::Given(data)
        }
    }

    pub(crate) const fn is_pending(&self) -> bool {
        matches!(self, Self::Pending | Self::Given(_))
    }

    pub(crate) const fn output(&self) -> Option<&Arc<Value>> {
        match self {
            Self::Done(output) => Some(output),
            _ => None,
        }
    }
}

const fn pending() -> RunStatus {
    RunStatus::Pending
}

/// One of the lists that a task declares.
pub(crate) fn list_of(task: &Task, slot: Slot) -> Option<&TaskList> {
    match (&task.kind, slot) {
        (TaskKind::Do(tasks), Slot::Body) => Some(tasks),
        (TaskKind::For(state), Slot::Body) => Some(&state.tasks),
        (TaskKind::Try(state), Slot::Body) => Some(&state.tasks),
        (TaskKind::Try(state), Slot::Handler) => state.catch.tasks.as_ref(),
        (TaskKind::Fork(fork), Slot::Branch) => Some(&fork.branches),
        (TaskKind::Listen(listen), Slot::Body) => listen.each.as_ref().map(|each| &each.tasks),
        (TaskKind::CallProtocol(call), Slot::Body) => call.each().map(|(_, each)| &each.tasks),
        (_, Slot::Undo) => task.compensation.as_ref(),
        _ => None,
    }
}
