//! Pipelines and the files that are fed into them.

use flame_types::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A deployed pipeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PipelineView {
    pub namespace: String,
    pub name: String,
    pub version: String,
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
    pub dead_letters: u64,
}

/// Every deployed pipeline, by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PipelineList {
    pub items: Vec<PipelineView>,
}

/// Names the file that a feed sends and the place it sends from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FeedQuery {
    /// Identity of the file: another content under the same name has another identity.
    pub identity: String,
    /// The file's name, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Byte of the file at which the body starts; must be the feed's checkpoint.
    #[serde(default)]
    pub offset: u64,
    /// Bytes of the whole file, for progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

/// How far a file has been taken in. Everything before `offset` is committed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FeedStatus {
    pub namespace: String,
    pub name: String,
    pub identity: String,
    /// The file's name.
    pub source: String,
    pub state: FeedState,
    /// Byte of the file at which a further body must start.
    pub offset: u64,
    /// Bytes of the whole file; 0 where the feeder did not say.
    pub total: u64,
    pub rows: u64,
    pub dead_letters: u64,
    /// What stopped it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// Whether a feed goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum FeedState {
    /// A body is being read now.
    Running,
    /// A body ended before the file; send the rest from `offset`.
    Interrupted,
    /// The whole file is in.
    Completed,
}

/// The feeds of a pipeline, newest first, at most 200.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FeedList {
    pub items: Vec<FeedStatus>,
}
