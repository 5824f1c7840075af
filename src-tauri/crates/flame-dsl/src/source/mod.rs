//! Document text to a tree that knows the place of every key and value.
//!
//! Deliberately absent: what the keys mean. YAML is read by its 1.2 core schema, so `on` stays a word.

mod json;
mod locate;
mod scalar;
mod yaml;

use flame_errors::Code;
use serde_json::{Map, Number, Value};

pub(crate) use locate::Lines;

use crate::problem::{Problem, Rule};

/// Bytes of text that a document may have.
pub const TEXT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Levels of lists and objects that a document may have.
pub const NESTING_MAX: usize = 128;
/// Keys and values that a document may have once its aliases are expanded.
pub const VALUES_MAX: usize = 100_000;

/// Bytes of a value that a problem may show; the rest is not worth writing out.
const SHOWN_BYTES_MAX: usize = 400;

/// How a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Yaml,
    /// Strict: what only YAML allows is refused.
    Json,
}

/// A place in the text; line and column count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl Position {
    pub(crate) const START: Self = Self { line: 1, column: 1 };
}

/// From `start` up to, not including, `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: Position,
    pub(crate) end: Position,
}

impl Span {
    pub(crate) const START: Self = Self {
        start: Position::START,
        end: Position::START,
    };

    pub(crate) const fn at(start: Position) -> Self {
        Self { start, end: start }
    }
}

/// A value with its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) content: Content,
    pub(crate) span: Span,
}

#[derive(Debug, Clone)]
pub(crate) enum Content {
    Null,
    Boolean(bool),
    /// The number and how the text wrote it, such as `1.0`.
    Number(Number, String),
    Text(String),
    List(Vec<Node>),
    Object(Vec<Entry>),
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) value: Node,
}

impl Node {
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn list(&self) -> Option<&[Self]> {
        match &self.content {
            Content::List(items) => Some(items),
            _ => None,
        }
    }

    pub(crate) fn object(&self) -> Option<&[Entry]> {
        match &self.content {
            Content::Object(entries) => Some(entries),
            _ => None,
        }
    }

    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.object()?.iter().find(|entry| entry.key == key)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The only entry of an object that must have exactly one.
    pub(crate) fn single(&self) -> Option<&Entry> {
        match self.object()? {
            [entry] => Some(entry),
            _ => None,
        }
    }

