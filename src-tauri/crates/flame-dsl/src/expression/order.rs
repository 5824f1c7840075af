//! Equality and order of values, as jq defines them: null, false, true, numbers, strings, arrays, objects.

use std::cmp::Ordering;

use super::meter;
use super::number::Number;
use super::value::{Object, Val};

impl PartialEq for Val {
    fn eq(&self, other: &Self) -> bool {
        meter::tick(1);
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(left), Self::Bool(right)) => left == right,
            (Self::Number(left), Self::Number(right)) => left == right,
            (Self::Text(left), Self::Text(right)) => {
                meter::tick_bytes(left.as_str().len());
                left.as_str() == right.as_str()
            }
            (Self::Array(left), Self::Array(right)) => left.items() == right.items(),
            (Self::Object(left), Self::Object(right)) => {
                let same = |(key, value): (_, &Self)| {
                    right.members().get(key).is_some_and(|other| value == other)
                };
                left.members().len() == right.members().len() && left.members().iter().all(same)
            }
            _ => false,
        }
    }
}

impl Eq for Val {}

impl PartialOrd for Val {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }

    /// In jq NaN is less than itself; only sorting needs it otherwise.
    fn lt(&self, other: &Self) -> bool {
        is_nan(self) && is_nan(other) || self.cmp(other).is_lt()
    }
}

fn is_nan(value: &Val) -> bool {
    matches!(value, Val::Number(number) if number.is_nan())
}

impl Ord for Val {
    fn cmp(&self, other: &Self) -> Ordering {
        meter::tick(1);
        match (self, other) {
            (Self::Number(left), Self::Number(right)) => Number::total_cmp(*left, *right),
            (Self::Text(left), Self::Text(right)) => {
                meter::tick_bytes(left.as_str().len().min(right.as_str().len()));
                left.as_str().cmp(right.as_str())
            }
            (Self::Array(left), Self::Array(right)) => left.items().cmp(right.items()),
            (Self::Object(left), Self::Object(right)) => compare_objects(left, right),
            _ => rank(self).cmp(&rank(other)),
        }
    }
}

fn rank(value: &Val) -> u8 {
    match value {
        Val::Null => 0,
        Val::Bool(false) => 1,
        Val::Bool(true) => 2,
        Val::Number(_) => 3,
        Val::Text(_) => 4,
        Val::Array(_) => 5,
        Val::Object(_) => 6,
    }
}

/// First by their sorted keys, then value by value in the order of the keys.
fn compare_objects(left: &Object, right: &Object) -> Ordering {
    let sorted = |object: &'_ Object| -> Vec<_> {
        meter::tick(object.members().len() as u64);
        let mut members: Vec<_> = object
            .members()
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        members.sort_by(|(left, _), (right, _)| left.as_str().cmp(right.as_str()));
        members
    };
    let (left, right) = (sorted(left), sorted(right));
    let keys = left
        .iter()
        .map(|(key, _)| key.as_str())
        .cmp(right.iter().map(|(key, _)| key.as_str()));
    keys.then_with(|| {
        left.iter()
            .map(|(_, value)| value)
            .cmp(right.iter().map(|(_, value)| value))
    })
}
