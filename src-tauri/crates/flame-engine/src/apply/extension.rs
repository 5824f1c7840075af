//! The records of extensions.

use std::sync::Arc;

use flame_dsl::Task;
use flame_types::Timestamp;
use serde_json::Value;

use super::{Fold, Folding};
use crate::extension::{Extending, Given, next_after, next_before};
use crate::record::{FrameId, Record, Slot};
use crate::state::{Pass, Progress};

/// How a task begins: with the first extension that has something to do before it.
pub(super) fn begin(
    task: &Task,
    chosen: &[usize],
    input: &Arc<Value>,
    at: Timestamp,
) -> Result<Progress, String> {
    if chosen.iter().any(|place| *place >= task.extensions.len()) {
        return Err(format!("the task has no such extension: {chosen:?}"));
    }
    Ok(match next_before(task, chosen, None) {
        Some(first) => before(first),
        None => Progress::begin(&task.kind, input, at),
    })
}

fn before(extension: usize) -> Progress {
    Progress::Extending(Box::new(Extending {
        slot: Slot::Before,
        extension: Some(extension),
        pass: None,
        exits: false,
        given: None,
    }))
}

impl Folding<'_> {
    pub(super) fn extension(&mut self, record: &Record) -> Fold {
        match record {
            Record::ExtensionStarted {
                frame,
                extension,
                slot,
                ..
            } => {
                let input = Arc::clone(&self.frame(*frame)?.input);
                let state = self.extending(*frame, *extension, *slot)?;
                let data = state
                    .given
                    .as_ref()
                    .map_or(input, |given| Arc::clone(&given.output));
                state.pass = Some(Pass::new(data));
                self.refresh(*frame);
                Ok(())
            }
            Record::ExtensionEnded {
                frame,
                extension,
                slot,
                at,
            } => self.extension_ended(*frame, *extension, *slot, *at),
            Record::TaskReturned {
                frame,
                output,
                context,
                next,
                ..
            } => {
                let given = Given {
                    output: output
                        .as_ref()
                        .map_or_else(|| self.own_output(*frame), |output| Ok(Arc::clone(output)))?,
                    next: *next,
                };
                if let Some(context) = context {
                    self.state.context = Arc::clone(context);
                }
                self.task_returned(*frame, given)
            }
            _ => Err("it is not about an extension".to_owned()),
        }
    }

    fn own_output(&mut self, id: FrameId) -> Result<Arc<Value>, String> {
        self.frame(id)?;
        Ok(self.state.own_output(id))
    }

    fn extending(
        &mut self,
        id: FrameId,
        extension: usize,
        slot: Slot,
    ) -> Result<&mut Extending, String> {
        match &mut self.frame(id)?.progress {
            Progress::Extending(state)
                if state.slot == slot && state.extension == Some(extension) =>
            {
                Ok(state)
            }
            _ => Err(format!(
                "it is not the turn of extension {extension} of task execution {}",
                id.0
            )),
        }
    }

    fn extension_ended(
        &mut self,
        id: FrameId,
        extension: usize,
        slot: Slot,
        at: Timestamp,
    ) -> Fold {
        self.extending(id, extension, slot)?;
        let task = self.state.task(self.workflow, id);
        let task = task.ok_or("the workflow extends no task")?;
        let frame = self.frame(id)?;
        if slot == Slot::Before {
            frame.progress = match next_before(task, &frame.extensions, Some(extension)) {
                Some(next) => before(next),
                None => Progress::begin(&task.kind, &frame.input, at),
            };
        } else {
            let next = next_after(task, &frame.extensions, Some(extension));
            let state = self.extending(id, extension, slot)?;
            state.extension = next;
            state.pass = None;
        }
        self.refresh(id);
        Ok(())
    }

    fn task_returned(&mut self, id: FrameId, given: Given) -> Fold {
        let task = self.state.task(self.workflow, id);
        let task = task.ok_or("the workflow extends no task")?;
        let first = self.frame(id)?.next_after(task);
        let first = first.ok_or("nothing comes after the task")?;
        self.state.remember(self.workflow, id, &given.output);
        self.frame(id)?.progress = Progress::Extending(Box::new(Extending {
            slot: Slot::After,
            extension: Some(first),
            pass: None,
            exits: false,
            given: Some(given),
        }));
        self.refresh(id);
        Ok(())
    }
}
