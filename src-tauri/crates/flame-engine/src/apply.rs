//! Folds a record into the state: the only place that changes it.
//!
//! Deliberately absent: expressions and clocks. A record that does not fit the state or the definition
//! is refused, so that a damaged journal is found instead of followed.

mod compensation;
mod extension;
mod listening;

use std::sync::Arc;

use flame_dsl::{TaskKind, Workflow};
use flame_types::{RunStatus, Timestamp};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::error::Error;
use crate::record::{FrameId, Next, Record, Slot, TimerPurpose};
use crate::state::{
    Attempts, Branch, Cursor, Frame, Loop, Pass, Phase, Progress, Receiving, State, Timer,
};

/// A journal that does not fit its workflow or itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("record {sequence} of the journal does not fit: {reason}")]
pub struct Corrupt {
    /// Counts from 0.
    pub sequence: u64,
    pub reason: String,
}

pub(crate) type Fold = Result<(), String>;

/// Folds one record.
pub(crate) fn apply(
    state: &mut State,
    workflow: &Workflow,
    record: &Record,
) -> Result<(), Corrupt> {
    let sequence = state.sequence;
    let mut fold = Folding { state, workflow };
    fold.record(record)
        .map_err(|reason| Corrupt { sequence, reason })?;
    state.sequence += 1;
    state.shown = state.status_to_show().unwrap_or(state.shown);
    Ok(())
}

struct Folding<'a> {
    state: &'a mut State,
    workflow: &'a Workflow,
}

