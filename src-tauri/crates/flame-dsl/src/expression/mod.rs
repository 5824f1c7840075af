//! jq expressions through jaq, each evaluation within a budget of steps, memory, nesting and stack.
//!
//! The language is that of jq 1.8; `tests/dsl/oracle` holds it against libjq and lists where it differs on
//! purpose. A result is the first output. Deliberately absent: `?//`, input and output (`input`, `debug`,
//! `halt`, ...), `env`, modules, and whatever depends on the clock or the machine (`now`, `localtime`): the
//! engine must be able to play a run again.
//!
//! How it works: `compile` reads the source, writes it in jaq's `dialect` and links it with what it needs of
//! the `library`; `plain` is the short way for everyday expressions; `machine` is jaq over the values of
//! `value`, metered by `meter`.

mod access;
mod arithmetic;
mod backtracking;
mod compile;
mod dialect;
mod formats;
mod json;
mod library;
mod machine;
mod matching;
pub(crate) mod meter;
mod natives;
mod number;
mod order;
mod plain;
mod regex;
mod single;
mod syntax;
mod template;
mod text;
mod updates;
mod value;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jaq_core::Filter;
use serde_json::Value;

use machine::{Machine, Size};
use plain::Plain;

pub use meter::DEPTH_MAX;
pub use template::TemplateError;
pub use text::{Part, Unclosed, split, split_command, strip};

/// A compiled expression. Cheap to clone.
#[derive(Clone)]
pub struct Expression {
    compiled: Arc<Compiled>,
}

struct Compiled {
    source: Box<str>,
    /// The short way, where the expression is simple enough.
    plain: Option<Plain>,
    filter: Filter<Machine>,
    /// The variables that the source uses, without `$`, in the order in which the filter wants them.
    variables: Vec<Box<str>>,
    /// An evaluation has needed a stack of its own, so the next one takes it at once.
    large: AtomicBool,
}

impl std::fmt::Debug for Expression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Expression")
            .field(&self.compiled.source)
            .finish()
    }
}

/// Why an expression could not be compiled or evaluated.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ExpressionError {
    /// Does not compile; `offset` is in bytes within the expression's source.
    #[error("{message}")]
    Syntax { message: String, offset: usize },
    /// jq raised an error.
    #[error("{message}")]
    Failed { message: String },
    /// It used more than it may.
    #[error("the expression used more {resource} than it may ({limit})")]
    Budget {
        resource: &'static str,
        limit: String,
    },
}

impl Expression {
    /// Compiles jq source without `${ }`; `variables` are the names in scope, without `$`.
    pub fn compile(source: &str, variables: &[&str]) -> Result<Self, ExpressionError> {
        let compile::Program {
            plain,
            filter,
            variables,
        } = compile::compile(source, variables)?;
        let compiled = Compiled {
            source: source.into(),
            plain,
            filter,
            variables,
            large: AtomicBool::new(false),
        };
        Ok(Self {
            compiled: Arc::new(compiled),
        })
    }

    pub fn source(&self) -> &str {
        &self.compiled.source
    }

    /// The first output, or null where there is none. `lookup` gives a variable's value by name, and is
    /// asked for those that the expression uses; null stands for what it does not have.
    pub fn evaluate<'v>(
        &self,
        input: &Value,
        lookup: &dyn Fn(&str) -> Option<&'v Value>,
    ) -> Result<Value, ExpressionError> {
        let Compiled {
            plain,
            filter,
            variables,
            large,
            ..
        } = &*self.compiled;
        let variables: Vec<_> = variables.iter().map(|name| lookup(name)).collect();
        if let Some(plain) = plain
            && let Ok(value) = plain::evaluate(plain, input, &variables)
        {
            return Ok(value);
        }
        let known = if large.load(Ordering::Relaxed) {
            Size::Large
        } else {
            Size::Small
        };
        let (result, size) = machine::evaluate(filter, input, &variables, known);
        if size != known {
            large.store(true, Ordering::Relaxed);
        }
        result
    }
}

#[cfg(test)]
mod tests;
