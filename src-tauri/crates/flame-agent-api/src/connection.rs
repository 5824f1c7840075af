//! Connections: configured instances of connectors. Secrets go in and never come out.

use flame_types::{Timestamp, json};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::secret::SecretText;

/// What a connection is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConnectionPut {
    /// Kind of the connector, such as `postgres`; `secret` holds a secret alone, of a webhook or for `use.secrets`.
    pub kind: String,
    /// Settings in the form of the connector's schema.
    #[serde(default)]
    #[schema(value_type = Object)]
    #[serde(deserialize_with = "json::read")]
    pub settings: Value,
    /// Kept in memory only and gone when the agent stops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Password, write_only)]
    pub secret: Option<SecretText>,
}

/// A connection without its secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionView {
    pub name: String,
    pub kind: String,
    #[schema(value_type = Object)]
    #[serde(deserialize_with = "json::read")]
    pub settings: Value,
    /// Whether the agent holds a secret for it now.
    pub has_secret: bool,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// Every connection, by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionList {
    pub items: Vec<ConnectionView>,
}

/// What a check of a connection found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionCheck {
    pub ok: bool,
    /// In the order in which they were tried; none after the first that failed.
    pub steps: Vec<CheckStep>,
}

/// One step of a check, such as "Reach the server".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckStep {
    pub name: String,
    pub ok: bool,
    /// What was found, or what failed with its value and what to do.
    pub detail: String,
    pub duration_ms: u64,
}

/// A kind of system that this agent can speak to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectorView {
    pub kind: String,
    pub title: String,
    pub summary: String,
    /// JSON Schema of a connection's settings; absent where it takes no connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    #[serde(deserialize_with = "json::read")]
    pub settings_schema: Option<Value>,
    /// The word for the secret it needs, such as "Password"; absent where it needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    pub operations: Vec<OperationView>,
}

/// An operation of a connector, as a workflow calls it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperationView {
    /// The name to call, such as `postgres.upsert:1.0.0@default`.
    pub call: String,
    pub summary: String,
    /// JSON Schema of its arguments.
    #[schema(value_type = Object)]
    #[serde(deserialize_with = "json::read")]
    pub arguments_schema: Value,
}

/// Every connector of this agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectorList {
    pub items: Vec<ConnectorView>,
}
