//! Content types that addresses take and answer.

pub const JSON: &str = "application/json";
pub const YAML: &str = "application/yaml";
pub const CSV: &str = "text/csv";
pub const NDJSON: &str = "application/x-ndjson";
pub const CLOUD_EVENT: &str = "application/cloudevents+json";
pub const CLOUD_EVENTS: &str = "application/cloudevents-batch+json";
pub const TEXT: &str = "text/plain";
pub const XML: &str = "application/xml";
pub const BYTES: &str = "application/octet-stream";
pub const EVENT_STREAM: &str = "text/event-stream";
pub const PROBLEM: &str = "application/problem+json";
pub const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
