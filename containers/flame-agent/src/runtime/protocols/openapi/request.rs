//! An operation and the values for it, made into an HTTP request.

use std::sync::Arc;

use flame_dsl::{HttpOutput, did_you_mean};
use flame_engine::HttpRequest;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;
use serde_json::{Map, Value};

use super::document::Problem;
use super::operation::{Body, FORM, Operation, Parameter, Place, Style, is_json};

/// All but RFC 3986 "unreserved".
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

const BODY: &str = "body";

/// The parts of a request that parameters go to.
#[derive(Default)]
struct Parts {
    path: String,
    /// Encoded already: a comma between values stays one, a comma within one does not.
    query: Vec<(String, String)>,
    whole_query: Option<String>,
    headers: Vec<(String, String)>,
    cookies: Vec<String>,
    form: Vec<(String, String)>,
}

pub(super) fn build(
    operation: &Operation,
    server: &Url,
    values: &Map<String, Value>,
) -> Result<HttpRequest, Problem> {
    check_names(operation, values)?;
    let mut parts = Parts {
        path: operation.path.clone(),
        ..Parts::default()
    };
    for parameter in &operation.parameters {
        let given = values.get(&parameter.name).filter(|value| !value.is_null());
        match given.or(parameter.default.as_ref()) {
            Some(value) => parts.add(parameter, value)?,
            None if parameter.required => {
                return Err(Problem(format!(
                    "the {} parameter {:?} is missing; give it under 'parameters'",
                    place(parameter.place),
                    parameter.name
                )));
            }
            None => {}
        }
    }
    if let Some(open) = parts.path.split_once('{').map(|(_, rest)| rest) {
        let name = open.split('}').next().unwrap_or_default();
        return Err(Problem(format!(
            "the path {} needs {name:?}, which the document does not declare as a parameter",
            operation.path
        )));
    }
    let query = query(&parts);
    let mut headers = parts.headers;
    headers.push((
        "accept".to_owned(),
        "application/json, */*;q=0.8".to_owned(),
    ));
    if !parts.cookies.is_empty() {
        headers.push(("cookie".to_owned(), parts.cookies.join("; ")));
    }
    let body = match &operation.body {
        None => None,
        Some(body) => self::body(body, values, &parts.form, &mut headers)?,
    };
    let base = server.as_str().trim_end_matches('/');
    Ok(HttpRequest {
        method: operation.method.clone(),
        url: format!("{base}/{}{query}", parts.path.trim_start_matches('/')),
        headers,
        query: Vec::new(),
        body,
        credentials: None,
        output: HttpOutput::Content,
        redirect: false,
        timeout: None,
    })
}

fn check_names(operation: &Operation, values: &Map<String, Value>) -> Result<(), Problem> {
    let mut known: Vec<&str> = operation
        .parameters
        .iter()
        .map(|parameter| parameter.name.as_str())
        .collect();
    if let Some(body) = &operation.body {
        known.push(BODY);
        known.extend(body.name.as_deref());
    }
    let Some(stranger) = values.keys().find(|name| !known.contains(&name.as_str())) else {
        return Ok(());
    };
    let hint = did_you_mean(stranger, known.iter().copied()).unwrap_or_else(|| {
        if known.is_empty() {
            "it takes none".to_owned()
        } else {
            format!("it takes {}", known.join(", "))
        }
    });
    Err(Problem(format!(
        "there is no parameter {stranger:?}; {hint}"
    )))
}

