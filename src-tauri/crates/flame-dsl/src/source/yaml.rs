//! YAML 1.2 to the spanned tree, built from parser events without recursion.
//!
//! Deliberately absent: merge keys (`<<`), tags of one's own and more than one document; each is
//! refused by name.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Tag};

use super::{
    Content, Entry, NESTING_MAX, Node, Position, Span, VALUES_MAX, duplicate_key, pointer_step,
    scalar, too_deep, too_many,
};
use crate::problem::{Problem, Problems, Rule};

/// Anchors that a document may have.
const ANCHORS_MAX: usize = 1_000;

pub(super) fn read(text: &str) -> Result<Node, Vec<Problem>> {
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        match event {
            Ok((event, span)) => {
                if let Err(problem) = builder.take(event, convert(span)) {
                    builder.problems.push(*problem);
                    return Err(builder.problems.into_sorted());
                }
            }
            Err(error) => {
                builder.problems.push(broken(&error, text));
                return Err(builder.problems.into_sorted());
            }
        }
    }
    builder.finish()
}

/// What the parser gave up on, in words that say what to do.
fn broken(error: &ScanError, text: &str) -> Problem {
    let start = position(error.marker());
    if error.info() == "recursion limit exceeded" {
        return too_deep(Span::at(start));
    }
    let at_end = error.info().contains("end of stream")
        || error.info().contains("eof")
        || error.marker().index() >= text.trim_end().chars().count();
    let hint = if error.info().contains("tab") {
        "indent with spaces; YAML takes no tabs there"
    } else if text.contains('\0') {
        "take out the NUL character; it has no place in a text"
    } else if at_end {
        "the text ends too early: a quote, bracket or brace is not closed, or a value is missing"
    } else if error.info().contains("mapping values are not allowed") {
        "put quotes around text that has ': ' in it, or check the indentation"
    } else if error.info().contains("unknown anchor") {
        "an alias (*name) needs its anchor (&name) before it"
    } else if error.info().contains("document") {
        "keep one document per file"
    } else {
        "check the indentation, quotes and brackets of this line and the one before"
    };
    let message = format!("not YAML: {}", error.info());
    Problem::new(Rule::Syntax, Span::at(start), "", message).hint(hint)
}

fn convert(span: saphyr_parser::Span) -> Span {
    Span {
        start: position(&span.start),
        end: position(&span.end),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a text of at most 4 MiB has fewer lines and columns than u32 holds"
)]
fn position(marker: &Marker) -> Position {
    Position {
        line: marker.line() as u32,
        column: marker.col() as u32 + 1,
    }
}

/// A list or object that is still open.
struct Open {
    span: Span,
    anchor: usize,
    pointer: String,
    kind: OpenKind,
    /// Levels of the deepest value inside, this one included.
    height: usize,
    values: usize,
}

enum OpenKind {
    List(Vec<Node>),
    Object {
        entries: Vec<Entry>,
        seen: HashMap<String, Span>,
        key: Option<(String, Span)>,
    },
}

/// A finished anchored value with its size.
struct Anchored {
    node: Node,
    height: usize,
    values: usize,
}

