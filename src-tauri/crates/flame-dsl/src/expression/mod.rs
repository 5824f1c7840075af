//! jq expressions through jaq, each evaluation within a budget of time, memory, depth and outputs.

mod compile;
mod template;
mod text;

use std::sync::Arc;

use jaq_core::data::JustLut;
use jaq_core::{Ctx, Filter, Vars};
use jaq_json::Val;
use serde_json::Value;

pub use template::TemplateError;
pub use text::{Part, Unclosed, split, strip};

/// A compiled expression. Cheap to clone.
#[derive(Clone)]
pub struct Expression {
    compiled: Arc<Compiled>,
}

struct Compiled {
    source: Box<str>,
    filter: Filter<JustLut<Val>>,
    /// The variables that the source uses, without `$`, in the order in which the filter wants them.
    variables: Vec<Box<str>>,
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
        compile::compile(source, variables).map(|compiled| Self {
            compiled: Arc::new(compiled),
        })
    }

    pub fn source(&self) -> &str {
        &self.compiled.source
    }

    /// The first output, or null where there is none. `lookup` gives a variable's value by name.
    pub fn evaluate<'v>(
        &self,
        input: &Value,
        lookup: &dyn Fn(&str) -> Option<&'v Value>,
    ) -> Result<Value, ExpressionError> {
        let Compiled {
            filter, variables, ..
        } = &*self.compiled;
        let convert = |value: &Value| serde_json::from_value::<Val>(value.clone());
        let failed = |message: String| ExpressionError::Failed { message };
        let variables = variables
            .iter()
            .map(|name| lookup(name).map_or(Ok(Val::Null), convert));
        let variables: Vec<_> = variables
            .collect::<Result<_, _>>()
            .map_err(|error| failed(error.to_string()))?;
        let input = convert(input).map_err(|error| failed(error.to_string()))?;
        let context = Ctx::<JustLut<Val>>::new(&filter.lut, Vars::new(variables));
        match filter.id.run((context, input)).next() {
            None => Ok(Value::Null),
            Some(Ok(value)) => {
                serde_json::from_str(&value.to_string()).map_err(|error| failed(error.to_string()))
            }
            Some(Err(error)) => Err(failed(match error.get_err() {
                Ok(error) => error.to_string(),
                Err(_) => "the expression broke out of itself".to_owned(),
            })),
        }
    }
}
