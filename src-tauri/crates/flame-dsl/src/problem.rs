//! What is wrong with a document: where, with which value, and what to do.
//!
//! Deliberately absent: rendering for a terminal or an editor; a problem is plain data.

use std::fmt;

use flame_errors::Code;
use serde::Serialize;

use crate::source::{Node, Span};

/// Problems that one document reports at most; one more says that the list was cut.
pub const PROBLEMS_MAX: usize = 200;

/// Characters of an offending value that a problem shows.
const VALUE_CHARACTERS_MAX: usize = 80;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The document can't be run.
    Error,
    /// It can be run, but hardly means what it says.
    Warning,
}

/// The kind of rule that a document breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Not well-formed YAML or JSON.
    Syntax,
    /// Larger or deeper than a document may be.
    Limit,
    /// The published schema of the DSL refuses it too.
    Shape,
    /// Valid by the published schema, but it can't work or would be ignored.
    Strict,
    /// Valid DSL that this release does not run.
    Unsupported,
    /// A name that nothing in the document carries.
    Reference,
    /// An expression or URI template that does not compile.
    Expression,
}

/// One problem. Lines and columns count from 1; columns count characters, the end is exclusive.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    pub severity: Severity,
    pub rule: Rule,
    /// Where a caller tells the case apart, such as `MD-102` for a document that is too large.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    pub message: String,
    /// The offending value, shortened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    pub line: u32,
    pub column: u32,
    pub end_line: u32,
    pub end_column: u32,
    /// JSON pointer of the place; empty for the whole document.
    pub pointer: String,
}

impl Problem {
    pub(crate) fn new(rule: Rule, span: Span, pointer: &str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            rule,
            code: None,
            message: message.into(),
            value: None,
            hint: None,
            line: span.start.line,
            column: span.start.column,
            end_line: span.end.line,
            end_column: span.end.column,
            pointer: pointer.to_owned(),
        }
    }

    #[must_use]
    pub(crate) fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    #[must_use]
    pub(crate) fn code(mut self, code: Code) -> Self {
        self.code = Some(code);
        self
    }

    #[must_use]
    pub(crate) fn value(mut self, value: impl AsRef<str>) -> Self {
        self.value = Some(shorten(value.as_ref()));
        self
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The problem as one line of text, led by the name of the file it is in.
    pub fn in_file<'p>(&'p self, file: &'p str) -> impl fmt::Display + 'p {
        InFile {
            file,
            problem: self,
        }
    }
}

struct InFile<'p> {
    file: &'p str,
    problem: &'p Problem,
}

impl fmt::Display for InFile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.problem)
    }
}

/// `12:7: error: message (value: "x"). Hint: do this`
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(
            f,
            "{}:{}: {severity}: {}",
            self.line, self.column, self.message
        )?;
        if let Some(value) = &self.value {
            write!(f, " (value: {value})")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

/// Collects problems up to [`PROBLEMS_MAX`].
#[derive(Debug, Default)]
pub(crate) struct Problems {
    list: Vec<Problem>,
    cut: bool,
    errors: usize,
}

impl Problems {
    pub(crate) fn push(&mut self, problem: Problem) {
        if problem.severity == Severity::Error {
            self.errors += 1;
        }
        if self.is_full() {
            self.cut = true;
        } else {
            self.list.push(problem);
        }
    }

    /// Gives those that name no value what stands at their place.
    pub(crate) fn name_values(&mut self, root: &Node) {
        for problem in self.list.iter_mut().filter(|one| one.value.is_none()) {
            let shown = root.at_pointer(&problem.pointer).shown();
            problem.value = Some(shorten(&shown));
        }
    }

    /// Whether further problems are dropped, so that nobody need work out their particulars.
    pub(crate) fn is_full(&self) -> bool {
        self.list.len() >= PROBLEMS_MAX
    }

    pub(crate) const fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// In the order of the text, each place and message once.
    pub(crate) fn into_sorted(mut self) -> Vec<Problem> {
        self.list
            .sort_by(|a, b| (a.line, a.column, &a.message).cmp(&(b.line, b.column, &b.message)));
        self.list.dedup();
        if self.cut
            && let Some(last) = self.list.last().cloned()
        {
            self.list.push(Problem {
                message: format!("more problems follow; the first {PROBLEMS_MAX} are listed"),
                value: None,
                hint: Some("repair these and check again".to_owned()),
                ..last
            });
        }
        self.list
    }
}

fn shorten(value: &str) -> String {
    if value.is_empty() {
        return "\"\"".to_owned();
    }
    let mut shown: String = value.chars().take(VALUE_CHARACTERS_MAX).collect();
    if shown.len() < value.len() {
        shown.push('…');
    }
    shown
}
