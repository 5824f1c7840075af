//! `listen`, the strategies by which events are taken, and what a person is asked.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Lowering;
use crate::expression::{self, Expression};
use crate::lifecycle::Lifecycle;
use crate::problem::{Problem, Rule};
use crate::source::{Entry, Node, pointer_step};
use crate::{
    APPROVAL_EVENT, AttributeFilter, Correlation, EventFilter, EventIterator, EventStrategy,
    FORM_EVENT, Listen, Person, ReadAs, Until, answer_schema,
};

pub(super) const PERSON_KEY: &str = "mastra.io/person";

/// Signs that make a text a regular expression. A dot alone does not: types are full of them.
const PATTERN_SIGNS: &str = r"\^$*+?()[]{}|";

impl Lowering<'_> {
    /// A `listen` task; `node` is the task, whose `listen`, `foreach` and `metadata` belong together.
    pub(super) fn listen(&mut self, node: &Node, pointer: &str) -> Option<Listen> {
        let head = node.get("listen")?;
        let head_pointer = pointer_step(pointer, "listen");
        let to = self.required(head, "to", &head_pointer, Self::event_strategy);
        let each = self.optional(node, "foreach", pointer, Self::event_iterator);
        let to = to?;
        let person = self.optional(node, "metadata", pointer, |this, node, pointer| {
            this.optional(node, PERSON_KEY, pointer, |this, node, pointer| {
                this.person(node, pointer, &to)
            })
        });
        Some(Listen {
            read: read_as(head).unwrap_or_default(),
            each: each?,
            person: person?.flatten(),
            to,
        })
    }

    pub(super) fn event_iterator(&mut self, node: &Node, pointer: &str) -> Option<EventIterator> {
        let name = |key: &str, default: &str| {
            node.get(key)
                .and_then(Node::text)
                .unwrap_or(default)
                .to_owned()
        };
        let (item, at) = (name("item", "item"), name("at", "index"));
        if item == at
            && let Some(second) = node.get("at").or_else(|| node.get("item"))
        {
            return self.strict(
                second,
                &pointer_step(pointer, "at"),
                "the event and the index have the same name",
                "give 'item' and 'at' different names",
            );
        }
        let (tasks, output, export) = self.within(&[&item, &at], |this| {
            (
                this.optional(node, "do", pointer, Self::tasks),
                this.optional(node, "output", pointer, Self::output),
                this.optional(node, "export", pointer, Self::export),
            )
        });
        Some(EventIterator {
            item: item.into(),
            at: at.into(),
            tasks: tasks?.unwrap_or_default(),
            output: output?.unwrap_or_default(),
            export: export?.unwrap_or_default(),
        })
    }

    /// `one`, `all`, or `any` with its `until`.
    pub(super) fn event_strategy(&mut self, node: &Node, pointer: &str) -> Option<EventStrategy> {
        let strategy = self.event_filters(node, pointer)?;
        let Some(until) = node.entry("until") else {
            return Some(strategy);
        };
        let EventStrategy::Any { filters, .. } = strategy else {
            let problem = Problem::new(
                Rule::Shape,
                until.key_span,
                &pointer_step(pointer, "until"),
                "'until' stands with 'any' alone",
            );
            return self.refuse(
                problem.hint(
                    "'one' and 'all' end by themselves; leave 'until' out, or listen to 'any'",
                ),
            );
        };
        let until = self.required(node, "until", pointer, |this, node, pointer| {
            if node.text().is_some() {
                return this.expression(node, pointer).map(Until::Condition);
            }
            this.event_filters(node, pointer)
                .map(|strategy| Until::Consumed(Box::new(strategy)))
        })?;
        Some(EventStrategy::Any {
            filters,
            until: Some(until),
        })
    }

    fn event_filters(&mut self, node: &Node, pointer: &str) -> Option<EventStrategy> {
        if node.get("one").is_some() {
            return self
                .required(node, "one", pointer, Self::event_filter)
                .map(EventStrategy::One);
        }
        let list = |this: &mut Self, node: &Node, pointer: &str| {
            let mut filters = Vec::new();
            for (at, item) in node.list()?.iter().enumerate() {
                filters.push(this.event_filter(item, &pointer_step(pointer, at)));
            }
            filters.into_iter().collect::<Option<Vec<_>>>()
        };
        if let Some(all) = node.get("all") {
            let filters = self.required(node, "all", pointer, list)?;
            if filters.is_empty() {
                return self.strict(
                    all,
                    &pointer_step(pointer, "all"),
                    "'all' without a filter waits for nothing",
                    "add a filter, or write 'any: []' to take whatever event comes first",
                );
            }
            return Some(EventStrategy::All(filters));
        }
        let filters = self.required(node, "any", pointer, list)?;
        Some(EventStrategy::Any {
            filters,
            until: None,
        })
    }

    fn event_filter(&mut self, node: &Node, pointer: &str) -> Option<EventFilter> {
        let attributes = self.required(node, "with", pointer, |this, node, pointer| {
            let mut attributes = Vec::new();
            for entry in node.object()? {
                let pointer = pointer_step(pointer, &entry.key);
                let filter = this.attribute_filter(entry, &pointer);
                attributes.push(filter.map(|filter| (Arc::from(entry.key.as_str()), filter)));
            }
            attributes.into_iter().collect::<Option<Vec<_>>>()
        });
        let correlations = self.optional(node, "correlate", pointer, |this, node, pointer| {
            let mut correlations = Vec::new();
            for entry in node.object()? {
                correlations.push(this.correlation(entry, &pointer_step(pointer, &entry.key)));
            }
            correlations.into_iter().collect::<Option<Vec<_>>>()
        });
        let filter = EventFilter {
            attributes: attributes?,
            correlations: correlations?.unwrap_or_default(),
        };
        let lifecycle = filter
            .literal_type()
            .and_then(|kind| Lifecycle::of_kind(&kind));
        if let Some(event) = lifecycle {
            self.observes.insert(event);
        }
        Some(filter)
    }

    fn attribute_filter(&mut self, entry: &Entry, pointer: &str) -> Option<AttributeFilter> {
        let node = &entry.value;
        let Some(text) = node.text() else {
            return self.template(node, pointer).map(AttributeFilter::Value);
        };
        if expression::strip(text).is_some() {
            return self
                .expression(node, pointer)
                .map(AttributeFilter::Expression);
        }
        if text.contains("${") {
            return self.template(node, pointer).map(AttributeFilter::Value);
        }
        if entry.key == "data" || !text.contains(|c| PATTERN_SIGNS.contains(c)) {
            return Some(AttributeFilter::Text(text.into()));
        }
        // jq's own regular expressions, which have a budget.
        let pattern = Value::from(format!("^(?:{text})$"));
        let fits = Expression::compile(&format!("test({pattern})"), &[]);
        let tried = fits.and_then(|fits| fits.evaluate(&json!(""), &|_| None).map(|_| fits));
        match tried {
            Ok(fits) => Some(AttributeFilter::Pattern(fits)),
            Err(error) => {
                let text = error.to_string();
                // The parser draws the place over several lines, and says last what is wrong.
                let reason = text.rsplit("error: ").next().unwrap_or_default();
                self.strict(
                    node,
                    pointer,
                    &format!("not a regular expression: {reason}"),
                    "write a '\\' before a sign that stands for itself",
                )
            }
        }
    }

    fn correlation(&mut self, entry: &Entry, pointer: &str) -> Option<Correlation> {
        let from = self.required(&entry.value, "from", pointer, Self::expression);
        let expect = self.optional(&entry.value, "expect", pointer, Self::template);
        Some(Correlation {
            key: entry.key.as_str().into(),
            from: from?,
            expect: expect?,
        })
    }

    fn person(&mut self, node: &Node, pointer: &str, to: &EventStrategy) -> Option<Person> {
        let title = self.required(node, "title", pointer, Self::template);
        let description = self.optional(node, "description", pointer, Self::template);
        let assignee = self.optional(node, "assignee", pointer, Self::template);
        let kind = self.asked_for(node, pointer, to);
        let schema = match (node.get("schema"), &kind) {
            (Some(schema), _) => self.form(schema, &pointer_step(pointer, "schema")),
            (None, Some(kind)) => shipped(kind),
            (None, None) => None,
        };
        Some(Person {
            title: title?,
            description: description?,
            assignee: assignee?,
            schema: schema?,
            kind: kind?.into(),
        })
    }

    /// The type of the answer: a person gives one, so the task listens to one event of a type of ours.
    fn asked_for(
        &mut self,
        node: &Node,
        pointer: &str,
        to: &EventStrategy,
    ) -> Option<&'static str> {
        if let EventStrategy::One(filter) = to
            && let [(name, AttributeFilter::Text(text))] = filter.attributes.as_slice()
            && &**name == "type"
            && filter.correlations.is_empty()
            && let Some(kind) = [APPROVAL_EVENT, FORM_EVENT]
                .into_iter()
                .find(|kind| **text == **kind)
        {
            return Some(kind);
        }
        let message = "a person's answer is one event of a type that Mastra ships";
        let hint = format!(
            "write 'listen: {{to: {{one: {{with: {{type: {APPROVAL_EVENT}}}}}}}}}' or use {FORM_EVENT}"
        );
        let problem = Problem::new(Rule::Strict, node.span, pointer, message);
        self.refuse(problem.hint(hint))
    }
}

/// `read`, where it is given.
pub(super) fn read_as(node: &Node) -> Option<ReadAs> {
    match node.get("read")?.text()? {
        "envelope" => Some(ReadAs::Envelope),
        "raw" => Some(ReadAs::Raw),
        _ => Some(ReadAs::Data),
    }
}

fn shipped(kind: &str) -> Option<crate::Schema> {
    let source = answer_schema(kind);
    crate::Schema::compile(source, None, None).ok()
}
