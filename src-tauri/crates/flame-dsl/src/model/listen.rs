//! `listen` and event-driven schedules: which events are taken, and what is made of them.

use std::sync::Arc;

use serde_json::Value;

use super::{Export, Filter, Schema, TaskList, Template};
use crate::expression::Expression;

/// A `listen` task.
#[derive(Debug, Clone)]
pub struct Listen {
    pub to: EventStrategy,
    pub read: ReadAs,
    /// `foreach`; without it the output is the events as they are read.
    pub each: Option<EventIterator>,
    /// `metadata."mastra.io/person"`: the events are a person's answers, and no others are taken.
    pub person: Option<Person>,
}

/// `foreach` of a `listen` task or of a subscription: what is done with each event or message, one after the
/// other.
#[derive(Debug, Clone)]
pub struct EventIterator {
    /// Variable name of the event or message, without `$`; `item` by default.
    pub item: Arc<str>,
    /// Variable name of the index, without `$`; `index` by default. Counts from 0.
    pub at: Arc<str>,
    pub tasks: TaskList,
    pub output: Filter,
    pub export: Export,
}

/// Which events are taken, and when there are enough.
#[derive(Debug, Clone)]
pub enum EventStrategy {
    One(EventFilter),
    /// Each filter takes one event.
    All(Vec<EventFilter>),
    /// An event that one of the filters takes, or any event where there is none.
    Any {
        filters: Vec<EventFilter>,
        /// Without it the first event is enough.
        until: Option<Until>,
    },
}

impl EventStrategy {
    /// The filters, those of `until` left out.
    pub fn filters(&self) -> &[EventFilter] {
        match self {
            Self::One(filter) => std::slice::from_ref(filter),
            Self::All(filters) | Self::Any { filters, .. } => filters,
        }
    }

    /// The literal types of the events that it may take, those of `until` too; `None` where an event of
    /// any type may be taken.
    pub fn types(&self) -> Option<Vec<Arc<str>>> {
        let filters = self.filters();
        if filters.is_empty() {
            return None;
        }
        let mut types = Vec::new();
        for filter in filters {
            types.push(filter.literal_type()?);
        }
        if let Self::Any {
            until: Some(Until::Consumed(strategy)),
            ..
        } = self
        {
            types.extend(strategy.types()?);
        }
        types.sort();
        types.dedup();
        Some(types)
    }
}

/// `until` of `any`: when no more events are taken.
#[derive(Debug, Clone)]
pub enum Until {
    /// Asked after each event, over the events that were taken so far.
    Condition(Expression),
    /// Events of their own, which are no part of the output.
    Consumed(Box<EventStrategy>),
}

/// An event is taken where every attribute and every correlation fits.
#[derive(Debug, Clone)]
pub struct EventFilter {
    pub attributes: Vec<(Arc<str>, AttributeFilter)>,
    pub correlations: Vec<Correlation>,
}

impl EventFilter {
    /// The type of the events that it takes, where it names one in full.
    pub fn literal_type(&self) -> Option<Arc<str>> {
        self.attributes
            .iter()
            .find_map(|(name, filter)| match filter {
                AttributeFilter::Text(text) if &**name == "type" => Some(Arc::clone(text)),
                _ => None,
            })
    }
}

/// What one attribute, or `data`, must be.
#[derive(Debug, Clone)]
pub enum AttributeFilter {
    Text(Arc<str>),
    /// A regular expression for the whole text, as an expression that says whether `.` fits.
    Pattern(Expression),
    /// Over the attribute as `.`: a boolean says whether it fits, anything else is what it must be.
    Expression(Expression),
    /// Members of an object may be more than those that are asked for.
    Value(Template),
}

#[derive(Debug, Clone)]
pub struct Correlation {
    pub key: Arc<str>,
    /// Over the event as `.`.
    pub from: Expression,
    /// Without it, the first value is what all further ones must be.
    pub expect: Option<Template>,
}

/// How an event stands in the output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ReadAs {
    /// The event's data.
    #[default]
    Data,
    /// The event with its attributes.
    Envelope,
    /// The data as the text that came: JSON as text, bytes in base64.
    Raw,
}

/// `schedule.on` and `schedule.read`.
#[derive(Debug, Clone)]
pub struct EventTrigger {
    pub to: EventStrategy,
    pub read: ReadAs,
}

/// What a person is asked.
#[derive(Debug, Clone)]
pub struct Person {
    pub title: Template,
    pub description: Option<Template>,
    pub assignee: Option<Template>,
    /// What an answer must fit.
    pub schema: Schema,
    /// The type of the event that an answer becomes.
    pub kind: Arc<str>,
}

/// The type of a person's yes or no.
pub const APPROVAL_EVENT: &str = "io.mastra.approval.v1";
/// The type of a form that a person has filled in.
pub const FORM_EVENT: &str = "io.mastra.form.v1";

/// The shipped schema of the answers of a type, where a document brings none.
pub fn answer_schema(kind: &str) -> Value {
    if kind == APPROVAL_EVENT {
        serde_json::json!({
            "type": "object",
            "required": ["approved"],
            "properties": {
                "approved": {"type": "boolean", "title": "Approved"},
                "comment": {"type": "string", "title": "Comment"},
            },
            "additionalProperties": false,
        })
    } else {
        serde_json::json!({"type": "object"})
    }
}
