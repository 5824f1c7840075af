//! One operation of a document: where it is, what it takes, what it answers.

use flame_dsl::did_you_mean;
use serde_json::Value;

use super::document::{Document, Problem, Version};
use super::swagger;

const METHODS: [&str; 9] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace", "query",
];
pub(super) const FORM: &str = "application/x-www-form-urlencoded";
/// Operations whose ids a message lists.
const LISTED_MAX: usize = 10;

/// What is needed of a document to make a call; the document itself need not be kept.
#[derive(Debug)]
pub(in super::super) struct Operation {
    pub(super) method: String,
    /// With `{names}`.
    pub(super) path: String,
    /// Absolute, or relative to where the document is.
    pub(super) server: String,
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Option<Body>,
    /// Every successful answer with a body is JSON.
    pub(super) answers_json: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) style: Style,
    pub(super) explode: bool,
    pub(super) required: bool,
    pub(super) default: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Path,
    Query,
    /// All of the query.
    QueryString,
    Header,
    Cookie,
    /// A field of a form (Swagger 2.0).
    Form,
}

/// How a list or an object is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Simple,
    Label,
    Matrix,
    Form,
    /// As a form, but not encoded (OpenAPI 3.2).
    Cookie,
    Space,
    Tab,
    Pipe,
    DeepObject,
    /// Of a parameter with `content`.
    Json,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Body {
    /// What else than `body` the value may be called: Swagger 2.0 gives it a name.
    pub(super) name: Option<String>,
    pub(super) required: bool,
    pub(super) content_type: String,
}

/// The operation of that id.
pub(super) fn find(document: &Document, id: &str) -> Result<Operation, Problem> {
    let mut ids = Vec::new();
    let paths = document.root["paths"].as_object();
    for (path, item) in paths.into_iter().flatten() {
        let item = document.resolve(item)?;
        let fixed = METHODS.iter().map(|method| {
            let operation = &item[*method];
            (method.to_ascii_uppercase(), operation)
        });
        // Of OpenAPI 3.2: methods as they are sent.
        let additional = item["additionalOperations"].as_object();
        let additional = additional.into_iter().flatten();
        let additional = additional.map(|(method, operation)| (method.clone(), operation));
        for (method, operation) in fixed.chain(additional) {
            match operation["operationId"].as_str() {
                // It asks a proxy for a connection.
                Some(found) if found == id && method.eq_ignore_ascii_case("connect") => {
                    return Err(Problem(format!(
                        "operation {id:?}: the method {method} can't be called"
                    )));
                }
                Some(found) if found == id => {
                    return read(document, path, item, method, operation).map_err(
                        |Problem(problem)| Problem(format!("operation {id:?}: {problem}")),
                    );
                }
                Some(other) => ids.push(other),
                None => {}
            }
        }
    }
    Err(unknown(id, &ids))
}

fn unknown(id: &str, ids: &[&str]) -> Problem {
    if ids.is_empty() {
        return Problem(format!(
            "there is no operation {id:?}: no operation of the document has an operationId"
        ));
    }
    let hint = did_you_mean(id, ids.iter().copied()).unwrap_or_else(|| {
        let listed = &ids[..ids.len().min(LISTED_MAX)];
        let more = ids.len() - listed.len();
        let and = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        format!("the document has {}{and}", listed.join(", "))
    });
    Problem(format!("there is no operation {id:?}; {hint}"))
}

fn read(
    document: &Document,
    path: &str,
    item: &Value,
    method: String,
    operation: &Value,
) -> Result<Operation, Problem> {
    let parameters = parameters(document, item, operation)?;
    let answers_json = answers_json(document, operation)?;
    let (server, parameters, body) = match document.version {
        Version::Swagger2 => {
            let (parameters, body) = swagger::parameters(document, operation, &parameters)?;
            (swagger::server(&document.root, operation), parameters, body)
        }
        Version::OpenApi3 => {
            let servers = [operation, item, &document.root];
            let read = parameters.into_iter().map(parameter);
            let read = read.collect::<Result<_, _>>()?;
            (server(&servers), read, body(document, operation)?)
        }
    };
    Ok(Operation {
        method,
        path: path.to_owned(),
        server,
        parameters,
        body,
        answers_json,
    })
}

/// The operation's own parameters win over those of its path with the same name and place.
fn parameters<'d>(
    document: &'d Document,
    item: &'d Value,
    operation: &'d Value,
) -> Result<Vec<&'d Value>, Problem> {
    let mut found: Vec<&Value> = Vec::new();
    for list in [operation, item] {
        for parameter in list["parameters"].as_array().into_iter().flatten() {
            let parameter = document.resolve(parameter)?;
            let same = |known: &&Value| {
                known["name"] == parameter["name"] && known["in"] == parameter["in"]
            };
            if !found.iter().any(same) {
                found.push(parameter);
            }
        }
    }
    Ok(found)
}

