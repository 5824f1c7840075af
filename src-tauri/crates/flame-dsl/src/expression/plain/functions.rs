//! The filters of jq that the short way knows, where everything fits.

use std::borrow::Cow;

use jaq_core::ops::Math;
use serde_json::Value;

use super::operations::{boolean, compute, finite, is_true, item, number, text};
use super::{NULL, Plain, Result, Scope, Unusual};
use crate::expression::number::Number;

#[derive(Debug, Clone, PartialEq)]
pub(in crate::expression) enum Function {
    Not,
    Length,
    Keys,
    First,
    Last,
    Add,
    Type,
    ToString,
    Lowercase,
    Uppercase,
    Floor,
    Round,
    Ceil,
    /// `map` with a stream.
    Map(Box<Plain>),
    /// `any` or `all` (`true` for all) with a single condition.
    Any(bool, Box<Plain>),
    Has(Box<Plain>),
    Join(Box<Plain>),
    StartsWith(Box<Plain>),
    EndsWith(Box<Plain>),
    Contains(Box<Plain>),
}

impl Function {
    pub(super) fn call<'v>(
        &'v self,
        input: &'v Value,
        scope: &Scope<'v>,
    ) -> Result<Cow<'v, Value>> {
        Ok(match self {
            Self::Not => boolean(!is_true(input)),
            Self::Length => Cow::Owned(Value::from(length(input, scope)?)),
            Self::Keys => Cow::Owned(keys(input, scope)?),
            Self::First => Cow::Borrowed(at(input, 0)?),
            Self::Last => Cow::Borrowed(at(input, -1)?),
            Self::Add => return add(input, scope),
            Self::Type => Cow::Owned(Value::from(kind(input))),
            Self::ToString => {
                let mut joined = String::new();
                text(input, &mut joined, scope)?;
                Cow::Owned(Value::String(joined))
            }
            Self::Lowercase => {
                Cow::Owned(Value::String(string(input, scope)?.to_ascii_lowercase()))
            }
            Self::Uppercase => {
                Cow::Owned(Value::String(string(input, scope)?.to_ascii_uppercase()))
            }
            Self::Floor => return rounded(input, f64::floor),
            Self::Round => return rounded(input, f64::round),
            Self::Ceil => return rounded(input, f64::ceil),
            Self::Map(mapped) => Cow::Owned(Value::Array(map(input, mapped, scope)?)),
            Self::Any(all, condition) => boolean(any(input, *all, condition, scope)?),
            Self::Has(key) => match (input, &*key.value(input, scope)?) {
                (Value::Object(members), Value::String(key)) => boolean(members.contains_key(key)),
                _ => return Err(Unusual),
            },
            Self::Join(separator) => {
                Cow::Owned(join(input, &*separator.value(input, scope)?, scope)?)
            }
            Self::StartsWith(part) => boolean(
                string(input, scope)?.starts_with(string(&*part.value(input, scope)?, scope)?),
            ),
            Self::EndsWith(part) => boolean(
                string(input, scope)?.ends_with(string(&*part.value(input, scope)?, scope)?),
            ),
            Self::Contains(part) => {
                boolean(string(input, scope)?.contains(string(&*part.value(input, scope)?, scope)?))
            }
        })
    }
}

fn string<'v>(value: &'v Value, scope: &Scope<'_>) -> Result<&'v str> {
    let text = value.as_str().ok_or(Unusual)?;
    scope.work(text.len() / 16)?;
    Ok(text)
}

fn items(value: &Value) -> Result<&[Value]> {
    value.as_array().map(Vec::as_slice).ok_or(Unusual)
}

fn length(value: &Value, scope: &Scope<'_>) -> Result<usize> {
    match value {
        Value::Null => Ok(0),
        Value::String(_) => string(value, scope).map(|text| text.chars().count()),
        Value::Array(items) => Ok(items.len()),
        Value::Object(members) => Ok(members.len()),
        Value::Bool(_) | Value::Number(_) => Err(Unusual),
    }
}

fn keys(value: &Value, scope: &Scope<'_>) -> Result<Value> {
    let members = value.as_object().ok_or(Unusual)?;
    let mut keys: Vec<_> = members.keys().collect();
    for key in &keys {
        scope.work(1 + key.len() / 16)?;
    }
    keys.sort_unstable();
    Ok(Value::from_iter(keys.into_iter().map(String::as_str)))
}

fn at(value: &Value, index: i64) -> Result<&Value> {
    match value {
        Value::Null => Ok(NULL),
        value => items(value).map(|items| item(items, index).unwrap_or(NULL)),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn rounded<'v>(value: &Value, round: fn(f64) -> f64) -> Result<Cow<'v, Value>> {
    match number(value)? {
        Number::Float(value) => finite(Number::computed(round(value))),
        whole => finite(whole),
    }
}

fn add<'v>(value: &'v Value, scope: &Scope<'_>) -> Result<Cow<'v, Value>> {
    let mut sum = Cow::Borrowed(NULL);
    for item in items(value)? {
        scope.work(1)?;
        sum = compute(sum, Math::Add, Cow::Borrowed(item), scope)?;
    }
    Ok(sum)
}

fn map(value: &Value, mapped: &Plain, scope: &Scope<'_>) -> Result<Vec<Value>> {
    let mut results = Vec::new();
    for item in items(value)? {
        mapped.each(item, scope, &mut |result| {
            results.push(scope.own(result)?);
            Ok(())
        })?;
    }
    Ok(results)
}

/// Stops at the first item that decides.
fn any(value: &Value, all: bool, condition: &Plain, scope: &Scope<'_>) -> Result<bool> {
    for item in items(value)? {
        if is_true(&*condition.value(item, scope)?) != all {
            return Ok(!all);
        }
    }
    Ok(all)
}

fn join(value: &Value, separator: &Value, scope: &Scope<'_>) -> Result<Value> {
    let separator = separator.as_str().ok_or(Unusual)?;
    let mut joined = String::new();
    for (index, item) in items(value)?.iter().enumerate() {
        scope.work(1 + separator.len() / 16)?;
        if index > 0 {
            joined.push_str(separator);
        }
        match item {
            Value::Null => {}
            item => text(item, &mut joined, scope)?,
        }
    }
    Ok(Value::String(joined))
}
