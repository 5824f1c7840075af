//! Calls of the document's own functions: each becomes the function's task, with the arguments as its input.
//!
//! The task stands at every call anew, with a reference below the call's, so that two calls have two
//! effects. Deliberately absent: functions that call themselves; a document is written out in full.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, json};

use super::Lowering;
use super::flow::Targets;
use crate::problem::{Problem, Rule};
use crate::source::{Entry, Node, pointer_step};
use crate::{Export, Filter, Flow, Task, TaskKind, TaskList, Template};

/// Calls of own functions that a document may come to, those within functions counted each time.
const CALLS_MAX: usize = 1_000;
/// Names of calls that are no function of the document.
const TAKEN: &[&str] = &["http", "grpc", "openapi", "asyncapi", "mcp", "a2a"];

/// What lowering knows of the document's functions.
#[derive(Debug, Default)]
pub(super) struct Functions {
    /// Whether a function can be called; its problems are told once.
    sound: BTreeMap<String, bool>,
    /// Functions around the place, from the outside in.
    around: Vec<String>,
    calls: usize,
}

impl Lowering<'_> {
    /// The function of `use.functions` that a call names.
    pub(super) fn own_function(&self, task: &Node) -> Option<Entry> {
        let name = task.get("call")?.text()?;
        self.uses?.get("functions")?.entry(name).cloned()
    }

    pub(super) fn custom_names(&self) -> Vec<&str> {
        self.uses
            .and_then(|uses| uses.get("functions")?.object())
            .unwrap_or_default()
            .iter()
            .map(|entry| entry.key.as_str())
            .collect()
    }

    /// Checks every function of `use.functions`, also those that nobody calls.
    pub(super) fn check_functions(&mut self, node: &Node, pointer: &str) {
        for entry in node.object().unwrap_or_default() {
            let name = entry.key.as_str();
            if TAKEN.contains(&name) || name.contains('@') || name.contains("://") {
                let pointer = pointer_step(pointer, name);
                let message =
                    format!("a function can't be called '{name}': that calls something else");
                let problem = Problem::new(Rule::Strict, entry.key_span, &pointer, message);
                self.problems.push(problem.hint("choose another name"));
            }
            self.is_sound(entry);
        }
    }

    pub(super) fn custom_call(
        &mut self,
        task: &Node,
        function: &Entry,
        pointer: &str,
    ) -> Option<TaskKind> {
        let arguments = self.optional(task, "with", pointer, Self::value);
        let call = task.get("call")?;
        let place = pointer_step(pointer, "call");
        if self.functions.around.contains(&function.key) {
            let mut path = self.functions.around.clone();
            path.push(function.key.clone());
            let message = format!("the function calls itself: {}", path.join(", then "));
            return self.refuse(
                Problem::new(Rule::Strict, call.span, &place, message)
                    .value(&function.key)
                    .hint("repeat with 'for', or with a 'then' to an earlier task"),
            );
        }
        if !self.is_sound(function) {
            return None;
        }
        self.functions.calls += 1;
        if self.functions.calls > CALLS_MAX {
            let message = format!("the document's functions come to more than {CALLS_MAX} calls");
            return self.refuse(
                Problem::new(Rule::Limit, call.span, &place, message)
                    .hint("call them in a loop, or make a workflow of its own"),
            );
        }
        let body = self.body(function, &pointer_step(&place, &function.key))?;
        let arguments = arguments?.map(|template| self.arguments_task(task, template, pointer));
        Some(TaskKind::Do(TaskList(
            arguments.into_iter().chain([body]).collect(),
        )))
    }

    /// The task that makes the arguments of a call its function's input.
    pub(super) fn arguments_task(&self, call: &Node, template: Template, pointer: &str) -> Task {
        Task {
            name: "with".into(),
            reference: pointer_step(pointer, "with").into(),
            definition: Arc::new(json!({"set": call.get("with").map(Node::to_json)})),
            condition: None,
            input: Filter::default(),
            output: Filter::default(),
            export: Export::default(),
            timeout: None,
            then: Flow::Continue,
            metadata: Map::new(),
            compensation: None,
            extensions: Vec::new(),
            kind: TaskKind::Set(template),
        }
    }

    fn is_sound(&mut self, function: &Entry) -> bool {
        if let Some(known) = self.functions.sound.get(&function.key) {
            return *known;
        }
        let pointer = pointer_step("/use/functions", &function.key);
        let is_sound = self.body(function, &pointer).is_some();
        self.functions.sound.insert(function.key.clone(), is_sound);
        is_sound
    }

    /// The function's task. It sees none of the variables around the call.
    fn body(&mut self, function: &Entry, reference: &str) -> Option<Task> {
        let own = self.scope_of_all();
        let around = std::mem::replace(&mut self.scope, own);
        self.functions.around.push(function.key.clone());
        let body = self.task(function, reference, Targets::Names(&[]));
        self.functions.around.pop();
        self.scope = around;
        body
    }
}
