//! The result of trying a connection.

use std::time::Duration;

use serde::Serialize;

use crate::Fault;

/// What a check did, in order. The last step is the one that failed, if one did.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    pub steps: Vec<Step>,
}

/// One thing that was tried, in words for a person.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Such as `Resolve db.example.org`.
    pub title: String,
    pub passed: bool,
    /// What was found, or what failed and what to do next.
    pub detail: String,
    pub elapsed_ms: u64,
}

impl Check {
    /// True where every step passed, and there was one.
    pub fn passed(&self) -> bool {
        !self.steps.is_empty() && self.steps.iter().all(|step| step.passed)
    }

    /// Records a step; gives its value, or `None` where it failed and the check ends.
    pub fn step<T>(
        &mut self,
        title: impl Into<String>,
        elapsed: Duration,
        outcome: Result<(T, String), Fault>,
    ) -> Option<T> {
        let (value, passed, detail) = match outcome {
            Ok((value, detail)) => (Some(value), true, detail),
            Err(fault) => (None, false, fault.detail),
        };
        self.steps.push(Step {
            title: title.into(),
            passed,
            detail,
            elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        });
        value
    }
}
