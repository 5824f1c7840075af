//! One task: what every kind shares, and the kinds that hold no tasks.

use std::sync::Arc;

use serde_json::Value;

use super::Lowering;
use super::authentication::is_authenticated;
use super::flow::Targets;
use super::listen::PERSON_KEY;
use crate::problem::{Problem, Rule};
use crate::shape::KINDS;
use crate::source::{Content, Entry, Node, pointer_step};
use crate::{Flow, Protocol, Task, TaskKind, Template};

/// Attributes of CloudEvents 1.0 that an emitted event's `with` may set.
const EVENT_ATTRIBUTES: &[&str] = &[
    "id",
    "source",
    "type",
    "time",
    "subject",
    "datacontenttype",
    "dataschema",
    "data",
];

impl Lowering<'_> {
    pub(super) fn task(
        &mut self,
        entry: &Entry,
        reference: &str,
        targets: Targets<'_>,
    ) -> Option<Task> {
        let node = &entry.value;
        node.object()?;
        let condition = self.optional(node, "if", reference, Self::expression);
        let input = self.optional(node, "input", reference, Self::input);
        // Known once the call is made, by whichever authentication.
        let known: &[&str] = match is_call_authenticated(node) {
            true => &["authorization"],
            false => &[],
        };
        let (output, export) = self.within(known, |this| {
            (
                this.optional(node, "output", reference, Self::output),
                this.optional(node, "export", reference, Self::export),
            )
        });
        let timeout = self.optional(node, "timeout", reference, Self::timeout);
        let then = self.optional(node, "then", reference, |this, node, pointer| {
            this.flow(node, pointer, targets)
        });
        let compensation = self.compensation(node, reference);
        let kind = self.kind(node, reference, targets);
        let extensions = self.extensions_of(node, reference);
        let metadata = match node.get("metadata").map(Node::to_json) {
            Some(Value::Object(metadata)) => metadata,
            _ => serde_json::Map::new(),
        };
        if let Some(person) = node.get("metadata").and_then(|node| node.entry(PERSON_KEY))
            && node.get("listen").is_none()
        {
            let pointer = pointer_step(&pointer_step(reference, "metadata"), PERSON_KEY);
            let message = "a person is asked by a listen task";
            let problem = Problem::new(Rule::Strict, person.key_span, &pointer, message);
            self.problems
                .push(problem.hint("put it on a task that listens to io.mastra.approval.v1"));
        }
        Some(Task {
            name: entry.key.as_str().into(),
            reference: reference.into(),
            definition: Arc::new(node.to_json()),
            condition: condition?,
            input: input?.unwrap_or_default(),
            output: output?.unwrap_or_default(),
            export: export?.unwrap_or_default(),
            timeout: timeout?,
            then: then?.unwrap_or(Flow::Continue),
            metadata,
            compensation: compensation?,
            extensions: extensions?,
            kind: kind?,
        })
    }

    fn kind(&mut self, node: &Node, pointer: &str, targets: Targets<'_>) -> Option<TaskKind> {
        let keyword = keyword(node)?;
        Some(match keyword {
            "do" => TaskKind::Do(self.required(node, "do", pointer, Self::tasks)?),
            "for" => TaskKind::For(self.for_each(node, pointer)?),
            "try" => TaskKind::Try(Box::new(self.try_catch(node, pointer, targets)?)),
            "fork" => TaskKind::Fork(self.required(node, "fork", pointer, Self::fork)?),
            "switch" => TaskKind::Switch(self.required(
                node,
                "switch",
                pointer,
                |this, node, pointer| this.cases(node, pointer, targets),
            )?),
            "set" => TaskKind::Set(self.required(node, "set", pointer, Self::transform)?),
            "wait" => TaskKind::Wait(self.required(node, "wait", pointer, Self::duration)?),
            "raise" => TaskKind::Raise(self.required(
                node,
                "raise",
                pointer,
                |this, node, pointer| this.required(node, "error", pointer, Self::raised),
            )?),
            "emit" => {
                TaskKind::Emit(self.required(node, "emit", pointer, |this, node, pointer| {
                    this.required(node, "event", pointer, |this, node, pointer| {
                        this.required(node, "with", pointer, Self::event)
                    })
                })?)
            }
            "run" => TaskKind::Run(Box::new(self.required(node, "run", pointer, Self::run)?)),
            "call" if node.get("call").and_then(Node::text) == Some("http") => {
                let call = self.required(node, "with", pointer, Self::http_call)?;
                TaskKind::CallHttp(Box::new(call))
            }
            "call" if let Some(protocol) = protocol(node) => {
                TaskKind::CallProtocol(Box::new(self.protocol_call(node, protocol, pointer)?))
            }
            "call" if self.is_external(node) => self.external_call(node, pointer)?,
            "call" if self.own_function(node).is_some() => {
                let function = self.own_function(node)?;
                self.custom_call(node, &function, pointer)?
            }
            "call" => TaskKind::CallFunction(self.function_call(node, pointer)?),
            "listen" => TaskKind::Listen(Box::new(self.listen(node, pointer)?)),
            _ => return None,
        })
    }

    /// The event's attributes; the engine fills in those that are not given.
    fn event(&mut self, node: &Node, pointer: &str) -> Option<Template> {
        for entry in node.object()? {
            let key = entry.key.as_str();
            let is_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
            if !EVENT_ATTRIBUTES.contains(&key) && (key.is_empty() || !key.bytes().all(is_name)) {
                let pointer = pointer_step(pointer, key);
                let problem = Problem::new(
                    Rule::Strict,
                    entry.key_span,
                    &pointer,
                    format!("'{key}' can't be an attribute of an event"),
                );
                self.problems.push(problem.hint(
                    "CloudEvents takes lower-case letters and digits; put the rest into 'data'",
                ));
            }
        }
        if !self.loose {
            return self.template(node, pointer);
        }
        // Names and addresses stay what they are.
        let mut members = Vec::new();
        for entry in node.object()? {
            let pointer = pointer_step(pointer, &entry.key);
            let value = match entry.key.as_str() {
                "data" => self.value(&entry.value, &pointer),
                _ => self.template(&entry.value, &pointer),
            };
            members.push((entry.key.clone(), value?));
        }
        Some(Template::Object(members))
    }
}

fn is_call_authenticated(task: &Node) -> bool {
    let protocol = protocol(task);
    let is_http = task.get("call").and_then(Node::text) == Some("http");
    (is_http || protocol.is_some())
        && task
            .get("with")
            .is_some_and(|with| is_authenticated(with, protocol))
}

/// The protocol that a call speaks, where it is not HTTP itself.
fn protocol(task: &Node) -> Option<Protocol> {
    Some(match task.get("call")?.text()? {
        "openapi" => Protocol::OpenApi,
        "grpc" => Protocol::Grpc,
        "mcp" => Protocol::Mcp,
        "asyncapi" => Protocol::AsyncApi,
        "a2a" => Protocol::A2a,
        _ => return None,
    })
}

/// The keyword that says what a task does; `None` where there is not exactly one.
pub(super) fn keyword(node: &Node) -> Option<&'static str> {
    let Content::Object(entries) = &node.content else {
        return None;
    };
    let is_loop = entries.iter().any(|entry| entry.key == "for");
    let mut found = KINDS
        .iter()
        .map(|kind| kind.keyword)
        .filter(|keyword| !(is_loop && *keyword == "do"))
        .filter(|keyword| entries.iter().any(|entry| entry.key == *keyword));
    match (found.next(), found.next()) {
        (Some(keyword), None) => Some(keyword),
        _ => None,
    }
}