impl Folding<'_> {
    fn record(&mut self, record: &Record) -> Fold {
        self.expect_in_time(record)?;
        match record {
            Record::RunStarted {
                input,
                data,
                refused,
                replay,
                test,
                parent,
                externals,
                at,
            } => {
                self.state.externals.clone_from(externals);
                self.state.replay.clone_from(replay);
                self.state.test.clone_from(test);
                self.state.depth = parent.as_ref().map_or(0, |parent| parent.depth);
                self.state.unseen = parent.as_ref().is_some_and(|parent| parent.unseen);
                self.run_started(input, data.as_ref(), *refused, *at)
            }
            Record::ContextRestored { context, .. } => {
                self.state.context = Arc::clone(context);
                Ok(())
            }
            Record::FlowPositioned {
                frame, index, data, ..
            } => self.flow_positioned(*frame, *index, data),
            Record::BranchRestored {
                frame,
                index,
                output,
                ..
            } => {
                *self.branch(*frame, *index)? = Branch::Done(Arc::clone(output));
                self.refresh(*frame);
                Ok(())
            }
            Record::ListenRestored {
                frame,
                gathering,
                outputs,
                ..
            } => {
                let listening = self.listening(*frame)?;
                listening.gathering = gathering.clone();
                listening.outputs.clone_from(outputs);
                listening.next = outputs.len();
                self.refresh(*frame);
                Ok(())
            }
            Record::TaskStarted { .. } | Record::TaskSkipped { .. } => self.task_begun(record),
            Record::ExtensionStarted { .. }
            | Record::ExtensionEnded { .. }
            | Record::TaskReturned { .. } => self.extension(record),
            Record::LoopStarted { frame, items, .. } => {
                self.frame(*frame)?.progress = Progress::Loop(Loop {
                    items: Arc::clone(items),
                    at: Value::from(0),
                    index: 0,
                    pass: None,
                });
                self.refresh(*frame);
                Ok(())
            }
            Record::IterationStarted { frame, index, .. } => self.iteration_started(*frame, *index),
            Record::EffectRequested { .. } | Record::EffectHeld { .. } => self.effect(record),
            Record::TimerArmed {
                frame,
                timer,
                purpose,
                due,
                at,
            } => {
                let timer = Timer {
                    id: *timer,
                    due: *due,
                    armed: Some(*at),
                };
                self.timer_armed(*frame, timer, *purpose)
            }
            Record::EventEmitted { frame, .. } | Record::TaskStubbed { frame, .. } => {
                self.frame(*frame).map(|_| ())
            }
            Record::ListenStarted { frame, ask, .. } => self.listen_started(*frame, ask.as_ref()),
            Record::EventConsumed { .. } => self.event_consumed(record),
            Record::MessageTaken { .. } => self.message_taken(record),
            Record::SubscriptionEnded { frame, .. } => {
                self.receiving(*frame)?.complete = true;
                self.refresh(*frame);
                Ok(())
            }
            Record::IterationCompleted {
                frame,
                output,
                context,
                ..
            } => self.iteration_completed(*frame, output.as_ref(), context.as_ref()),
            Record::TaskCompleted {
                frame,
                output,
                context,
                next,
                ..
            } => self.task_completed(*frame, output.as_ref(), context.as_ref(), *next),
            Record::TaskFaulted { frame, .. } => {
                self.frame(*frame)?.faulted = true;
                self.refresh(*frame);
                Ok(())
            }
            Record::TaskCancelled { frame, .. } => {
                self.frame(*frame)?;
                self.remove(*frame);
                Ok(())
            }
            Record::ErrorCaught { frame, error, .. } => self.error_caught(*frame, error),
            Record::RetryScheduled {
                frame,
                timer,
                due,
                at,
                ..
            } => {
                let timer = timer.map(|id| Timer {
                    id,
                    due: *due,
                    armed: Some(*at),
                });
                if let Some(timer) = timer {
                    self.state.next_timer = timer.id.0 + 1;
                }
                self.drop_below(*frame);
                let attempts = self.attempts(*frame)?;
                attempts.timer = None;
                attempts.phase = Phase::Delay(timer);
                self.refresh(*frame);
                Ok(())
            }
            Record::AttemptStarted { frame, attempt, .. } => self.attempt_started(*frame, *attempt),
            Record::CompensationStarted { .. }
            | Record::CompensationBegan { .. }
            | Record::CompensationParked { .. }
            | Record::CompensationEnded { .. } => self.compensation(record),
            _ => self.run_level(record),
        }
    }

    /// Tasks move only while the run does; ids are never used again.
    fn expect_in_time(&self, record: &Record) -> Fold {
        let fresh = |id: u64, next: u64| {
            if (next..u64::MAX).contains(&id) {
                return Ok(());
            }
            Err(format!("the id {id} was used before, or can't be"))
        };
        match record {
            Record::TaskStarted { frame, .. } | Record::CompensationBegan { frame, .. } => {
                fresh(frame.0, self.state.next_frame)?;
            }
            Record::EffectRequested { effect, .. } => fresh(effect.0, self.state.next_effect)?,
            Record::TimerArmed { timer, .. }
            | Record::RetryScheduled {
                timer: Some(timer), ..
            } => {
                fresh(timer.0, self.state.next_timer)?;
            }
            _ => {}
        }
        match record {
            Record::RunStarted { .. }
            | Record::RunSuspended { .. }
            | Record::RunResumed { .. }
            | Record::RunRetried { .. }
            | Record::RunCompleted { .. }
            | Record::RunFaulted { .. }
            | Record::RunCancelled { .. } => Ok(()),
            Record::EffectHeld { .. } => self.expect_status(RunStatus::Suspended),
            // What was asked for before it was suspended.
            Record::MessageTaken { .. } | Record::SubscriptionEnded { .. }
                if self.state.status == RunStatus::Suspended =>
            {
                Ok(())
            }
            // The tasks of a suspended run are cancelled with it.
            Record::TaskCancelled { .. } | Record::CompensationStarted { .. }
                if self.state.status == RunStatus::Suspended =>
            {
                Ok(())
            }
            _ => self.expect_status(RunStatus::Running),
        }
    }

    fn run_level(&mut self, record: &Record) -> Fold {
        match record {
            Record::RunContinued { generation, .. } => {
                self.expect_status(RunStatus::Running)?;
                if *generation != self.state.generation + 1 {
                    return Err(format!(
                        "generation {generation} follows {}",
                        self.state.generation
                    ));
                }
                self.state.generation = *generation;
                self.state.steps = 0;
                self.state.waited = false;
            }
            Record::ClockTurnedBack { at } => {
                self.expect_status(RunStatus::Running)?;
                self.state.turn_back(*at);
            }
            Record::RunSuspended { at } => {
                self.expect_status(RunStatus::Running)?;
                self.state.status = RunStatus::Suspended;
                self.state.halted_at = Some(*at);
            }
            Record::RunResumed { at } => {
                self.expect_status(RunStatus::Suspended)?;
                self.go_on(*at);
            }
            Record::RunRetried { at } => {
                self.expect_status(RunStatus::Faulted)?;
                self.retry(*at)?;
            }
            Record::RunCompleted { output, at } => {
                let output = match output {
                    Some(output) => Arc::clone(output),
                    None => Arc::clone(&self.pass(FrameId::ROOT)?.data),
                };
                self.state.output = Some(output);
                self.end(RunStatus::Completed, *at)?;
            }
            Record::RunFaulted {
                error, frame, at, ..
            } => {
                self.expect_status(RunStatus::Running)?;
                if self.state.compensation.is_some() {
                    self.end(RunStatus::Faulted, *at)?;
                }
                // Else the tree stays: a retry goes on in it.
                self.state.status = RunStatus::Faulted;
                self.state.error = Some(error.clone());
                self.state.origin = *frame;
                self.state.halted_at = Some(*at);
            }
            Record::RunCancelled { at, .. } => self.end(RunStatus::Cancelled, *at)?,
            _ => return Err("it is of a kind that this place does not take".to_owned()),
        }
        Ok(())
    }

    fn run_started(
        &mut self,
        input: &Arc<Value>,
        data: Option<&Arc<Value>>,
        refused: bool,
        at: Timestamp,
    ) -> Fold {
        self.expect_status(RunStatus::Pending)?;
        let state = &mut *self.state;
        state.status = RunStatus::Running;
        state.input = Arc::clone(input);
        state.started_at = Some(at);
        if refused {
            return Ok(());
        }
        let data = Arc::clone(data.unwrap_or(input));
        // DSL 1.0.3, "Data Flow": the transformed input is the initial context, which is a map.
        let given = state.test.as_ref().and_then(|test| test.context.clone());
        state.context = match given {
            Some(context) => context,
            None if data.is_object() => Arc::clone(&data),
            None => Arc::new(json!({})),
        };
        let root = Box::new(Frame {
            parent: None,
            slot: Slot::Body,
            index: 0,
            visit: 0,
            raw: Arc::clone(input),
            input: Arc::clone(&data),
            started_at: at,
            timeout: None,
            faulted: false,
            extensions: Vec::new(),
            progress: Progress::List(Pass::new(data)),
        });
        state.frames.insert(FrameId::ROOT, root);
        self.refresh(FrameId::ROOT);
        Ok(())
    }

    fn flow_positioned(&mut self, id: FrameId, index: usize, data: &Arc<Value>) -> Fold {
        let frame = self.frame(id)?;
        if matches!(frame.progress, Progress::Fork(_)) {
            let given = Branch::given(Arc::clone(data), &frame.input);
            *self.branch(id, index)? = given;
        } else {
            let pass = self.pass(id)?;
            pass.cursor = Cursor::At(index);
            pass.data = Arc::clone(data);
        }
        self.refresh(id);
        Ok(())
    }

    fn task_begun(&mut self, record: &Record) -> Fold {
        let (Record::TaskStarted {
            parent,
            slot,
            index,
            reference,
            ..
        }
        | Record::TaskSkipped {
            parent,
            slot,
            index,
            reference,
            ..
        }) = record
        else {
            return Err("it does not begin a task".to_owned());
        };
        let workflow = self.workflow;
        let task = self
            .state
            .list(workflow, *parent, *slot)
            .and_then(|list| list.0.get(*index));
        let Some(task) = task.filter(|task| task.reference == *reference) else {
            return Err(format!(
                "the workflow has no task {reference} at that place"
            ));
        };
        self.state.steps += 1;
        match record {
            Record::TaskStarted {
                frame,
                input,
                extensions,
                at,
                ..
            } => {
                let raw = self.data_for(*parent, *index)?;
                let input = Arc::clone(input.as_ref().unwrap_or(&raw));
                let progress = extension::begin(task, extensions, &input, *at)?;
                let visit = self.enter(*parent, *index, *frame)?;
                self.state.next_frame = frame.0 + 1;
                let begun = Box::new(Frame {
                    parent: Some(*parent),
                    slot: *slot,
                    index: *index,
                    visit,
                    raw,
                    input,
                    started_at: *at,
                    timeout: None,
                    faulted: false,
                    extensions: extensions.clone(),
                    progress,
                });
                self.state.frames.insert(*frame, begun);
                self.refresh(*parent);
                self.refresh(*frame);
            }
            _ => {
                let data = self.data_for(*parent, *index)?;
                self.deliver(*parent, *index, &data, Next::Continue)?;
            }
        }
        Ok(())
    }

    /// What flows into a task of this parent.
    fn data_for(&self, parent: FrameId, index: usize) -> Result<Arc<Value>, String> {
        let data = self.state.data_for(parent, index);
        data.map(Arc::clone).ok_or_else(|| unknown(parent))
    }

    /// Puts the parent inside the child; gives the child's visit.
    fn enter(&mut self, parent: FrameId, index: usize, child: FrameId) -> Result<u32, String> {
        let progress = &mut self.frame(parent)?.progress;
        if let Progress::Fork(branches) = progress {
            let branch = branches
                .get_mut(index)
                .ok_or("the fork has no such branch")?;
            *branch = Branch::Running(child);
            return Ok(0);
        }
        let pass = progress
            .pass_mut()
            .ok_or("its parent is not inside a list")?;
        pass.cursor = Cursor::In(child);
        if pass.visits.len() <= index {
            pass.visits.resize(index + 1, 0);
        }
        pass.visits[index] += 1;
        Ok(pass.visits[index] - 1)
    }

    /// Hands a task's output to its parent and moves the flow on.
    fn deliver(&mut self, parent: FrameId, index: usize, output: &Arc<Value>, next: Next) -> Fold {
        let is_undo = self.state.is_undo(parent);
        let slot = match &self.frame(parent)?.progress {
            _ if is_undo => Slot::Undo,
            Progress::Try(Attempts {
                phase: Phase::Handler { .. },
                ..
            }) => Slot::Handler,
            Progress::Extending(state) => state.slot,
            _ => Slot::Body,
        };
        let end = self
            .state
            .list(self.workflow, parent, slot)
            .map_or(0, |list| list.0.len());
        let progress = &mut self.frame(parent)?.progress;
        if let Progress::Fork(branches) = progress {
            let branch = branches
                .get_mut(index)
                .ok_or("the fork has no such branch")?;
            *branch = Branch::Done(Arc::clone(output));
        } else {
            if let Progress::Extending(state) = progress {
                state.exits |= next == Next::Exit;
            }
            let pass = progress
                .pass_mut()
                .ok_or("its parent is not inside a list")?;
            pass.data = Arc::clone(output);
            pass.cursor = Cursor::At(match next {
                Next::Continue => index + 1,
                Next::Exit | Next::End => end,
                Next::Task(target) => target,
            });
        }
        self.refresh(parent);
        Ok(())
    }

    fn iteration_started(&mut self, id: FrameId, index: usize) -> Fold {
        self.state.steps += 1;
        let frame = self.frame(id)?;
        if let Progress::Listening(state) = &mut frame.progress {
            let item = state.gathering.events.get(index);
            let item = Arc::clone(item.ok_or_else(|| format!("no event {index} was taken"))?);
            state.pass = Some(Pass::new(item));
            state.at = Value::from(index);
            state.next = index;
            self.refresh(id);
            return Ok(());
        }
        if let Progress::Receiving(state) = &mut frame.progress {
            let message = state.message.as_ref().filter(|_| index == state.index());
            let message =
                Arc::clone(message.ok_or_else(|| format!("no message {index} was taken"))?);
            state.pass = Some(Pass::new(message));
            state.at = Value::from(index);
            self.refresh(id);
            return Ok(());
        }
        let Progress::Loop(state) = &mut frame.progress else {
            return Err(format!("task execution {} is not a loop", id.0));
        };
        if index >= state.items.len() {
            return Err(format!("the loop has no item {index}"));
        }
        let data = state.pass.as_ref().map_or(&frame.input, |pass| &pass.data);
        state.pass = Some(Pass::new(Arc::clone(data)));
        state.at = Value::from(index);
        state.index = index;
        self.refresh(id);
        Ok(())
    }

    fn iteration_completed(
        &mut self,
        id: FrameId,
        output: Option<&Arc<Value>>,
        context: Option<&Arc<Value>>,
    ) -> Fold {
        if let Some(context) = context {
            self.state.context = Arc::clone(context);
        }
        if let Progress::Receiving(state) = &mut self.frame(id)?.progress {
            let pass = state.pass.take().ok_or("no message is handled")?;
            state.outputs.push(output.map_or(pass.data, Arc::clone));
            state.message = None;
            self.refresh(id);
            return Ok(());
        }
        let listening = self.listening(id)?;
        let pass = listening.pass.take().ok_or("no event is handled")?;
        listening.outputs.push(output.map_or(pass.data, Arc::clone));
        listening.next += 1;
        self.refresh(id);
        Ok(())
    }

    fn effect(&mut self, record: &Record) -> Fold {
        let context = Arc::clone(&self.state.context);
        let (id, progress) = match record {
            Record::EffectRequested { frame, effect, .. } => {
                self.state.next_effect = effect.0 + 1;
                self.state.waited = true;
                let receives = matches!(
                    self.state.task(self.workflow, *frame).map(|task| &task.kind),
                    Some(TaskKind::CallProtocol(call)) if call.each().is_some()
                );
                let effect = *effect;
                let progress = if receives {
                    Progress::Receiving(Box::new(Receiving::new(effect, context)))
                } else {
                    Progress::Effect { effect, context }
                };
                (*frame, progress)
            }
            Record::EffectHeld {
                frame,
                output,
                error,
                ..
            } => {
                let answer = match error {
                    Some(error) => Err(error.clone()),
                    None => Ok(output.clone().unwrap_or_default()),
                };
                (*frame, Progress::Answered(answer))
            }
            _ => return Err("it is not about an effect".to_owned()),
        };
        self.frame(id)?.progress = progress;
        self.refresh(id);
        Ok(())
    }

    fn timer_armed(&mut self, id: FrameId, timer: Timer, purpose: TimerPurpose) -> Fold {
        self.state.next_timer = timer.id.0 + 1;
        match purpose {
            TimerPurpose::Wait => {
                self.frame(id)?.progress = Progress::Waiting(timer);
                self.state.waited = true;
            }
            TimerPurpose::Timeout => self.frame(id)?.timeout = Some(timer),
            TimerPurpose::Attempt => self.attempts(id)?.timer = Some(timer),
            TimerPurpose::Consume => self.receiving(id)?.timer = Some(timer),
        }
        self.refresh(id);
        Ok(())
    }

    fn task_completed(
        &mut self,
        id: FrameId,
        output: Option<&Arc<Value>>,
        context: Option<&Arc<Value>>,
        next: Next,
    ) -> Fold {
        let frame = self.frame(id)?;
        let (parent, index) = (frame.parent, frame.index);
        let Some(parent) = parent else {
            return Err("the workflow is not a task".to_owned());
        };
        let output = output.map_or_else(|| self.state.own_output(id), Arc::clone);
        if let Some(context) = context {
            self.state.context = Arc::clone(context);
        }
        if !self.state.has_returned(id) {
            self.state.remember(self.workflow, id, &output);
        }
        self.remove(id);
        self.deliver(parent, index, &output, next)
    }

    fn error_caught(&mut self, id: FrameId, error: &Error) -> Fold {
        let handler = self.state.list(self.workflow, id, Slot::Handler).is_some();
        self.drop_below(id);
        let input = Arc::clone(&self.frame(id)?.input);
        let attempts = self.attempts(id)?;
        attempts.timer = None;
        attempts.phase = if handler {
            Phase::Handler {
                error: Arc::new(error.to_value()),
                pass: Pass::new(input),
            }
        } else {
            Phase::Caught
        };
        self.refresh(id);
        Ok(())
    }

    fn attempt_started(&mut self, id: FrameId, attempt: u32) -> Fold {
        self.state.steps += 1;
        if self.state.is_undo(id) {
            self.state.steps = 0;
        }
        let input = Arc::clone(&self.frame(id)?.input);
        let attempts = self.attempts(id)?;
        attempts.attempt = attempt;
        attempts.phase = Phase::Body(Pass::new(input));
        self.refresh(id);
        Ok(())
    }

    /// Puts the tree back to where the task that faulted is next, with the same data and visit.
    fn retry(&mut self, at: Timestamp) -> Fold {
        if !self.state.frames.contains_key(&FrameId::ROOT) {
            return Err("a run whose input was refused has nothing to retry".to_owned());
        }
        if let Some(origin) = self.state.origin.take() {
            let frame = self.frame(origin)?;
            let (parent, index, raw) = (frame.parent, frame.index, Arc::clone(&frame.raw));
            let parent = parent.ok_or("the workflow is not a task")?;
            self.drop_below(origin);
            self.remove(origin);
            let around = self.frame(parent)?;
            if let Progress::Fork(_) = &around.progress {
                let given = Branch::given(raw, &around.input);
                *self.branch(parent, index)? = given;
            } else {
                let pass = around
                    .progress
                    .pass_mut()
                    .ok_or("its parent is not inside a list")?;
                pass.data = raw;
                pass.cursor = Cursor::At(index);
                if let Some(visits) = pass.visits.get_mut(index) {
                    *visits = visits.saturating_sub(1);
                }
            }
        }
        self.state.error = None;
        self.state.steps = 0;
        for frame in self.state.frames.values_mut() {
            frame.faulted = false;
            // What was in flight was aborted: it is asked for again, under the same key.
            if matches!(frame.progress, Progress::Effect { .. }) {
                frame.progress = Progress::Fresh;
            }
        }
        self.go_on(at);
        Ok(())
    }

    /// Sets a halted run going. Timeouts stood still meanwhile; waits and retry delays did not.
    fn go_on(&mut self, at: Timestamp) {
        self.state.status = RunStatus::Running;
        if let Some(halted) = self.state.halted_at.take() {
            // A clock that went back has no pause to make up for.
            let pause = at.duration_since(halted).max(SignedDuration::ZERO);
            let later = |timer: &mut Timer| timer.postpone(pause);
            for frame in self.state.frames.values_mut() {
                frame.timeout.iter_mut().for_each(later);
                if let Progress::Try(attempts) = &mut frame.progress {
                    attempts.timer.iter_mut().for_each(later);
                }
            }
        }
        self.state.ready.clear();
        let frames: Vec<FrameId> = self.state.frames.keys().copied().collect();
        for id in frames {
            self.refresh(id);
        }
    }

    fn end(&mut self, status: RunStatus, at: Timestamp) -> Fold {
        if self.state.status.is_terminal() {
            return Err(format!("the run had already ended: {}", self.state.status));
        }
        self.state.status = status;
        self.state.halted_at = Some(at);
        self.state.frames.clear();
        if self.state.compensation.is_none() {
            self.state.completed.clear();
        }
        self.state.ready.clear();
        Ok(())
    }

    fn expect_status(&self, expected: RunStatus) -> Fold {
        if self.state.status == expected {
            return Ok(());
        }
        Err(format!("the run is {}, not {expected}", self.state.status))
    }

    fn frame(&mut self, id: FrameId) -> Result<&mut Frame, String> {
        let frame = self.state.frames.get_mut(&id);
        frame.map(|frame| &mut **frame).ok_or_else(|| unknown(id))
    }

    fn pass(&mut self, id: FrameId) -> Result<&mut Pass, String> {
        self.frame(id)?
            .progress
            .pass_mut()
            .ok_or_else(|| unknown(id))
    }

    fn branch(&mut self, id: FrameId, index: usize) -> Result<&mut Branch, String> {
        match &mut self.frame(id)?.progress {
            Progress::Fork(branches) => branches
                .get_mut(index)
                .ok_or_else(|| "the fork has no such branch".to_owned()),
            _ => Err(format!("task execution {} is not a fork", id.0)),
        }
    }

    fn attempts(&mut self, id: FrameId) -> Result<&mut Attempts, String> {
        match &mut self.frame(id)?.progress {
            Progress::Try(attempts) => Ok(attempts),
            _ => Err(format!("task execution {} is not a try", id.0)),
        }
    }

    fn drop_below(&mut self, id: FrameId) {
        for below in self.state.below(id) {
            self.remove(below);
        }
    }

    fn remove(&mut self, id: FrameId) {
        self.state.frames.remove(&id);
        self.refresh(id);
    }

    /// Keeps the queue of ready task executions true after a change to this one.
    fn refresh(&mut self, id: FrameId) {
        let place = self.state.ready.iter().position(|ready| *ready == id);
        match (self.state.is_ready(id, self.workflow), place) {
            (true, None) => self.state.ready.push_back(id),
            (false, Some(place)) => {
                self.state.ready.remove(place);
            }
            _ => {}
        }
    }
}

fn unknown(id: FrameId) -> String {
    format!("there is no task execution {} at that point", id.0)
}
