//! One decision: what follows from an event, as records, each folded before the next is decided.
//!
//! Deliberately absent: what the single task kinds do (that is `tasks`) and the actions (those follow
//! from the state, in `run`).

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use flame_dsl::{Authentication, Flow, LifecycleSet, Task, TaskKind, Workflow};
use flame_types::{RunId, RunStatus};
use serde_json::Value;

use crate::action::{Call, EffectId, TimerId};
use crate::apply::apply;
use crate::authentication;
use crate::compensation;
use crate::data_flow::{check, transform, unless_same};
use crate::duration;
use crate::error::{Error, StandardError};
use crate::event::Moment;
use crate::extension;
use crate::lifecycle;
use crate::record::{FrameId, Next, Record, Slot, TimerPurpose};
use crate::run::Limits;
use crate::scope::{RunView, Scope, TaskView};
use crate::secrets::Secrets;
use crate::state::{Branch, Frame, Progress, State};
use crate::tasks;
use crate::test_plan::TestPlan;

/// The instance of an error that no task raised.
const WORKFLOW: &str = "/";

pub(crate) struct Turn<'r> {
    pub(crate) id: RunId,
    pub(crate) workflow: &'r Workflow,
    pub(crate) state: &'r mut State,
    pub(crate) limits: Limits,
    pub(crate) moment: Moment,
    pub(crate) descriptor: &'r OnceCell<Value>,
    /// The plan of a test run that has not begun.
    pub(crate) test: Option<&'r Arc<TestPlan>>,
    /// Why a run that has not begun can't.
    pub(crate) refusal: Option<&'r Error>,
    pub(crate) secrets: &'r Secrets,
    pub(crate) records: Vec<Record>,
    /// What the records' payloads come to.
    pub(crate) bytes: usize,
    /// Events to store in the commit of the records.
    pub(crate) emitted: Vec<Arc<Value>>,
    /// Lifecycle events that somebody asks for, and those of this turn.
    pub(crate) published: LifecycleSet,
    pub(crate) lifecycle: Vec<Value>,
    /// Calls evaluated in this turn.
    pub(crate) calls: BTreeMap<EffectId, Call>,
}

/// What `if`, `input.schema` and `input.from` make of a task.
enum Admission {
    Skip,
    Enter(Arc<Value>),
}

impl<'r> Turn<'r> {
    /// Writes a record and folds it.
    pub(crate) fn emit(&mut self, record: Record) {
        let record = if self.secrets.is_empty() {
            record
        } else {
            record.masked(self.secrets)
        };
        self.bytes = self.bytes.saturating_add(record.payload_bytes());
        let is_told = self.is_told(&record);
        let record = &*self.records.push_mut(record);
        let folded = if is_told {
            let (id, workflow, wanted) = (self.id, self.workflow, self.published);
            lifecycle::tell(id, workflow, self.state, record, wanted)
                .map(|events| self.lifecycle.extend(events))
        } else {
            apply(self.state, self.workflow, record)
        };
        folded.expect("a decided record fits the state it was decided on");
    }

    /// Whether somebody asks for its lifecycle events, and may have them.
    fn is_told(&self, record: &Record) -> bool {
        !self.published.is_empty()
            && !self.state.unseen
            && !matches!(record, Record::RunStarted { parent: Some(parent), .. } if parent.unseen)
    }

    /// Gives each ready task execution its turn until none is ready or the budget is used.
    pub(crate) fn work(&mut self) {
        let mut budget = self.limits.steps_per_turn;
        while self.state.status == RunStatus::Running
            && budget > 0
            && self.bytes < self.limits.bytes_per_turn
        {
            let Some(frame) = self.state.ready.front().copied() else {
                return;
            };
            if self.state.steps >= self.limits.steps_max {
                return self.too_many_steps();
            }
            budget -= 1;
            let before = self.records.len();
            self.advance(frame);
            debug_assert!(
                self.records.len() > before,
                "a ready task execution has something to do"
            );
        }
    }

    /// A clock that went back leaves nobody waiting longer than was asked for, counted from now on.
    pub(crate) fn follow_the_clock(&mut self) {
        let at = self.moment.now;
        if self.state.status == RunStatus::Running && self.state.is_ahead_of(at) {
            self.emit(Record::ClockTurnedBack { at });
        }
    }

