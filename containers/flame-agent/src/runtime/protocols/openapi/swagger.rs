//! What Swagger 2.0 says otherwise: servers, bodies, forms and lists.

use serde_json::Value;

use super::document::{Document, Problem};
use super::operation::{Body, Parameter, Place, Style, best_type};

const FORM: &str = "application/x-www-form-urlencoded";

/// `schemes`, `host` and `basePath`; what is missing is the document's own.
pub(super) fn server(root: &Value, operation: &Value) -> String {
    let base = root["basePath"].as_str().unwrap_or("/");
    let base = if base.starts_with('/') {
        base.to_owned()
    } else {
        format!("/{base}")
    };
    let Some(host) = root["host"].as_str() else {
        return base;
    };
    let schemes = [operation, root]
        .into_iter()
        .find_map(|place| place["schemes"].as_array());
    let has =
        |wanted: &str| schemes.is_some_and(|schemes| schemes.iter().any(|scheme| scheme == wanted));
    match (has("https"), has("http")) {
        (true, _) => format!("https://{host}{base}"),
        (false, true) => format!("http://{host}{base}"),
        // As the document was fetched.
        (false, false) => format!("//{host}{base}"),
    }
}

pub(super) fn produces(root: &Value, operation: &Value) -> Vec<String> {
    types(root, operation, "produces")
        .into_iter()
        .map(str::to_owned)
        .collect()
}

fn types<'d>(root: &'d Value, operation: &'d Value, key: &str) -> Vec<&'d str> {
    let list = [operation, root]
        .into_iter()
        .find_map(|place| place[key].as_array());
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

pub(super) fn parameters(
    document: &Document,
    operation: &Value,
    given: &[&Value],
) -> Result<(Vec<Parameter>, Option<Body>), Problem> {
    let consumes = types(&document.root, operation, "consumes");
    let mut parameters = Vec::new();
    let mut body = None;
    for value in given {
        let name = value["name"].as_str().unwrap_or_default().to_owned();
        let required = value["required"] == Value::Bool(true);
        let place = match value["in"].as_str() {
            Some("body") => {
                body = Some(Body {
                    name: Some(name),
                    required,
                    content_type: best_type(&consumes),
                });
                continue;
            }
            Some("path") => Place::Path,
            Some("query") => Place::Query,
            Some("header") => Place::Header,
            Some("formData") => Place::Form,
            other => {
                return Err(Problem(format!(
                    "parameter {name:?} stands in {}; path, query, header, body and formData are \
                     known",
                    other.unwrap_or("no place")
                )));
            }
        };
        if value["type"] == "file" {
            return Err(Problem(format!(
                "parameter {name:?} is a file, which this release does not send"
            )));
        }
        let (style, explode) = match value["collectionFormat"].as_str() {
            Some("multi") => (Style::Form, true),
            Some("ssv") => (Style::Space, false),
            Some("tsv") => (Style::Tab, false),
            Some("pipes") => (Style::Pipe, false),
            _ if matches!(place, Place::Query | Place::Form) => (Style::Form, false),
            _ => (Style::Simple, false),
        };
        parameters.push(Parameter {
            name,
            place,
            style,
            explode,
            required: required || place == Place::Path,
            default: value.get("default").cloned(),
        });
    }
    if parameters
        .iter()
        .any(|parameter| parameter.place == Place::Form)
    {
        let only_multipart =
            !consumes.is_empty() && consumes.iter().all(|kind| kind.starts_with("multipart/"));
        body = Some(Body {
            name: None,
            required: false,
            content_type: match only_multipart {
                true => "multipart/form-data".to_owned(),
                false => FORM.to_owned(),
            },
        });
    }
    Ok((parameters, body))
}
