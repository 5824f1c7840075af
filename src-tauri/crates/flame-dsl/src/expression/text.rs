//! Where the `${ }` of strict mode stand in a text; jq itself is not parsed here.

use std::ops::Range;

/// A stretch of a text: itself, or the source between `${` and `}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part<'t> {
    Literal(&'t str),
    Expression(&'t str),
}

/// A `${` without its `}`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`${{` at byte {offset} has no closing `}}`")]
pub struct Unclosed {
    pub offset: usize,
}

/// The jq source of a text that is one `${ ... }` and nothing else but white space around it.
pub fn strip(text: &str) -> Option<&str> {
    let text = text.trim();
    let inner = text.strip_prefix("${")?;
    let end = closing(inner)?;
    (end + 1 == inner.len()).then(|| inner[..end].trim())
}

/// The text in parts; one literal (or none, for an empty text) where there is no `${`.
pub fn split(text: &str) -> Result<Vec<Part<'_>>, Unclosed> {
    split_at(text, |_, _| true)
}

/// A command for a shell in parts. What a shell reads as its own after `${` (`${NAME}`, `${1}`, `${#}`) is text, and
/// so is what stands after a `\`.
pub fn split_command(text: &str) -> Result<Vec<Part<'_>>, Unclosed> {
    split_at(text, |before, after| {
        let mut after = after.chars();
        let is_jq = match after.next() {
            Some('$') => after.next().is_some_and(|c| c.is_alphabetic() || c == '_'),
            Some(first) => first.is_whitespace() || matches!(first, '.' | '(' | '[' | '{' | '"'),
            None => false,
        };
        let backslashes = before.len() - before.trim_end_matches('\\').len();
        is_jq && backslashes % 2 == 0
    })
}

/// `is_ours` tells of a `${` by what stands before and after it.
fn split_at(text: &str, is_ours: impl Fn(&str, &str) -> bool) -> Result<Vec<Part<'_>>, Unclosed> {
    let mut parts = Vec::new();
    let (mut from, mut looked) = (0, 0);
    while let Some(found) = text[looked..].find("${") {
        let offset = looked + found;
        looked = offset + "${".len();
        if !is_ours(&text[..offset], &text[looked..]) {
            continue;
        }
        let Range { start, end } = expression_at(text, offset)?;
        if offset > from {
            parts.push(Part::Literal(&text[from..offset]));
        }
        parts.push(Part::Expression(text[start..end].trim()));
        from = end + 1;
        looked = from;
    }
    if from < text.len() {
        parts.push(Part::Literal(&text[from..]));
    }
    Ok(parts)
}

/// What is between the `${` at `offset` and its `}`.
fn expression_at(text: &str, offset: usize) -> Result<Range<usize>, Unclosed> {
    let start = offset + "${".len();
    let end = closing(&text[start..]).ok_or(Unclosed { offset })?;
    Ok(start..start + end)
}

/// The byte of the `}` that closes jq source which has been opened before its first byte. Braces in
/// jq strings and comments do not count, except in `\( )`, where the source goes on.
fn closing(source: &str) -> Option<usize> {
    /// What the scan is inside of.
    enum Inside {
        Brace,
        Parenthesis,
        Text,
    }
    let mut inside = vec![Inside::Brace];
    let mut bytes = source.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match (inside.last()?, byte) {
            (Inside::Text, b'"') => drop(inside.pop()),
            (Inside::Text, b'\\') => {
                if let Some((_, b'(')) = bytes.next() {
                    inside.push(Inside::Parenthesis);
                }
            }
            (Inside::Text, _) => {}
            (_, b'"') => inside.push(Inside::Text),
            (_, b'#') => {
                bytes.find(|(_, byte)| *byte == b'\n');
            }
            (_, b'{') => inside.push(Inside::Brace),
            (_, b'(') => inside.push(Inside::Parenthesis),
            (Inside::Brace, b'}') => {
                inside.pop();
                if inside.is_empty() {
                    return Some(at);
                }
            }
            (Inside::Parenthesis, b')') => drop(inside.pop()),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_text_is_one_expression_or_none() {
        assert_eq!(strip("${ .a }"), Some(".a"));
        assert_eq!(strip("  ${.a}\n"), Some(".a"));
        assert_eq!(
            strip(r#"${ {a: "}"} | "\({b: 1})" }"#),
            Some(r#"{a: "}"} | "\({b: 1})""#)
        );
        assert_eq!(strip("${ .a # } not yet\n}"), Some(".a # } not yet"));
        for text in [
            "",
            ".a",
            "${",
            "${ .a",
            "${ .a } b",
            "a ${ .a }",
            "${ .a }${ .b }",
            "$ { .a }",
            "${ \"}",
        ] {
            assert_eq!(strip(text), None, "{text}");
        }
    }

    #[test]
    fn a_text_falls_into_parts() {
        use Part::{Expression, Literal};
        let table: &[(&str, &[Part<'_>])] = &[
            ("", &[]),
            ("plain } text", &[Literal("plain } text")]),
            (
                "Hi ${ .name }!",
                &[Literal("Hi "), Expression(".name"), Literal("!")],
            ),
            ("${.a}${.b}", &[Expression(".a"), Expression(".b")]),
            (
                "ü${ \"ü}\" }ü",
                &[Literal("ü"), Expression("\"ü}\""), Literal("ü")],
            ),
            (
                "${ {a: {b: 1}}.a.b }-",
                &[Expression("{a: {b: 1}}.a.b"), Literal("-")],
            ),
        ];
        for (text, parts) in table {
            assert_eq!(split(text).as_deref(), Ok(*parts), "{text}");
        }
        assert_eq!(split("a ${ .b"), Err(Unclosed { offset: 2 }));
        assert_eq!(split("a ${ \"}"), Err(Unclosed { offset: 2 }));
        assert_eq!(split("${ .a } ${ (}"), Err(Unclosed { offset: 8 }));
    }

    #[test]
    fn a_command_keeps_what_a_shell_reads() {
        use Part::{Expression, Literal};
        let table: &[(&str, &[Part<'_>])] = &[
            (
                "echo \"${ .a } ${NAME:-x} ${#} ${1} ${$} ${@}\"",
                &[
                    Literal("echo \""),
                    Expression(".a"),
                    Literal(" ${NAME:-x} ${#} ${1} ${$} ${@}\""),
                ],
            ),
            (
                "${X:-${.a}}${$task.name}",
                &[
                    Literal("${X:-"),
                    Expression(".a"),
                    Literal("}"),
                    Expression("$task.name"),
                ],
            ),
            ("echo \\${ .a } ${", &[Literal("echo \\${ .a } ${")]),
            ("\\\\${ .a }", &[Literal("\\\\"), Expression(".a")]),
        ];
        for (text, parts) in table {
            assert_eq!(split_command(text).as_deref(), Ok(*parts), "{text}");
        }
        assert_eq!(split_command("ls ${ .a"), Err(Unclosed { offset: 3 }));
    }
}
