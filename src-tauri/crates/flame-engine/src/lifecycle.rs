//! The lifecycle events of a run (DSL 1.0.3), made of its records: while it decides, those that somebody
//! asks for; and any time later all of them, out of its journal, with the same ids.
//!
//! A workflow that listens to lifecycle events has none of its own in the log, nor have the runs that it
//! starts: so no listener can feed itself. Deliberately absent: values over 64 KB; a completed event then says where the output is, by a path of the agent's API.

use std::sync::Arc;

use flame_dsl::{Lifecycle, LifecycleSet, Workflow};
use flame_types::{RunId, RunStatus, Timestamp};
use serde_json::{Map, Value, json};

use crate::apply::{Corrupt, apply};
use crate::error::Error;
use crate::pinned;
use crate::record::{FrameId, Record, TimerPurpose};
use crate::run::Run;
use crate::size;
use crate::snapshot::{self, NotRestorable};
use crate::state::{Progress, State};

/// What an output may take to be carried along.
const OUTPUT_BYTES_MAX: usize = 64 * 1024;

/// The run that the events are about.
struct Subject<'a> {
    run: RunId,
    workflow: &'a Workflow,
    state: &'a State,
    /// Counts from 1.
    record: u64,
}

/// Folds a record, and gives those of the wanted events that it brings, in order.
pub(crate) fn tell(
    run: RunId,
    workflow: &Workflow,
    state: &mut State,
    record: &Record,
    wanted: LifecycleSet,
) -> Result<Vec<Value>, Corrupt> {
    let (number, was) = (state.sequence + 1, state.shown);
    let mut of_run = Made::new(run, workflow, state, number, record, wanted);
    of_run.workflow(record);
    let mut events = of_run.events;
    let mut of_tasks = Made::new(run, workflow, state, number, record, wanted);
    of_tasks.task(record);
    let of_tasks = of_tasks.events;
    apply(state, workflow, record)?;
    if state.shown != was {
        let mut changed = Made::new(run, workflow, state, number, record, wanted);
        changed.status(None, word(state.shown));
        events.append(&mut changed.events);
    }
    events.extend(of_tasks);
    Ok(events)
}

/// As the standard names a status.
const fn word(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Pending => "pending",
        RunStatus::Running => "running",
        RunStatus::Waiting => "waiting",
        RunStatus::Suspended => "suspended",
        RunStatus::Cancelled => "cancelled",
        RunStatus::Faulted => "faulted",
        RunStatus::Completed => "completed",
    }
}

struct Made<'a> {
    subject: Subject<'a>,
    at: Timestamp,
    wanted: LifecycleSet,
    events: Vec<Value>,
}

impl<'a> Made<'a> {
    const fn new(
        run: RunId,
        workflow: &'a Workflow,
        state: &'a State,
        number: u64,
        record: &Record,
        wanted: LifecycleSet,
    ) -> Self {
        Self {
            subject: Subject {
                run,
                workflow,
                state,
                record: number,
            },
            at: record.at(),
            wanted,
            events: Vec::new(),
        }
    }

    fn workflow(&mut self, record: &Record) {
        use Lifecycle as L;
        match record {
            Record::RunStarted { .. } => {
                let id = &self.subject.workflow.id;
                let definition = json!({
                    "name": id.name.as_str(), "namespace": id.namespace.as_str(),
                    "version": id.version.as_str(),
                });
                self.whole(L::WorkflowStarted, "startedAt", ("definition", definition));
            }
            Record::RunSuspended { .. } => {
                self.whole(L::WorkflowSuspended, "suspendedAt", NOTHING);
            }
            Record::RunResumed { .. } => {
                self.whole(L::WorkflowResumed, "resumedAt", NOTHING);
            }
            Record::ListenStarted { ask: None, .. } => {
                self.whole(L::WorkflowCorrelationStarted, "startedAt", NOTHING);
            }
            Record::EventConsumed {
                frame,
                sequence: Some(_),
                correlations,
                completes: true,
                ..
            } => {
                let mut keys = Map::new();
                if let Some(Progress::Listening(state)) = self.progress(*frame) {
                    keys.extend(state.gathering.correlations.clone());
                }
                keys.extend(correlations.clone());
                let more = match keys.is_empty() {
                    true => NOTHING,
                    false => ("correlationKeys", Value::Object(keys)),
                };
                self.whole(L::WorkflowCorrelationCompleted, "completedAt", more);
            }
            Record::RunCancelled { .. } => {
                self.whole(L::WorkflowCancelled, "cancelledAt", NOTHING);
            }
            Record::RunFaulted { error, .. } => {
                self.whole(L::WorkflowFaulted, "faultedAt", ("error", error.to_value()));
            }
            Record::RunCompleted { output, .. } => {
                let output = self.output(FrameId::ROOT, output.as_ref());
                self.whole(L::WorkflowCompleted, "completedAt", output);
            }
            _ => {}
        }
    }

