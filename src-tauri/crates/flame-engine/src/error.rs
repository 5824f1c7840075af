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

impl Error {
    /// The error as expressions see it.
    pub fn to_value(&self) -> serde_json::Value {
        serde_json::to_value(self).expect("text and a number always serialise")
    }

    /// Names the task that raised it, unless the error already names one.
    #[must_use]
    pub fn at(mut self, reference: &str) -> Self {
        self.instance.get_or_insert_with(|| reference.to_owned());
        self
    }

    /// The standard type that this error's URI stands for, in any of the families in use.
    pub fn standard(&self) -> Option<StandardError> {
        StandardError::from_uri(&self.kind)
    }
}

impl StandardError {
    const ALL: [Self; 8] = [
        Self::Configuration,
        Self::Validation,
        Self::Expression,
        Self::Authentication,
        Self::Authorization,
        Self::Timeout,
        Self::Communication,
        Self::Runtime,
    ];

    /// Documents name one meaning by several URIs: hosts before and after the renaming of the
    /// specification, `/spec/1.0.0/errors/x`, `/dsl/errors/types/x`, `/errors/x`.
    pub fn from_uri(uri: &str) -> Option<Self> {
        const HOSTS: [&str; 3] = [
            "serverlessworkflow.io",
            "open-workflow-specification.org",
            "serverlessworkflow.io.io",
        ];
        // The specification's own prose has a doubled scheme in places.
        let rest = uri.rsplit("://").next()?;
        let (host, path) = rest.split_once('/')?;
        let host = host.strip_prefix("www.").unwrap_or(host);
        if !HOSTS.contains(&host) {
            return None;
        }
        let (_, name) = format!("/{path}")
            .rsplit_once("/errors/")
            .map(|(a, b)| (a.to_owned(), b.to_owned()))?;
        let name = name
            .strip_prefix("types/")
            .unwrap_or(&name)
            .trim_end_matches('/');
        Self::ALL
            .into_iter()
            .find(|standard| standard.name_and_status().0 == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_meaning_has_several_uris() {
        for uri in [
            "https://serverlessworkflow.io/spec/1.0.0/errors/communication",
            "https://serverlessworkflow.io/dsl/errors/types/communication",
            "https://open-workflow-specification.org/spec/1.0.0/errors/communication",
            "https://https://serverlessworkflow.io/spec/1.0.0/errors/communication",
            "https://serverlessworkflow.io/errors/communication",
        ] {
            assert_eq!(
                StandardError::from_uri(uri),
                Some(StandardError::Communication),
                "{uri}"
            );
        }
        for uri in [
            "https://example.com/spec/1.0.0/errors/communication",
            "https://serverlessworkflow.io/errors/not-implemented",
            "communication",
            "",
        ] {
            assert_eq!(StandardError::from_uri(uri), None, "{uri}");
        }
    }
}
