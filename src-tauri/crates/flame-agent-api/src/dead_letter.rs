//! Dead letters: records that could not be handled, kept with their error.

use flame_errors::Code;
use flame_types::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schemas;

/// A record that could not be handled. It stays until it is sent again or discarded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    pub id: u64,
    pub origin: DeadLetterOrigin,
    /// The record as it arrived or was last edited: a CSV line, or JSON.
    pub record: String,
    /// `text/csv` or `application/json`.
    pub content_type: String,
    #[schema(value_type = schemas::Code)]
    pub code: Code,
    /// What failed, with the value that made it fail.
    pub error: String,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// How often it was tried, the first time counted.
    pub attempts: u32,
    /// Whether a person has edited it.
    pub edited: bool,
}

/// Where a dead letter comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum DeadLetterOrigin {
    /// A row of a fed file.
    #[serde(rename_all = "camelCase")]
    Pipeline {
        namespace: String,
        name: String,
        /// The file's name as the feeder gave it.
        source: String,
        /// Line in the file, from 1.
        line: u64,
    },
}

/// A page of dead letters, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterPage {
    pub items: Vec<DeadLetter>,
    /// Give it as `cursor` to get the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How many there are in all, over every page.
    pub total: u64,
}

/// Filters and paging of the list of dead letters.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeadLetterQuery {
    /// `namespace/name` of the pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Rows of a page, 1 to 200; 50 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// An edited record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeadLetterPut {
    pub record: String,
}