    fn task(&mut self, record: &Record) {
        use Lifecycle as L;
        match record {
            Record::TaskStarted {
                reference, frame, ..
            } => {
                let task = Some((*frame, Arc::clone(reference)));
                self.one(L::TaskCreated, task.clone(), "createdAt", NOTHING);
                self.one(L::TaskStarted, task.clone(), "startedAt", NOTHING);
                self.status(task, "running");
            }
            Record::RunSuspended { .. } => self.at_work(L::TaskSuspended, "suspendedAt"),
            Record::RunResumed { .. } => self.at_work(L::TaskResumed, "resumedAt"),
            Record::RunRetried { .. } => {
                let task = self
                    .subject
                    .state
                    .origin
                    .and_then(|origin| self.named(origin));
                self.one(L::TaskRetried, task, "retriedAt", NOTHING);
            }
            Record::AttemptStarted { frame, .. } => {
                let task = self.named(*frame);
                self.one(L::TaskRetried, task.clone(), "retriedAt", NOTHING);
                self.status_of(task, "running");
            }
            Record::ListenStarted { frame, .. }
            | Record::RetryScheduled {
                frame,
                timer: Some(_),
                ..
            }
            | Record::TimerArmed {
                frame,
                purpose: TimerPurpose::Wait,
                ..
            } => {
                let task = self.named(*frame);
                self.status_of(task, "waiting");
            }
            Record::IterationStarted { frame, .. } => {
                if let Some(Progress::Listening(_)) = self.progress(*frame) {
                    let task = self.named(*frame);
                    self.status_of(task, "running");
                }
            }
            Record::IterationCompleted { frame, .. } => {
                if let Some(Progress::Listening(state)) = self.progress(*frame)
                    && !state.gathering.complete
                    && state.next + 1 >= state.gathering.events.len()
                {
                    let task = self.named(*frame);
                    self.status_of(task, "waiting");
                }
            }
            Record::TaskCancelled { frame, .. } => {
                let task = self.named(*frame);
                self.one(L::TaskCancelled, task.clone(), "cancelledAt", NOTHING);
                self.status_of(task, "cancelled");
            }
            Record::TaskFaulted { frame, error, .. } => self.faulted(*frame, error),
            Record::TaskCompleted { frame, output, .. } => {
                let task = self.named(*frame);
                let output = self.output(*frame, output.as_ref());
                self.one(L::TaskCompleted, task.clone(), "completedAt", output);
                self.status_of(task, "completed");
            }
            _ => {}
        }
    }

    fn faulted(&mut self, frame: FrameId, error: &Error) {
        let task = self.named(frame);
        let more = ("error", error.to_value());
        self.one(Lifecycle::TaskFaulted, task.clone(), "faultedAt", more);
        self.status_of(task, "faulted");
    }

    fn at_work(&mut self, event: Lifecycle, when: &str) {
        let state = self.subject.state;
        for (id, frame) in &state.frames {
            let task = self.named(*id);
            self.one(event, task.clone(), when, NOTHING);
            let status = match event {
                Lifecycle::TaskSuspended => "suspended",
                _ if frame.progress.waits() => "waiting",
                _ => "running",
            };
            self.status_of(task, status);
        }
    }

    fn progress(&self, frame: FrameId) -> Option<&Progress> {
        let frame = self.subject.state.frames.get(&frame)?;
        Some(&frame.progress)
    }

    /// A task by its reference; `None` for the workflow, and for the frame that undoes a task.
    fn named(&self, frame: FrameId) -> Option<(FrameId, Arc<str>)> {
        let Subject {
            state, workflow, ..
        } = &self.subject;
        if state.is_undo(frame) {
            return None;
        }
        let task = state.task(workflow, frame)?;
        Some((frame, Arc::clone(&task.reference)))
    }

