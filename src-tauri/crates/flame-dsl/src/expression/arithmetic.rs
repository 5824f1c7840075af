//! `+ - * / %` and the negation of values.

use std::ops::{Add, Div, Mul, Neg, Rem, Sub};
use std::rc::Rc;

use super::access::{Error, ValR, describe, fail};
use super::meter::{self, Resource, VALUE_BYTES_MAX};
use super::number::Number;
use super::value::{Array, Object, Text, Val};

fn unfit(left: &Val, right: &Val, participle: &str) -> Error {
    fail(format!(
        "{} and {} cannot be {participle}",
        describe(left),
        describe(right)
    ))
}

fn by_zero(left: &Val, right: &Val, how: &str) -> Error {
    unfit(
        left,
        right,
        &format!("divided{how} because the divisor is zero"),
    )
}

impl Add for Val {
    type Output = ValR;

    fn add(self, other: Self) -> ValR {
        meter::tick(1);
        Ok(match (self, other) {
            (Self::Null, value) | (value, Self::Null) => value,
            (Self::Number(left), Self::Number(right)) => Self::Number(left.add(right)),
            (Self::Text(left), Self::Text(right)) => Self::Text(concatenate(left, &right)),
            (Self::Array(left), Self::Array(right)) => Self::Array(append(left, right)),
            (Self::Object(left), Self::Object(right)) => Self::Object(unite(left, right)),
            (left, right) => return Err(unfit(&left, &right, "added")),
        })
    }
}

fn concatenate(mut left: Rc<Text>, right: &Text) -> Rc<Text> {
    if let Some(text) = Rc::get_mut(&mut left) {
        text.push(right.as_str());
        return left;
    }
    let bytes = left.as_str().len() + right.as_str().len();
    super::value::check_bytes(bytes);
    match Val::text([left.as_str(), right.as_str()].concat()) {
        Val::Text(text) => text,
        _ => left,
    }
}

fn append(mut left: Rc<Array>, right: Rc<Array>) -> Rc<Array> {
    if left.items().is_empty() {
        return right;
    }
    let right = Array::take(right);
    meter::tick(right.len() as u64 / 16);
    Array::change(&mut left, |items, sums| {
        right.iter().for_each(|item| sums.came(item));
        items.extend(right);
    });
    left
}

fn unite(mut left: Rc<Object>, right: Rc<Object>) -> Rc<Object> {
    if left.members().is_empty() {
        return right;
    }
    meter::tick(right.members().len() as u64 / 4);
    for (key, value) in Object::take(right) {
        Object::insert(&mut left, key, value);
    }
    left
}

impl Sub for Val {
    type Output = ValR;

    fn sub(self, other: Self) -> ValR {
        meter::tick(1);
        match (self, other) {
            (Self::Number(left), Self::Number(right)) => Ok(Self::Number(left.subtract(right))),
            (Self::Array(mut left), Self::Array(right)) => {
                Array::change(&mut left, |items, sums| {
                    items.retain(|item| {
                        let keep = !right.items().contains(item);
                        if !keep {
                            sums.left(item);
                        }
                        keep
                    });
                });
                Ok(Self::Array(left))
            }
            (left, right) => Err(unfit(&left, &right, "subtracted")),
        }
    }
}

impl Mul for Val {
    type Output = ValR;

    fn mul(self, other: Self) -> ValR {
        meter::tick(1);
        match (self, other) {
            (Self::Number(left), Self::Number(right)) => Ok(Self::Number(left.multiply(right))),
            (Self::Text(text), Self::Number(times)) | (Self::Number(times), Self::Text(text)) => {
                Ok(repeat(&text, times))
            }
            (Self::Object(mut left), Self::Object(right)) => {
                merge(&mut left, right);
                Ok(Self::Object(left))
            }
            (left, right) => Err(unfit(&left, &right, "multiplied")),
        }
    }
}

fn repeat(text: &Text, times: Number) -> Val {
    let times = times.to_f64();
    if times.is_nan() || times < 0.0 {
        return Val::Null;
    }
    #[expect(clippy::cast_precision_loss, reason = "only compared with a limit")]
    let bytes = text.as_str().len() as f64 * times;
    #[expect(clippy::cast_precision_loss, reason = "a limit far below 53 bits")]
    if bytes > VALUE_BYTES_MAX as f64 {
        meter::exceed(Resource::ValueSize);
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive; saturates for empty text"
    )]
    let times = if text.as_str().is_empty() {
        0
    } else {
        times as usize
    };
    Val::text(text.as_str().repeat(times))
}

/// Members of objects on both sides are merged in turn; otherwise the right one wins. As deep as values go.
fn merge(left: &mut Rc<Object>, right: Rc<Object>) {
    for (key, value) in Object::take(right) {
        meter::tick(1);
        let value = match (left.get(key.as_str()), value) {
            (Some(Val::Object(_)), Val::Object(right)) => match Object::lift(left, key.as_str()) {
                Some(Val::Object(mut below)) => {
                    merge(&mut below, right);
                    Val::Object(below)
                }
                _ => Val::Object(right),
            },
            (_, value) => value,
        };
        Object::insert(left, key, value);
    }
}

impl Div for Val {
    type Output = ValR;

    fn div(self, other: Self) -> ValR {
        meter::tick(1);
        match (self, other) {
            (Self::Number(left), Self::Number(right)) => match left.divide(right) {
                Some(result) => Ok(Self::Number(result)),
                None => Err(by_zero(&Self::Number(left), &Self::Number(right), "")),
            },
            (Self::Text(left), Self::Text(right)) => Ok(split(left.as_str(), right.as_str())),
            (left, right) => Err(unfit(&left, &right, "divided")),
        }
    }
}

/// The pieces of a text between separators; its characters where the separator is empty.
pub(super) fn split(text: &str, separator: &str) -> Val {
    meter::tick_bytes(text.len());
    if text.is_empty() {
        Val::array(Vec::new())
    } else if separator.is_empty() {
        text.chars().map(Val::text).collect()
    } else {
        text.split(separator).map(Val::text).collect()
    }
}

impl Rem for Val {
    type Output = ValR;

    fn rem(self, other: Self) -> ValR {
        meter::tick(1);
        match (self, other) {
            (Self::Number(left), Self::Number(right)) => match left.remainder(right) {
                Some(result) => Ok(Self::Number(result)),
                None => Err(by_zero(
                    &Self::Number(left),
                    &Self::Number(right),
                    " (remainder)",
                )),
            },
            (left, right) => Err(unfit(&left, &right, "divided (remainder)")),
        }
    }
}

impl Neg for Val {
    type Output = ValR;

    fn neg(self) -> ValR {
        match self {
            Self::Number(number) => Ok(Self::Number(number.negate())),
            other => Err(fail(format!("{} cannot be negated", describe(&other)))),
        }
    }
}
