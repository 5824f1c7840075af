//! Connections: a configured system, its check, and who uses it.

use serde::{Deserialize, Serialize};
use specta::Type;

use crate::{ErrorView, Json, Moment, Whole};

/// A kind of system that can be connected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionKind {
    pub kind: String,
    pub title: String,
    pub description: String,
    /// JSON Schema of the settings, in the order of the form.
    pub schema: Json,
    /// The label of its secret; none when it has none.
    pub secret_label: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    pub id: String,
    /// What documents refer to.
    pub name: String,
    pub kind: String,
    /// Host or path, for showing.
    pub place: String,
    pub settings: Json,
    pub revision: Whole,
    pub has_secret: bool,
    pub state: ConnectionState,
    pub checked_at: Option<Moment>,
    pub latency_ms: Option<Whole>,
    pub error: Option<ErrorView>,
    pub used_by: Vec<ConnectionUser>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum ConnectionState {
    Healthy,
    Failing,
    Unchecked,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionUser {
    pub document_id: String,
    pub title: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionReport {
    pub healthy: bool,
    pub steps: Vec<CheckStep>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct CheckStep {
    pub name: String,
    pub status: StepStatus,
    pub detail: String,
    pub took_ms: Option<Whole>,
}

/// State of one step of a check or a switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum StepStatus {
    Pending,
    Running,
    Ok,
    Failed,
    Skipped,
}
