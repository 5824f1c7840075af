//! Which messages a subscription takes, and when it has enough: asked by whoever receives them.
//!
//! Deliberately absent: receiving them.

use std::time::Duration;

use flame_dsl::Enough;
use flame_dsl::expression::Expression;
use serde_json::{Map, Value};

use crate::error::Error;
use crate::scope::{Scope, failed};

/// Where a workflow finds what was taken so far, as the standard's examples do:
/// `$context.consumedMessages`, unless the context has a member of that name.
const CONSUMED: &str = "consumedMessages";

/// A subscription with the variables that its expressions see.
#[derive(Debug, Clone)]
pub struct Subscription {
    filter: Option<Expression>,
    enough: Enough,
    /// How long to receive at most.
    pub duration: Option<Duration>,
    variables: Map<String, Value>,
}

/// Two are the same when they ask the same with the same variables.
impl PartialEq for Subscription {
    fn eq(&self, other: &Self) -> bool {
        let source =
            |expression: &Option<Expression>| expression.as_ref().map(|e| e.source().to_owned());
        source(&self.filter) == source(&other.filter)
            && format!("{:?}", self.enough) == format!("{:?}", other.enough)
            && self.duration == other.duration
            && self.variables == other.variables
    }
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is passed over; receiving goes on.
    Passed,
    Taken,
    /// It is taken, and the last.
    TakenLast,
    /// It is not taken, and nothing after it.
    Ended,
}

impl Subscription {
    pub(crate) fn of(
        scope: &Scope<'_>,
        subscription: &flame_dsl::Subscription,
    ) -> Result<Self, Error> {
        let duration = subscription
            .duration
            .as_ref()
            .map(|source| scope.duration(source, "with.subscription.consume.for"))
            .transpose()?;
        Ok(Self {
            filter: subscription.filter.clone(),
            enough: subscription.enough.clone(),
            duration,
            variables: scope.snapshot(),
        })
    }

    /// What becomes of a message after those that were taken.
    pub fn judge(&self, message: &Value, taken: &[Value]) -> Result<Verdict, Error> {
        if let Some(filter) = &self.filter
            && !self.holds(filter, message, taken, "filter")?
        {
            return Ok(Verdict::Passed);
        }
        let with_it = || -> Vec<Value> { taken.iter().chain([message]).cloned().collect() };
        let is_last = match &self.enough {
            Enough::Amount(amount) => taken.len() + 1 >= *amount,
            Enough::While(condition) => {
                !self.holds(condition, message, &with_it(), "consume.while")?
            }
            Enough::Until(condition) => {
                if self.holds(condition, message, taken, "consume.until")? {
                    return Ok(Verdict::Ended);
                }
                // What is asked of the messages taken is known now, and needs no further message.
                self.holds(condition, message, &with_it(), "consume.until")?
            }
        };
        Ok(if is_last {
            Verdict::TakenLast
        } else {
            Verdict::Taken
        })
    }

    fn holds(
        &self,
        condition: &Expression,
        message: &Value,
        taken: &[Value],
        property: &str,
    ) -> Result<bool, Error> {
        let context = condition
            .source()
            .contains(CONSUMED)
            .then(|| self.context(taken));
        let lookup = |name: &str| match (name, &context) {
            ("context", Some(context)) => Some(context),
            _ => self.variables.get(name),
        };
        let result = condition
            .evaluate(message, &lookup)
            .map_err(|error| failed(&error, &format!("with.subscription.{property}")))?;
        Ok(!matches!(result, Value::Null | Value::Bool(false)))
    }

    fn context(&self, taken: &[Value]) -> Value {
        let mut context = match self.variables.get("context") {
            Some(Value::Object(context)) => context.clone(),
            None | Some(Value::Null) => Map::new(),
            Some(other) => return other.clone(),
        };
        context
            .entry(CONSUMED)
            .or_insert_with(|| Value::Array(taken.to_vec()));
        Value::Object(context)
    }
}
