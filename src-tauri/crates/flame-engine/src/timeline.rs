//! A journal as people read it: each record with the task, its iteration, and the data that the record
//! leaves out because the fold knows it.

use std::sync::Arc;

use flame_dsl::Workflow;
use flame_types::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::apply::{Corrupt, apply};
use crate::error::Error;
use crate::key;
use crate::pinned;
use crate::record::{FrameId, Next, Record, Slot};
use crate::snapshot::{self, NotRestorable};
use crate::state::State;

/// One line of a timeline.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Place of the record in the journal, from 0.
    pub sequence: u64,
    /// The record's `type`.
    pub kind: &'static str,
    pub at: Timestamp,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskOf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Arc<Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Arc<Value>>,
    /// `$context`, where the task changed it, or the run begins with another one than its input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<Arc<Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
    /// When a timer is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// The extension whose tasks begin or have ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extension: Option<ExtensionOf>,
    /// Of an effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Where the flow goes, unless to the next task: `exit`, `end` or a task's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub then: Option<String>,
}

/// The task execution that an entry is about.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskOf {
    /// Pairs the entries of one execution; absent for a skipped task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution: Option<FrameId>,
    /// The execution around it; absent in the workflow's own list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<FrameId>,
    pub reference: Arc<str>,
    pub name: Arc<str>,
    /// The kind's word, such as `call http`.
    pub task_kind: &'static str,
    /// Indices of the loops around it, from the outside in.
    pub iteration: Vec<usize>,
    /// How often the flow came back to it before.
    pub visit: u32,
    /// Of the innermost `try` around it, from 1; of a `try` itself, its own.
    pub attempt: u32,
    /// The number of the compensation that it belongs to, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compensation: Option<u64>,
}

/// An extension of the task that an entry is about.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExtensionOf {
    pub name: Arc<str>,
    pub slot: Slot,
}

impl ExtensionOf {
    /// On which side of the task: `before` or `after`.
    pub const fn place(&self) -> &'static str {
        match self.slot {
            Slot::After => "after",
            _ => "before",
        }
    }
}

/// Reads a journal from its beginning, or from a snapshot, one record at a time.
#[derive(Debug)]
pub struct Timeline {
    workflow: Arc<Workflow>,
    state: State,
}

impl Timeline {
    pub fn new(workflow: Arc<Workflow>) -> Self {
        Self {
            workflow,
            state: State::new(),
        }
    }

    /// Goes on behind the records that a snapshot stands for.
    pub fn restore(workflow: Arc<Workflow>, snapshot: &[u8]) -> Result<Self, NotRestorable> {
        let state = snapshot::read(snapshot)?;
        Ok(Self {
            workflow: state.pinned(&workflow).unwrap_or(workflow),
            state,
        })
    }

    /// The next record as an entry.
    pub fn push(&mut self, record: &Record) -> Result<Entry, Corrupt> {
        if let Some(pinned) = pinned::by_record(&self.workflow, record) {
            self.workflow = pinned;
        }
        let sequence = self.state.sequence;
        let before = record.frame().and_then(|frame| self.task(frame));
        let completed = match record {
            Record::TaskCompleted {
                frame,
                output: None,
                ..
            }
            | Record::TaskReturned {
                frame,
                output: None,
                ..
            } if self.state.frames.contains_key(frame) => Some(self.state.own_output(*frame)),
            _ => None,
        };
        let iterated = match record {
            Record::IterationCompleted { frame, .. } => self
                .state
                .frames
                .get(frame)
                .and_then(|frame| frame.progress.pass())
                .map(|pass| Arc::clone(&pass.data)),
            _ => None,
        };
        let then = self.then(record);
        apply(&mut self.state, &self.workflow, record)?;
        let task = match record {
            Record::TaskSkipped { .. } => self.skipped(record),
            Record::AttemptStarted { frame, .. } => self.task(*frame),
            _ => before.or_else(|| record.frame().and_then(|frame| self.task(frame))),
        };
        let mut entry = Entry {
            sequence,
            kind: record.kind(),
            at: record.at(),
            task,
            input: None,
            output: completed.or(iterated),
            context: None,
            error: None,
            due: None,
            extension: None,
            idempotency_key: None,
            then,
        };
        self.fill(&mut entry, record);
        Ok(entry)
    }

