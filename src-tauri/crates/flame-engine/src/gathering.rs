//! How a strategy takes events one after another: filters, correlations, and when there are enough.
//!
//! Deliberately absent: whose expressions they are. Who asks evaluates them, so that a task's see its
//! variables, and a schedule's only the workflow.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use flame_dsl::expression::ExpressionError;
use flame_dsl::{
    AttributeFilter, EventFilter, EventStrategy, EventTrigger, ReadAs, Template, Until, Workflow,
};
use flame_types::json;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::scope::RUNTIME;

/// Evaluates a template; the second value is `.`.
pub(crate) type Evaluate<'e> = &'e dyn Fn(&Template, Subject<'_>) -> Result<Value, ExpressionError>;

/// What `.` is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Subject<'a> {
    /// The event, an attribute of it, or the events so far.
    Of(&'a Value),
    /// What the place of the strategy has anyway.
    Own,
}

/// How far a strategy is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Gathering {
    /// Places of the filters of `all` that have taken their event.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) met: Vec<usize>,
    /// The same of `until`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) until_met: Vec<usize>,
    /// Values that the first events have fixed.
    #[serde(
        deserialize_with = "json::read",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub(crate) correlations: BTreeMap<String, Value>,
    /// The events that were taken, as they are read.
    #[serde(deserialize_with = "json::read")]
    pub(crate) events: Vec<Arc<Value>>,
    /// No more are taken.
    pub(crate) complete: bool,
}

/// An event that a strategy takes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Taking {
    pub(crate) filter: usize,
    /// It counts for `until`, and is no part of the output.
    pub(crate) until: bool,
    /// Correlations that it fixes.
    pub(crate) correlations: BTreeMap<String, Value>,
    /// With it there are enough; a condition is still to be asked.
    pub(crate) completes: bool,
}

impl Gathering {
    /// Whether the strategy takes the event, and as what.
    pub(crate) fn judge(
        &self,
        strategy: &EventStrategy,
        event: &Value,
        evaluate: Evaluate<'_>,
    ) -> Result<Option<Taking>, ExpressionError> {
        if self.complete {
            return Ok(None);
        }
        if let EventStrategy::Any {
            until: Some(Until::Consumed(until)),
            ..
        } = strategy
            && let Some(taking) = self.of(until, &self.until_met, event, evaluate)?
        {
            return Ok(Some(Taking {
                until: true,
                ..taking
            }));
        }
        let taking = self.of(strategy, &self.met, event, evaluate)?;
        Ok(taking.map(|taking| Taking {
            completes: taking.completes
                && !matches!(strategy, EventStrategy::Any { until: Some(_), .. }),
            ..taking
        }))
    }

    fn of(
        &self,
        strategy: &EventStrategy,
        met: &[usize],
        event: &Value,
        evaluate: Evaluate<'_>,
    ) -> Result<Option<Taking>, ExpressionError> {
        let filters = strategy.filters();
        if filters.is_empty() {
            return Ok((!is_lifecycle(event)).then(|| Taking {
                filter: 0,
                until: false,
                correlations: BTreeMap::new(),
                completes: true,
            }));
        }
        let all = matches!(strategy, EventStrategy::All(_));
        for (place, filter) in filters.iter().enumerate() {
            if all && met.contains(&place) {
                continue;
            }
            if let Some(correlations) = self.fits(filter, event, evaluate)? {
                return Ok(Some(Taking {
                    filter: place,
                    until: false,
                    correlations,
                    completes: !all || met.len() + 1 == filters.len(),
                }));
            }
        }
        Ok(None)
    }

    /// The correlations that the event would fix, where it fits.
    fn fits(
        &self,
        filter: &EventFilter,
        event: &Value,
        evaluate: Evaluate<'_>,
    ) -> Result<Option<BTreeMap<String, Value>>, ExpressionError> {
        if is_lifecycle(event) && filter.literal_type().is_none() {
            return Ok(None);
        }
        for (name, wanted) in &filter.attributes {
            let found = event.get(&**name).unwrap_or(&Value::Null);
            if !attribute_fits(wanted, found, evaluate)? {
                return Ok(None);
            }
        }
        let mut fixed = BTreeMap::new();
        for correlation in &filter.correlations {
            let from = Template::Expression(correlation.from.clone());
            let found = lenient(evaluate(&from, Subject::Of(event)))?;
            if found.is_null() {
                return Ok(None);
            }
            let expected = match &correlation.expect {
                Some(expect) => Some(lenient(evaluate(expect, Subject::Own))?),
                None => self.correlations.get(&*correlation.key).cloned(),
            };
            match expected {
                Some(expected) if !same(&expected, &found) => return Ok(None),
                Some(_) if correlation.expect.is_none() => {}
                _ => {
                    fixed.insert(correlation.key.to_string(), found);
                }
            }
        }
        // What is known already is not said again.
        fixed.retain(|key, value| self.correlations.get(key) != Some(value));
        Ok(Some(fixed))
    }

    /// Takes over what [`Gathering::judge`] has found.
    pub(crate) fn take(&mut self, taking: &Taking, item: Option<Arc<Value>>) {
        let met = if taking.until {
            &mut self.until_met
        } else {
            &mut self.met
        };
        if !met.contains(&taking.filter) {
            met.push(taking.filter);
        }
        self.correlations.extend(
            taking
                .correlations
                .iter()
                .map(|(key, value)| (key.clone(), value.clone())),
        );
        self.events.extend(item);
        self.complete |= taking.completes;
    }

