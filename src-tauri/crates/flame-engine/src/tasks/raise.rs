//! `raise`: an error made of evaluated fields.

use flame_dsl::{ErrorTemplate, Task, Template};
use serde_json::Value;

use crate::error::{Error, StandardError};
use crate::record::FrameId;
use crate::scope::{Scope, excerpt};
use crate::turn::Turn;

pub(crate) fn advance(turn: &mut Turn<'_>, id: FrameId, task: &Task, template: &ErrorTemplate) {
    let error = {
        let scope = turn.scope(id, task);
        make(&scope, template)
    };
    let (Ok(error) | Err(error)) = error;
    turn.fault(id, error);
}

fn make(scope: &Scope<'_>, template: &ErrorTemplate) -> Result<Error, Error> {
    let optional = |field: &Option<Template>, property: &str| match field {
        None => Ok(None),
        Some(field) => text(scope, field, property),
    };
    let kind = text(scope, &template.kind, "raise.error.type")?;
    Ok(Error {
        kind: kind.ok_or_else(|| not("raise.error.type", "a URI", &Value::Null))?,
        status: status(scope, &template.status)?,
        title: optional(&template.title, "raise.error.title")?,
        detail: optional(&template.detail, "raise.error.detail")?,
        instance: optional(&template.instance, "raise.error.instance")?,
    })
}

fn status(scope: &Scope<'_>, template: &Template) -> Result<u16, Error> {
    const PROPERTY: &str = "raise.error.status";
    let value = scope.template(template, PROPERTY)?;
    let number = match &value {
        Value::String(text) => text.parse().ok(),
        // jq has one kind of number: 400 may come as 400.0.
        value => value
            .as_f64()
            .filter(|n| n.fract() == 0.0 && (0.0..=65_535.0).contains(n))
            .map(|n| {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "checked above"
                )]
                let status = n as u16;
                status
            }),
    };
    number.ok_or_else(|| not(PROPERTY, "a status such as 400", &value))
}

/// A text as it is, null as nothing, anything else as JSON.
fn text(scope: &Scope<'_>, template: &Template, property: &str) -> Result<Option<String>, Error> {
    Ok(match scope.template(template, property)? {
        Value::Null => None,
        Value::String(text) => Some(text),
        value => Some(value.to_string()),
    })
}

fn not(property: &str, expected: &str, value: &Value) -> Error {
    StandardError::Expression.with(
        "Not an error",
        format!("{property} gave {}; it needs {expected}", excerpt(value)),
    )
}
