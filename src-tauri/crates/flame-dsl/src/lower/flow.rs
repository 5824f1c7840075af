//! Where the flow goes: names to places, and tasks that nothing leads to.

use super::Lowering;
use crate::problem::{Problem, Rule};
use crate::shape::did_you_mean;
use crate::source::{Entry, Node, pointer_step};
use crate::{Flow, Task, TaskKind};

/// Names of a list that a hint shows.
const NAMES_SHOWN_MAX: usize = 30;

/// The tasks that a `then` of one list can name.
#[derive(Clone, Copy)]
pub(super) enum Targets<'n> {
    /// The names of the list, in order.
    Names(&'n [&'n str]),
    /// Branches of a fork run side by side: there is no next one.
    Branches,
}

impl Lowering<'_> {
    pub(super) fn flow(
        &mut self,
        node: &Node,
        pointer: &str,
        targets: Targets<'_>,
    ) -> Option<Flow> {
        let text = node.text()?;
        let names = match (text, targets) {
            ("continue", _) => return Some(Flow::Continue),
            ("exit", _) => return Some(Flow::Exit),
            ("end", _) => return Some(Flow::End),
            (_, Targets::Names(names)) => names,
            (_, Targets::Branches) => {
                return self.strict(
                    node,
                    pointer,
                    "a branch of a fork can't go on at another branch",
                    "put the tasks that follow each other into a 'do' within one branch",
                );
            }
        };
        if let Some(at) = names.iter().position(|name| *name == text) {
            return Some(Flow::To(at));
        }
        let message = format!("no task '{text}' in this list");
        let known = ["continue", "exit", "end"]
            .into_iter()
            .chain(names.iter().copied().take(NAMES_SHOWN_MAX));
        let mut list: Vec<&str> = known.clone().collect();
        if names.len() > NAMES_SHOWN_MAX {
            list.push("and more");
        }
        let hint = format!("a flow can go to {}", list.join(", "));
        let hint = match did_you_mean(text, known) {
            Some(guess) => format!("{guess} {hint}"),
            None => format!("{hint}; it can't go into or out of another list"),
        };
        self.refuse(
            Problem::new(Rule::Reference, node.span, pointer, message)
                .value(text)
                .hint(hint),
        )
    }

    /// Reports names that stand twice in a list, and names that no flow can reach.
    pub(super) fn check_names(&mut self, entries: &[&Entry], pointer: &str) {
        let mut seen = std::collections::HashMap::new();
        for (at, entry) in entries.iter().enumerate() {
            let pointer = pointer_step(&pointer_step(pointer, at), &entry.key);
            if let Some(first) = seen.insert(entry.key.as_str(), entry.key_span) {
                let message = format!(
                    "the name '{}' is given twice in this list; the first is on line {}, column {}",
                    entry.key, first.start.line, first.start.column
                );
                let problem = Problem::new(Rule::Strict, entry.key_span, &pointer, message);
                self.problems.push(problem.hint("rename one of them"));
            }
            if matches!(entry.key.as_str(), "continue" | "exit" | "end") {
                let message = format!(
                    "'then: {}' is a directive, so it never leads here",
                    entry.key
                );
                let problem = Problem::new(Rule::Strict, entry.key_span, &pointer, message);
                self.problems
                    .push(problem.warning().hint("rename the task"));
            }
        }
    }

    /// Warns of tasks that no flow of their list leads to.
    pub(super) fn check_reachable(&mut self, tasks: &[Task], entries: &[&Entry]) {
        let mut reached = vec![false; tasks.len()];
        let mut open: Vec<usize> = (!tasks.is_empty()).then_some(0).into_iter().collect();
        while let Some(at) = open.pop() {
            if std::mem::replace(&mut reached[at], true) {
                continue;
            }
            open.extend(successors(tasks, at));
        }
        for ((task, entry), reached) in tasks.iter().zip(entries).zip(reached) {
            if !reached {
                let message = format!("nothing leads to the task '{}'", task.name);
                let problem = Problem::new(Rule::Strict, entry.key_span, &task.reference, message);
                self.problems.push(
                    problem
                        .warning()
                        .hint("remove it, or go to it with a 'then' before it"),
                );
            }
        }
    }
}

/// The tasks of the list that may come after this one.
fn successors(tasks: &[Task], at: usize) -> Vec<usize> {
    let task = &tasks[at];
    let mut flows = Vec::new();
    let mut takes_then = true;
    match &task.kind {
        TaskKind::Switch(cases) => {
            flows.extend(cases.iter().map(|case| case.then));
            takes_then = cases.iter().all(|case| case.when.is_some());
        }
        TaskKind::Try(task) => flows.extend(task.catch.then),
        TaskKind::Raise(_) => takes_then = false,
        _ => {}
    }
    if takes_then || task.condition.is_some() {
        flows.push(task.then);
    }
    if task.condition.is_some() {
        flows.push(Flow::Continue);
    }
    flows
        .into_iter()
        .filter_map(|flow| match flow {
            Flow::Continue => Some(at + 1).filter(|next| *next < tasks.len()),
            Flow::To(target) => Some(target),
            Flow::Exit | Flow::End => None,
        })
        .collect()
}
