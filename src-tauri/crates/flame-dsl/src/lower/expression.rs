//! Expressions and templates out of the tree, each fault at its own line and column.

use std::sync::Arc;

use super::{EXPRESSIONS_MAX, Lowering};
use crate::expression::{self, Expression, ExpressionError, Part, Unclosed};
use crate::problem::{Problem, Rule};
use crate::shape::did_you_mean;
use crate::source::{Content, Node, Span, pointer_step};
use crate::{Template, TextPart};

const AUTHORIZATION_HINT: &str = "$authorization is there in a call with an authentication: in its arguments \
     where that is basic or bearer, in output.as and export.as with any";

impl Lowering<'_> {
    /// jq, bare or within `${ }`: conditions and the like.
    pub(crate) fn expression(&mut self, node: &Node, pointer: &str) -> Option<Expression> {
        let text = node.text()?;
        let source = expression::strip(text).unwrap_or(text);
        self.compile(node, text, source, pointer)
    }

    /// jq, bare or within `${ }`, or an object with `${ }` inside: `from`, `as`, `set`.
    pub(super) fn transform(&mut self, node: &Node, pointer: &str) -> Option<Template> {
        match node.text() {
            Some(_) if self.loose => self.value(node, pointer),
            Some(_) => self.items(node, pointer),
            None => self.value(node, pointer),
        }
    }

    /// What `for` goes through: as a transform, but a text is an expression in either mode.
    pub(super) fn items(&mut self, node: &Node, pointer: &str) -> Option<Template> {
        match node.text() {
            Some(text) if expression::strip(text).is_none() && text.contains("${") => {
                self.template(node, pointer)
            }
            Some(_) => self.expression(node, pointer).map(Template::Expression),
            None => self.value(node, pointer),
        }
    }

    /// Data of the document's own: JSON with `${ }` anywhere inside. In loose mode its texts are tried as
    /// expressions, which those of addresses, names, credentials and programs never are.
    pub(super) fn value(&mut self, node: &Node, pointer: &str) -> Option<Template> {
        self.in_values = self.loose;
        let lowered = self.template(node, pointer);
        self.in_values = false;
        lowered
    }

    /// JSON with `${ }` anywhere inside.
    pub(super) fn template(&mut self, node: &Node, pointer: &str) -> Option<Template> {
        match &node.content {
            Content::Text(text) => self.text_template(node, text, pointer),
            Content::List(items) => {
                let mut lowered = Vec::with_capacity(items.len());
                for (at, item) in items.iter().enumerate() {
                    lowered.push(self.template(item, &pointer_step(pointer, at)));
                }
                let lowered: Vec<Template> = lowered.into_iter().collect::<Option<_>>()?;
                let is_literal = lowered.iter().all(|t| matches!(t, Template::Literal(_)));
                Some(if is_literal {
                    literal(node)
                } else {
                    Template::Array(lowered)
                })
            }
            Content::Object(entries) => {
                let mut lowered = Vec::with_capacity(entries.len());
                for entry in entries {
                    let value = self.template(&entry.value, &pointer_step(pointer, &entry.key));
                    lowered.push(value.map(|value| (entry.key.clone(), value)));
                }
                let lowered: Vec<(String, Template)> =
                    lowered.into_iter().collect::<Option<_>>()?;
                let is_literal = lowered
                    .iter()
                    .all(|(_, t)| matches!(t, Template::Literal(_)));
                Some(if is_literal {
                    literal(node)
                } else {
                    Template::Object(lowered)
                })
            }
            Content::Null | Content::Boolean(_) | Content::Number(..) => Some(literal(node)),
        }
    }

    fn text_template(&mut self, node: &Node, text: &str, pointer: &str) -> Option<Template> {
        if self.in_values {
            return self.loose_text(node, text, pointer);
        }
        if let Some(source) = expression::strip(text) {
            return self
                .compile(node, text, source, pointer)
                .map(Template::Expression);
        }
        let parts = match expression::split(text) {
            Ok(parts) => parts,
            Err(unclosed) => return self.unclosed(node, text, &unclosed, pointer),
        };
        if let [] | [Part::Literal(_)] = parts.as_slice() {
            return Some(literal(node));
        }
        let mut lowered = Vec::with_capacity(parts.len());
        for part in parts {
            lowered.push(match part {
                Part::Literal(text) => Some(TextPart::Literal(text.to_owned())),
                Part::Expression(source) => self
                    .compile(node, text, source, pointer)
                    .map(TextPart::Expression),
            });
        }
        lowered
            .into_iter()
            .collect::<Option<_>>()
            .map(Template::Text)
    }

    pub(super) fn unclosed<T>(
        &mut self,
        node: &Node,
        text: &str,
        unclosed: &Unclosed,
        pointer: &str,
    ) -> Option<T> {
        let span = self.span_inside(node, text, unclosed.offset);
        let message = "'${' without its closing '}'";
        let problem = Problem::new(Rule::Expression, span, pointer, message);
        self.refuse(
            problem
                .value(&text[unclosed.offset..])
                .hint("close it with '}'; quotes and brackets inside must be closed before"),
        )
    }

    /// A text of which only that counts which can be evaluated; the rest is what it says.
    fn loose_text(&mut self, node: &Node, text: &str, pointer: &str) -> Option<Template> {
        let template = match (expression::strip(text), text.contains("${")) {
            (Some(source), _) => self
                .try_compile(node, source, pointer)?
                .map(Template::Expression),
            (None, true) => self.loose_parts(node, text, pointer)?,
            (None, false) if text.trim().is_empty() => return Some(literal(node)),
            (None, false) => match self.try_compile(node, text, pointer)? {
                Ok(expression) => Ok(Template::Expression(expression)),
                // Ordinary text: most is.
                Err(_) => return Some(literal(node)),
            },
        };
        match template {
            Ok(template) => {
                self.check_secrets(node, text, text, pointer);
                Some(Template::Loose(Box::new((text.to_owned(), template))))
            }
            Err(reason) => {
                let message = format!("this stays text, since it is not a jq expression: {reason}");
                let problem = Problem::new(Rule::Expression, node.span, pointer, message);
                self.problems.push(
                    problem
                        .warning()
                        .value(text)
                        .hint("repair it, or leave ${ } out if it is meant as text"),
                );
                Some(literal(node))
            }
        }
    }

    fn loose_parts(
        &mut self,
        node: &Node,
        text: &str,
        pointer: &str,
    ) -> Option<Result<Template, String>> {
        let parts = match expression::split(text) {
            Ok(parts) => parts,
            Err(unclosed) => return Some(Err(unclosed.to_string())),
        };
        let mut lowered = Vec::with_capacity(parts.len());
        for part in parts {
            lowered.push(match part {
                Part::Literal(text) => TextPart::Literal(text.to_owned()),
                Part::Expression(source) => match self.try_compile(node, source, pointer)? {
                    Ok(expression) => TextPart::Expression(expression),
                    Err(reason) => return Some(Err(reason)),
                },
            });
        }
        Some(Ok(Template::Text(lowered)))
    }

    /// The expression, or why it is none; `None` where the document has too many.
    fn try_compile(
        &mut self,
        node: &Node,
        source: &str,
        pointer: &str,
    ) -> Option<Result<Expression, String>> {
        self.expressions += 1;
        if self.expressions > EXPRESSIONS_MAX {
            return self.too_many_expressions(node, pointer);
        }
        let variables: Vec<&str> = self.scope.iter().map(String::as_str).collect();
        Some(Expression::compile(source, &variables).map_err(|error| error.to_string()))
    }

    /// Compiles `source`, a slice of `text`, the value of `node`.
    pub(super) fn compile(
        &mut self,
        node: &Node,
        text: &str,
        source: &str,
        pointer: &str,
    ) -> Option<Expression> {
        if source.trim().is_empty() {
            let problem = Problem::new(
                Rule::Expression,
                node.span,
                pointer,
                "the expression is empty",
            );
            return self
                .refuse(problem.hint("write jq, such as .order.id; '.' is the whole input"));
        }
        self.expressions += 1;
        if self.expressions > EXPRESSIONS_MAX {
            return self.too_many_expressions(node, pointer);
        }
        let variables: Vec<&str> = self.scope.iter().map(String::as_str).collect();
        let (message, offset) = match Expression::compile(source, &variables) {
            Ok(expression) => {
                self.check_secrets(node, text, source, pointer);
                return Some(expression);
            }
            Err(ExpressionError::Syntax { message, offset }) => (message, offset),
            Err(error) => (error.to_string(), 0),
        };
        // A slice of the text, so its distance from the start is where it stands.
        let start = (source.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        let span = self.span_inside(node, text, start + offset);
        let variable = variable_at(source, offset);
        let hint = match variable {
            Some("secrets") if !self.scope.is_empty() => {
                "name the secrets that are used: use: {secrets: [NAME]}".to_owned()
            }
            Some("authorization") if !self.scope.is_empty() => AUTHORIZATION_HINT.to_owned(),
            Some(name) => self.variables_hint(name),
            None => syntax_hint(source).to_owned(),
        };
        self.refuse(
            Problem::new(
                Rule::Expression,
                span,
                pointer,
                format!("not a jq expression: {message}"),
            )
            .value(source)
            .hint(hint),
        )
    }

    /// Reported once, however many follow.
    fn too_many_expressions<T>(&mut self, node: &Node, pointer: &str) -> Option<T> {
        if self.expressions > EXPRESSIONS_MAX + 1 {
            return None;
        }
        let message = format!("the document has more than {EXPRESSIONS_MAX} expressions");
        let problem = Problem::new(Rule::Limit, node.span, pointer, message);
        self.refuse(problem.hint("let one expression do the work of many, or loop with 'for'"))
    }

    fn variables_hint(&self, name: &str) -> String {
        if self.scope.is_empty() {
            return "there are no variables here; '.' is the row".to_owned();
        }
        let known: Vec<String> = self.scope.iter().map(|name| format!("${name}")).collect();
        did_you_mean(&format!("${name}"), known.iter().map(String::as_str))
            .unwrap_or_else(|| format!("in scope are {}", known.join(", ")))
    }

    /// One character at a byte offset of a text's value.
    pub(super) fn span_inside(&self, node: &Node, text: &str, offset: usize) -> Span {
        if self.problems.is_full() {
            return node.span;
        }
        let start = self.lines.inside(node.span, text, offset);
        let mut end = start;
        end.column += 1;
        Span { start, end }
    }
}

/// The name of the variable that stands at the offset, without `$`.
fn variable_at(source: &str, offset: usize) -> Option<&str> {
    let name = source.get(offset..)?.strip_prefix('$')?;
    let end = name
        .find(|c: char| !(c.is_alphanumeric() || c == '_'))
        .unwrap_or(name.len());
    Some(&name[..end])
}

/// What people who know another language write, and how jq says it.
const OTHER_LANGUAGES: &[(&str, &str)] = &[
    ("{{", "expressions are jq within ${ }, not {{ }}"),
    (
        "${",
        "put the whole expression into one ${ }, or leave ${ } out",
    ),
    ("&&", "jq writes 'and'"),
    (
        "||",
        "jq writes 'or', and '//' for a value in place of null",
    ),
    ("===", "jq compares with '=='"),
    ("'", "text in jq stands in double quotes"),
];

fn syntax_hint(source: &str) -> &'static str {
    OTHER_LANGUAGES
        .iter()
        .find(|(sign, _)| source.contains(sign))
        .map_or("see the jq manual for the syntax", |(_, hint)| hint)
}

fn literal(node: &Node) -> Template {
    Template::Literal(Arc::new(node.to_json()))
}
