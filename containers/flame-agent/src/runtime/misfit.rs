//! What of a value does not fit its schema, and where it stands.

use flame_dsl::{Schema, Unfit};
use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

/// Misfits of one value that are told.
const TOLD_MAX: usize = 20;
/// Of what is told of one.
const MESSAGE_CHARACTERS_MAX: usize = 500;

/// One thing that does not fit.
#[derive(Debug, Clone)]
pub struct Misfit {
    /// JSON pointer of the value, also of one that is missing; empty for the whole.
    pub pointer: String,
    pub message: String,
}

impl Misfit {
    pub(super) fn of_whole(message: impl Into<String>) -> Self {
        Self {
            pointer: String::new(),
            message: message.into(),
        }
    }
}

/// What does not fit; `whole` is what the value is called, such as `the input`.
pub(super) fn misfits(schema: &Schema, value: &Value, whole: &str) -> Vec<Misfit> {
    let found = match schema.check(value, TOLD_MAX) {
        Ok(()) => return Vec::new(),
        Err(Unfit::Misfits(found)) => found,
        Err(Unfit::Unchecked(reason)) => {
            return vec![Misfit::of_whole(format!("{whole}: {reason}"))];
        }
    };
    let misfit = |error: ValidationError<'_>| {
        let place = error.instance_path().to_string();
        let named = if place.is_empty() { whole } else { &place };
        Misfit {
            message: shortened(format!("{named}: {error}")),
            pointer: pointer(&error),
        }
    };
    let mut told: Vec<Misfit> = found.into_iter().map(misfit).collect();
    if told.is_empty() {
        let message =
            format!("{whole} does not fit its schema; telling where takes more steps than it may");
        told.push(Misfit::of_whole(message));
    }
    told
}

/// A message has the whole value in it, which may be a megabyte.
fn shortened(mut message: String) -> String {
    if let Some((end, _)) = message.char_indices().nth(MESSAGE_CHARACTERS_MAX) {
        message.truncate(end);
        message.push('…');
    }
    message
}

fn pointer(error: &ValidationError<'_>) -> String {
    match error.kind() {
        ValidationErrorKind::Required {
            property: Value::String(property),
        } => error.instance_path().join(property.as_str()).to_string(),
        _ => error.instance_path().to_string(),
    }
}
