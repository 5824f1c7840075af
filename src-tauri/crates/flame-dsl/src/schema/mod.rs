//! JSON Schemas of documents, each check of a value within a budget.
//!
//! `jsonschema` checks; the value that it walks over is [`counted`], so that whatever it does is counted in steps
//! where it looks at the value, and whoever uses too many is unwound. What it does without looking is known from the
//! schema ([`idle`]), what a text costs from the patterns ([`pattern`]). Steps are counted, never time: a value that
//! fits once fits on every replay.
//!
//! Deliberately absent: schemas that we ship to check what people write; nobody else writes those.

mod counted;
mod idle;
mod pattern;

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, Retrieve, Uri, ValidationError, Validator};
use serde_json::Value;

use crate::expression::meter::{self, Broken, Resource};
use counted::{Costs, Counted};
use idle::Idle;
use pattern::Patterns;

/// How often the search for a pattern with look-around may go back; what needs more is tried again with the next.
const BACK_LIMITS: [usize; 3] = [16, 400, 20_000];

/// Parts of a schema that the caller's stack has room for, one in the other, none of which looks at the value.
const IDLE_ON_STACK_MAX: u64 = 64;

/// A compiled JSON Schema (2020-12 unless the schema names another draft).
#[derive(Clone)]
pub struct Schema {
    pub source: Arc<Value>,
    compiled: Arc<Compiled>,
}

struct Compiled {
    /// By [`BACK_LIMITS`]; one is enough where no pattern ever goes back.
    tiers: Vec<Tier>,
    idle: Idle,
}

struct Tier {
    validator: Validator<Counted>,
    costs: Costs,
}

/// Why a value is not taken.
#[derive(Debug)]
pub enum Unfit<'v> {
    /// It does not fit. Empty where telling why takes too many steps.
    Misfits(Vec<ValidationError<'v>>),
    /// It may fit or not.
    Unchecked(Unchecked),
}

/// Why nobody knows whether a value fits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unchecked {
    #[error(
        "holding the value against this schema takes more {resource} than it may ({limit}); a schema that refers to \
         itself or repeats what it refers to does more with each level, a pattern more with each character: make the \
         schema simpler, or the value smaller"
    )]
    Budget {
        resource: &'static str,
        limit: String,
    },
    #[error("the value could not be held against the schema: {message}")]
    Failed { message: String },
}

/// Why a schema can't be compiled.
pub(crate) enum Wrong {
    Schema(Box<ValidationError<'static>>),
    Costly(Costly),
}

/// What of a schema costs too much to be taken, whatever the value.
pub(crate) struct Costly {
    /// The place in the schema itself; none for the whole, and for what it refers to elsewhere.
    pub pointer: Option<String>,
    pub value: Option<String>,
    pub message: &'static str,
    pub hint: &'static str,
}

impl Schema {
    /// Compiles a schema; `base` is where it came from, `retriever` has what it refers to.
    pub(crate) fn compile(
        source: Value,
        base: Option<&str>,
        retriever: Option<Arc<dyn Retrieve>>,
    ) -> Result<Self, Wrong> {
        let mut patterns = Patterns::default();
        patterns.read(&source, true).map_err(Wrong::Costly)?;
        let shelf = Shelf {
            inner: retriever,
            taken: Arc::default(),
        };
        let idle = idle::most(&source, base, shelf.clone()).map_err(Wrong::Costly)?;
        let taken =
            std::mem::take(&mut *shelf.taken.lock().unwrap_or_else(PoisonError::into_inner));
        for document in &taken {
            patterns.read(document, false).map_err(Wrong::Costly)?;
        }
        let tier = |limit: &usize| {
            let engine = PatternOptions::fancy_regex()
                .backtrack_limit(*limit)
                .size_limit(pattern::PROGRAM_BYTES_MAX);
            let mut options = jsonschema::options_for::<Counted>()
                .with_retriever(shelf.clone())
                .with_pattern_options(engine);
            if let Some(base) = base {
                options = options.with_base_uri(base);
            }
            let costs = patterns.costs(*limit as u64, idle);
            options
                .build(&source)
                .map(|validator| Tier { validator, costs })
        };
        let limits = match patterns.go_back() {
            true => &BACK_LIMITS[..],
            false => &BACK_LIMITS[..1],
        };
        let tiers: Result<Vec<Tier>, _> = limits.iter().map(tier).collect();
        let tiers = tiers.map_err(|error| Wrong::Schema(Box::new(error)))?;
        Ok(Self {
            source: Arc::new(source),
            compiled: Arc::new(Compiled { tiers, idle }),
        })
    }

    /// Holds a value against the schema; of what does not fit it tells the first `told_max`.
    ///
    /// # Errors
    ///
    /// The value does not fit, or takes more steps than it may.
    pub fn check<'v>(&'v self, value: &'v Value, told_max: usize) -> Result<(), Unfit<'v>> {
        for tier in &self.compiled.tiers {
            let fits = self.run(tier, || tier.validator.is_valid(value));
            if fits.map_err(Unfit::Unchecked)? {
                return Ok(());
            }
            let unsure = || match tier.validator.validate(value) {
                Err(error) => is_unfinished(&error),
                Ok(()) => false,
            };
            let unsure =
                tier.costs.goes_back() && self.run(tier, unsure).map_err(Unfit::Unchecked)?;
            if !unsure {
                return Err(Unfit::Misfits(self.misfits(tier, value, told_max)));
            }
        }
        Err(Unfit::Unchecked(Resource::Steps.into()))
    }

    fn misfits<'v>(
        &'v self,
        tier: &'v Tier,
        value: &'v Value,
        told_max: usize,
    ) -> Vec<ValidationError<'v>> {
        let all = || tier.validator.iter_errors(value).take(told_max).collect();
        let first = || tier.validator.validate(value).err().into_iter().collect();
        self.run(tier, all)
            .or_else(|_| self.run(tier, first))
            .unwrap_or_default()
    }

    fn run<T>(&self, tier: &Tier, work: impl Fn() -> T) -> Result<T, Unchecked> {
        let work = || counted::with(tier.costs, &work);
        if self.compiled.idle.parts <= IDLE_ON_STACK_MAX
            && let Ok(done) = meter::run_small(work)
        {
            return Ok(done);
        }
        meter::run_large(work).map_err(Unchecked::from)
    }
}

/// Whether a pattern had to go back more often than it may.
fn is_unfinished(error: &ValidationError<'_>) -> bool {
    matches!(
        error.kind(),
        ValidationErrorKind::BacktrackLimitExceeded { .. }
    )
}

impl From<Resource> for Unchecked {
    fn from(resource: Resource) -> Self {
        let (resource, limit) = resource.told();
        Self::Budget { resource, limit }
    }
}

impl From<Broken> for Unchecked {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Exceeded(resource) => resource.into(),
            Broken::Stackless => Self::Failed {
                message: meter::Stackless.to_string(),
            },
            Broken::Panicked(message) => Self::Failed { message },
        }
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Schema").field(&self.source).finish()
    }
}

/// Hands out what a schema refers to, and keeps it for the patterns in it.
#[derive(Clone)]
struct Shelf {
    inner: Option<Arc<dyn Retrieve>>,
    taken: Arc<Mutex<Vec<Value>>>,
}

impl Retrieve for Shelf {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn Error + Send + Sync>> {
        let inner = self.inner.as_ref();
        let inner = inner.ok_or("a form refers to nothing outside of itself")?;
        let document = inner.retrieve(uri)?;
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.push(document.clone());
        Ok(document)
    }
}

#[cfg(test)]
mod tests;
