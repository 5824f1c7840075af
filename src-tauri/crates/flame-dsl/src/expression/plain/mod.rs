//! The short way for everyday expressions: paths, literals, comparisons, arithmetic, objects, `map`, `select`.
//! It computes on the input itself, without making jaq's values of it first.
//!
//! It knows the ordinary case only. Whatever is out of the ordinary (an error, a kind that does not fit, a
//! number that JSON lacks, much work) it leaves to jaq, which begins anew: so both always agree, and all that
//! jaq's errors and budget say stays true.

mod build;
mod functions;

mod operations;

use std::borrow::Cow;
use std::cell::Cell;

use jaq_core::ops::{Cmp, Math};
use serde_json::{Map, Value};

use super::meter::DEPTH_MAX;

pub(super) use build::build;
use functions::Function;
use operations::{boolean, compare, compute, finite, get, is_true, number, text};

/// Values looked at and sixteens of bytes copied, before jaq takes over.
const WORK_MAX: usize = 256 * 1024;

/// An expression that the short way knows.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Plain {
    Input,
    /// By its place among the variables.
    Variable(usize),
    Literal(Value),
    Get(Box<Plain>, Vec<Step>),
    /// `.[]`: a stream.
    Each(Box<Plain>),
    /// A stream where either side is one.
    Pipe(Box<Plain>, Box<Plain>),
    /// A stream.
    Comma(Box<Plain>, Box<Plain>),
    /// A stream of one or none.
    Select(Box<Plain>),
    /// `[ ]` around a stream, or around nothing.
    Collect(Option<Box<Plain>>),
    Object(Vec<(String, Plain)>),
    Text(Vec<Plain>),
    Negative(Box<Plain>),
    Compute(Box<Plain>, Math, Box<Plain>),
    Compare(Box<Plain>, Cmp, Box<Plain>),
    And(Box<Plain>, Box<Plain>),
    Or(Box<Plain>, Box<Plain>),
    Alternative(Box<Plain>, Box<Plain>),
    /// Conditions with what follows them, and what holds otherwise.
    If(Vec<(Plain, Plain)>, Box<Plain>),
    Call(Function),
}

/// One name or index of a path.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    Key(String),
    Index(i64),
}

/// Not the ordinary case.
#[derive(Debug)]
pub(super) struct Unusual;

type Result<T> = std::result::Result<T, Unusual>;

/// What an evaluation has at hand.
pub(super) struct Scope<'v> {
    variables: &'v [Option<&'v Value>],
    work_left: Cell<usize>,
}

const NULL: &Value = &Value::Null;

/// The first output, null where there is none.
pub(super) fn evaluate(
    plain: &Plain,
    input: &Value,
    variables: &[Option<&Value>],
) -> Result<Value> {
    let scope = Scope {
        variables,
        work_left: Cell::new(WORK_MAX),
    };
    if plain.is_single() {
        return scope.own(plain.value(input, &scope)?);
    }
    let mut first = None;
    // The stream is stopped by the very answer that says there is an output.
    let ended = plain.each(input, &scope, &mut |output| {
        first = Some(scope.own(output)?);
        Err(Unusual)
    });
    match (first, ended) {
        (Some(first), _) => Ok(first),
        (None, Ok(())) => Ok(Value::Null),
        (None, Err(unusual)) => Err(unusual),
    }
}

impl Scope<'_> {
    pub(super) fn work(&self, units: usize) -> Result<()> {
        self.work_left
            .set(self.work_left.get().checked_sub(units).ok_or(Unusual)?);
        Ok(())
    }

    /// Copies what is borrowed, within the limits of work and depth.
    fn own(&self, value: Cow<'_, Value>) -> Result<Value> {
        self.measure(&value, 0)?;
        Ok(value.into_owned())
    }

    pub(super) fn copy(&self, value: &Value) -> Result<Value> {
        self.own(Cow::Borrowed(value))
    }

    fn measure(&self, value: &Value, depth: usize) -> Result<()> {
        self.work(1)?;
        match value {
            Value::String(text) => self.work(text.len() / 16),
            Value::Array(_) | Value::Object(_) if depth >= DEPTH_MAX => Err(Unusual),
            Value::Array(items) => items
                .iter()
                .try_for_each(|item| self.measure(item, depth + 1)),
            Value::Object(members) => members
                .values()
                .try_for_each(|value| self.measure(value, depth + 1)),
            _ => Ok(()),
        }
    }
}