impl Parts {
    fn add(&mut self, parameter: &Parameter, value: &Value) -> Result<(), Problem> {
        let Parameter { name, place, .. } = parameter;
        match place {
            Place::Path => {
                let text = path_value(parameter, value)?;
                if text.is_empty() {
                    return Err(Problem(format!("the path parameter {name:?} is empty")));
                }
                if matches!(text.as_str(), "." | "..") {
                    return Err(Problem(format!(
                        "the path parameter {name:?} is {text:?}, which leads to another operation's address"
                    )));
                }
                self.path = self.path.replace(&format!("{{{name}}}"), &text);
            }
            Place::Query => self.query.extend(pairs(parameter, value, true)?),
            Place::QueryString => self.whole_query = Some(query_string(parameter, value)?),
            Place::Form => self.form.extend(pairs(parameter, value, false)?),
            Place::Header => self
                .headers
                .push((name.clone(), joined(parameter, value, ",", false)?)),
            Place::Cookie => {
                let is_encoded = parameter.style != Style::Cookie;
                for (name, value) in pairs(parameter, value, is_encoded)? {
                    if name.is_empty() || name.contains(is_no_token) {
                        return Err(Problem(format!("{name:?} can't be the name of a cookie")));
                    }
                    if value.contains(';') {
                        return Err(Problem(format!(
                            "the cookie {name:?} has a ';' in its value, which ends a cookie"
                        )));
                    }
                    self.cookies.push(format!("{name}={value}"));
                }
            }
        }
        Ok(())
    }
}

fn body(
    body: &Body,
    values: &Map<String, Value>,
    form: &[(String, String)],
    headers: &mut Vec<(String, String)>,
) -> Result<Option<Arc<Value>>, Problem> {
    let given = values
        .get(BODY)
        .or_else(|| values.get(body.name.as_deref()?));
    if given.is_none() && form.is_empty() {
        return match body.required {
            true => Err(Problem(format!(
                "the request's body is missing; give it as {:?} under 'parameters'",
                body.name.as_deref().unwrap_or(BODY)
            ))),
            false => Ok(None),
        };
    }
    let kind = &body.content_type;
    let value = match given {
        _ if kind.starts_with("multipart/") => {
            return Err(Problem(format!(
                "its body is {kind}, which this release does not send"
            )));
        }
        Some(Value::Object(members)) if kind.starts_with(FORM) => {
            let mut fields = Vec::new();
            for (name, value) in members {
                fields.extend(pairs(&form_field(name), value, false)?);
            }
            Value::String(encoded(&fields))
        }
        None => Value::String(encoded(form)),
        Some(value) if is_json(kind) || value.is_string() => value.clone(),
        Some(_) => {
            return Err(Problem(format!("its body is {kind}; give it as text")));
        }
    };
    headers.push(("content-type".to_owned(), kind.clone()));
    Ok(Some(Arc::new(value)))
}

fn form_field(name: &str) -> Parameter {
    Parameter {
        name: name.to_owned(),
        place: Place::Form,
        style: Style::Form,
        explode: true,
        required: false,
        default: None,
    }
}

