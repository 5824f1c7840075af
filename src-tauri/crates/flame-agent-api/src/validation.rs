//! The answer to "is this document right?".

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problem::DefinitionProblem;

/// What a validation found; nothing is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Validation {
    pub valid: bool,
    pub kind: DocumentKind,
    /// Every problem, in the order of the text.
    pub problems: Vec<DefinitionProblem>,
}

/// What kind of document a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum DocumentKind {
    Workflow,
    Pipeline,
}
