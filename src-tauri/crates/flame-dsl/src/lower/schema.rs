//! `input`, `output` and `export`: JSON Schemas compiled, transforms read.

use std::sync::Arc;

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use super::Lowering;
use crate::problem::{Problem, Rule};
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
            .map(Some)
    }

    pub(super) fn schema_document(&mut self, node: &Node, pointer: &str) -> Option<Schema> {
        let source = node.to_json();
        match jsonschema::options().build(&source) {
            Ok(validator) => Some(Schema {
                source: Arc::new(source),
                validator: Arc::new(validator),
            }),
            Err(first) => {
                let wrong = self.problems_of_schema(node, &source, pointer);
                if wrong == 0 {
                    self.problem_of_schema(node, &first, pointer);
                }
                None
            }
        }
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
        let is_reference = matches!(error.kind(), ValidationErrorKind::Referencing(_));
        let problem = if is_reference {
            let message = "a reference that leads out of this schema is not supported yet";
            Problem::new(Rule::Unsupported, place.span, &pointer, message)
                .hint("put what it refers to into $defs and write '#/$defs/name'")
        } else {
            let message = format!("not a JSON Schema: {error}");
            Problem::new(Rule::Strict, place.span, &pointer, message)
                .hint("JSON Schema 2020-12 is read unless $schema names another draft")
        };
        self.problems.push(problem.value(place.shown()));
    }
}
