//! Tasks of runs that wait for a person, and what became of an answer.

use serde::{Deserialize, Serialize};
use specta::Type;

use crate::{Json, Moment, RunSummary};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum PersonTaskKind {
    /// A yes or no.
    Approval,
    Form,
}

/// A task of a run that waits for a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct PersonTask {
    pub run: String,
    /// Reference of the task; an answer names it.
    pub task: String,
    pub kind: PersonTaskKind,
    pub title: String,
    pub description: Option<String>,
    pub assignee: Option<String>,
    /// The workflow's title, else its name.
    pub workflow: String,
    /// JSON Schema that the answer must fit.
    pub schema: Json,
    pub since: Moment,
}

/// What became of an answer: it was taken, or does not fit and the task waits on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Answered {
    /// The run after the answer; none where it does not fit.
    pub run: Option<RunSummary>,
    pub misfits: Vec<AnswerMisfit>,
}

/// What of an answer does not fit the schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct AnswerMisfit {
    /// JSON pointer of the value, also of one that is missing; empty for the whole answer.
    pub pointer: String,
    pub message: String,
}
