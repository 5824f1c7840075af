//! Workflows as the agent holds them.

use flame_types::{Namespace, Timestamp, Version, WorkflowId, WorkflowName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Names one version of one workflow.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowRef {
    #[schema(value_type = String, pattern = "^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$")]
    pub namespace: Namespace,
    #[schema(value_type = String, pattern = "^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$")]
    pub name: WorkflowName,
    /// A semantic version 2.0.
    #[schema(value_type = String, example = "1.0.0")]
    pub version: Version,
}

impl From<WorkflowId> for WorkflowRef {
    fn from(id: WorkflowId) -> Self {
        Self {
            namespace: id.namespace,
            name: id.name,
            version: id.version,
        }
    }
}

impl From<WorkflowRef> for WorkflowId {
    fn from(id: WorkflowRef) -> Self {
        Self {
            namespace: id.namespace,
            name: id.name,
            version: id.version,
        }
    }
}

/// A deployed workflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowView {
    #[serde(flatten)]
    pub id: WorkflowRef,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// SHA-256 of the canonical document, hex.
    pub hash: String,
    #[schema(value_type = String, format = DateTime)]
    pub deployed_at: Timestamp,
    /// The document as it was put; absent in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookView>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<ScheduleView>,
    pub runs: RunCounts,
}

/// Where and how a workflow's webhook listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookView {
    /// The address's path, such as `/hooks/orders`.
    pub path: String,
    pub method: String,
    pub content_type: String,
    pub protection: WebhookProtection,
    /// The connection that holds the secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<String>,
    pub answer: WebhookAnswer,
}

/// How a webhook knows its callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum WebhookProtection {
    None,
    Secret,
    StandardWebhooks,
}

/// What a webhook answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum WebhookAnswer {
    /// 202 with the run's id.
    Accepted,
    /// The run's output.
    Output,
}

/// When a workflow starts by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleView {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// From one start to the next, as an ISO 8601 duration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<String>,
    /// From the end of a run to the next start, as an ISO 8601 duration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Types of the events that start a run; an empty list where they may be of any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next: Option<Timestamp>,
}

/// Runs of a workflow by status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunCounts {
    pub pending: u64,
    pub running: u64,
    pub waiting: u64,
    pub suspended: u64,
    pub cancelled: u64,
    pub faulted: u64,
    pub completed: u64,
}

/// Every deployed workflow, by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowList {
    pub items: Vec<WorkflowView>,
}
