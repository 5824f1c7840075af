//! Documents as JSON, and the references within them.

use flame_dsl::Format;
use flame_types::json;
use serde_json::Value;

/// References that lead to references.
const REFERENCES_MAX: usize = 32;

/// What is wrong with a document, or with the values for what it describes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Problem(pub(super) String);

/// Reads JSON or YAML.
pub(super) fn tree(bytes: &[u8]) -> Result<Value, Problem> {
    let text =
        std::str::from_utf8(bytes).map_err(|_| Problem("the document is not UTF-8".to_owned()))?;
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with('{') {
        return json::from_str(text)
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

/// The value itself, or what its `$ref` leads to.
pub(super) fn resolve<'d>(root: &'d Value, mut value: &'d Value) -> Result<&'d Value, Problem> {
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
        value = root
            .pointer(&pointer)
            .ok_or_else(|| Problem(format!("$ref {reference:?} leads nowhere")))?;
    }
    Err(Problem(format!(
        "a $ref leads through more than {REFERENCES_MAX} others"
    )))
}
