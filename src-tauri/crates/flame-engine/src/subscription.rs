//! Which messages a subscription takes, and when it has enough: asked by whoever receives them.
//!
//! Deliberately absent: receiving them.

use std::sync::Arc;
use std::time::Duration;

use flame_dsl::Enough;
use flame_dsl::expression::Expression;
use serde_json::{Map, Value};

use crate::error::Error;
use crate::gathering::array;
use crate::scope::{Scope, failed};

/// Where a workflow finds what was taken so far, as the standard's examples do:
/// `$context.consumedMessages`, unless the context has a member of that name.
const CONSUMED: &str = "consumedMessages";

/// A subscription with the variables that its expressions see.
#[derive(Debug, Clone)]
pub struct Subscription {
    asked: flame_dsl::Subscription,
    /// How long to receive at most.
    pub duration: Option<Duration>,
    variables: Map<String, Value>,
}

/// Two are the same when they ask the same with the same variables.
impl PartialEq for Subscription {
    fn eq(&self, other: &Self) -> bool {
        let source = |asked: &flame_dsl::Subscription| {
            asked
                .filter
                .as_ref()
                .map(|filter| filter.source().to_owned())
        };
        source(&self.asked) == source(&other.asked)
            && format!("{:?}", self.asked.enough) == format!("{:?}", other.asked.enough)
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

/// Says whether a condition holds; the text names its property.
type Ask<'a> = &'a dyn Fn(&Expression, &str) -> Result<bool, Error>;

/// What becomes of a message before it is taken, after as many as `taken`.
pub(crate) fn before(
    subscription: &flame_dsl::Subscription,
    taken: usize,
    ask: Ask<'_>,
) -> Result<Verdict, Error> {
    if let Some(filter) = &subscription.filter
        && !ask(filter, "filter")?
    {
        return Ok(Verdict::Passed);
    }
    match &subscription.enough {
        Enough::Amount(amount) if taken + 1 >= *amount => Ok(Verdict::TakenLast),
        Enough::Until(condition) if ask(condition, "consume.until")? => Ok(Verdict::Ended),
        _ => Ok(Verdict::Taken),
    }
}

/// Whether a message that was taken is the last.
pub(crate) fn after(subscription: &flame_dsl::Subscription, ask: Ask<'_>) -> Result<bool, Error> {
    match &subscription.enough {
        Enough::Amount(_) => Ok(false),
        Enough::While(condition) => ask(condition, "consume.while").map(|goes_on| !goes_on),
        Enough::Until(condition) => ask(condition, "consume.until"),
    }
}

/// Whether a condition of it looks at the messages taken, so that they are kept.
pub(crate) fn remembers(subscription: &flame_dsl::Subscription) -> bool {
    let condition = match &subscription.enough {
        Enough::Amount(_) => None,
        Enough::While(condition) | Enough::Until(condition) => Some(condition),
    };
    subscription.filter.iter().chain(condition).any(looks_back)
}

fn looks_back(condition: &Expression) -> bool {
    condition.source().contains(CONSUMED)
}

/// Whether a condition holds of a message at this place of a workflow.
pub(crate) fn holds(
    scope: Scope<'_>,
    condition: &Expression,
    message: &Value,
    taken: &[Arc<Value>],
    property: &str,
) -> Result<bool, Error> {
    let context = looks_back(condition).then(|| with_consumed(scope.context, || array(taken)));
    let mut scope = scope;
    if context.is_some() {
        scope.context = context.as_ref();
    }
    scope
        .on(message)
        .holds(condition, &format!("with.subscription.{property}"))
}

/// `$context` with the messages taken so far.
fn with_consumed(context: Option<&Value>, taken: impl FnOnce() -> Value) -> Value {
    let mut context = match context {
        Some(Value::Object(context)) => context.clone(),
        None | Some(Value::Null) => Map::new(),
        Some(other) => return other.clone(),
    };
    context.entry(CONSUMED).or_insert_with(taken);
    Value::Object(context)
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
            asked: subscription.clone(),
            duration,
            variables: scope.snapshot(),
        })
    }

    /// What becomes of a message after those that were taken.
    pub fn judge(&self, message: &Value, taken: &[Value]) -> Result<Verdict, Error> {
        let verdict = before(&self.asked, taken.len(), &|condition, property| {
            self.holds(condition, message, taken, property)
        })?;
        if verdict != Verdict::Taken {
            return Ok(verdict);
        }
        // What is asked of the messages taken is known now, and needs no further message.
        let with_it: Vec<Value> = taken.iter().chain([message]).cloned().collect();
        let enough = after(&self.asked, &|condition, property| {
            self.holds(condition, message, &with_it, property)
        })?;
        Ok(if enough {
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
        let context = looks_back(condition).then(|| {
            with_consumed(self.variables.get("context"), || {
                Value::Array(taken.to_vec())
            })
        });
        let lookup = |name: &str| match (name, &context) {
            ("context", Some(context)) => Some(context),
            _ => self.variables.get(name),
        };
        let result = condition
            .evaluate(message, &lookup)
            .map_err(|error| failed(&error, &format!("with.subscription.{property}")))?;
        Ok(!matches!(result, Value::Null | Value::Bool(false)))
    }
}
