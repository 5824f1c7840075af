//! Calls into the default catalog.

use jsonschema::error::ValidationErrorKind;

use super::Lowering;
use crate::catalog::{CatalogFunction, catalog};
use crate::problem::{Problem, Rule};
use crate::shape::{did_you_mean, spoken};
use crate::source::{Node, pointer_step};
use crate::{FunctionCall, Template};

impl Lowering<'_> {
    /// A `call` that is not `http`.
    pub(super) fn function_call(&mut self, task: &Node, pointer: &str) -> Option<FunctionCall> {
        let target = task.get("call")?;
        let name = target.text()?;
        let pointer_call = pointer_step(pointer, "call");
        let function = self.function(target, name, &pointer_call)?;
        let arguments = self.optional(task, "with", pointer, Self::value);
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
        let protocols: Vec<&str> = std::iter::once("http").chain(spoken()).collect();
        let own: Vec<String> = self.custom_names().into_iter().map(str::to_owned).collect();
        let names = || own.iter().chain(&known).map(String::as_str);
        let known_calls = || protocols.iter().copied().chain(names());
        let hint = did_you_mean(name, known_calls()).unwrap_or_else(|| {
            let names: Vec<&str> = names().collect();
            format!(
                "this release calls {}, {}",
                protocols.join(", "),
                names.join(", ")
            )
        });
        let message = if name.contains('@') {
            "no such function in the default catalog"
        } else {
            "no such function in use.functions"
        };
        let problem = Problem::new(Rule::Reference, node.span, pointer, message);
        self.refuse(problem.value(name).hint(hint))
    }

    /// Holds the arguments against the function's schema, as far as they are literal.
    fn check_arguments(&mut self, function: &CatalogFunction, with: &Node, pointer: &str) {
        let hint = format!("it takes {}", function.argument_names().join(", "));
        let name = function.name();
        for error in function.validator.iter_errors(&with.to_json()) {
            let path = error.instance_path().to_string();
            let place = with.at_pointer(&path);
            // What an expression gives is known when it runs.
            let may_be_one = |text: &str| self.loose || text.contains("${");
            if place.text().is_some_and(may_be_one) {
                continue;
            }
            let pointer = format!("{pointer}{path}");
            match error.kind() {
                ValidationErrorKind::AdditionalProperties { unexpected } => {
                    for key in unexpected {
                        self.unknown_argument(function, with, key, &pointer);
                    }
                }
                ValidationErrorKind::Required { property } => {
                    let property = property.as_str().unwrap_or_default();
                    let message = format!("'{property}' is missing in the arguments of {name}");
                    let problem = Problem::new(Rule::Strict, place.span, &pointer, message);
                    self.problems.push(problem.hint(hint.as_str()));
                }
                _ => {
                    let message = format!("an argument of {name} is wrong: {error}");
                    let problem = Problem::new(Rule::Strict, place.span, &pointer, message);
                    let hint = function.describe(&path).unwrap_or(&hint);
                    self.problems.push(problem.value(place.shown()).hint(hint));
                }
            }
        }
        for [one, other] in function.exactly_one {
            if with.get(one).is_some() == with.get(other).is_some() {
                let message = format!("{name} needs either '{one}' or '{other}'");
                let problem = Problem::new(Rule::Strict, with.span, pointer, message);
                self.problems.push(problem.hint(hint.as_str()));
            }
        }
    }

    fn unknown_argument(
        &mut self,
        function: &CatalogFunction,
        with: &Node,
        key: &str,
        pointer: &str,
    ) {
        let span = with.entry(key).map_or(with.span, |entry| entry.key_span);
        let names = function.argument_names();
        let hint = did_you_mean(key, names.iter().copied())
            .unwrap_or_else(|| format!("it takes {}", names.join(", ")));
        let message = format!("unknown argument '{key}' of {}", function.name());
        let pointer = pointer_step(pointer, key);
        self.problems
            .push(Problem::new(Rule::Strict, span, &pointer, message).hint(hint));
    }
}

/// What a call without `with` gives: an empty object, seen where the call is.
fn no_arguments(call: &Node) -> Node {
    Node {
        content: crate::source::Content::Object(Vec::new()),
        span: call.span,
    }
}