    fn too_many_steps(&mut self) {
        let error = StandardError::Runtime.with(
            "Step limit reached",
            format!(
                "the run began {} tasks, iterations and attempts, as many as one run may; look for a \
                 loop of `then` that never ends",
                self.limits.steps_max
            ),
        );
        if !compensation::exhausted(self, &error) {
            self.fault_run(None, error);
        }
    }

    fn advance(&mut self, id: FrameId) {
        let Some(task) = self.state.task(self.workflow, id) else {
            return tasks::do_list::workflow(self);
        };
        if self.state.is_undo(id) {
            return compensation::advance(self, id);
        }
        let Frame { progress, .. } = self.state.frame(id);
        match progress {
            Progress::Answered(answer) => {
                let answer = answer.clone();
                return tasks::call::answered(self, id, task, answer);
            }
            Progress::Extending(_) => return extension::advance(self, id, task),
            _ => {}
        }
        match &task.kind {
            TaskKind::Do(_) => tasks::do_list::advance(self, id, task),
            TaskKind::Set(template) => tasks::set::advance(self, id, task, template),
            TaskKind::Switch(cases) => tasks::switch::advance(self, id, task, cases),
            TaskKind::For(definition) => tasks::for_each::advance(self, id, task, definition),
            TaskKind::Try(definition) => tasks::try_catch::advance(self, id, task, definition),
            TaskKind::Raise(template) => tasks::raise::advance(self, id, task, template),
            TaskKind::Wait(source) => tasks::wait::advance(self, id, task, source),
            TaskKind::Fork(fork) => tasks::fork::advance(self, id, task, fork),
            TaskKind::Emit(template) => tasks::emit::advance(self, id, task, template),
            TaskKind::Listen(listen) => tasks::listen::advance(self, id, task, listen),
            TaskKind::CallProtocol(call) => tasks::receive::advance(self, id, task, call),
            TaskKind::CallHttp(_) | TaskKind::CallFunction(_) | TaskKind::Run(_) => {
                tasks::call::advance(self, id, task);
            }
        }
    }

