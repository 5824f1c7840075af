//! Paths, arithmetic and comparison on JSON, where everything fits.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Write as _;

use jaq_core::ops::{Cmp, Math};
use serde_json::Value;

use super::{Result, Scope, Step, Unusual};
use crate::expression::json;
use crate::expression::meter::DEPTH_MAX;
use crate::expression::number::Number;

pub(super) fn boolean<'v>(value: bool) -> Cow<'v, Value> {
    Cow::Owned(Value::Bool(value))
}

pub(super) fn is_true(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false))
}

pub(super) fn number(value: &Value) -> Result<Number> {
    match value {
        Value::Number(number) => Ok(json::from_number(number)),
        _ => Err(Unusual),
    }
}

/// A number that JSON has.
pub(super) fn finite<'v>(number: Number) -> Result<Cow<'v, Value>> {
    match number {
        Number::Float(value) if !value.is_finite() => Err(Unusual),
        number => Ok(Cow::Owned(json::to_number(number))),
    }
}

pub(super) fn get<'v>(
    base: Cow<'v, Value>,
    steps: &[Step],
    scope: &Scope<'_>,
) -> Result<Cow<'v, Value>> {
    Ok(match base {
        Cow::Borrowed(value) => {
            follow(value, steps, scope)?.map_or(Cow::Owned(Value::Null), Cow::Borrowed)
        }
        Cow::Owned(value) => {
            let found = follow(&value, steps, scope)?;
            Cow::Owned(
                found
                    .map(|found| scope.copy(found))
                    .transpose()?
                    .unwrap_or_default(),
            )
        }
    })
}

/// None where the path leads to nothing.
fn follow<'v>(value: &'v Value, steps: &[Step], scope: &Scope<'_>) -> Result<Option<&'v Value>> {
    let mut found = Some(value);
    for step in steps {
        scope.work(1)?;
        found = match (found, step) {
            (None | Some(Value::Null), _) => None,
            (Some(Value::Object(members)), Step::Key(key)) => members.get(key),
            (Some(Value::Array(items)), Step::Index(index)) => item(items, *index),
            _ => return Err(Unusual),
        };
    }
    Ok(found)
}

/// Negative indices count from the end.
pub(super) fn item(items: &[Value], index: i64) -> Option<&Value> {
    let place = if index < 0 {
        index.checked_add_unsigned(items.len() as u64)?
    } else {
        index
    };
    items.get(usize::try_from(place).ok()?)
}

pub(super) fn compute<'v>(
    left: Cow<'v, Value>,
    operator: Math,
    right: Cow<'v, Value>,
    scope: &Scope<'_>,
) -> Result<Cow<'v, Value>> {
    if let (Value::Number(left), Value::Number(right)) = (&*left, &*right) {
        let (left, right) = (json::from_number(left), json::from_number(right));
        let result = match operator {
            Math::Add => Some(left.add(right)),
            Math::Sub => Some(left.subtract(right)),
            Math::Mul => Some(left.multiply(right)),
            Math::Div => left.divide(right),
            Math::Rem => left.remainder(right),
        };
        return finite(result.ok_or(Unusual)?);
    }
    match operator {
        Math::Add => add(left, right, scope),
        _ => Err(Unusual),
    }
}

fn add<'v>(
    left: Cow<'v, Value>,
    right: Cow<'v, Value>,
    scope: &Scope<'_>,
) -> Result<Cow<'v, Value>> {
    let own = |value| scope.own(value);
    Ok(match (&*left, &*right) {
        (Value::Null, _) => right,
        (_, Value::Null) => left,
        (Value::String(_), Value::String(_)) => match (own(left)?, &*right) {
            (Value::String(mut left), Value::String(right)) => {
                scope.work((left.len() + right.len()) / 16)?;
                left.push_str(right);
                Cow::Owned(Value::String(left))
            }
            _ => return Err(Unusual),
        },
        (Value::Array(_), Value::Array(_)) => match (own(left)?, own(right)?) {
            (Value::Array(mut left), Value::Array(right)) => {
                left.extend(right);
                Cow::Owned(Value::Array(left))
            }
            _ => return Err(Unusual),
        },
        (Value::Object(_), Value::Object(_)) => match (own(left)?, own(right)?) {
            (Value::Object(mut left), Value::Object(right)) => {
                left.extend(right);
                Cow::Owned(Value::Object(left))
            }
            _ => return Err(Unusual),
        },
        _ => return Err(Unusual),
    })
}

pub(super) fn compare(
    left: &Value,
    operator: Cmp,
    right: &Value,
    scope: &Scope<'_>,
) -> Result<bool> {
    match operator {
        Cmp::Eq => equal(left, right, scope, 0),
        Cmp::Ne => equal(left, right, scope, 0).map(|equal| !equal),
        Cmp::Lt => order(left, right).map(Ordering::is_lt),
        Cmp::Le => order(left, right).map(Ordering::is_le),
        Cmp::Gt => order(left, right).map(Ordering::is_gt),
        Cmp::Ge => order(left, right).map(Ordering::is_ge),
    }
}

fn order(left: &Value, right: &Value) -> Result<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            Ok(json::from_number(left).total_cmp(json::from_number(right)))
        }
        (Value::String(left), Value::String(right)) => Ok(left.cmp(right)),
        _ => Err(Unusual),
    }
}

pub(super) fn equal(left: &Value, right: &Value, scope: &Scope<'_>, depth: usize) -> Result<bool> {
    scope.work(1)?;
    if depth > DEPTH_MAX {
        return Err(Unusual);
    }
    Ok(match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            json::from_number(left) == json::from_number(right)
        }
        (Value::String(left), Value::String(right)) => {
            scope.work(left.len().min(right.len()) / 64)?;
            left == right
        }
        (Value::Array(left), Value::Array(right)) => {
            if left.len() != right.len() {
                return Ok(false);
            }
            for (left, right) in left.iter().zip(right) {
                if !equal(left, right, scope, depth + 1)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Object(left), Value::Object(right)) => {
            if left.len() != right.len() {
                return Ok(false);
            }
            for (key, left) in left {
                match right.get(key) {
                    Some(right) if equal(left, right, scope, depth + 1)? => {}
                    _ => return Ok(false),
                }
            }
            true
        }
        (left, right) => left == right,
    })
}

/// Appends what `tostring` gives of a scalar.
pub(super) fn text(value: &Value, joined: &mut String, scope: &Scope<'_>) -> Result<()> {
    match value {
        Value::String(text) => {
            scope.work(text.len() / 16)?;
            joined.push_str(text);
        }
        Value::Number(number) => {
            write!(joined, "{}", json::from_number(number)).map_err(|_| Unusual)?;
        }
        Value::Bool(value) => joined.push_str(if *value { "true" } else { "false" }),
        Value::Null => joined.push_str("null"),
        Value::Array(_) | Value::Object(_) => return Err(Unusual),
    }
    Ok(())
}
