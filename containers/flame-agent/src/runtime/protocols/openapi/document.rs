//! An OpenAPI document as JSON, and the references within it.

use flame_dsl::Format;
use serde_json::Value;

/// References that lead to references.
const REFERENCES_MAX: usize = 32;

/// What is wrong with a document, or with the values for one of its operations.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Problem(pub(super) String);

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
        Version::OpenApi3 => number.starts_with("3.0") || number.starts_with("3.1"),
        Version::Swagger2 => number == "2.0",
    };
    if !is_known {
        return Err(Problem(format!(
            "OpenAPI {number} can't be read; 3.1, 3.0 and Swagger 2.0 can"
        )));
    }
    Ok(Document { version, root })
}

fn tree(bytes: &[u8]) -> Result<Value, Problem> {
    let text =
        std::str::from_utf8(bytes).map_err(|_| Problem("the document is not UTF-8".to_owned()))?;
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text)
            .map_err(|error| Problem(format!("the document is not JSON: {error}")));
    }
    flame_dsl::to_json(text, Format::Yaml).map_err(|problems| {
        let first = problems.first().map(ToString::to_string);
        Problem(format!(
            "the document is neither JSON nor YAML: {}",
            first.unwrap_or_default()
        ))
    })
}

impl Document {
    /// The value itself, or what its `$ref` leads to.
    pub(super) fn resolve<'d>(&'d self, mut value: &'d Value) -> Result<&'d Value, Problem> {
        for _ in 0..REFERENCES_MAX {
            let Some(reference) = value["$ref"].as_str() else {
                return Ok(value);
            };
            let Some(pointer) = reference.strip_prefix('#') else {
                return Err(Problem(format!(
                    "$ref {reference:?} leads to another document; bundle them into one"
                )));
            };
            let pointer = percent_encoding::percent_decode_str(pointer).decode_utf8_lossy();
            value = self
                .root
                .pointer(&pointer)
                .ok_or_else(|| Problem(format!("$ref {reference:?} leads nowhere")))?;
        }
        Err(Problem(format!(
            "a $ref leads through more than {REFERENCES_MAX} others"
        )))
    }
}
