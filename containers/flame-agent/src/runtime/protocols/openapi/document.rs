//! An OpenAPI document, and which version of the standard it is.

use serde_json::Value;

pub(super) use super::super::described::Problem;
use super::super::described::{resolve, tree};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    Swagger2,
    OpenApi3,
}

#[derive(Debug)]
pub(super) struct Document {
    pub(super) version: Version,
    pub(super) root: Value,
}

/// Reads JSON or YAML and looks which version of the standard it is.
pub(super) fn parse(bytes: &[u8]) -> Result<Document, Problem> {
    let root = tree(bytes)?;
    let version = |key: &str| root[key].as_str().map(str::to_owned);
    let (version, number) = match (version("openapi"), version("swagger")) {
        (Some(number), _) => (Version::OpenApi3, number),
        (None, Some(number)) => (Version::Swagger2, number),
        (None, None) => {
            return Err(Problem(
                "this is no OpenAPI document: it has neither 'openapi' nor 'swagger'".to_owned(),
            ));
        }
    };
    let is_known = match version {
        Version::OpenApi3 => ["3.0", "3.1", "3.2"].iter().any(|known| {
            let patch = number.strip_prefix(known);
            patch.is_some_and(|patch| patch.is_empty() || patch.starts_with('.'))
        }),
        Version::Swagger2 => number == "2.0",
    };
    if !is_known {
        return Err(Problem(format!(
            "OpenAPI {number} can't be read; 3.0 to 3.2 and Swagger 2.0 can"
        )));
    }
    Ok(Document { version, root })
}

impl Document {
    /// The value itself, or what its `$ref` leads to.
    pub(super) fn resolve<'d>(&'d self, value: &'d Value) -> Result<&'d Value, Problem> {
        resolve(&self.root, value)
    }
}
