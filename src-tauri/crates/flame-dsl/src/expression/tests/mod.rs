//! What expressions give, what they are refused for, and that none takes the process down.

mod bombs;
mod fuzz;
mod manual;
mod refusals;
mod sharing;

use serde_json::Value;

use super::machine::{self, Size};
use super::{Expression, ExpressionError};

fn evaluate(source: &str, input: &Value) -> Result<Value, ExpressionError> {
    Expression::compile(source, &[])?.evaluate(input, &|_| None)
}

/// By jaq alone, without the short way.
fn evaluate_by_jaq(expression: &Expression, input: &Value) -> Result<Value, ExpressionError> {
    machine::evaluate(&expression.compiled.filter, input, &[], Size::Small).0
}
