//! `input`, `output` and `export`: JSON Schemas compiled, transforms read.

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ReferencingError, ValidationError};
use serde_json::Value;

use super::Lowering;
use super::referred::Compiled;
use crate::problem::{Problem, Rule};
use crate::schema::{Costly, Wrong};
use crate::source::{Node, pointer_step};
use crate::{Export, Filter, Schema};

impl Lowering<'_> {
    pub(super) fn input(&mut self, node: &Node, pointer: &str) -> Option<Filter> {
        let schema = self.optional(node, "schema", pointer, Self::schema);
        let transform = self.optional(node, "from", pointer, Self::transform);
        Some(Filter {
            schema: schema?.flatten(),
            transform: transform?,
        })
    }

    pub(super) fn output(&mut self, node: &Node, pointer: &str) -> Option<Filter> {
        let schema = self.optional(node, "schema", pointer, Self::schema);
        let transform = self.optional(node, "as", pointer, Self::transform);
        Some(Filter {
            schema: schema?.flatten(),
            transform: transform?,
        })
    }

    pub(super) fn export(&mut self, node: &Node, pointer: &str) -> Option<Export> {
        let Filter { schema, transform } = self.output(node, pointer)?;
        Some(Export { schema, transform })
    }

    /// `Some(None)` where the schema is not there yet.
    fn schema(&mut self, node: &Node, pointer: &str) -> Option<Option<Schema>> {
        if let Some(format) = node.get("format")
            && let Some(text) = format.text()
            && text != "json"
            && !text.starts_with("json:")
        {
            let message = format!("schemas of the format '{text}' are not supported yet");
            let pointer = pointer_step(pointer, "format");
            let problem = Problem::new(Rule::Unsupported, format.span, &pointer, message);
            return self.refuse(
                problem
                    .value(text)
                    .hint("write a JSON Schema (format: json)"),
            );
        }
        if node.get("resource").is_some() {
            return self.required(node, "resource", pointer, Self::schema_from);
        }
        self.required(node, "document", pointer, Self::schema_document)
    }

    /// `Some(None)` where what it refers to is not there yet.
    fn schema_document(&mut self, node: &Node, pointer: &str) -> Option<Option<Schema>> {
        match self.compile_schema(node, node.to_json(), None, pointer) {
            Compiled::Whole(schema) => Some(Some(schema)),
            Compiled::Waits => Some(None),
            Compiled::Refused => None,
            Compiled::Wrong(first) => self.wrong_schema(node, &first, pointer),
        }
    }

    /// A schema that refers to nothing outside of itself, since a form is made of it.
    pub(super) fn form(&mut self, node: &Node, pointer: &str) -> Option<Schema> {
        match Schema::compile(node.to_json(), None, None) {
            Ok(schema) => Some(schema),
            Err(Wrong::Schema(first)) => self.wrong_schema(node, &first, pointer),
            Err(Wrong::Costly(costly)) => self.costly_schema(node, &costly, pointer),
        }
    }

    pub(super) fn costly_schema<T>(
        &mut self,
        node: &Node,
        costly: &Costly,
        pointer: &str,
    ) -> Option<T> {
        let path = costly.pointer.as_deref().unwrap_or_default();
        let place = node.at_pointer(path);
        let pointer = format!("{pointer}{path}");
        let mut problem = Problem::new(Rule::Strict, place.span, &pointer, costly.message);
        if let Some(value) = &costly.value {
            problem = problem.value(value);
        }
        self.refuse(problem.hint(costly.hint))
    }

    fn wrong_schema<T>(
        &mut self,
        node: &Node,
        first: &ValidationError<'_>,
        pointer: &str,
    ) -> Option<T> {
        let wrong = self.problems_of_schema(node, &node.to_json(), pointer);
        if wrong == 0 {
            self.problem_of_schema(node, first, pointer);
        }
        None
    }

    /// Reports everything that the schema of schemas refuses; how much that is.
    fn problems_of_schema(&mut self, node: &Node, source: &Value, pointer: &str) -> usize {
        let Ok(schemas) = jsonschema::meta::validator_for(source) else {
            return 0;
        };
        let mut wrong = 0;
        for error in schemas.iter_errors(source) {
            self.problem_of_schema(node, &error, pointer);
            wrong += 1;
        }
        wrong
    }

    fn problem_of_schema(&mut self, node: &Node, error: &ValidationError<'_>, pointer: &str) {
        let path = error.instance_path().to_string();
        let place = node.at_pointer(&path);
        let pointer = format!("{pointer}{path}");
        let problem = match error.kind() {
            ValidationErrorKind::Referencing(error) => {
                let message = match error {
                    ReferencingError::Unretrievable { uri, source } => {
                        format!("a reference to {uri} that can't be followed: {source}")
                    }
                    error => format!("a reference that leads nowhere: {error}"),
                };
                Problem::new(Rule::Strict, place.span, &pointer, message).hint(
                    "put what it refers to into $defs and write '#/$defs/name', or write the address of a JSON Schema",
                )
            }
            _ => {
                let message = format!("not a JSON Schema: {error}");
                Problem::new(Rule::Strict, place.span, &pointer, message)
                    .hint("JSON Schema 2020-12 is read unless $schema names another draft")
            }
        };
        self.problems.push(problem.value(place.shown()));
    }
}
