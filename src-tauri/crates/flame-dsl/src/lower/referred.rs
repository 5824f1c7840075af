//! Schemas with what they refer to elsewhere: texts from outside, as functions and schemas by `resource` are.
//!
//! A reference is read against what it stands in, by the library's rules. It may lead into the network; into the
//! resources folder only where the document itself names a schema there. Deliberately absent: fetching.

use std::error::Error;
use std::sync::Arc;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ReferencingError, Retrieve, Uri, ValidationError};
use serde_json::Value;
use url::Url;

use super::Lowering;
use super::external::{Place, format_of, is_readable, raw};
use crate::problem::{Problem, Rule};
use crate::schema::Wrong;
use crate::source::{self, Node};
use crate::{Externals, Schema};

/// What came of a schema.
pub(super) enum Compiled {
    Whole(Schema),
    /// A text that it refers to is not there yet.
    Waits,
    Wrong(Box<ValidationError<'static>>),
    /// The problem has been told.
    Refused,
}

/// The texts that are there, for the library.
struct Shelf(Arc<Externals>);

impl Retrieve for Shelf {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn Error + Send + Sync>> {
        let text = self.0.get(raw(uri.as_str()).as_str());
        let text = text.ok_or("it is not there")?;
        let node = source::read(text, format_of(text));
        let node = node.map_err(|problems| format!("neither JSON nor YAML: {}", problems[0]))?;
        Ok(node.to_json())
    }
}

impl Lowering<'_> {
    /// Compiles a schema: that of the document, or the one that came from `base`.
    pub(super) fn compile_schema(
        &mut self,
        node: &Node,
        source: Value,
        base: Option<&str>,
        pointer: &str,
    ) -> Compiled {
        let mut known = Vec::new();
        match base {
            Some(base) => known.extend(Url::parse(base).ok()),
            None => named_in(&source, &mut known),
        }
        let shelf = Shelf(Arc::clone(&self.outside.texts));
        let error = match Schema::compile(source, base, Some(Arc::new(shelf))) {
            Ok(schema) => return Compiled::Whole(schema),
            Err(Wrong::Schema(error)) => error,
            Err(Wrong::Costly(mut costly)) => {
                // The place of what was fetched is its address in the document.
                costly.pointer = costly.pointer.filter(|_| base.is_none());
                self.costly_schema::<()>(node, &costly, pointer);
                return Compiled::Refused;
            }
        };
        let Some((address, url)) = self.lacks(&error) else {
            return Compiled::Wrong(error);
        };
        let named = known.iter().any(|known| are_of_one_place(known, &url));
        if url.scheme() == "file" && !named {
            let message = "a schema out of the network refers to a file of the resources folder";
            let problem = Problem::new(Rule::Strict, node.span, pointer, message);
            let problem = problem.value(&address);
            self.problems
                .push(problem.hint("put what it refers to beside it"));
            return Compiled::Refused;
        }
        let place = Place {
            address,
            authentication: None,
            named,
        };
        match self.text_at(node, &place, pointer) {
            Some(_) => Compiled::Waits,
            None => Compiled::Refused,
        }
    }

    /// Where a text can be had that is not there yet, and without which the schema can't be compiled.
    fn lacks(&self, error: &ValidationError<'_>) -> Option<(String, Url)> {
        let ValidationErrorKind::Referencing(ReferencingError::Unretrievable { uri, .. }) =
            error.kind()
        else {
            return None;
        };
        let (address, url) = (raw(uri), Url::parse(uri).ok()?);
        let is_there = self.outside.texts.contains_key(address.as_str());
        (is_readable(uri) && !is_there).then_some((address, url))
    }
}

/// The addresses that a schema writes out.
fn named_in(source: &Value, found: &mut Vec<Url>) {
    match source {
        Value::Object(members) => {
            let names = ["$ref", "$dynamicRef", "$id"].map(|key| members.get(key));
            let texts = names.into_iter().flatten().filter_map(Value::as_str);
            found.extend(texts.filter_map(|text| Url::parse(text).ok()));
            members.values().for_each(|member| named_in(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| named_in(item, found)),
        _ => {}
    }
}

/// Whether whoever names the one names the place of the other too: a host with its port, or the resources folder.
fn are_of_one_place(one: &Url, other: &Url) -> bool {
    match one.scheme() {
        "file" => other.scheme() == "file",
        _ => one.origin() == other.origin(),
    }
}
