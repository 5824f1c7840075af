//! Tasks that wait for a person, and their answers.

use flame_types::{RunId, Timestamp, json};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::workflow::WorkflowRef;

/// A task that waits for a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PersonTaskView {
    #[schema(value_type = String, format = Uuid)]
    pub run: RunId,
    pub workflow: WorkflowRef,
    /// JSON pointer of the task, to be given with the answer.
    pub task: String,
    /// `io.mastra.approval.v1` or `io.mastra.form.v1`.
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
    /// JSON Schema that the answer must fit.
    #[schema(value_type = Object)]
    #[serde(deserialize_with = "json::read")]
    pub schema: Value,
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
}

/// Every task that waits for a person, oldest run first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PersonTaskList {
    pub items: Vec<PersonTaskView>,
}

/// The answer of a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AnswerRequest {
    /// JSON pointer of the task, as the list of open tasks has it.
    pub task: String,
    /// What the person says; it must fit the task's schema.
    #[serde(deserialize_with = "json::read")]
    pub data: Value,
}