    pub(crate) fn view(&self) -> RunView<'_> {
        RunView {
            id: self.id,
            workflow: self.workflow,
            state: self.state,
            descriptor: self.descriptor,
            secrets: self.secrets,
            now: self.moment.now,
        }
    }

    /// What a task's own expressions see: its transformed input as `.` and `$input`.
    pub(crate) fn scope<'s>(&'s self, id: FrameId, task: &'s Task) -> Scope<'s> {
        task_scope(self.view(), id, task)
    }

    /// Begins a task of this parent, unless its `if` says no.
    pub(crate) fn begin(&mut self, parent: FrameId, slot: Slot, index: usize, task: &'r Task) {
        let at = self.moment.now;
        let raw = Arc::clone(
            self.state
                .data_for(parent, index)
                .expect("a frame that is at work is in the tree"),
        );
        let (reference, name) = (Arc::clone(&task.reference), Arc::clone(&task.name));
        let admitted = self.admit(parent, task, &raw);
        if let Ok(Admission::Skip) = admitted {
            return self.emit(Record::TaskSkipped {
                parent,
                slot,
                index,
                reference,
                name,
                at,
            });
        }
        let frame = FrameId(self.state.next_frame);
        let pin = self.state.test.as_ref().and_then(|test| test.pinned(task));
        let pin = pin.cloned();
        let shown = TaskView {
            task,
            raw_input: &raw,
            raw_output: None,
            started_at: at,
        };
        let (input, extensions) = match &admitted {
            Ok(Admission::Enter(input)) if pin.is_none() => (
                unless_same(Arc::clone(input), &raw),
                extension::chosen(self.view(), parent, shown, input),
            ),
            Ok(Admission::Enter(input)) => (unless_same(Arc::clone(input), &raw), Ok(Vec::new())),
            _ => (None, Ok(Vec::new())),
        };
        let (extensions, unchosen) = match extensions {
            Ok(extensions) => (extensions, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        self.emit(Record::TaskStarted {
            frame,
            parent,
            slot,
            index,
            reference,
            name,
            input,
            extensions,
            at,
        });
        let begun = match (admitted, pin) {
            (Err(error), _) => Err(error),
            (Ok(_), Some(output)) => self.stub(frame, task, output),
            (Ok(_), None) => unchosen.map_or_else(|| self.arm_timers(frame, task), Err),
        };
        if let Err(error) = begun {
            self.fault(frame, error);
        }
    }

    /// Ends a task that has begun with its pinned output; `export.as` sees it like any other.
    fn stub(&mut self, id: FrameId, task: &Task, output: Arc<Value>) -> Result<(), Error> {
        self.emit(Record::TaskStubbed {
            frame: id,
            at: self.moment.now,
        });
        let context = self.export(id, task, &output, &output)?;
        self.close(id, output, context, task.then);
        Ok(())
    }

    fn admit(&self, parent: FrameId, task: &Task, raw: &Arc<Value>) -> Result<Admission, Error> {
        let view = TaskView {
            task,
            raw_input: raw,
            raw_output: None,
            started_at: self.moment.now,
        };
        let mut scope = Scope::of_task(self.view(), parent, view, raw);
        if let Some(condition) = &task.condition {
            scope.input = Some(raw);
            if !scope.holds(condition, "if")? {
                return Ok(Admission::Skip);
            }
            scope.input = None;
        }
        check(task.input.schema.as_ref(), raw, "input.schema")?;
        transform(task.input.transform.as_ref(), raw, &scope, "input.from").map(Admission::Enter)
    }

    /// The timers that run from a task's beginning: its timeout, and that of a `try`'s first attempt.
    pub(crate) fn arm_timers(&mut self, frame: FrameId, task: &Task) -> Result<(), Error> {
        if let Some(source) = &task.timeout {
            let timeout = self.scope(frame, task).duration(source, "timeout.after")?;
            self.arm(frame, TimerPurpose::Timeout, timeout);
        }
        self.arm_attempt(frame, task)
    }

    /// That of a `try`'s first attempt, once its extensions let it begin.
    pub(crate) fn arm_attempt(&mut self, frame: FrameId, task: &Task) -> Result<(), Error> {
        match (&task.kind, &self.state.frame(frame).progress) {
            (TaskKind::Try(definition), Progress::Try(_)) => {
                tasks::try_catch::arm_attempt(self, frame, task, definition)
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn arm(
        &mut self,
        frame: FrameId,
        purpose: TimerPurpose,
        after: std::time::Duration,
    ) {
        let (timer, at) = (TimerId(self.state.next_timer), self.moment.now);
        self.emit(Record::TimerArmed {
            frame,
            timer,
            purpose,
            due: duration::after(at, after),
            at,
        });
    }

    /// Ends a task with its raw output: `output.as`, its schema, `export.as`, its schema, then the flow.
    pub(crate) fn complete(
        &mut self,
        id: FrameId,
        task: &Task,
        raw_output: Arc<Value>,
        then: Flow,
    ) {
        let finished = self.leave(id, task, &raw_output);
        match finished {
            Ok((output, context)) => self.close(id, output, context, then),
            Err(error) => self.fault(id, error),
        }
    }

    fn close(&mut self, id: FrameId, output: Arc<Value>, context: Option<Arc<Value>>, then: Flow) {
        let output = unless_same(output, &self.state.own_output(id));
        let next = Next::from(then);
        if self.state.has_afters(self.workflow, id) {
            return self.emit(Record::TaskReturned {
                frame: id,
                output,
                context,
                next,
                at: self.moment.now,
            });
        }
        self.end_task(id, output, context, next);
    }

    /// `output` where it is another one than the task would give by itself.
    pub(crate) fn end_task(
        &mut self,
        id: FrameId,
        output: Option<Arc<Value>>,
        context: Option<Arc<Value>>,
        next: Next,
    ) {
        let parent = self.state.frame(id).parent.expect("a task has a parent");
        let at = self.moment.now;
        let ends = (next == Next::End)
            .then(|| output.clone().unwrap_or_else(|| self.state.own_output(id)));
        self.emit(Record::TaskCompleted {
            frame: id,
            output,
            context,
            next,
            at,
        });
        if let Some(output) = ends {
            self.end_from(parent, &output);
        }
    }

    /// The transformed output, and the context where `export` changes it.
    fn leave(
        &self,
        id: FrameId,
        task: &Task,
        raw_output: &Arc<Value>,
    ) -> Result<(Arc<Value>, Option<Arc<Value>>), Error> {
        let frame = self.state.frame(id);
        let parent = frame.parent.expect("a task has a parent");
        let view = TaskView {
            task,
            raw_input: &frame.raw,
            raw_output: Some(raw_output),
            started_at: frame.started_at,
        };
        let authorization = authentication_of(task).map(authentication::afterwards);
        let mut scope = Scope::of_task(self.view(), parent, view, raw_output);
        scope.input = Some(&frame.input);
        scope.authorization = authorization.as_ref();
        let output = transform(
            task.output.transform.as_ref(),
            raw_output,
            &scope,
            "output.as",
        )?;
        check(task.output.schema.as_ref(), &output, "output.schema")?;
        let context = self.export(id, task, raw_output, &output)?;
        Ok((output, context))
    }

    /// The context where `export` changes it.
    fn export(
        &self,
        id: FrameId,
        task: &Task,
        raw_output: &Value,
        output: &Value,
    ) -> Result<Option<Arc<Value>>, Error> {
        let frame = self.state.frame(id);
        let parent = frame.parent.expect("a task has a parent");
        let view = TaskView {
            task,
            raw_input: &frame.raw,
            raw_output: Some(raw_output),
            started_at: frame.started_at,
        };
        let authorization = authentication_of(task).map(authentication::afterwards);
        let context = match &task.export.transform {
            None => None,
            Some(export) => {
                let mut scope = Scope::of_task(self.view(), parent, view, output);
                scope.input = Some(&frame.input);
                scope.output = Some(output);
                scope.authorization = authorization.as_ref();
                Some(Arc::new(scope.template(export, "export.as")?))
            }
        };
        let exported = context.as_deref().unwrap_or(&self.state.context);
        check(task.export.schema.as_ref(), exported, "export.schema")?;
        Ok(context.and_then(|context| unless_same(context, &self.state.context)))
    }

    /// `then: end`: closes everything around a task, and the run.
    fn end_from(&mut self, from: FrameId, output: &Arc<Value>) {
        let mut frame = from;
        while let Some(parent) = self.state.frame(frame).parent {
            if self.state.is_undo(frame) {
                // What undoes one task ends by itself; the others are still to be undone.
                self.cancel_below(frame, &[]);
                return compensation::end(self, frame, false);
            }
            self.cancel_below(frame, &[]);
            let given = unless_same(Arc::clone(output), &self.state.own_output(frame));
            let at = self.moment.now;
            self.emit(Record::TaskCompleted {
                frame,
                output: given,
                context: None,
                next: Next::End,
                at,
            });
            frame = parent;
        }
        self.finish();
    }

    /// Ends the run with the data of the workflow's own list.
    pub(crate) fn finish(&mut self) {
        let data = self.state.own_output(FrameId::ROOT);
        let output = {
            let mut scope = Scope::new(self.view(), &data);
            scope.context = Some(&self.state.context);
            let definition = &self.workflow.output;
            transform(definition.transform.as_ref(), &data, &scope, "output.as").and_then(
                |output| {
                    check(definition.schema.as_ref(), &output, "output.schema")?;
                    Ok(output)
                },
            )
        };
        match output {
            Ok(output) => {
                let output = unless_same(output, &data);
                self.emit(Record::RunCompleted {
                    output,
                    at: self.moment.now,
                });
            }
            Err(error) => self.fault_run(None, error),
        }
    }

    /// Lets an error go up from a task until a `try` catches it, or the run faults.
    pub(crate) fn fault(&mut self, origin: FrameId, error: Error) {
        let (mut origin, mut error) = (origin, error);
        // Each round leaves at least one `try` behind, so it ends.
        loop {
            if let Some(task) = self.state.task(self.workflow, origin) {
                error = error.at(&task.reference);
            }
            let mut chain: Vec<FrameId> = self
                .state
                .outwards(origin)
                .map(|(id, _)| id)
                .filter(|id| *id != FrameId::ROOT)
                .collect();
            let undo = chain.pop_if(|id| self.state.is_undo(*id));
            let caught = tasks::try_catch::find(self, &chain, &error);
            let reach = match &caught {
                Ok(None) => chain.len(),
                Ok(Some(place)) | Err((place, _)) => *place,
            };
            // In an uncaught fault the branches beside it stay in the tree, for a retry.
            let around = chain.get(reach).copied().or(undo);
            let cancelled_in = around.unwrap_or(origin);
            self.cancel_below(cancelled_in, &chain);
            for frame in &chain[..reach] {
                let (error, at) = (error.clone(), self.moment.now);
                self.emit(Record::TaskFaulted {
                    frame: *frame,
                    error,
                    at,
                });
            }
            let next = match caught {
                Ok(None) => {
                    return match undo {
                        Some(undo) => compensation::failed(self, undo, error),
                        None => self.fault_run(Some(origin), error),
                    };
                }
                Ok(Some(place)) => (place, tasks::try_catch::caught(self, chain[place], &error)),
                Err((place, own)) => (place, Err(own)),
            };
            match next {
                (_, Ok(())) => return,
                (place, Err(own)) => (origin, error) = (chain[place], own),
            }
        }
    }

    /// Faults the run, once what it did is undone. Where there is nothing to undo its tree stays for a
    /// retry.
    pub(crate) fn fault_run(&mut self, frame: Option<FrameId>, error: Error) {
        let error = error.at(WORKFLOW);
        if compensation::begin(self, Some(&error), frame) {
            return;
        }
        self.emit(Record::RunFaulted {
            error,
            frame,
            compensation: None,
            at: self.moment.now,
        });
    }

    /// Cancels what is at work below a task, except the frames to keep and those that faulted.
    pub(crate) fn cancel_below(&mut self, id: FrameId, keep: &[FrameId]) {
        for frame in self.state.below(id) {
            if !keep.contains(&frame) && !self.state.frame(frame).faulted {
                self.emit(Record::TaskCancelled {
                    frame,
                    at: self.moment.now,
                });
            }
        }
    }

    /// The timeout of a task, or of the workflow, is over.
    pub(crate) fn timed_out(&mut self, id: FrameId) {
        let Some(task) = self.state.task(self.workflow, id) else {
            let error = StandardError::Timeout
                .with("Timed out", "the workflow took longer than its timeout");
            return self.fault_run(None, error);
        };
        let error = StandardError::Timeout.with(
            "Timed out",
            format!("the task {:?} took longer than its timeout", task.name),
        );
        self.cancel_below(id, &[]);
        self.fault(id, error);
    }

    /// Dice for one use in this decision; `salt` tells uses apart.
    pub(crate) fn roll(&self, salt: u64) -> u64 {
        // SplitMix64: every bit of the input changes half of the output's.
        let mut z = self
            .moment
            .entropy
            .wrapping_add(salt.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// The branches of a fork.
    pub(crate) fn branches(&self, id: FrameId) -> &[Branch] {
        match &self.state.frame(id).progress {
            Progress::Fork(branches) => branches,
            _ => &[],
        }
    }
}

fn authentication_of(task: &Task) -> Option<&Authentication> {
    match &task.kind {
        TaskKind::CallHttp(call) => call.authentication.as_ref(),
        TaskKind::CallProtocol(call) => call.authentication.as_ref(),
        _ => None,
    }
}

/// What a task's own expressions see: its transformed input as `.` and `$input`.
pub(crate) fn task_scope<'s>(view: RunView<'s>, id: FrameId, task: &'s Task) -> Scope<'s> {
    let frame = view.state.frame(id);
    let parent = frame.parent.unwrap_or(FrameId::ROOT);
    let shown = TaskView {
        task,
        raw_input: &frame.raw,
        raw_output: None,
        started_at: frame.started_at,
    };
    let mut scope = Scope::of_task(view, parent, shown, &frame.input);
    scope.input = Some(&frame.input);
    scope
}
