//! Errors on the wire: RFC 9457 problem details with a stable code.

use flame_errors::Code;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schemas;

/// An error answer, `application/problem+json` (RFC 9457). Match on `code`, never on text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// `urn:mastra:problem:<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// A few words that name the problem; the same for every problem of this code.
    pub title: String,
    pub status: u16,
    #[schema(value_type = schemas::Code)]
    pub code: Code,
    /// What failed, with the value that made it fail.
    pub detail: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The path that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Everything that is wrong with a definition or an input, not the first alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<DefinitionProblem>,
    /// With MD-405: the offset at which the feed goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_offset: Option<u64>,
}

impl Problem {
    /// A problem of this code; title, type and status follow from the code.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:mastra:problem:{code}"),
            title: code.title().to_owned(),
            status: code.http_status(),
            code,
            detail: detail.into(),
            hint: None,
            instance: None,
            problems: Vec::new(),
            expected_offset: None,
        }
    }

    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn with_problems(mut self, problems: Vec<DefinitionProblem>) -> Self {
        self.problems = problems;
        self
    }
}

/// One thing that is wrong with a document, with its place in the text. Lines and columns count from
/// 1, columns in characters, and the end is exclusive; all are 0 where the text is not known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DefinitionProblem {
    pub severity: Severity,
    /// The kind of rule that is broken, such as `syntax`, `reference` or `unsupported`.
    pub rule: String,
    /// What is wrong, with the value.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The value as it stands in the text, shortened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// JSON pointer of the place, such as `/do/0/compute/set`; empty for the whole document.
    #[serde(default)]
    pub pointer: String,
    #[serde(default)]
    pub line: u32,
    #[serde(default)]
    pub column: u32,
    #[serde(default)]
    pub end_line: u32,
    #[serde(default)]
    pub end_column: u32,
}

/// How much a problem weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The document can't be run.
    Error,
    /// It can be run, but hardly means what it says.
    Warning,
}
