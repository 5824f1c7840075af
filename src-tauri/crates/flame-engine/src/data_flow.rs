//! Schemas and transformations on the way into and out of a task (DSL 1.0.3, "Data Flow").

use std::sync::Arc;

use flame_dsl::{Schema, Template, Unfit};
use serde_json::Value;

use crate::error::{Error, StandardError};
use crate::scope::Scope;

/// How many violations a message lists.
const VIOLATIONS_MAX: usize = 5;
/// How much of one violation a message shows.
const VIOLATION_CHARACTERS_MAX: usize = 300;

/// `property` names the schema's place for the message, such as `input.schema`.
pub(crate) fn check(schema: Option<&Schema>, value: &Value, property: &str) -> Result<(), Error> {
    let Some(schema) = schema else { return Ok(()) };
    let misfits = match schema.check(value, VIOLATIONS_MAX) {
        Ok(()) => return Ok(()),
        Err(Unfit::Misfits(misfits)) => misfits,
        Err(Unfit::Unchecked(reason)) => {
            return Err(StandardError::Validation.with(
                "Could not be held against the schema",
                format!("{property}: {reason}"),
            ));
        }
    };
    let mut violations: Vec<String> = misfits
        .into_iter()
        .map(|error| {
            let text: String = error
                .to_string()
                .chars()
                .take(VIOLATION_CHARACTERS_MAX)
                .collect();
            match error.instance_path().as_str() {
                "" => text,
                path => format!("{path}: {text}"),
            }
        })
        .collect();
    if violations.is_empty() {
        violations.push("telling where takes more steps than it may".to_owned());
    }
    Err(StandardError::Validation.with(
        "Does not fit the schema",
        format!("{property}: {}", violations.join("; ")),
    ))
}

/// The value after an optional transformation; the same allocation where there is none.
pub(crate) fn transform(
    template: Option<&Template>,
    value: &Arc<Value>,
    scope: &Scope<'_>,
    property: &str,
) -> Result<Arc<Value>, Error> {
    match template {
        None => Ok(Arc::clone(value)),
        Some(template) => scope.template(template, property).map(Arc::new),
    }
}

/// The value where it differs from what the fold would take by itself.
pub(crate) fn unless_same(value: Arc<Value>, known: &Arc<Value>) -> Option<Arc<Value>> {
    (!Arc::ptr_eq(&value, known) && value != *known).then_some(value)
}