#[derive(Default)]
struct Builder {
    stack: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
    root: Option<Node>,
    documents: usize,
    values: usize,
    problems: Problems,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Box<Problem>> {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    let problem = Problem::new(
                        Rule::Syntax,
                        span,
                        "",
                        "the text has more than one document",
                    )
                    .hint("keep one document per file, without a second '---'");
                    return Err(Box::new(problem));
                }
            }
            Event::Scalar(raw, style, anchor, tag) => {
                return self.scalar(&raw, style, anchor, tag.as_deref(), span);
            }
            Event::SequenceStart(anchor, tag) => {
                return self.open(OpenKind::List(Vec::new()), anchor, tag.as_deref(), span);
            }
            Event::MappingStart(anchor, tag) => {
                let kind = OpenKind::Object {
                    entries: Vec::new(),
                    seen: HashMap::new(),
                    key: None,
                };
                return self.open(kind, anchor, tag.as_deref(), span);
            }
            Event::SequenceEnd | Event::MappingEnd => return self.close(span),
            Event::Alias(anchor) => return self.alias(anchor, span),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<Node, Vec<Problem>> {
        if self.problems.has_errors() {
            return Err(self.problems.into_sorted());
        }
        Ok(self.root.unwrap_or(Node {
            content: Content::Null,
            span: Span::START,
        }))
    }

    /// The pointer of the value that comes next.
    fn pointer(&self) -> String {
        match self.stack.last() {
            None => String::new(),
            Some(open) => match &open.kind {
                OpenKind::List(items) => pointer_step(&open.pointer, items.len()),
                OpenKind::Object {
                    key: Some((key, _)),
                    ..
                } => pointer_step(&open.pointer, key),
                OpenKind::Object { .. } => open.pointer.clone(),
            },
        }
    }

    fn expects_key(&self) -> bool {
        matches!(
            self.stack.last().map(|open| &open.kind),
            Some(OpenKind::Object { key: None, .. })
        )
    }

    fn count(&mut self, values: usize, span: Span) -> Result<(), Box<Problem>> {
        self.values += values;
        if self.values <= VALUES_MAX {
            return Ok(());
        }
        Err(Box::new(too_many(span, &self.pointer())))
    }

    fn open(
        &mut self,
        kind: OpenKind,
        anchor: usize,
        tag: Option<&Tag>,
        span: Span,
    ) -> Result<(), Box<Problem>> {
        self.count(1, span)?;
        if self.stack.len() >= NESTING_MAX {
            return Err(Box::new(too_deep(span)));
        }
        if self.expects_key() {
            let problem = Problem::new(
                Rule::Syntax,
                span,
                &self.pointer(),
                "a key must be text, not a list or an object",
            );
            return Err(Box::new(
                problem.hint("put quotes around a key that begins with [ or {"),
            ));
        }
        self.check_tag(tag, span);
        let pointer = self.pointer();
        self.stack.push(Open {
            span,
            anchor,
            pointer,
            kind,
            height: 1,
            values: 1,
        });
        Ok(())
    }

    fn close(&mut self, span: Span) -> Result<(), Box<Problem>> {
        let Some(open) = self.stack.pop() else {
            return Ok(());
        };
        let (content, last) = match open.kind {
            OpenKind::List(items) => {
                let last = items.last().map(|item| item.span.end);
                (Content::List(items), last)
            }
            OpenKind::Object { entries, .. } => {
                let last = entries.last().map(|entry| entry.value.span.end);
                (Content::Object(entries), last)
            }
        };
        // A block ends where the next token starts; its last value is what a reader sees as its end.
        let is_flow = span.start != span.end;
        let end = if is_flow {
            span.end
        } else {
            last.unwrap_or(open.span.end)
        };
        let start = open.span.start;
        let node = Node {
            content,
            span: Span {
                start,
                end: end.max(start),
            },
        };
        self.place(node, open.anchor, open.height, open.values)
    }

    fn scalar(
        &mut self,
        raw: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        span: Span,
    ) -> Result<(), Box<Problem>> {
        self.count(1, span)?;
        if self.expects_key() {
            return self.key(raw, style, span);
        }
        self.check_tag(tag, span);
        let is_text = style != ScalarStyle::Plain
            || tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
        let content = if is_text {
            Content::Text(raw.to_owned())
        } else {
            scalar::resolve(raw).unwrap_or_else(|reason| {
                let pointer = self.pointer();
                let problem = Problem::new(Rule::Syntax, span, &pointer, reason).value(raw);
                self.problems
                    .push(problem.hint("put quotes around it if it is meant as text"));
                Content::Null
            })
        };
        self.place(Node { content, span }, anchor, 0, 1)
    }

    fn key(&mut self, raw: &str, style: ScalarStyle, span: Span) -> Result<(), Box<Problem>> {
        let is_merge = raw == "<<" && style == ScalarStyle::Plain;
        let pointer = pointer_step(&self.pointer(), raw);
        if is_merge {
            let problem = Problem::new(
                Rule::Syntax,
                span,
                &pointer,
                "merge keys (<<) are not part of YAML 1.2",
            )
            .hint("write the keys out, or repeat a whole value with an alias (*name)");
            self.problems.push(problem);
        }
        let Some(OpenKind::Object { seen, key, .. }) =
            self.stack.last_mut().map(|open| &mut open.kind)
        else {
            return Ok(());
        };
        if let Some(first) = seen.insert(raw.to_owned(), span)
            && !is_merge
        {
            self.problems
                .push(duplicate_key(raw, span, first, &pointer));
        }
        *key = Some((raw.to_owned(), span));
        Ok(())
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Box<Problem>> {
        let Some((values, height)) = self
            .anchors
            .get(&anchor)
            .map(|target| (target.values, target.height))
        else {
            let problem = Problem::new(
                Rule::Syntax,
                span,
                &self.pointer(),
                "an alias stands inside the value that it repeats",
            );
            return Err(Box::new(problem.hint("write the value out")));
        };
        // Before the copy is made: ten aliases of ten aliases would fill the memory.
        self.count(values, span)?;
        if self.stack.len() + height > NESTING_MAX {
            return Err(Box::new(too_deep(span)));
        }
        let node = self.anchors[&anchor].node.clone();
        if self.expects_key() {
            let Content::Text(key) = node.content else {
                let problem =
                    Problem::new(Rule::Syntax, span, &self.pointer(), "a key must be text");
                return Err(Box::new(
                    problem
                        .value(node.shown())
                        .hint("write the key out, or let the alias stand for text"),
                ));
            };
            return self.key(&key, ScalarStyle::SingleQuoted, span);
        }
        self.place(node, 0, height, values)
    }

    /// Puts a finished value where it belongs.
    fn place(
        &mut self,
        node: Node,
        anchor: usize,
        height: usize,
        values: usize,
    ) -> Result<(), Box<Problem>> {
        if anchor > 0 {
            if self.anchors.len() >= ANCHORS_MAX {
                let message = format!("the document has more than {ANCHORS_MAX} anchors");
                let problem = Problem::new(Rule::Limit, node.span, "", message);
                return Err(Box::new(problem.hint(
                    "write values out, or take an anchor (&name) away that no alias repeats",
                )));
            }
            let node = node.clone();
            // A copy of an anchored value costs memory as an alias does.
            self.count(values, node.span)?;
            self.anchors.insert(
                anchor,
                Anchored {
                    node,
                    height,
                    values,
                },
            );
        }
        let Some(parent) = self.stack.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        parent.height = parent.height.max(height + 1);
        parent.values += values;
        match &mut parent.kind {
            OpenKind::List(items) => items.push(node),
            OpenKind::Object { entries, key, .. } => {
                if let Some((key, key_span)) = key.take() {
                    entries.push(Entry {
                        key,
                        key_span,
                        value: node,
                    });
                }
            }
        }
        Ok(())
    }

    fn check_tag(&mut self, tag: Option<&Tag>, span: Span) {
        if let Some(tag) = tag
            && !(tag.is_yaml_core_schema() && matches!(&*tag.suffix, "str" | "map" | "seq"))
            && !(tag.handle.is_empty() && tag.suffix == "!")
        {
            let pointer = self.pointer();
            let problem = Problem::new(Rule::Syntax, span, &pointer, "tags are not taken here");
            self.problems.push(
                problem
                    .value(tag.to_string())
                    .hint("remove the word that begins with '!'"),
            );
        }
    }
}