    /// An integer, also one written `3.0`, as JSON Schema sees it.
    pub(crate) fn integer(&self) -> Option<i64> {
        let Content::Number(number, _) = &self.content else {
            return None;
        };
        number.as_i64().or_else(|| {
            let float = number.as_f64()?;
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the range is checked before"
            )]
            (float.fract() == 0.0 && float.abs() < 9.0e15).then_some(float as i64)
        })
    }

    /// What a person calls this type.
    pub(crate) const fn type_name(&self) -> &'static str {
        match self.content {
            Content::Null => "nothing",
            Content::Boolean(_) => "true or false",
            Content::Number(..) => "a number",
            Content::Text(_) => "text",
            Content::List(_) => "a list",
            Content::Object(_) => "an object",
        }
    }

    /// The value as a problem shows it: JSON, of a long one the beginning.
    pub(crate) fn shown(&self) -> String {
        let mut shown = String::new();
        self.show(&mut shown);
        shown
    }

    fn show(&self, shown: &mut String) {
        match &self.content {
            _ if shown.len() > SHOWN_BYTES_MAX => {}
            Content::Null => shown.push_str("null"),
            Content::Boolean(value) => shown.push_str(if *value { "true" } else { "false" }),
            Content::Number(_, raw) => shown.push_str(raw),
            Content::Text(text) => show_text(text, shown),
            Content::List(items) => {
                let mut before = '[';
                for item in items {
                    shown.push(before);
                    item.show(shown);
                    before = ',';
                }
                shown.push_str(if items.is_empty() { "[]" } else { "]" });
            }
            Content::Object(entries) => {
                let mut before = '{';
                for entry in entries {
                    shown.push(before);
                    show_text(&entry.key, shown);
                    shown.push(':');
                    entry.value.show(shown);
                    before = ',';
                }
                shown.push_str(if entries.is_empty() { "{}" } else { "}" });
            }
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        match &self.content {
            Content::Null => Value::Null,
            Content::Boolean(value) => Value::Bool(*value),
            Content::Number(number, _) => Value::Number(number.clone()),
            Content::Text(text) => Value::String(text.clone()),
            Content::List(items) => items.iter().map(Self::to_json).collect(),
            Content::Object(entries) => {
                let mut map = Map::with_capacity(entries.len());
                for entry in entries {
                    map.insert(entry.key.clone(), entry.value.to_json());
                }
                Value::Object(map)
            }
        }
    }

    /// The node that a JSON pointer below this one names, or the nearest above it.
    pub(crate) fn at_pointer(&self, pointer: &str) -> &Self {
        let mut node = self;
        for part in pointer.split('/').skip(1) {
            let part = part.replace("~1", "/").replace("~0", "~");
            let next = match &node.content {
                Content::Object(_) => node.get(&part),
                Content::List(items) => part.parse::<usize>().ok().and_then(|at| items.get(at)),
                _ => None,
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        node
    }
}

/// As JSON has it; of a long text the beginning.
fn show_text(text: &str, shown: &mut String) {
    let end = text.char_indices().nth(SHOWN_BYTES_MAX).map(|(at, _)| at);
    let beginning = &text[..end.unwrap_or(text.len())];
    shown.push_str(&Value::from(beginning).to_string());
}

/// One step of a JSON pointer (RFC 6901).
pub(crate) fn pointer_step(pointer: &str, step: impl std::fmt::Display) -> String {
    let step = step.to_string().replace('~', "~0").replace('/', "~1");
    format!("{pointer}/{step}")
}

/// Reads a document. Problems are those that leave no tree to look at, so they come alone.
pub(crate) fn read(text: &str, format: Format) -> Result<Node, Vec<Problem>> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(vec![too_large(text.len())]);
    }
    let text = without_mark(text);
    match format {
        // JSON is YAML, but for characters that it escapes as two halves, which a reader of YAML does not join.
        Format::Yaml if text.trim_start().starts_with('{') && json::is_json(text) => {
            json::read(text)
        }
        Format::Yaml => yaml::read(text),
        Format::Json => json::read(text),
    }
}

/// The text without the byte order mark that some editors write.
pub(crate) fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Bytes to text. Never copies; refuses a size that no document may have before it looks inside.
pub(crate) fn decode(bytes: &[u8]) -> Result<&str, Vec<Problem>> {
    if bytes.len() > TEXT_BYTES_MAX {
        return Err(vec![too_large(bytes.len())]);
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let good = error.valid_up_to();
        let before = std::str::from_utf8(&bytes[..good]).unwrap_or_default();
        let span = Span::at(Lines::new(before).position(good));
        let message = format!("byte {} is not UTF-8", good + 1);
        vec![
            Problem::new(Rule::Syntax, span, "", message)
                .value(format!("0x{:02x}", bytes[good]))
                .hint("save the file with the encoding UTF-8"),
        ]
    })
}

fn too_large(bytes: usize) -> Problem {
    let message = format!(
        "the document has {bytes} bytes; at most {TEXT_BYTES_MAX} ({} MiB) are taken",
        TEXT_BYTES_MAX / (1024 * 1024)
    );
    Problem::new(Rule::Limit, Span::START, "", message)
        .code(Code::DefinitionTooLarge)
        .hint("move data out of the definition: into the run's input, a file or a database")
}

fn too_many(span: Span, pointer: &str) -> Problem {
    let message = format!("the document has more than {VALUES_MAX} keys and values");
    Problem::new(Rule::Limit, span, pointer, message)
        .hint("move data out of the definition; an alias (*name) counts with all that it repeats")
}

fn too_deep(span: Span) -> Problem {
    let message = format!("lists and objects are nested deeper than {NESTING_MAX} levels");
    Problem::new(Rule::Limit, span, "", message)
        .hint("split the document, or bring the tasks up into fewer levels")
}

fn duplicate_key(key: &str, span: Span, first: Span, pointer: &str) -> Problem {
    let message = format!(
        "the key '{key}' is given twice; the first is on line {}, column {}",
        first.start.line, first.start.column
    );
    Problem::new(Rule::Syntax, span, pointer, message).hint("remove or rename one of them")
}
