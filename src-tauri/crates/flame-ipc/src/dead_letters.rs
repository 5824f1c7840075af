//! Dead letters: rows and events that could not be handled, kept as they came; and emitted events.

use serde::{Deserialize, Serialize};
use specta::Type;

use crate::{Json, Moment, Whole};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    pub id: String,
    /// `namespace/name` of the pipeline.
    pub source: String,
    pub title: String,
    pub document_id: Option<String>,
    pub file: Option<String>,
    pub line: Option<Whole>,
    pub error_code: Option<String>,
    pub error: String,
    pub at: Moment,
    pub tries: u32,
    /// The record as it came or was last edited: a CSV line or JSON.
    pub record: String,
    /// `text/csv` or `application/json`.
    pub content_type: String,
    pub edited: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterPage {
    pub items: Vec<DeadLetter>,
    pub next: Option<String>,
    pub total: Whole,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct DeadLettersSent {
    /// How many went through.
    pub sent: Whole,
    /// How many came back with an error.
    pub came_back: Whole,
}

/// An event that a workflow emitted: a CloudEvent in the agent's log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct EmittedEvent {
    pub seq: Whole,
    pub at: Moment,
    pub id: String,
    pub source: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub subject: Option<String>,
    pub run: Option<String>,
    pub event: Json,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct EventPage {
    pub items: Vec<EmittedEvent>,
    pub next: Option<Whole>,
}
