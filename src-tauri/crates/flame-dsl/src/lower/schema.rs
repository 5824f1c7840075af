//! `input`, `output` and `export`: JSON Schemas compiled, transforms read.

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ReferencingError, ValidationError};
use serde_json::Value;

use super::Lowering;
use super::referred::Compiled;
use crate::problem::{Problem, Rule};
use crate::schema::{Costly, Wrong};
use crate::source::Node;
use crate::{Export, Filter, Schema};

/// The drafts of JSON Schema that a format may name, each with the `$schema` that it stands for.
const DRAFTS: [(&str, &str); 5] = [
    ("2020-12", "https://json-schema.org/draft/2020-12/schema"),
    ("2019-09", "https://json-schema.org/draft/2019-09/schema"),
    ("draft-07", "http://json-schema.org/draft-07/schema#"),
    ("draft-06", "http://json-schema.org/draft-06/schema#"),
    ("draft-04", "http://json-schema.org/draft-04/schema#"),
];

/// A schema as one of that draft, unless it names its own.
pub(super) fn of_draft(mut schema: Value, draft: Option<&str>) -> Value {
    if let (Value::Object(members), Some(draft)) = (&mut schema, draft) {
        members
            .entry("$schema")
            .or_insert_with(|| Value::from(draft));
    }
    schema
}

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
        let draft = self.optional(node, "format", pointer, Self::draft)?;
        let draft = draft.flatten();
        if node.get("resource").is_some() {
            return self.required(node, "resource", pointer, |this, node, pointer| {
                this.schema_from(node, draft, pointer)
            });
        }
        self.required(node, "document", pointer, |this, node, pointer| {
            this.schema_document(node, draft, pointer)
        })
    }

    /// The draft that a format names; `Some(None)` where it leaves that to the schema.
    fn draft(&mut self, node: &Node, pointer: &str) -> Option<Option<&'static str>> {
        let text = node.text()?;
        if text == "json" {
            return Some(None);
        }
        let named = text.strip_prefix("json:");
        let known = named.and_then(|named| DRAFTS.iter().find(|(name, _)| *name == named));
        if let Some((_, address)) = known {
            return Some(Some(address));
        }
        let message = format!("schemas of the format '{text}' are not supported");
        let problem = Problem::new(Rule::Unsupported, node.span, pointer, message);
        let drafts: Vec<_> = DRAFTS.iter().map(|(name, _)| *name).collect();
        self.refuse(problem.value(text).hint(format!(
            "write a JSON Schema (format: json), or name its draft: json:{}",
            drafts.join(", json:")
        )))
    }

    /// `Some(None)` where what it refers to is not there yet.
    fn schema_document(
        &mut self,
        node: &Node,
        draft: Option<&str>,
        pointer: &str,
    ) -> Option<Option<Schema>> {
        match self.compile_schema(node, of_draft(node.to_json(), draft), None, pointer) {
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
                Problem::new(Rule::Strict, place.span, &pointer, message).hint(
                    "JSON Schema 2020-12 is read unless $schema or format names another draft",
                )
            }
        };
        self.problems.push(problem.value(place.shown()));
    }
}
