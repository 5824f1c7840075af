//! What a connector declares about itself: operations, and the shape of its connections.

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

/// What a connection of a kind holds.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectionSpec {
    /// JSON Schema (2020-12) of the settings.
    pub settings: Value,
    /// What the secret is called, such as `Password`; `None` where there is no secret.
    pub secret: Option<&'static str>,
}
