//! The records of undoing.

use std::sync::Arc;

use flame_types::{RunStatus, Timestamp};
use serde_json::Value;

use super::{Fold, Folding};
use crate::compensation::Compensation;
use crate::record::{FrameId, Record, Slot};
use crate::state::{Attempts, Cursor, Frame, Pass, Phase, Progress};

impl Folding<'_> {
    pub(super) fn compensation(&mut self, record: &Record) -> Fold {
        let root = FrameId::ROOT;
        match record {
            Record::CompensationStarted { error, .. } => {
                if self.state.compensation.is_some() {
                    return Err("the run is undone already".to_owned());
                }
                self.state.compensation = Some(Compensation {
                    error: error.clone(),
                    begun: 0,
                    undone: 0,
                    skipped: 0,
                    task: None,
                });
                self.state.status = RunStatus::Running;
                self.state.halted_at = None;
                self.state.frames.retain(|id, _| *id == root);
                self.state.ready.clear();
                let frame = self.frame(root)?;
                frame.timeout = None;
                frame.progress = Progress::List(Pass::new(Arc::new(Value::Null)));
            }
            Record::CompensationBegan {
                frame,
                number,
                reference,
                at,
            } => return self.compensation_began(*frame, *number, reference, *at),
            Record::CompensationParked { frame, error, .. } => {
                self.drop_below(*frame);
                self.attempts(*frame)?.phase = Phase::Parked(error.clone());
                self.refresh(*frame);
                return Ok(());
            }
            Record::CompensationEnded { frame, skipped, .. } => {
                if !self.state.is_undo(*frame) {
                    return Err(format!("task execution {} undoes nothing", frame.0));
                }
                self.drop_below(*frame);
                self.remove(*frame);
                let compensation = self
                    .state
                    .compensation
                    .as_mut()
                    .ok_or("nothing is undone")?;
                compensation.task = None;
                compensation.undone += u64::from(!skipped);
                compensation.skipped += u64::from(*skipped);
                self.pass(root)?.cursor = Cursor::At(0);
            }
            _ => return Err("it is not about a compensation".to_owned()),
        }
        self.refresh(root);
        Ok(())
    }

    fn compensation_began(
        &mut self,
        id: FrameId,
        number: u64,
        reference: &Arc<str>,
        at: Timestamp,
    ) -> Fold {
        let last = self.state.completed.pop();
        let task = last.filter(|task| task.reference == *reference);
        let task = task.ok_or_else(|| format!("{reference} is not the next to be undone"))?;
        let compensation = self.state.compensation.as_mut();
        let compensation = compensation.filter(|c| c.task.is_none() && c.begun + 1 == number);
        let compensation = compensation.ok_or("another one is being undone")?;
        let (input, output) = (Arc::clone(&task.input), Arc::clone(&task.output));
        compensation.begun = number;
        compensation.task = Some(task);
        let frame = Frame {
            parent: Some(FrameId::ROOT),
            slot: Slot::Undo,
            index: 0,
            // Tells the keys of its effects from those of the other compensations.
            visit: u32::try_from(number).map_err(|_| "too many compensations")?,
            raw: input,
            input: Arc::clone(&output),
            started_at: at,
            timeout: None,
            faulted: false,
            extensions: Vec::new(),
            progress: Progress::Try(Attempts {
                attempt: 1,
                first_at: at,
                timer: None,
                phase: Phase::Body(Pass::new(output)),
            }),
        };
        self.state.steps = 0;
        self.state.next_frame = id.0 + 1;
        self.pass(FrameId::ROOT)?.cursor = Cursor::In(id);
        self.state.frames.insert(id, Box::new(frame));
        self.refresh(FrameId::ROOT);
        self.refresh(id);
        Ok(())
    }
}