    /// The events as an array, which is what `until` is asked over and what comes of them.
    pub(crate) fn array(&self) -> Value {
        array(&self.events)
    }
}

pub(crate) fn array(items: &[Arc<Value>]) -> Value {
    Value::Array(items.iter().map(|item| (**item).clone()).collect())
}

fn attribute_fits(
    wanted: &AttributeFilter,
    found: &Value,
    evaluate: Evaluate<'_>,
) -> Result<bool, ExpressionError> {
    match wanted {
        AttributeFilter::Text(text) => Ok(found.as_str() == Some(text)),
        AttributeFilter::Pattern(pattern) => {
            if !found.is_string() {
                return Ok(false);
            }
            let pattern = Template::Expression(pattern.clone());
            Ok(lenient(evaluate(&pattern, Subject::Of(found)))? == Value::Bool(true))
        }
        AttributeFilter::Expression(expression) => {
            let expression = Template::Expression(expression.clone());
            Ok(match lenient(evaluate(&expression, Subject::Of(found)))? {
                Value::Bool(verdict) => verdict,
                Value::Null => false,
                value => same(&value, found),
            })
        }
        AttributeFilter::Value(template) => {
            let value = lenient(evaluate(template, Subject::Own))?;
            Ok(contains(found, &value))
        }
    }
}

/// An expression that fails on an event does not take it: events come in all shapes. One that uses more
/// than it may is an error all the same.
fn lenient(result: Result<Value, ExpressionError>) -> Result<Value, ExpressionError> {
    match result {
        Err(error @ ExpressionError::Budget { .. }) => Err(error),
        Err(_) => Ok(Value::Null),
        value => value,
    }
}

/// Members of objects may be more than those that are asked for.
fn contains(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => wanted
            .iter()
            .all(|(name, wanted)| found.get(name).is_some_and(|found| contains(found, wanted))),
        _ => same(found, wanted),
    }
}

/// Attributes and expectations are texts, what they stand for may be a number.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::String(text), Value::Number(number))
        | (Value::Number(number), Value::String(text)) => text
            .parse::<serde_json::Number>()
            .is_ok_and(|read| read == *number),
        (Value::String(text), Value::Bool(holds)) | (Value::Bool(holds), Value::String(text)) => {
            *text == if *holds { "true" } else { "false" }
        }
        (Value::Number(one), Value::Number(other)) => {
            one == other || one.as_f64().is_some_and(|one| other.as_f64() == Some(one))
        }
        _ => one == other,
    }
}

/// Events about runs come of runs: whoever takes events of any type would take those of taking them.
fn is_lifecycle(event: &Value) -> bool {
    event
        .get("type")
        .and_then(Value::as_str)
        .is_some_and(|kind| kind.starts_with("io.serverlessworkflow."))
}

/// The event as `read` says.
pub(crate) fn read(event: &Arc<Value>, read: ReadAs) -> Arc<Value> {
    let data = || event.get("data").or_else(|| event.get("data_base64"));
    match read {
        ReadAs::Envelope => Arc::clone(event),
        ReadAs::Data => Arc::new(data().cloned().unwrap_or_default()),
        ReadAs::Raw => Arc::new(match data() {
            None => Value::Null,
            Some(Value::String(text)) => Value::from(text.as_str()),
            Some(value) => Value::from(value.to_string()),
        }),
    }
}

/// How far a schedule is whose runs are started by events.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Gathered(Gathering);

impl Gathered {
    /// Offers an event of the log; gives the input of the run that it starts, after which the gathering
    /// begins anew. Expressions see `$workflow` and `$runtime`.
    pub fn offer(
        &mut self,
        trigger: &EventTrigger,
        workflow: &Workflow,
        event: &Arc<Value>,
    ) -> Result<Option<Value>, ExpressionError> {
        let descriptor = OnceCell::new();
        let evaluate = |template: &Template, subject: Subject<'_>| {
            let subject = match subject {
                Subject::Of(value) => value,
                Subject::Own => &Value::Null,
            };
            template.evaluate(subject, &|name| match name {
                "workflow" => {
                    Some(descriptor.get_or_init(|| json!({"definition": &*workflow.definition})))
                }
                "runtime" => Some(&RUNTIME),
                _ => None,
            })
        };
        let Some(mut taking) = self.0.judge(&trigger.to, event, &evaluate)? else {
            return Ok(None);
        };
        let item = (!taking.until).then(|| read(event, trigger.read));
        if let EventStrategy::Any {
            until: Some(Until::Condition(condition)),
            ..
        } = &trigger.to
        {
            let mut events = self.0.events.clone();
            events.extend(item.clone());
            let condition = Template::Expression(condition.clone());
            let events = array(&events);
            let verdict = lenient(evaluate(&condition, Subject::Of(&events)))?;
            taking.completes = !matches!(verdict, Value::Null | Value::Bool(false));
        }
        self.0.take(&taking, item);
        if !self.0.complete {
            return Ok(None);
        }
        let input = self.0.array();
        self.0 = Gathering::default();
        Ok(Some(input))
    }
}
