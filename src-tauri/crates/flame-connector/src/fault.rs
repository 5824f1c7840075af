//! Why a call failed, in the terms of the DSL's standard errors.

use flame_errors::Code;
use serde::Serialize;

/// The standard error types of the DSL that a connector can raise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FaultKind {
    /// The document or the connection is set up wrongly: no record would get through.
    Configuration,
    /// This record, or these arguments, can't be taken.
    Validation,
    Authentication,
    Authorization,
    Timeout,
    Communication,
    Runtime,
}

impl FaultKind {
    /// The last part of the DSL's error type URI.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Validation => "validation",
            Self::Authentication => "authentication",
            Self::Authorization => "authorization",
            Self::Timeout => "timeout",
            Self::Communication => "communication",
            Self::Runtime => "runtime",
        }
    }

    /// The default status and title (DSL 1.0.3, "Standard Error Types").
    const fn status_and_title(self) -> (u16, &'static str) {
        match self {
            Self::Configuration => (400, "The call is set up wrongly"),
            Self::Validation => (400, "The data can't be taken"),
            Self::Authentication => (401, "The credentials were refused"),
            Self::Authorization => (403, "The account may not do this"),
            Self::Timeout => (408, "No answer in time"),
            Self::Communication => (500, "The other side can't be reached"),
            Self::Runtime => (500, "The call failed"),
        }
    }
}

/// A failed call. `detail` is for a person: what failed, with which value, and what to do next.
/// It never holds a secret.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{detail}")]
pub struct Fault {
    pub kind: FaultKind,
    pub status: u16,
    pub title: String,
    pub detail: String,
    /// True where the same call may succeed later.
    pub retryable: bool,
    /// Index of the record that caused it, where a batch was written and the other side told.
    pub record: Option<usize>,
    /// The help page that goes with it.
    pub code: Option<Code>,
}

impl Fault {
    /// A fault with the kind's own status and title. Communication and timeouts are retryable.
    pub fn new(kind: FaultKind, detail: impl Into<String>) -> Self {
        let (status, title) = kind.status_and_title();
        Self {
            kind,
            status,
            title: title.to_owned(),
            detail: detail.into(),
            retryable: matches!(kind, FaultKind::Communication | FaultKind::Timeout),
            record: None,
            code: None,
        }
    }

    pub fn configuration(detail: impl Into<String>) -> Self {
        Self::new(FaultKind::Configuration, detail)
    }

    pub fn validation(detail: impl Into<String>) -> Self {
        Self::new(FaultKind::Validation, detail)
    }

    pub fn authentication(detail: impl Into<String>) -> Self {
        Self {
            code: Some(Code::ConnectionDenied),
            ..Self::new(FaultKind::Authentication, detail)
        }
    }

    pub fn communication(detail: impl Into<String>) -> Self {
        Self {
            code: Some(Code::ConnectionRefused),
            ..Self::new(FaultKind::Communication, detail)
        }
    }

    pub fn timeout(detail: impl Into<String>) -> Self {
        Self::new(FaultKind::Timeout, detail)
    }

    pub fn runtime(detail: impl Into<String>) -> Self {
        Self::new(FaultKind::Runtime, detail)
    }

    /// No connection of the name that a document gives.
    pub fn connection_unknown(name: &str) -> Self {
        Self {
            code: Some(Code::ConnectionUnknown),
            ..Self::configuration(format!(
                "There is no connection named {name:?}. Add it under Connections, or correct the \
                 name in the document."
            ))
        }
    }

    /// Names the record of the batch that caused it.
    pub fn at_record(self, index: usize) -> Self {
        Self {
            record: Some(index),
            ..self
        }
    }

    /// The same call may succeed later, whatever the kind says.
    pub fn worth_retrying(self) -> Self {
        Self {
            retryable: true,
            ..self
        }
    }
}
