//! From the checked tree to the model: names resolved, expressions compiled, durations read.
//!
//! Runs also over trees with wrong shapes, so that all problems come at once: a part that the shape
//! check has refused gives `None` here without another word.

mod authentication;
mod compensation;
mod custom;
mod expression;
mod extension;
mod external;
mod flow;
mod function;
mod head;
mod http;
mod listen;
mod policy;
mod protocol;
mod referred;
mod run;
mod schedule;
mod schema;
mod secret;
mod task;
mod tasks;
mod time;
mod webhook;
mod workflow;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::lifecycle::LifecycleSet;
use crate::problem::{Problem, Problems, Rule};
use crate::source::{Lines, Node, pointer_step};

pub(crate) use workflow::workflow;

/// Variables that every expression sees (DSL 1.0.3, "Runtime expression arguments").
const VARIABLES: &[&str] = &["context", "input", "output", "workflow", "runtime", "task"];

/// Expressions that a document may have; compiling one costs far more than reading its text.
pub const EXPRESSIONS_MAX: usize = 5_000;

/// What lowering carries from task to task.
pub(crate) struct Lowering<'t> {
    lines: &'t Lines<'t>,
    problems: &'t mut Problems,
    /// Names in scope, without `$`; tasks push theirs and take them back.
    scope: Vec<String>,
    /// Expressions compiled so far.
    expressions: usize,
    /// `evaluate.mode` is loose.
    loose: bool,
    /// Among values of the document's own, whose texts are tried as expressions in loose mode.
    in_values: bool,
    /// The document's `use`, if it has one.
    uses: Option<&'t Node>,
    /// Retry policies of `use` that a task has named.
    referred: Vec<String>,
    /// Authentications of `use` that an endpoint has named.
    referred_authentications: BTreeSet<String>,
    /// Names of `use.secrets`.
    secrets: Vec<Arc<str>>,
    functions: custom::Functions,
    extensions: extension::Extensions,
    outside: external::Outside,
    /// Lifecycle events that filters name.
    observes: LifecycleSet,
    /// Tasks that can be undone.
    compensations: usize,
    /// Among the tasks that undo another.
    in_compensation: bool,
}

impl<'t> Lowering<'t> {
    pub(crate) fn new(lines: &'t Lines<'t>, problems: &'t mut Problems) -> Self {
        Self {
            lines,
            problems,
            scope: variables(&[]),
            expressions: 0,
            loose: false,
            in_values: false,
            uses: None,
            referred: Vec::new(),
            referred_authentications: BTreeSet::new(),
            secrets: Vec::new(),
            functions: custom::Functions::default(),
            extensions: extension::Extensions::default(),
            outside: external::Outside::default(),
            observes: LifecycleSet::default(),
            compensations: 0,
            in_compensation: false,
        }
    }

    /// The variables that are there wherever an expression stands.
    fn scope_of_all(&self) -> Vec<String> {
        variables(if self.secrets.is_empty() {
            &[]
        } else {
            &["secrets"]
        })
    }

    /// Leaves no variable in scope.
    pub(crate) fn clear_scope(&mut self) {
        self.scope.clear();
    }

    /// Reports and gives the `None` that stands for a part that can't be read.
    fn refuse<T>(&mut self, problem: Problem) -> Option<T> {
        self.problems.push(problem);
        None
    }

    pub(crate) fn strict<T>(
        &mut self,
        node: &Node,
        pointer: &str,
        message: &str,
        hint: &str,
    ) -> Option<T> {
        self.refuse(
            Problem::new(Rule::Strict, node.span, pointer, message)
                .value(node.shown())
                .hint(hint),
        )
    }

    pub(crate) fn required<T>(
        &mut self,
        node: &Node,
        key: &str,
        pointer: &str,
        read: impl FnOnce(&mut Self, &Node, &str) -> Option<T>,
    ) -> Option<T> {
        read(self, node.get(key)?, &pointer_step(pointer, key))
    }

    /// `Some(None)` where the key is absent, `None` where its value can't be read.
    pub(crate) fn optional<T>(
        &mut self,
        node: &Node,
        key: &str,
        pointer: &str,
        read: impl FnOnce(&mut Self, &Node, &str) -> Option<T>,
    ) -> Option<Option<T>> {
        match node.get(key) {
            None => Some(None),
            Some(value) => read(self, value, &pointer_step(pointer, key)).map(Some),
        }
    }

    /// Reads with more variables in scope.
    fn within<T>(&mut self, names: &[&str], read: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.scope.len();
        self.scope
            .extend(names.iter().map(|name| (*name).to_owned()));
        let result = read(self);
        self.scope.truncate(length);
        result
    }
}

fn variables(more: &[&str]) -> Vec<String> {
    let names = VARIABLES.iter().chain(more);
    names.map(|name| (*name).to_owned()).collect()
}
