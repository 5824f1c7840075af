//! `use.extensions`: tasks before and after every task of a kind.
//!
//! They are written out at each task that they extend, with references below it, so that what they call
//! has a key of its own at each. Tasks of an extension see no variable around the task that they extend,
//! and are not extended themselves: neither by another extension nor within a function that they call.

use std::collections::BTreeMap;

use super::Lowering;
use super::task::keyword;
use crate::problem::{Problem, Rule};
use crate::source::{Entry, Node, pointer_step};
use crate::{Extension, TaskList};

/// Tasks that a document's extensions may extend, each counted for each extension.
const EXTENDED_MAX: usize = 2_000;

/// What lowering knows of the document's extensions.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    /// Whether an extension can be used, by its place; its problems are told once.
    sound: BTreeMap<usize, bool>,
    /// Among the tasks of an extension.
    within: bool,
    extended: usize,
}

impl Lowering<'_> {
    /// Checks every extension, also those that extend nothing.
    pub(super) fn check_extensions(&mut self, node: &Node) {
        for (at, item) in node.list().unwrap_or_default().iter().enumerate() {
            if let Some(extension) = item.single() {
                self.is_usable(at, extension);
            }
        }
    }

    /// Whether any task is extended.
    pub(super) const fn extends(&self) -> bool {
        self.extensions.extended > 0
    }

    /// The extensions around a task, the outermost first.
    pub(super) fn extensions_of(&mut self, task: &Node, reference: &str) -> Option<Vec<Extension>> {
        let (Some(uses), false) = (self.uses, self.extensions.within) else {
            return Some(Vec::new());
        };
        let declared = uses.get("extensions").and_then(Node::list);
        let Some(kind) = keyword(task).map(extended_kind) else {
            return Some(Vec::new());
        };
        let mut extensions = Vec::new();
        for (at, item) in declared.unwrap_or_default().iter().enumerate() {
            let Some(entry) = item.single() else { continue };
            let extend = entry.value.get("extend").and_then(Node::text);
            if !extend.is_some_and(|extend| extend == "all" || extend == kind) {
                continue;
            }
            if !self.is_usable(at, entry) {
                return None;
            }
            self.extensions.extended += 1;
            if self.extensions.extended > EXTENDED_MAX {
                let message = format!("the extensions come to more than {EXTENDED_MAX} tasks");
                return self.refuse(
                    Problem::new(Rule::Limit, entry.key_span, reference, message)
                        .value(&entry.key)
                        .hint("extend one kind of task, or fewer tasks"),
                );
            }
            let place = pointer_step(&pointer_step(reference, "extensions"), at);
            extensions.push(self.extension(entry, &pointer_step(&place, &entry.key))?);
        }
        Some(extensions)
    }

    fn is_usable(&mut self, at: usize, extension: &Entry) -> bool {
        if let Some(known) = self.extensions.sound.get(&at) {
            return *known;
        }
        let place = pointer_step("/use/extensions", at);
        let is_sound = self
            .extension(extension, &pointer_step(&place, &extension.key))
            .is_some();
        self.extensions.sound.insert(at, is_sound);
        is_sound
    }

    fn extension(&mut self, entry: &Entry, reference: &str) -> Option<Extension> {
        let own = self.scope_of_all();
        let around = std::mem::replace(&mut self.scope, own);
        let within = std::mem::replace(&mut self.extensions.within, true);
        let when = self.optional(&entry.value, "when", reference, Self::expression);
        let before = self.optional(&entry.value, "before", reference, Self::tasks);
        let after = self.optional(&entry.value, "after", reference, Self::tasks);
        self.extensions.within = within;
        self.scope = around;
        Some(Extension {
            name: entry.key.as_str().into(),
            when: when?,
            before: before?.unwrap_or_else(TaskList::default),
            after: after?.unwrap_or_else(TaskList::default),
        })
    }
}

/// What `extend` calls the kind of a task with this keyword.
fn extended_kind(keyword: &str) -> &str {
    match keyword {
        "do" | "fork" => "composite",
        other => other,
    }
}
