//! Calls into the default catalog, and the calls that this release refuses by name.

use jsonschema::error::ValidationErrorKind;

use super::Lowering;
use crate::catalog::{CatalogFunction, catalog};
use crate::problem::{Problem, Rule};
use crate::shape::did_you_mean;
use crate::source::{Node, pointer_step};
use crate::{FunctionCall, Template};

impl Lowering<'_> {
    /// A `call` that is not `http`.
    pub(super) fn function_call(&mut self, task: &Node, pointer: &str) -> Option<FunctionCall> {
        let target = task.get("call")?;
        let name = target.text()?;
        let pointer_call = pointer_step(pointer, "call");
        let function = self.function(target, name, &pointer_call)?;
        let arguments = self.optional(task, "with", pointer, Self::template);
        let pointer = pointer_step(pointer, "with");
        match task.get("with") {
            Some(with) => self.check_arguments(function, with, &pointer),
            None => self.check_arguments(function, &no_arguments(target), &pointer_call),
        }
        Some(FunctionCall {
            connector: function.connector.into(),
            operation: function.operation.into(),
            version: function.version.into(),
            arguments: arguments?
                .unwrap_or_else(|| Template::Literal(std::sync::Arc::new(serde_json::json!({})))),
        })
    }

    fn function(
        &mut self,
        node: &Node,
        name: &str,
        pointer: &str,
    ) -> Option<&'static CatalogFunction> {
        if let Some(found) = catalog().iter().find(|function| function.name() == name) {
            return Some(found);
        }
        let known: Vec<String> = catalog().iter().map(CatalogFunction::name).collect();
        let known_calls = || std::iter::once("http").chain(known.iter().map(String::as_str));
        let unsupported = match name {
            "asyncapi" | "grpc" | "openapi" | "a2a" | "mcp" => Some(format!("'call: {name}' is")),
            _ if name.contains("://") => Some("functions from an address are".to_owned()),
            _ => match name.rsplit_once('@') {
                Some((_, "default")) => None,
                Some(_) => Some("catalogs other than the default one are".to_owned()),
                None => Some("custom functions are".to_owned()),
            },
        };
        let hint = did_you_mean(name, known_calls())
            .unwrap_or_else(|| format!("this release calls http, {}", known.join(", ")));
        let problem = match unsupported {
            Some(what) => {
                let message = format!("{what} not supported yet");
                Problem::new(Rule::Unsupported, node.span, pointer, message)
            }
            None => {
                let message = "no such function in the default catalog";
                Problem::new(Rule::Reference, node.span, pointer, message)
            }
        };
        self.refuse(problem.value(name).hint(hint))
    }

    /// Holds the arguments against the function's schema, as far as they are literal.
    fn check_arguments(&mut self, function: &CatalogFunction, with: &Node, pointer: &str) {
        let value = with.to_json();
        for error in function.validator.iter_errors(&value) {
            let path = error.instance_path().to_string();
            let place = with.at_pointer(&path);
            if place.text().is_some_and(|text| text.contains("${")) {
                continue;
            }
            let message = match error.kind() {
                ValidationErrorKind::OneOfNotValid { .. }
                | ValidationErrorKind::OneOfMultipleValid { .. } => {
                    "exactly one of 'record' and 'records' must be given".to_owned()
                }
                _ => error.to_string(),
            };
            let takes: Vec<&str> = function.arguments["properties"]
                .as_object()
                .map(|properties| properties.keys().map(String::as_str).collect())
                .unwrap_or_default();
            let message = format!("the arguments of {} are wrong: {message}", function.name());
            let hint = format!("{} takes {}", function.name(), takes.join(", "));
            let pointer = format!("{pointer}{path}");
            let problem = Problem::new(Rule::Strict, place.span, &pointer, message);
            self.problems.push(problem.value(place.shown()).hint(hint));
        }
    }
}

/// What a call without `with` gives: an empty object, seen where the call is.
fn no_arguments(call: &Node) -> Node {
    Node {
        content: crate::source::Content::Object(Vec::new()),
        span: call.span,
    }
}
