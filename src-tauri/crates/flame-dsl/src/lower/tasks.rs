//! Lists of tasks, and the tasks that hold lists: do, for, fork, try, switch.

use std::collections::HashMap;

use super::Lowering;
use super::flow::Targets;
use crate::problem::{Problem, Rule};
use crate::source::{Content, Entry, Node, pointer_step};
use crate::{Case, Catch, For, Fork, TaskList, Try};

impl Lowering<'_> {
    /// A list of tasks. Every task is read, also behind one that can't be.
    pub(super) fn tasks(&mut self, node: &Node, pointer: &str) -> Option<TaskList> {
        let entries = named(node)?;
        self.check_names(&entries, pointer);
        let names: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
        let list = self.task_list(&entries, pointer, Targets::Names(&names))?;
        self.check_reachable(&list.0, &entries);
        Some(list)
    }

    fn task_list(
        &mut self,
        entries: &[&Entry],
        pointer: &str,
        targets: Targets<'_>,
    ) -> Option<TaskList> {
        let mut tasks = Vec::with_capacity(entries.len());
        for (at, entry) in entries.iter().enumerate() {
            let reference = pointer_step(&pointer_step(pointer, at), &entry.key);
            tasks.push(self.task(entry, &reference, targets));
        }
        tasks.into_iter().collect::<Option<_>>().map(TaskList)
    }

    pub(super) fn fork(&mut self, node: &Node, pointer: &str) -> Option<Fork> {
        let compete = matches!(
            node.get("compete").map(|node| &node.content),
            Some(Content::Boolean(true))
        );
        let branches = self.required(node, "branches", pointer, |this, node, pointer| {
            let entries = named(node)?;
            this.check_names(&entries, pointer);
            if entries.is_empty() {
                return this.strict(node, pointer, "a fork without branches", "add a branch");
            }
            this.task_list(&entries, pointer, Targets::Branches)
        });
        Some(Fork {
            branches: branches?,
            compete,
        })
    }

    /// A `for` task; `node` is the task, whose `for` and `do` belong together.
    pub(super) fn for_each(&mut self, node: &Node, pointer: &str) -> Option<For> {
        let head = node.get("for")?;
        let head_pointer = pointer_step(pointer, "for");
        let name = |key: &str, default: &str| {
            head.get(key)
                .and_then(Node::text)
                .unwrap_or(default)
                .to_owned()
        };
        let (each, at) = (name("each", "item"), name("at", "index"));
        if each == at
            && let Some(second) = head.get("at").or_else(|| head.get("each"))
        {
            let pointer = pointer_step(&head_pointer, "at");
            return self.strict(
                second,
                &pointer,
                "the item and the index have the same name",
                "give 'each' and 'at' different names",
            );
        }
        let items = self.required(head, "in", &head_pointer, Self::items);
        let (condition, tasks) = self.within(&[&each, &at], |this| {
            let condition = this.optional(node, "while", pointer, Self::expression);
            (condition, this.required(node, "do", pointer, Self::tasks))
        });
        Some(For {
            each: each.into(),
            at: at.into(),
            items: items?,
            condition: condition?,
            tasks: tasks?,
        })
    }

    /// A `try` task; `targets` are those of the list it stands in, for `catch.then`.
    pub(super) fn try_catch(
        &mut self,
        node: &Node,
        pointer: &str,
        targets: Targets<'_>,
    ) -> Option<Try> {
        let tasks = self.required(node, "try", pointer, Self::tasks);
        let catch = self.required(node, "catch", pointer, |this, node, pointer| {
            this.catch(node, pointer, targets)
        });
        Some(Try {
            tasks: tasks?,
            catch: catch?,
        })
    }

    fn catch(&mut self, node: &Node, pointer: &str, targets: Targets<'_>) -> Option<Catch> {
        let filter = self.optional(node, "errors", pointer, |this, node, pointer| {
            this.optional(node, "with", pointer, Self::error_filter)
        });
        let name = node
            .get("as")
            .and_then(Node::text)
            .unwrap_or("error")
            .to_owned();
        let then = self.optional(node, "then", pointer, |this, node, pointer| {
            this.flow(node, pointer, targets)
        });
        let (when, except_when, retry, tasks) = self.within(&[&name], |this| {
            (
                this.optional(node, "when", pointer, Self::expression),
                this.optional(node, "exceptWhen", pointer, Self::expression),
                this.optional(node, "retry", pointer, Self::retry),
                this.optional(node, "do", pointer, Self::tasks),
            )
        });
        Some(Catch {
            filter: filter?.flatten().unwrap_or_default(),
            name: name.into(),
            when: when?,
            except_when: except_when?,
            retry: retry?,
            tasks: tasks?,
            then: then?,
        })
    }

    pub(super) fn cases(
        &mut self,
        node: &Node,
        pointer: &str,
        targets: Targets<'_>,
    ) -> Option<Vec<Case>> {
        let entries = named(node)?;
        self.check_case_names(&entries, pointer);
        let mut cases = Vec::with_capacity(entries.len());
        for (at, entry) in entries.iter().enumerate() {
            let pointer = pointer_step(&pointer_step(pointer, at), &entry.key);
            let when = self.optional(&entry.value, "when", &pointer, Self::expression);
            let then = self.required(&entry.value, "then", &pointer, |this, node, pointer| {
                this.flow(node, pointer, targets)
            });
            cases.push(when.zip(then).map(|(when, then)| Case {
                name: entry.key.as_str().into(),
                when,
                then,
            }));
        }
        cases.into_iter().collect()
    }

    fn check_case_names(&mut self, entries: &[&Entry], pointer: &str) {
        let mut seen = HashMap::new();
        let mut first: Option<&Entry> = None;
        for (at, entry) in entries.iter().enumerate() {
            let pointer = pointer_step(&pointer_step(pointer, at), &entry.key);
            if let Some(line) = seen.insert(entry.key.as_str(), entry.key_span.start.line) {
                let message = format!(
                    "the case '{}' is given twice; the first is on line {line}",
                    entry.key
                );
                let problem = Problem::new(Rule::Strict, entry.key_span, &pointer, message);
                self.problems.push(problem.hint("rename one of them"));
            }
            if entry.value.get("when").is_some() || entry.value.object().is_none() {
                continue;
            }
            match first {
                None => first = Some(entry),
                Some(first) => {
                    let message = format!(
                        "two cases without 'when'; '{}' on line {} is the default already",
                        first.key, first.key_span.start.line
                    );
                    let problem = Problem::new(Rule::Strict, entry.key_span, &pointer, message);
                    self.problems
                        .push(problem.hint("add a 'when' to one of them"));
                }
            }
        }
    }
}

/// The entries of a list of named items; `None` where an item has not exactly one name.
fn named(node: &Node) -> Option<Vec<&Entry>> {
    node.list()?.iter().map(Node::single).collect()
}
