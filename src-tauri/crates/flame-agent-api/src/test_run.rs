//! Test runs: what is pinned, mocked and run alone.

use std::collections::BTreeMap;

use flame_types::json;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::run::RunError;

/// A run that is marked as a test, and what it does otherwise than a real one. A call that is neither
/// pinned nor mocked is made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TestRequest {
    /// The run's input; with `task` what flows into that task. `{}` without it.
    #[serde(
        default,
        deserialize_with = "json::read",
        skip_serializing_if = "Option::is_none"
    )]
    pub input: Option<Value>,
    /// `$context` at the beginning; without it the input, if that is an object.
    #[serde(
        default,
        deserialize_with = "json::read",
        skip_serializing_if = "Option::is_none"
    )]
    pub context: Option<Value>,
    /// JSON pointer of the only task that runs, such as `/do/2/charge`; all without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Outputs of tasks that are not executed, by the JSON pointer of the task. `output.as` does not
    /// apply to them, `export.as` does.
    #[serde(
        default,
        deserialize_with = "json::read",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub pins: BTreeMap<String, Value>,
    /// Answers of calls that are not made; the first that fits a call answers it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mocks: Vec<Mock>,
}

/// The answer of a call that is not made: `output` or `error`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mock {
    /// The JSON pointer of the task, the beginning of the URL such as `https://pay.example/`, or a
    /// function such as `sqlite.upsert`.
    pub call: String,
    /// What the call gives, before `output.as`; null without it and without `error`.
    #[serde(
        default,
        deserialize_with = "json::read",
        skip_serializing_if = "Option::is_none"
    )]
    pub output: Option<Value>,
    /// The error with which it faults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RunError>,
}
