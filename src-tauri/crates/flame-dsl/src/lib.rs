//! Open Workflow DSL 1.0.3 text, YAML or JSON, to a validated model; and jq expressions with a budget.
//!
//! Deliberately absent: running anything. What a document says is settled here (references resolved,
//! flow targets checked, expressions compiled), so that the engine trusts the model.

pub mod expression;
mod model;

pub use model::*;