impl Plain {
    /// Whether there is exactly one output, always.
    fn is_single(&self) -> bool {
        match self {
            Self::Each(_) | Self::Comma(..) | Self::Select(_) => false,
            Self::Pipe(left, right) => left.is_single() && right.is_single(),
            // Whoever builds the others takes single parts only.
            _ => true,
        }
    }

    /// The output of a single expression.
    fn value<'v>(&'v self, input: &'v Value, scope: &Scope<'v>) -> Result<Cow<'v, Value>> {
        scope.work(1)?;
        Ok(match self {
            Self::Input => Cow::Borrowed(input),
            Self::Variable(place) => Cow::Borrowed(
                scope
                    .variables
                    .get(*place)
                    .copied()
                    .flatten()
                    .unwrap_or(NULL),
            ),
            Self::Literal(value) => Cow::Borrowed(value),
            Self::Get(base, steps) => return get(base.value(input, scope)?, steps, scope),
            Self::Pipe(left, right) => match left.value(input, scope)? {
                Cow::Borrowed(middle) => return right.value(middle, scope),
                Cow::Owned(middle) => Cow::Owned(right.value(&middle, scope)?.into_owned()),
            },
            Self::Collect(None) => Cow::Owned(Value::Array(Vec::new())),
            Self::Collect(Some(stream)) => Cow::Owned(Value::Array(stream.collect(input, scope)?)),
            Self::Object(members) => {
                let mut object = Map::with_capacity(members.len());
                for (key, member) in members {
                    object.insert(key.clone(), scope.own(member.value(input, scope)?)?);
                }
                Cow::Owned(Value::Object(object))
            }
            Self::Text(parts) => {
                let mut joined = String::new();
                for part in parts {
                    text(&*part.value(input, scope)?, &mut joined, scope)?;
                }
                Cow::Owned(Value::String(joined))
            }
            Self::Negative(operand) => finite(number(&*operand.value(input, scope)?)?.negate())?,
            Self::Compute(left, operator, right) => {
                // jq computes the right side first, but only streams could tell.
                compute(
                    left.value(input, scope)?,
                    *operator,
                    right.value(input, scope)?,
                    scope,
                )?
            }
            Self::Compare(left, operator, right) => {
                let (left, right) = (left.value(input, scope)?, right.value(input, scope)?);
                boolean(compare(&left, *operator, &right, scope)?)
            }
            Self::And(left, right) => boolean(
                is_true(&*left.value(input, scope)?) && is_true(&*right.value(input, scope)?),
            ),
            Self::Or(left, right) => boolean(
                is_true(&*left.value(input, scope)?) || is_true(&*right.value(input, scope)?),
            ),
            Self::Alternative(left, right) => {
                let left = left.value(input, scope)?;
                if is_true(&left) {
                    left
                } else {
                    right.value(input, scope)?
                }
            }
            Self::If(branches, otherwise) => {
                for (condition, then) in branches {
                    if is_true(&*condition.value(input, scope)?) {
                        return then.value(input, scope);
                    }
                }
                otherwise.value(input, scope)?
            }
            Self::Call(function) => function.call(input, scope)?,
            Self::Each(_) | Self::Comma(..) | Self::Select(_) => return Err(Unusual),
        })
    }

    pub(super) fn collect(&self, input: &Value, scope: &Scope<'_>) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        self.each(input, scope, &mut |item| {
            items.push(scope.own(item)?);
            Ok(())
        })?;
        Ok(items)
    }

    /// Gives each output of a stream to `emit`, until that says no.
    fn each(
        &self,
        input: &Value,
        scope: &Scope<'_>,
        emit: &mut dyn FnMut(Cow<'_, Value>) -> Result<()>,
    ) -> Result<()> {
        scope.work(1)?;
        match self {
            Self::Each(base) => match &*base.value(input, scope)? {
                Value::Array(items) => items.iter().try_for_each(|item| emit(Cow::Borrowed(item))),
                Value::Object(members) => members
                    .values()
                    .try_for_each(|value| emit(Cow::Borrowed(value))),
                _ => Err(Unusual),
            },
            Self::Pipe(left, right) => {
                left.each(input, scope, &mut |middle| right.each(&middle, scope, emit))
            }
            Self::Comma(left, right) => {
                left.each(input, scope, emit)?;
                right.each(input, scope, emit)
            }
            Self::Select(condition) => {
                if is_true(&*condition.value(input, scope)?) {
                    emit(Cow::Borrowed(input))?;
                }
                Ok(())
            }
            single => emit(single.value(input, scope)?),
        }
    }
}