    fn fill(&self, entry: &mut Entry, record: &Record) {
        match record {
            Record::RunStarted { input, .. } => {
                entry.input = Some(Arc::clone(input));
                let context = &self.state.context;
                entry.context = (context != input).then(|| Arc::clone(context));
            }
            Record::FlowPositioned { data, .. } => entry.input = Some(Arc::clone(data)),
            Record::ContextRestored { context, .. } => entry.context = Some(Arc::clone(context)),
            Record::TaskStarted { frame, .. } => {
                entry.input = self
                    .state
                    .frames
                    .get(frame)
                    .map(|frame| Arc::clone(&frame.input));
            }
            Record::IterationStarted { frame, .. } => {
                entry.input = self
                    .state
                    .frames
                    .get(frame)
                    .and_then(|frame| frame.progress.pass())
                    .map(|pass| Arc::clone(&pass.data));
            }
            Record::EffectRequested { key, .. } => {
                entry.idempotency_key = Some(key.as_str().to_owned());
            }
            Record::EffectHeld { output, error, .. } => {
                entry.output.clone_from(output);
                entry.error.clone_from(error);
            }
            Record::TimerArmed { due, .. } => entry.due = Some(*due),
            Record::ExtensionStarted {
                frame,
                extension,
                slot,
                ..
            }
            | Record::ExtensionEnded {
                frame,
                extension,
                slot,
                ..
            } => {
                let task = self.state.task(&self.workflow, *frame);
                let extension = task.and_then(|task| task.extensions.get(*extension));
                entry.extension = extension.map(|extension| ExtensionOf {
                    name: Arc::clone(&extension.name),
                    slot: *slot,
                });
            }
            Record::TaskCompleted {
                output, context, ..
            }
            | Record::TaskReturned {
                output, context, ..
            } => {
                entry.output = output.clone().or(entry.output.take());
                entry.context.clone_from(context);
            }
            Record::EventConsumed { item, .. } => entry.output.clone_from(item),
            Record::MessageTaken { message, .. } => entry.output = Some(Arc::clone(message)),
            Record::IterationCompleted {
                output, context, ..
            } => {
                entry.output = output.clone().or(entry.output.take());
                entry.context.clone_from(context);
            }
            Record::CompensationStarted { error, .. } => entry.error.clone_from(error),
            Record::CompensationBegan { frame, .. } => {
                let frame = self.state.frames.get(frame);
                entry.input = frame.map(|frame| Arc::clone(&frame.raw));
            }
            Record::CompensationParked { error, .. }
            | Record::TaskFaulted { error, .. }
            | Record::ErrorCaught { error, .. }
            | Record::RunFaulted { error, .. } => entry.error = Some(error.clone()),
            Record::RetryScheduled { error, due, .. } => {
                entry.error = Some(error.clone());
                entry.due = Some(*due);
            }
            Record::RunCompleted { .. } => entry.output.clone_from(&self.state.output),
            _ => {}
        }
    }

    fn then(&self, record: &Record) -> Option<String> {
        let (Record::TaskCompleted { frame, next, .. } | Record::TaskReturned { frame, next, .. }) =
            record
        else {
            return None;
        };
        match next {
            Next::Continue => None,
            Next::Exit => Some("exit".to_owned()),
            Next::End => Some("end".to_owned()),
            Next::Task(index) => {
                let frame = self.state.frames.get(frame)?;
                let list = self.state.list(&self.workflow, frame.parent?, frame.slot)?;
                Some(list.0.get(*index)?.name.to_string())
            }
        }
    }

    fn task(&self, id: FrameId) -> Option<TaskOf> {
        let frame = self.state.frames.get(&id)?;
        let task = self.state.task(&self.workflow, id)?;
        let parent = frame.parent?;
        Some(TaskOf {
            execution: Some(id),
            parent: Some(parent).filter(|parent| *parent != FrameId::ROOT),
            reference: Arc::clone(&task.reference),
            name: Arc::clone(&task.name),
            task_kind: task.kind.name(),
            iteration: self.iteration(id, parent),
            visit: frame.visit,
            attempt: key::own_attempt(&self.state, id),
            compensation: self.state.compensation_of(id),
        })
    }

    /// Of what undoes a task: the task's own, and the loops inside.
    fn iteration(&self, id: FrameId, parent: FrameId) -> Vec<usize> {
        let undone = self
            .state
            .compensation
            .as_ref()
            .and_then(|c| c.task.as_ref());
        let undone = undone.filter(|_| self.state.compensation_of(id).is_some());
        let outer = undone.map(|task| task.iteration.clone());
        let mut iteration = outer.unwrap_or_default();
        iteration.extend(key::iterations(&self.state, parent));
        iteration
    }

    fn skipped(&self, record: &Record) -> Option<TaskOf> {
        let Record::TaskSkipped {
            parent,
            slot,
            index,
            reference,
            name,
            ..
        } = record
        else {
            return None;
        };
        let task = self
            .state
            .list(&self.workflow, *parent, *slot)?
            .0
            .get(*index)?;
        Some(TaskOf {
            execution: None,
            parent: Some(*parent).filter(|parent| *parent != FrameId::ROOT),
            reference: Arc::clone(reference),
            name: Arc::clone(name),
            task_kind: task.kind.name(),
            iteration: key::iterations(&self.state, *parent),
            visit: 0,
            attempt: key::own_attempt(&self.state, *parent),
            compensation: self.state.compensation_of(*parent),
        })
    }
}
