//! The way in: text or bytes to a validated workflow, or everything that is wrong with it.

use std::sync::Arc;

use flame_errors::Code;

use crate::lower;
use crate::problem::{Problem, Problems, Rule};
use crate::shape;
use crate::source::{self, Format, Lines, Span};
use crate::{Externals, Workflow};

/// What an examination found.
#[derive(Debug)]
pub struct Examined<T> {
    /// There unless a problem is an error.
    pub value: Option<T>,
    /// All problems in the order of the text, warnings too.
    pub problems: Vec<Problem>,
}

impl<T> Examined<T> {
    /// The value, or the problems that keep it from being one; warnings are dropped with a value.
    pub(crate) fn into_result(self) -> Result<T, Vec<Problem>> {
        self.value.ok_or(self.problems)
    }
}

/// Reads a workflow. On failure every problem is listed, never only the first.
pub fn parse(text: &str, format: Format) -> Result<Workflow, Vec<Problem>> {
    examine(text, format).into_result()
}

/// Reads a workflow from bytes, which may be too many or not UTF-8.
pub fn parse_bytes(bytes: &[u8], format: Format) -> Result<Workflow, Vec<Problem>> {
    parse(source::decode(bytes)?, format)
}

/// Reads a workflow and keeps the warnings.
pub fn examine(text: &str, format: Format) -> Examined<Workflow> {
    examine_with(text, format, &Arc::default())
}

fn examine_with(text: &str, format: Format, texts: &Arc<Externals>) -> Examined<Workflow> {
    examine_as(text, format, &shape::WORKFLOW, |root, lines, problems| {
        lower::workflow(root, lines, problems, texts)
    })
}

/// The same document with texts from outside. What these in turn need is then missing.
pub fn link(workflow: &Workflow, texts: Externals) -> Result<Workflow, Vec<Problem>> {
    let text = workflow.definition.to_string();
    let linked = examine_with(&text, Format::Json, &Arc::new(texts)).into_result()?;
    Ok(Workflow {
        hash: Arc::clone(&workflow.hash),
        definition: Arc::clone(&workflow.definition),
        ..linked
    })
}

/// The text as JSON, whatever it means: for tools that want the tree.
pub fn to_json(text: &str, format: Format) -> Result<serde_json::Value, Vec<Problem>> {
    source::read(text, format).map(|root| root.to_json())
}

pub(crate) fn examine_as<T>(
    text: &str,
    format: Format,
    shape: &shape::Shape,
    lower: impl FnOnce(&source::Node, &Lines<'_>, &mut Problems) -> Option<T>,
) -> Examined<T> {
    let text = source::without_mark(text);
    let root = match source::read(text, format) {
        Ok(root) => root,
        Err(problems) => {
            return Examined {
                value: None,
                problems,
            };
        }
    };
    let mut problems = Problems::default();
    let lines = Lines::new(text);
    shape::check(&root, shape, &mut problems);
    let value = lower(&root, &lines, &mut problems).filter(|_| !problems.has_errors());
    if value.is_none() && !problems.has_errors() {
        // The tables and the lowering disagree: a fault here, never a silent success.
        let message = "the document could not be read for a reason that is not known";
        let problem = Problem::new(Rule::Shape, Span::START, "", message);
        problems.push(
            problem
                .code(Code::Internal)
                .hint("please report it with the document"),
        );
    }
    problems.name_values(&root);
    Examined {
        value,
        problems: problems.into_sorted(),
    }
}
