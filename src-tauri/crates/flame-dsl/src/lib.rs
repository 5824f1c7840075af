//! Open Workflow DSL 1.0.3 text, YAML or JSON, to a validated model; and jq expressions and JSON Schemas with a budget.
//!
//! Deliberately absent: running anything. What a document says is settled here (references resolved,
//! flow targets checked, expressions compiled), so that the engine trusts the model.

mod catalog;
mod duration;
mod editor;
pub mod expression;
mod hash;
mod help;
mod host;
mod lifecycle;
mod lower;
mod model;
mod parse;
mod pipeline;
mod problem;
mod process;
mod schema;
mod shape;
mod source;
mod uri_template;

pub use catalog::{CatalogFunction, catalog};
pub use duration::{DURATION_MAX, DurationError, Length, parse_duration, parse_iso8601};
pub use editor::{editor_schema, pipeline_editor_schema};
pub use help::{HelpExample, HelpPage, help_pages};
pub use host::{HostProgram, HostProgramKind};
pub use lifecycle::{Lifecycle, LifecycleSet};
pub use lower::EXPRESSIONS_MAX;
pub use model::*;
pub use parse::{Examined, examine, link, parse, parse_bytes, to_json};
pub use pipeline::{
    DocumentKind, Pipeline, PipelineSink, PipelineSource, PipelineWatch, document_kind,
    examine_pipeline, parse_pipeline,
};
pub use problem::{PROBLEMS_MAX, Problem, Rule, Severity};
pub use process::{
    Cleanup, Container, Process, ProcessInput, ProcessReturn, PullPolicy, RunTask, Script,
    ScriptCode, ScriptLanguage, Shell, ShellCommand, Subflow,
};
pub use schema::{Schema, Unchecked, Unfit};
pub use shape::did_you_mean;
pub use source::{Format, NESTING_MAX, TEXT_BYTES_MAX, VALUES_MAX};
pub use uri_template::{UriTemplate, UriTemplateError, UriTemplateMisfit};
