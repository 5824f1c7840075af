//! Strict JSON to the spanned tree: `serde_json` says whether it is JSON, this file says where things are.
//!
//! Deliberately absent: leniency. Comments, trailing commas and single quotes are refused.

use serde::de::IgnoredAny;
use serde_json::Number;

use super::{
    Content, Entry, Lines, NESTING_MAX, Node, Span, VALUES_MAX, duplicate_key, too_deep, too_many,
};
use crate::problem::{Problem, Problems, Rule};
use crate::source::pointer_step;

pub(super) fn read(text: &str) -> Result<Node, Vec<Problem>> {
    if let Some(offset) = too_deep_at(text.as_bytes()) {
        let span = Span::at(Lines::new(text).position(offset));
        return Err(vec![too_deep(span)]);
    }
    let lines = Lines::new(text);
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        return Err(vec![not_json(&error, &lines)]);
    }
    let mut reader = Reader {
        text,
        lines,
        at: 0,
        values: 0,
        problems: Problems::default(),
    };
    let node = reader.value("");
    if reader.problems.has_errors() {
        Err(reader.problems.into_sorted())
    } else {
        Ok(node)
    }
}

pub(super) fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

fn not_json(error: &serde_json::Error, lines: &Lines<'_>) -> Problem {
    let position = lines.position_in_line(error.line(), error.column());
    let message = reason(error);
    let hint = if error.is_eof() {
        "the text ends too early: a bracket, brace or quote is not closed"
    } else {
        "the document is read as JSON; YAML is taken as application/yaml or from a .yaml file"
    };
    Problem::new(
        Rule::Syntax,
        Span::at(position),
        "",
        format!("not JSON: {message}"),
    )
    .hint(hint)
}

/// What is wrong, without the place, which is told in lines of the whole document.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let reason = text.rsplit_once(" at line ").map(|(reason, _)| reason);
    reason.unwrap_or(&text).to_owned()
}

/// The offset of the first bracket past the nesting limit, found without recursion.
fn too_deep_at(text: &[u8]) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => {
                depth += 1;
                if depth > NESTING_MAX {
                    return Some(at);
                }
            }
            b']' | b'}' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// Walks text that is known to be JSON of bounded depth.
struct Reader<'t> {
    text: &'t str,
    lines: Lines<'t>,
    at: usize,
    values: usize,
    problems: Problems,
}

impl Reader<'_> {
    fn peek(&mut self) -> u8 {
        let bytes = self.text.as_bytes();
        while bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        bytes.get(self.at).copied().unwrap_or(0)
    }

    fn span_from(&self, start: usize) -> Span {
        Span {
            start: self.lines.position(start),
            end: self.lines.position(self.at),
        }
    }

    fn value(&mut self, pointer: &str) -> Node {
        let first = self.peek();
        let start = self.at;
        let content = match first {
            _ if !self.counts(pointer) => Content::Null,
            b'{' => self.object(pointer),
            b'[' => self.list(pointer),
            b'"' => Content::Text(self.string(pointer)),
            _ => self.word(pointer),
        };
        Node {
            content,
            span: self.span_from(start),
        }
    }

    /// Counts a key or value. Past the limit nothing more is kept, so the walk goes to the end.
    fn counts(&mut self, pointer: &str) -> bool {
        if self.values == VALUES_MAX {
            self.problems
                .push(too_many(self.span_from(self.at), pointer));
            self.at = self.text.len();
        }
        self.values += 1;
        self.values <= VALUES_MAX
    }

    fn object(&mut self, pointer: &str) -> Content {
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen = std::collections::HashMap::new();
        self.at += 1;
        while self.peek() != b'}' && self.at < self.text.len() {
            if self.peek() == b',' {
                self.at += 1;
                self.peek();
            }
            let start = self.at;
            if !self.counts(pointer) {
                break;
            }
            let key = self.string(pointer);
            let key_span = self.span_from(start);
            let pointer = pointer_step(pointer, &key);
            if let Some(first) = seen.insert(key.clone(), key_span) {
                self.problems
                    .push(duplicate_key(&key, key_span, first, &pointer));
            }
            self.peek();
            self.at += 1;
            let value = self.value(&pointer);
            entries.push(Entry {
                key,
                key_span,
                value,
            });
        }
        self.at += 1;
        Content::Object(entries)
    }

    fn list(&mut self, pointer: &str) -> Content {
        let mut items = Vec::new();
        self.at += 1;
        while self.peek() != b']' && self.at < self.text.len() {
            if self.peek() == b',' {
                self.at += 1;
            }
            let item = self.value(&pointer_step(pointer, items.len()));
            items.push(item);
        }
        self.at += 1;
        Content::List(items)
    }

    fn string(&mut self, pointer: &str) -> String {
        let start = self.at;
        let bytes = self.text.as_bytes();
        self.at += 1;
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b'\\' => self.at += 2,
                b'"' => break,
                _ => self.at += 1,
            }
        }
        self.at = (self.at + 1).min(bytes.len());
        serde_json::from_str(&self.text[start..self.at]).unwrap_or_else(|error| {
            let message = format!("the text is not valid: {}", reason(&error));
            let span = self.span_from(start);
            self.problems.push(
                Problem::new(Rule::Syntax, span, pointer, message)
                    .value(&self.text[start..self.at])
                    .hint("write characters out, or escape them: \\n, \\\", \\\\, \\u00e4"),
            );
            String::new()
        })
    }

    fn word(&mut self, pointer: &str) -> Content {
        let start = self.at;
        let rest = &self.text[start..];
        let length = rest
            .find(|c: char| matches!(c, ',' | ']' | '}') || c.is_ascii_whitespace())
            .unwrap_or(rest.len());
        // At least one byte, so that the walk ends whatever it meets.
        self.at = (start + length.max(1)).min(self.text.len());
        match &rest[..length] {
            "null" => Content::Null,
            "true" => Content::Boolean(true),
            "false" => Content::Boolean(false),
            raw => match serde_json::from_str::<Number>(raw) {
                Ok(number) => Content::Number(number, raw.to_owned()),
                Err(error) => {
                    let message = format!("the number can't be held: {}", reason(&error));
                    let span = self.span_from(start);
                    let problem = Problem::new(Rule::Syntax, span, pointer, message);
                    self.problems.push(
                        problem
                            .value(raw)
                            .hint("put quotes around it if it is meant as text"),
                    );
                    Content::Null
                }
            },
        }
    }
}
