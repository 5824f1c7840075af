//! `metadata."mastra.io/compensate"`: the tasks that undo a task.

use super::Lowering;
use crate::TaskList;
use crate::shape::COMPENSATE;
use crate::source::{Node, pointer_step};

impl Lowering<'_> {
    /// `Some(None)` where the task has none. What undoes is not undone itself.
    pub(super) fn compensation(&mut self, task: &Node, pointer: &str) -> Option<Option<TaskList>> {
        let Some(node) = task
            .get("metadata")
            .and_then(|metadata| metadata.get(COMPENSATE))
        else {
            return Some(None);
        };
        let pointer = pointer_step(&pointer_step(pointer, "metadata"), COMPENSATE);
        if self.in_compensation {
            return self.strict(
                node,
                &pointer,
                "a task that undoes another can't be undone itself",
                "remove it; a compensation that fails is tried again until it succeeds",
            );
        }
        self.compensations += 1;
        self.in_compensation = true;
        let tasks = self.tasks(node, &pointer);
        self.in_compensation = false;
        tasks.map(Some)
    }
}
