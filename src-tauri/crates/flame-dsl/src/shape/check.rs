//! Holds a document against the tables and reports every difference with its place.

use super::hint::{self, quoted};
use super::tasks::{COMMON, KINDS, Kind, calls};
use super::{Extra, Field, Group, Need, Object, Shape, did_you_mean};
use crate::problem::{Problem, Problems, Rule};
use crate::source::{Content, Entry, Node, Span, pointer_step};

/// Checks a whole document.
pub(crate) fn check(node: &Node, shape: &Shape, problems: &mut Problems) {
    let mut checker = Checker { problems, own: 0 };
    let place = Place {
        pointer: "",
        key: None,
    };
    checker.check(node, shape, place);
}

/// Where a value stands: its pointer, and the key that a missing part is reported at.
#[derive(Clone, Copy)]
struct Place<'p> {
    pointer: &'p str,
    key: Option<Span>,
}

struct Checker<'p> {
    problems: &'p mut Problems,
    /// Above 0 inside our own additions, which the published schema takes as free data.
    own: usize,
}

impl Checker<'_> {
    fn report(&mut self, mut problem: Problem) {
        if self.own > 0 && problem.rule == Rule::Shape {
            problem.rule = Rule::Strict;
        }
        self.problems.push(problem);
    }

    fn check(&mut self, node: &Node, shape: &Shape, place: Place<'_>) {
        match (shape, &node.content) {
            (Shape::Any, _) | (Shape::Boolean, Content::Boolean(_)) => {}
            (Shape::Integer { min, max }, Content::Number(..)) if node.integer().is_some() => {
                self.integer(node, *min, *max, place);
            }
            (Shape::Text(rule), Content::Text(text)) => {
                if let Err(fault) = rule.check(text) {
                    let problem = Problem::new(fault.rule, node.span, place.pointer, fault.message);
                    self.report(problem.value(text).hint(fault.hint));
                }
            }
            (Shape::List { of, min }, Content::List(items)) => {
                self.at_least(items.len(), *min, node, place);
                for (at, item) in items.iter().enumerate() {
                    let pointer = pointer_step(place.pointer, at);
                    self.check(
                        item,
                        of,
                        Place {
                            pointer: &pointer,
                            key: None,
                        },
                    );
                }
            }
            (Shape::Named { of, min, item }, Content::List(items)) => {
                self.at_least(items.len(), *min, node, place);
                for (at, named) in items.iter().enumerate() {
                    self.named(named, of, item, &pointer_step(place.pointer, at));
                }
            }
            (Shape::Map(of), Content::Object(entries)) => {
                for entry in entries {
                    self.entry(entry, of, place.pointer);
                }
            }
            (Shape::Object(object), Content::Object(entries)) => {
                self.object(entries, node, object, object.fields, place);
            }
            (Shape::Choice(shapes), _) => match shapes.iter().find(|s| s.takes(node)) {
                Some(shape) => self.check(node, shape, place),
                None => self.wrong_type(node, shape, place),
            },
            (Shape::Task, Content::Object(entries)) => self.task(entries, node, place),
            _ => self.wrong_type(node, shape, place),
        }
    }

    fn entry(&mut self, entry: &Entry, shape: &Shape, pointer: &str) {
        let pointer = pointer_step(pointer, &entry.key);
        let place = Place {
            pointer: &pointer,
            key: Some(entry.key_span),
        };
        self.check(&entry.value, shape, place);
    }

    fn wrong_type(&mut self, node: &Node, shape: &Shape, place: Place<'_>) {
        let expected = shape.expected();
        let message = format!("expected {expected}, found {}", node.type_name());
        // Nothing was written, so the key is what there is to point at.
        let span = match (&node.content, place.key) {
            (Content::Null, Some(key)) => key,
            _ => node.span,
        };
        let problem = Problem::new(Rule::Shape, span, place.pointer, message);
        self.report(
            problem
                .value(node.shown())
                .hint(hint::instead_of(node, shape)),
        );
    }

    fn integer(&mut self, node: &Node, min: i64, max: i64, place: Place<'_>) {
        let value = node.integer().unwrap_or(min);
        if value < min || value > max {
            let message = match (min, value < min) {
                (0, true) => "must be 0 or more".to_owned(),
                _ => format!("must be between {min} and {max}"),
            };
            let problem = Problem::new(Rule::Strict, node.span, place.pointer, message);
            let hint = format!("write {}", hint::whole_number(min, max));
            self.report(problem.value(node.shown()).hint(hint));
        }
    }

    fn at_least(&mut self, length: usize, min: usize, node: &Node, place: Place<'_>) {
        if length < min {
            let span = place.key.unwrap_or(node.span);
            let message = format!("the list needs at least {min} item");
            let problem = Problem::new(Rule::Shape, span, place.pointer, message);
            self.report(problem.hint("add an item, each behind a '- ' of its own"));
        }
    }

    /// An item of a list of tasks or cases: an object with its name as the only key.
    fn named(&mut self, node: &Node, of: &Shape, item: &str, pointer: &str) {
        if let Some(entry) = node.single() {
            return self.entry(entry, of, pointer);
        }
        let problem = match node.object() {
            None => {
                let message = format!("expected {item} with its name, found {}", node.type_name());
                Problem::new(Rule::Shape, node.span, pointer, message)
                    .value(node.shown())
                    .hint("write it as '- name:' with its keys indented below")
            }
            Some([]) => Problem::new(
                Rule::Shape,
                node.span,
                pointer,
                format!("{item} without a name"),
            )
            .hint("write it as '- name:' with its keys indented below"),
            Some(entries) => {
                let keys: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
                let message = format!("{item} must have one name; found {}", quoted(&keys));
                Problem::new(Rule::Shape, entries[1].key_span, pointer, message)
                    .hint("indent the keys below the name, and begin the next item with '- '")
            }
        };
        self.report(problem);
    }

    fn object(
        &mut self,
        entries: &[Entry],
        node: &Node,
        object: &Object,
        fields: &[Field],
        place: Place<'_>,
    ) {
        for entry in entries {
            match fields.iter().find(|field| field.key == entry.key) {
                Some(field) => self.field(entry, field, place),
                None => self.unknown_key(entry, object, fields, place),
            }
        }
        self.missing(entries, node, object.name, fields, place);
        self.group(entries, node, object, place);
    }

    fn field(&mut self, entry: &Entry, field: &Field, place: Place<'_>) {
        self.own += usize::from(field.own);
        self.entry(entry, &field.shape, place.pointer);
        self.own -= usize::from(field.own);
    }

    fn unknown_key(&mut self, entry: &Entry, object: &Object, fields: &[Field], place: Place<'_>) {
        let rule = match object.extra {
            Extra::Taken => return,
            Extra::Refused => Rule::Shape,
            Extra::RefusedStrictly => Rule::Strict,
        };
        let keys: Vec<&str> = fields.iter().map(|field| field.key).collect();
        let message = format!("unknown key '{}' in {}", entry.key, object.name);
        let hint = did_you_mean(&entry.key, keys.iter().copied()).unwrap_or_else(|| {
            if keys.is_empty() {
                "it takes no keys".to_owned()
            } else {
                format!("it takes {}", quoted(&keys))
            }
        });
        let pointer = pointer_step(place.pointer, &entry.key);
        self.report(Problem::new(rule, entry.key_span, &pointer, message).hint(hint));
    }

    fn missing(
        &mut self,
        entries: &[Entry],
        node: &Node,
        name: &str,
        fields: &[Field],
        place: Place<'_>,
    ) {
        for field in fields {
            let rule = match field.need {
                Need::Optional => continue,
                Need::Required => Rule::Shape,
                Need::RequiredStrictly => Rule::Strict,
            };
            if entries.iter().any(|entry| entry.key == field.key) {
                continue;
            }
            let span = place.key.unwrap_or(Span::at(node.span.start));
            let message = format!("'{}' is missing in {name}", field.key);
            let hint = format!("add '{}': {}", field.key, field.description);
            self.report(Problem::new(rule, span, place.pointer, message).hint(hint));
        }
    }

    fn group(&mut self, entries: &[Entry], node: &Node, object: &Object, place: Place<'_>) {
        let span = place.key.unwrap_or(Span::at(node.span.start));
        match object.group {
            Group::Free => {}
            Group::AtLeastOne if entries.is_empty() => {
                let keys: Vec<&str> = object.fields.iter().map(|field| field.key).collect();
                let message = format!("{} is empty", object.name);
                let problem = Problem::new(Rule::Shape, span, place.pointer, message);
                let hint = if keys.is_empty() {
                    "write at least one name and value".to_owned()
                } else {
                    format!("give at least one of {}", quoted(&keys))
                };
                self.report(problem.hint(hint));
            }
            Group::AtLeastOne => {}
            Group::ExactlyOne(keys) => {
                let given: Vec<&Entry> = entries
                    .iter()
                    .filter(|entry| keys.contains(&entry.key.as_str()))
                    .collect();
                if given.len() == 1 {
                    return;
                }
                let span = given.get(1).map_or(span, |second| second.key_span);
                let (found, hint) = match given.as_slice() {
                    [] => ("none", format!("add one of {}", quoted(keys))),
                    [first, others @ ..] => {
                        let others: Vec<&str> = others.iter().map(|e| e.key.as_str()).collect();
                        let (first, others) = (&first.key, quoted(&others));
                        (
                            "several",
                            format!("keep '{first}' and remove {others}, or the other way round"),
                        )
                    }
                };
                let message = format!(
                    "{} needs exactly one of {}; found {found}",
                    object.name,
                    quoted(keys),
                );
                let problem = Problem::new(Rule::Shape, span, place.pointer, message);
                self.report(problem.hint(hint));
            }
        }
    }

    fn task(&mut self, entries: &[Entry], node: &Node, place: Place<'_>) {
        let Some(kind) = self.task_kind(entries, node, place) else {
            // Without a kind the rest can't be judged, except what all tasks share.
            for entry in entries {
                if let Some(field) = COMMON.iter().find(|field| field.key == entry.key) {
                    self.field(entry, field, place);
                }
            }
            return;
        };
        let own = if kind.keyword == "call" {
            calls::fields(entries)
        } else {
            kind.fields
        };
        let mut fields = own.to_vec();
        fields.extend_from_slice(COMMON);
        let object = Object {
            name: kind.name,
            definition: "",
            fields: &[],
            group: Group::Free,
            extra: Extra::Refused,
        };
        self.object(entries, node, &object, &fields, place);
    }

    /// The kind that the task's keyword names; reports where there is none or more than one.
    fn task_kind(
        &mut self,
        entries: &[Entry],
        node: &Node,
        place: Place<'_>,
    ) -> Option<&'static Kind> {
        let has = |key: &str| entries.iter().any(|entry| entry.key == key);
        let mut found: Vec<&'static Kind> = KINDS.iter().filter(|kind| has(kind.keyword)).collect();
        // `do` is the body of a `for` as well as a kind of its own.
        if has("for") {
            found.retain(|kind| kind.keyword != "do");
        }
        if let [kind] = found.as_slice() {
            return Some(kind);
        }
        let keywords: Vec<&str> = KINDS.iter().map(|kind| kind.keyword).collect();
        if found.is_empty() {
            let guess = entries
                .iter()
                .filter(|entry| !COMMON.iter().any(|field| field.key == entry.key))
                .find_map(|entry| {
                    Some((entry, did_you_mean(&entry.key, keywords.iter().copied())?))
                });
            let stranger = guess.as_ref().map(|(entry, _)| *entry).or_else(|| {
                entries
                    .iter()
                    .find(|entry| !COMMON.iter().any(|field| field.key == entry.key))
            });
            let (span, message) = match stranger {
                Some(entry) => (entry.key_span, format!("unknown task kind '{}'", entry.key)),
                None => (
                    place.key.unwrap_or(node.span),
                    "the task does not say what it does".to_owned(),
                ),
            };
            let hint = guess.map(|(_, hint)| hint);
            let hint = hint.unwrap_or_else(|| format!("a task has one of {}", quoted(&keywords)));
            self.report(Problem::new(Rule::Shape, span, place.pointer, message).hint(hint));
            return None;
        }
        let given: Vec<&str> = found.iter().map(|kind| kind.keyword).collect();
        let second = entries
            .iter()
            .filter(|entry| given.contains(&entry.key.as_str()))
            .nth(1);
        let span = second.map_or(node.span, |entry| entry.key_span);
        let message = format!("a task does one thing; this one has {}", quoted(&given));
        let problem = Problem::new(Rule::Shape, span, place.pointer, message);
        self.report(problem.hint("make a task of its own for each"));
        None
    }
}

impl Shape {
    /// Whether the value's type is the one this shape starts from.
    fn takes(&self, node: &Node) -> bool {
        match self {
            Self::Any => true,
            Self::Boolean => matches!(node.content, Content::Boolean(_)),
            Self::Integer { .. } => node.integer().is_some(),
            Self::Text(_) => matches!(node.content, Content::Text(_)),
            Self::List { .. } | Self::Named { .. } => matches!(node.content, Content::List(_)),
            Self::Map(_) | Self::Object(_) | Self::Task => {
                matches!(node.content, Content::Object(_))
            }
            Self::Choice(shapes) => shapes.iter().any(|shape| shape.takes(node)),
        }
    }
}