fn parameter(value: &Value) -> Result<Parameter, Problem> {
    let name = value["name"].as_str().unwrap_or_default().to_owned();
    let place = match value["in"].as_str() {
        Some("path") => Place::Path,
        Some("query") => Place::Query,
        Some("querystring") => return querystring(name, value),
        Some("header") => Place::Header,
        Some("cookie") => Place::Cookie,
        other => {
            return Err(Problem(format!(
                "parameter {name:?} stands in {}; path, query, querystring, header and cookie are known",
                other.unwrap_or("no place")
            )));
        }
    };
    let style = match value["style"].as_str() {
        _ if value["content"].is_object() => Style::Json,
        Some("simple") => Style::Simple,
        Some("label") => Style::Label,
        Some("matrix") => Style::Matrix,
        Some("form") => Style::Form,
        Some("cookie") if place == Place::Cookie => Style::Cookie,
        Some("spaceDelimited") => Style::Space,
        Some("pipeDelimited") => Style::Pipe,
        Some("deepObject") => Style::DeepObject,
        Some(other) => {
            return Err(Problem(format!(
                "parameter {name:?} has the unknown style {other:?}"
            )));
        }
        None if matches!(place, Place::Query | Place::Cookie) => Style::Form,
        None => Style::Simple,
    };
    Ok(Parameter {
        required: place == Place::Path || value["required"] == Value::Bool(true),
        explode: value["explode"]
            .as_bool()
            .unwrap_or(matches!(style, Style::Form | Style::Cookie)),
        default: value["schema"].get("default").cloned(),
        name,
        place,
        style,
    })
}

/// The whole query as one value (OpenAPI 3.2): as a form, or percent-encoded as what its type says.
fn querystring(name: String, value: &Value) -> Result<Parameter, Problem> {
    let types = value["content"].as_object();
    let kind = types.and_then(|types| types.keys().next());
    let style = match kind {
        Some(kind) if kind.starts_with(FORM) => Style::Form,
        Some(kind) if is_json(kind) => Style::Json,
        _ => {
            return Err(Problem(format!(
                "parameter {name:?} is the query as {}, which this release does not send; it sends {FORM} and JSON",
                kind.map_or("no type", String::as_str)
            )));
        }
    };
    Ok(Parameter {
        required: value["required"] == Value::Bool(true),
        explode: true,
        default: None,
        name,
        place: Place::QueryString,
        style,
    })
}

fn body(document: &Document, operation: &Value) -> Result<Option<Body>, Problem> {
    let request = document.resolve(&operation["requestBody"])?;
    let Some(content) = request["content"].as_object() else {
        return Ok(None);
    };
    let types: Vec<&str> = content.keys().map(String::as_str).collect();
    Ok(Some(Body {
        name: None,
        required: request["required"] == Value::Bool(true),
        content_type: best_type(&types),
    }))
}

/// The type that a body is sent as: JSON where it may be.
pub(super) fn best_type(types: &[&str]) -> String {
    let found = types
        .iter()
        .find(|kind| is_json(kind))
        .or_else(|| types.iter().find(|kind| kind.starts_with(FORM)))
        .or_else(|| types.iter().find(|kind| kind.starts_with("text/plain")))
        .or_else(|| types.iter().find(|kind| **kind == "*/*"))
        .or(types.first());
    match found {
        None | Some(&"*/*" | &"application/*") => "application/json".to_owned(),
        Some(kind) => (*kind).to_owned(),
    }
}

/// `application/json` and everything with the suffix `+json`.
pub(super) fn is_json(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
        || kind.eq_ignore_ascii_case("text/json")
        || kind.to_ascii_lowercase().ends_with("+json")
}

fn answers_json(document: &Document, operation: &Value) -> Result<bool, Problem> {
    let mut types: Vec<String> = Vec::new();
    let responses = operation["responses"].as_object();
    for (status, response) in responses.into_iter().flatten() {
        let is_success = status.starts_with('2') || status == "default";
        if !is_success {
            continue;
        }
        let response = document.resolve(response)?;
        match document.version {
            Version::OpenApi3 => {
                let content = response["content"].as_object();
                types.extend(
                    content
                        .into_iter()
                        .flat_map(|content| content.keys().cloned()),
                );
            }
            Version::Swagger2 => types.extend(swagger::produces(&document.root, operation)),
        }
    }
    Ok(!types.is_empty() && types.iter().all(|kind| is_json(kind)))
}

/// The first server of the innermost list, with the defaults of its variables.
fn server(places: &[&Value]) -> String {
    let server = places
        .iter()
        .find_map(|place| place["servers"].as_array()?.first());
    let Some(server) = server else {
        return "/".to_owned();
    };
    let mut url = server["url"].as_str().unwrap_or("/").to_owned();
    for (name, variable) in server["variables"].as_object().into_iter().flatten() {
        if let Some(default) = variable["default"].as_str() {
            url = url.replace(&format!("{{{name}}}"), default);
        }
    }
    url
}