    /// `output`, or `outputUri` (of the specification's `next`) for one that is too large.
    fn output(&self, frame: FrameId, given: Option<&Arc<Value>>) -> (&'static str, Value) {
        let state = self.subject.state;
        let output = match given {
            Some(output) => Arc::clone(output),
            None if state.frames.contains_key(&frame) => state.own_output(frame),
            None => return NOTHING,
        };
        if size::rough(&output) > OUTPUT_BYTES_MAX {
            let run = format!("/api/v1/runs/{}", self.subject.run);
            let place = match frame {
                FrameId::ROOT => run,
                _ if given.is_some() => {
                    format!("{run}/journal?after={}&limit=1", self.subject.record - 1)
                }
                // An earlier record has it.
                _ => format!("{run}/journal"),
            };
            return ("outputUri", Value::from(place));
        }
        ("output", (*output).clone())
    }

    fn status(&mut self, task: Option<(FrameId, Arc<str>)>, status: &str) {
        let more = ("status", Value::from(status));
        match task {
            None => self.whole(Lifecycle::WorkflowStatusChanged, "updatedAt", more),
            Some(task) => self.one(Lifecycle::TaskStatusChanged, Some(task), "updatedAt", more),
        }
    }

    fn status_of(&mut self, task: Option<(FrameId, Arc<str>)>, status: &str) {
        if task.is_some() {
            self.status(task, status);
        }
    }

    /// About the workflow as a whole.
    fn whole(&mut self, event: Lifecycle, when: &str, more: (&str, Value)) {
        let data = [("name", Value::from(self.name()))];
        self.make(event, None, data, when, more);
    }

    fn one(
        &mut self,
        event: Lifecycle,
        task: Option<(FrameId, Arc<str>)>,
        when: &str,
        more: (&str, Value),
    ) {
        if let Some((frame, reference)) = task {
            let data = [
                ("workflow", Value::from(self.name())),
                ("task", Value::from(&*reference)),
            ];
            self.make(event, Some(frame), data, when, more);
        }
    }

    fn make<const N: usize>(
        &mut self,
        event: Lifecycle,
        frame: Option<FrameId>,
        about: [(&str, Value); N],
        when: &str,
        more: (&str, Value),
    ) {
        if !self.wanted.contains(event) {
            return;
        }
        let Subject {
            run,
            workflow,
            record,
            ..
        } = &self.subject;
        let at = self.at.to_string();
        let mut data: Map<String, Value> = about
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        data.insert(when.to_owned(), Value::from(at.as_str()));
        if !more.0.is_empty() {
            data.insert(more.0.to_owned(), more.1);
        }
        let place = frame.map_or_else(String::new, |frame| format!("{}/", frame.0));
        self.events.push(json!({
            "specversion": "1.0",
            "id": format!("{run}/{record}/{place}{}", event.word()),
            "source": format!("/{}", workflow.id),
            "type": event.kind(),
            "subject": run.to_string(),
            "time": at,
            "datacontenttype": "application/json",
            "data": data,
        }));
    }

    /// The qualified name of the reference's examples: name, id of the run, namespace.
    fn name(&self) -> String {
        let id = &self.subject.workflow.id;
        format!("{}-{}.{}", id.name, self.subject.run, id.namespace)
    }
}

const NOTHING: (&str, Value) = ("", Value::Null);

/// Reads the lifecycle events of a run out of its journal, from the beginning or from a snapshot.
#[derive(Debug)]
pub struct LifecycleEvents {
    run: RunId,
    workflow: Arc<Workflow>,
    state: State,
}

impl LifecycleEvents {
    pub fn new(run: RunId, workflow: Arc<Workflow>) -> Self {
        Self {
            run,
            workflow,
            state: State::new(),
        }
    }

    /// Goes on behind the records that a snapshot stands for.
    pub fn restore(
        run: RunId,
        workflow: Arc<Workflow>,
        snapshot: &[u8],
    ) -> Result<Self, NotRestorable> {
        let state = snapshot::read(snapshot)?;
        Ok(Self {
            run,
            workflow: state.pinned(&workflow).unwrap_or(workflow),
            state,
        })
    }

    /// What the next record brings.
    pub fn push(&mut self, record: &Record) -> Result<Vec<Value>, Corrupt> {
        if let Some(pinned) = pinned::by_record(&self.workflow, record) {
            self.workflow = pinned;
        }
        let (run, all) = (self.run, LifecycleSet::ALL);
        tell(run, &self.workflow, &mut self.state, record, all)
    }
}

impl Run {
    /// The lifecycle events that somebody asks for from now on: those of this run are published.
    pub fn publish(&mut self, wanted: LifecycleSet) {
        self.published = wanted;
    }

    /// What this run publishes of it: nothing where it, or one that started it, listens to such events.
    pub(crate) fn visible(&self) -> LifecycleSet {
        if self.workflow.observes.is_empty() && !self.state.unseen {
            self.published
        } else {
            LifecycleSet::default()
        }
    }
}
