//! The error object of the DSL (RFC 7807 shape) and the standard types.

use serde::{Deserialize, Serialize};

/// An error as the DSL defines it: what `catch` filters on and what a faulted run reports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Error {
    /// A URI; the standard ones are made by the constructors below.
    #[serde(rename = "type")]
    pub kind: String,
    pub status: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// JSON pointer of the task that raised it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
}

/// The standard error types (DSL 1.0.3, "Standard Error Types"): name and default status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StandardError {
    Configuration,
    Validation,
    Expression,
    Authentication,
    Authorization,
    Timeout,
    Communication,
    Runtime,
}

impl StandardError {
    const fn name_and_status(self) -> (&'static str, u16) {
        match self {
            Self::Configuration => ("configuration", 400),
            Self::Validation => ("validation", 400),
            Self::Expression => ("expression", 400),
            Self::Authentication => ("authentication", 401),
            Self::Authorization => ("authorization", 403),
            Self::Timeout => ("timeout", 408),
            Self::Communication => ("communication", 500),
            Self::Runtime => ("runtime", 500),
        }
    }

    /// The error object of this type; `instance` is filled in where the task is known.
    pub fn with(self, title: &str, detail: impl Into<String>) -> Error {
        let (name, status) = self.name_and_status();
        Error {
            kind: format!("https://serverlessworkflow.io/spec/1.0.0/errors/{name}"),
            status,
            title: Some(title.to_owned()),
            detail: Some(detail.into()),
            instance: None,
        }
    }
}
