//! The whole workflow.

use std::sync::Arc;

use super::Lowering;
use crate::hash::definition_hash;
use crate::problem::Problems;
use crate::source::{Lines, Node};
use crate::{Externals, Workflow};

/// Makes the model; `None` where a part can't be read, which is then among the problems.
pub(crate) fn workflow(
    root: &Node,
    lines: &Lines<'_>,
    problems: &mut Problems,
    texts: &Arc<Externals>,
) -> Option<Workflow> {
    let mut lowering = Lowering::new(lines, problems);
    lowering.uses = root.get("use");
    lowering.outside.texts = Arc::clone(texts);
    lowering.declare_secrets();
    if let Some(evaluate) = root.get("evaluate") {
        lowering.evaluate(evaluate, "/evaluate");
    }
    let head = lowering.required(root, "document", "", Lowering::head);
    let input = lowering.optional(root, "input", "", Lowering::input);
    let output = lowering.optional(root, "output", "", Lowering::output);
    let timeout = lowering.optional(root, "timeout", "", Lowering::timeout);
    let schedule = lowering.optional(root, "schedule", "", Lowering::schedule);
    let tasks = lowering.required(root, "do", "", Lowering::tasks);
    if let Some(uses) = root.get("use") {
        lowering.definitions(uses, "/use");
    }
    let compensates = lowering.compensations > 0;
    let extends = lowering.extends();
    let observes = lowering.observes;
    let head = head?;
    let definition = root.to_json();
    Some(Workflow {
        id: head.id,
        hash: definition_hash(&definition).into(),
        definition: Arc::new(definition),
        title: head.title,
        summary: head.summary,
        input: input?.unwrap_or_default(),
        output: output?.unwrap_or_default(),
        timeout: timeout?,
        schedule: schedule?.flatten(),
        webhook: head.webhook,
        secrets: lowering.secrets.into(),
        retention: head.retention,
        tasks: tasks?,
        compensates,
        extends,
        observes,
        missing: lowering.outside.missing,
        externals: Arc::clone(texts),
        foreign: lowering.outside.foreign,
    })
}
