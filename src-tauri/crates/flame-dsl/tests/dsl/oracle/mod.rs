//! jq against libjq, jq's own implementation: the same programs, the same inputs, the same values.

mod differences;
mod filters;
mod libjq;
mod programs;

use flame_dsl::expression::Expression;
use serde_json::Value;

use libjq::{Answer, Libjq};

/// Ours, through the short way where there is one.
fn ours(program: &str, input: &Value) -> Answer {
    let expression = match Expression::compile(program, &[]) {
        Ok(expression) => expression,
        Err(error) => return Answer::Refused(error.to_string()),
    };
    match expression.evaluate(input, &|_| None) {
        Ok(value) => Answer::Value(value.to_string()),
        Err(error) => Answer::Failed(error.to_string()),
    }
}

/// Equal up to the last digits of a computed number.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            let (left, right) = (left.as_f64().unwrap(), right.as_f64().unwrap());
            left == right || (left - right).abs() <= 1e-13 * left.abs().max(right.abs())
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, left)| right.get(key).is_some_and(|right| same(left, right)))
        }
        (left, right) => left == right,
    }
}
