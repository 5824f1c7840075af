//! jaq, set up with our values and metered: every term that it runs is a step.

use jaq_core::data::HasLut;
use jaq_core::native::Fun;
use jaq_core::{Ctx, DataT, Filter, Lut, Native, Vars};
use serde_json::Value;

use super::ExpressionError;
use super::json;
use super::meter::{self, Broken, Resource, Stackless};
use super::value::Val;

/// The kind of data that filters run on.
pub(super) struct Machine;

impl DataT for Machine {
    type V<'a> = Val;
    type Data<'a> = Terms<'a>;
}

/// The compiled terms. jaq comes here for each term that it runs, and keeps a copy in every stream that it
/// has not finished: so steps are counted, and so is what waits in memory.
pub(super) struct Terms<'a>(&'a Lut<Machine>);

/// About what jaq keeps in memory along with a copy of the terms.
const STREAM_BYTES: usize = 256;

impl<'a> Terms<'a> {
    fn new(terms: &'a Lut<Machine>) -> Self {
        meter::charge(STREAM_BYTES);
        Self(terms)
    }
}

impl Clone for Terms<'_> {
    fn clone(&self) -> Self {
        Self::new(self.0)
    }
}

impl Drop for Terms<'_> {
    fn drop(&mut self) {
        meter::release(STREAM_BYTES);
    }
}

impl<'a> HasLut<'a, Machine> for Terms<'a> {
    fn lut(&self) -> &'a Lut<Machine> {
        meter::tick(meter::TERM_STEPS);
        self.0
    }
}

/// How large an evaluation an expression has needed so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    Small,
    Large,
}

/// The first output or null. Tries on the caller's stack unless the expression is known to need more; the
/// size says what it took.
pub(super) fn evaluate(
    filter: &Filter<Machine>,
    input: &Value,
    variables: &[Option<&Value>],
    size: Size,
) -> (Result<Value, ExpressionError>, Size) {
    let run = || first_output(filter, input, variables);
    if size == Size::Small {
        match meter::run_small(run) {
            Err(Broken::Exceeded(Resource::Steps | Resource::Stack)) => {}
            result => return (settle(result), Size::Small),
        }
    }
    (settle(meter::run_large(run)), Size::Large)
}

fn settle(
    result: Result<Result<Value, ExpressionError>, Broken>,
) -> Result<Value, ExpressionError> {
    match result {
        Ok(result) => result,
        Err(Broken::Exceeded(resource)) => Err(resource.into()),
        Err(Broken::Stackless) => Err(Stackless.into()),
        Err(Broken::Panicked(message)) => Err(ExpressionError::Failed {
            message: format!("jq broke down: {message}"),
        }),
    }
}

fn first_output(
    filter: &Filter<Machine>,
    input: &Value,
    variables: &[Option<&Value>],
) -> Result<Value, ExpressionError> {
    let variables = variables
        .iter()
        .map(|value| value.map_or(Val::Null, json::from_json));
    let variables = Vars::new(variables.collect::<Vec<_>>());
    let context = Ctx::<Machine>::new(Terms::new(&filter.lut), variables);
    match filter.id.run((context, json::from_json(input))).next() {
        None => Ok(Value::Null),
        Some(Ok(value)) => Ok(json::to_json(&value)),
        Some(Err(exception)) => Err(match exception.get_err() {
            Ok(error) => failure(error.into_val()),
            Err(_) => ExpressionError::Failed {
                message: "the expression broke out of itself".to_owned(),
            },
        }),
    }
}

/// Bytes of a message that an error carries.
const MESSAGE_BYTES_MAX: usize = 1024;

fn failure(value: Val) -> ExpressionError {
    let mut message = match value.as_text() {
        Some(text) => text.to_owned(),
        None => format!("{} (not a string)", json::to_text(&value)),
    };
    if message.len() > MESSAGE_BYTES_MAX {
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
        message.push_str("...");
    }
    ExpressionError::Failed { message }
}

/// The identity, at the price of a closure. Stands before the body of each function of the source that takes
/// filters.
pub(super) fn entered() -> Fun<Machine> {
    let native = Native::new(|cv| {
        meter::tick(meter::CLOSURE_STEPS);
        Box::new(std::iter::once(Ok(cv.1)))
    });
    let native = native.with_paths(|cv| {
        meter::tick(meter::CLOSURE_STEPS);
        Box::new(std::iter::once(Ok(cv.1)))
    });
    let native = native.with_update(|cv, update| {
        meter::tick(meter::CLOSURE_STEPS);
        update(cv.1)
    });
    (ENTERED, [].into(), native)
}

pub(super) const ENTERED: &str = "_entered";
