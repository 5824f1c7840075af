//! What a shape takes, in words: what was expected, and what to write in place of what stands there.

use super::tasks::KINDS;
use super::{Field, Object, Shape, TextRule};
use crate::source::{Content, Node};

/// Keys of an object that a hint lists.
const KEYS_MAX: usize = 12;

/// What to write in place of a value of another type.
pub(super) fn instead_of(node: &Node, shape: &Shape) -> String {
    let is_list = matches!(shape, Shape::Named { .. } | Shape::List { .. });
    match &node.content {
        Content::Number(..) | Content::Boolean(_) if let Some(rule) = shape.text_rule() => {
            match rule.example() {
                Some(example) => format!("write {example}"),
                None => format!("put quotes around it: '{}'", node.shown()),
            }
        }
        Content::Text(text) if shape.takes_word(text) => format!("leave the quotes out: {text}"),
        Content::Object(_) if is_list => "put a '- ' before each item".to_owned(),
        _ => format!("write {}", shape.wanted()),
    }
}

/// The numbers that may stand there.
pub(super) fn whole_number(min: i64, max: i64) -> String {
    // Above it nobody needs to know of an upper bound.
    const SMALL: i64 = 1_000_000_000;
    match (min, max) {
        (_, SMALL..) => format!("a whole number, {min} or more"),
        _ => format!("a whole number between {min} and {max}"),
    }
}

pub(super) fn quoted(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    words.join(", ")
}

impl Shape {
    /// The rule for text, where text is one of what this shape takes.
    fn text_rule(&self) -> Option<TextRule> {
        match self {
            Self::Text(rule) => Some(*rule),
            Self::Choice(shapes) => shapes.iter().find_map(Self::text_rule),
            _ => None,
        }
    }

    /// Whether the word without quotes is a value of this shape's type.
    fn takes_word(&self, word: &str) -> bool {
        match self {
            Self::Boolean => matches!(word, "true" | "false"),
            Self::Integer { .. } => word.parse::<i64>().is_ok(),
            Self::Choice(shapes) => shapes.iter().any(|shape| shape.takes_word(word)),
            _ => false,
        }
    }

    /// What a message says was expected.
    pub(super) fn expected(&self) -> String {
        match self {
            Self::Any => "a value".to_owned(),
            Self::Boolean => "true or false".to_owned(),
            Self::Integer { .. } => "a whole number".to_owned(),
            Self::Text(rule) => rule.expected().to_owned(),
            Self::List { .. } => "a list".to_owned(),
            Self::Named { item, .. } => format!("a list of {}s", item.trim_start_matches("a ")),
            Self::Map(_) => "an object".to_owned(),
            Self::Object(object) => format!("an object ({})", object.name),
            Self::Task => "a task (an object)".to_owned(),
            Self::Choice(shapes) => {
                let all: Vec<String> = shapes.iter().map(Self::expected).collect();
                all.join(" or ")
            }
        }
    }

    /// What a hint says to write.
    fn wanted(&self) -> String {
        match self {
            Self::Any => "any value".to_owned(),
            Self::Boolean => "true or false".to_owned(),
            Self::Integer { min, max } => whole_number(*min, *max),
            Self::Text(TextRule::OneOf(words)) => format!("one of {}", words.join(", ")),
            Self::Text(rule) => rule.expected().to_owned(),
            Self::List { .. } => "a list, each item behind a '- '".to_owned(),
            Self::Named { item, .. } => {
                format!("a list with {item} in each item: '- name:' and its keys indented below")
            }
            Self::Map(_) => "an object: 'name: value', each on a line of its own".to_owned(),
            Self::Object(object) => object.wanted(),
            Self::Task => {
                let keywords: Vec<&str> = KINDS.iter().map(|kind| kind.keyword).collect();
                format!("an object with one of {}", quoted(&keywords))
            }
            Self::Choice(shapes) => {
                let all: Vec<String> = shapes.iter().map(Self::wanted).collect();
                all.join(", or ")
            }
        }
    }
}

impl Object {
    /// Its keys; where there are many, those that it must have.
    fn wanted(&self) -> String {
        let keys = |fields: Vec<&Field>| {
            let keys: Vec<&str> = fields.iter().map(|field| field.key).collect();
            quoted(&keys)
        };
        let needed: Vec<&Field> = self
            .fields
            .iter()
            .filter(|field| field.is_needed())
            .collect();
        if !needed.is_empty() {
            format!("an object with {}", keys(needed))
        } else if self.fields.is_empty() {
            "an object: 'name: value', each on a line of its own".to_owned()
        } else {
            let first = self.fields.iter().take(KEYS_MAX).collect();
            format!("an object; its keys are {}", keys(first))
        }
    }
}
