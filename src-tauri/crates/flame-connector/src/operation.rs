//! What a connector declares about itself: its names, operations, and the shape of its connections.

use serde_json::Value;

/// One thing a connector can do, as the catalog, the editor and the docs show it.
#[derive(Debug, Clone, PartialEq)]
pub struct OperationSpec {
    /// The word after the dot, such as `upsert`.
    pub name: &'static str,
    /// Semantic version, such as `1.0.0`.
    pub version: &'static str,
    /// One sentence.
    pub description: &'static str,
    /// JSON Schema (2020-12) of `with`.
    pub arguments: Value,
    /// True where [`crate::Connector::sink`] takes it for streams.
    pub streams: bool,
}

/// What a connector says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectorSpec {
    /// The word before the dot of a call, such as `sqlite` in `sqlite.upsert`.
    pub kind: &'static str,
    /// The system's name for people, such as `PostgreSQL`.
    pub title: &'static str,
    /// What it is for, in one sentence.
    pub summary: &'static str,
    /// What it can do; names are unique.
    pub operations: Vec<OperationSpec>,
    /// What a connection of this kind holds, or `None` where the connector takes no connection.
    pub connection: Option<ConnectionSpec>,
}

/// What a connection of a kind holds.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectionSpec {
    /// JSON Schema (2020-12) of the settings.
    pub settings: Value,
    /// What the secret is called, such as `Password`; `None` where there is no secret.
    pub secret: Option<&'static str>,
}