fn encoded(fields: &[(String, String)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish()
}

/// What a parameter is in a path (OpenAPI 3.1, "Style Examples").
fn path_value(parameter: &Parameter, value: &Value) -> Result<String, Problem> {
    let name = &parameter.name;
    let scalars = |separator: &str, lead: &str| -> Result<String, Problem> {
        let texts = list(parameter, value, true)?;
        Ok(texts
            .iter()
            .map(|text| format!("{lead}{text}"))
            .collect::<Vec<_>>()
            .join(separator))
    };
    match (parameter.style, parameter.explode, value) {
        (Style::Label, false, _) => Ok(format!(".{}", scalars(",", "")?)),
        (Style::Label, true, _) => Ok(format!(".{}", scalars(".", "")?)),
        (Style::Matrix, true, Value::Object(_)) => scalars("", ";"),
        (Style::Matrix, true, _) => scalars("", &format!(";{name}=")),
        (Style::Matrix, false, _) => Ok(format!(";{name}={}", scalars(",", "")?)),
        (Style::Json, ..) => Ok(utf8_percent_encode(&value.to_string(), RESERVED).to_string()),
        _ => scalars(",", ""),
    }
}

/// What is in no token (RFC 9110, 5.6.2), which the name of a cookie is (RFC 6265, 4.1.1).
fn is_no_token(character: char) -> bool {
    !character.is_ascii_graphic() || "\"(),/:;<=>?@[\\]{}".contains(character)
}

fn query(parts: &Parts) -> String {
    let pairs = parts.query.iter();
    let pairs = pairs.map(|(name, value)| format!("{name}={value}"));
    let texts: Vec<String> = pairs.chain(parts.whole_query.clone()).collect();
    match texts.is_empty() {
        true => String::new(),
        false => format!("?{}", texts.join("&")),
    }
}

fn query_string(parameter: &Parameter, value: &Value) -> Result<String, Problem> {
    match (parameter.style, value) {
        (Style::Json, value) => Ok(escaped(&value.to_string(), true)),
        (_, Value::Object(members)) => {
            let mut fields = Vec::new();
            for (name, value) in members {
                fields.extend(pairs(&form_field(name), value, false)?);
            }
            Ok(encoded(&fields))
        }
        _ => Err(Problem(format!(
            "the query {:?} needs an object of its names and values",
            parameter.name
        ))),
    }
}

fn escaped(text: &str, encode: bool) -> String {
    match encode {
        true => utf8_percent_encode(text, RESERVED).to_string(),
        false => text.to_owned(),
    }
}

/// Names and values for a query, a form or cookies, percent-encoded if need be.
fn pairs(
    parameter: &Parameter,
    value: &Value,
    encode: bool,
) -> Result<Vec<(String, String)>, Problem> {
    let name = &escaped(&parameter.name, encode);
    let text = |value: &Value| text(parameter, value).map(|text| escaped(&text, encode));
    let one = |text: String| vec![(name.clone(), text)];
    Ok(match (parameter.style, value) {
        (Style::Json, _) => one(escaped(&value.to_string(), encode)),
        (Style::DeepObject, Value::Object(members)) => {
            let mut found = Vec::with_capacity(members.len());
            for (key, value) in members {
                found.push((format!("{name}[{}]", escaped(key, encode)), text(value)?));
            }
            found
        }
        (Style::Form | Style::Cookie, Value::Object(members)) if parameter.explode => {
            let mut found = Vec::with_capacity(members.len());
            for (key, value) in members {
                found.push((escaped(key, encode), text(value)?));
            }
            found
        }
        (Style::Form | Style::Cookie, Value::Array(items)) if parameter.explode => {
            let texts = items.iter().map(text);
            let texts: Vec<String> = texts.collect::<Result<_, _>>()?;
            texts.into_iter().map(|text| (name.clone(), text)).collect()
        }
        (Style::Space, _) => one(joined(parameter, value, &escaped(" ", encode), encode)?),
        (Style::Tab, _) => one(joined(parameter, value, &escaped("\t", encode), encode)?),
        (Style::Pipe, _) => one(joined(parameter, value, &escaped("|", encode), encode)?),
        _ => one(joined(parameter, value, ",", encode)?),
    })
}

fn joined(
    parameter: &Parameter,
    value: &Value,
    separator: &str,
    encode: bool,
) -> Result<String, Problem> {
    match parameter.style {
        Style::Json => Ok(escaped(&value.to_string(), encode)),
        _ => Ok(list(parameter, value, encode)?.join(separator)),
    }
}

/// The scalars of a value, an object's as `name`, `value` or, exploded, `name=value`.
fn list(parameter: &Parameter, value: &Value, encode: bool) -> Result<Vec<String>, Problem> {
    let escape = |text: String| escaped(&text, encode);
    let mut texts = Vec::new();
    match value {
        Value::Array(items) => {
            for item in items {
                texts.push(escape(text(parameter, item)?));
            }
        }
        Value::Object(members) => {
            for (key, value) in members {
                let (key, value) = (escape(key.clone()), escape(text(parameter, value)?));
                if parameter.explode {
                    texts.push(format!("{key}={value}"));
                } else {
                    texts.extend([key, value]);
                }
            }
        }
        scalar => texts.push(escape(text(parameter, scalar)?)),
    }
    Ok(texts)
}

fn text(parameter: &Parameter, value: &Value) -> Result<String, Problem> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        Value::Null => Ok(String::new()),
        Value::Array(_) | Value::Object(_) => Err(Problem(format!(
            "the {} parameter {:?} has a list or an object within another, which it can't hold",
            place(parameter.place),
            parameter.name
        ))),
    }
}

const fn place(place: Place) -> &'static str {
    match place {
        Place::Path => "path",
        Place::Query => "query",
        Place::QueryString => "querystring",
        Place::Header => "header",
        Place::Cookie => "cookie",
        Place::Form => "form",
    }
}

#[cfg(test)]
mod tests;
