//! The schemas that an editor completes and checks documents by, made from the tables of the reader.

use serde_json::Value;

use crate::shape::{PIPELINE, WORKFLOW, document_schema};

/// JSON Schema 2020-12 of a workflow, as far as this release runs it.
pub fn editor_schema() -> Value {
    document_schema(&WORKFLOW, "Workflow (Open Workflow DSL 1.0.3)")
}

/// JSON Schema 2020-12 of a pipeline.
pub fn pipeline_editor_schema() -> Value {
    document_schema(&PIPELINE, "Pipeline")
}
