//! What an answer becomes: its content, its bytes or the whole response; or an error.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flame_dsl::HttpOutput;
use flame_engine::{Error, HttpRequest, StandardError};
use flame_types::json;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Request, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::Target;

/// Characters of a refusing answer's text that the error shows.
const SHOWN_CHARACTERS_MAX: usize = 300;
/// Headers whose values are secrets: what is stored shows that they were there, no more.
const SECRET_HEADERS: [&str; 6] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "x-api-key",
    "api-key",
];

/// Of `application/`, those that are never text.
const BINARY_SUBTYPES: [&str; 12] = [
    "octet-stream",
    "pdf",
    "zip",
    "gzip",
    "x-tar",
    "zstd",
    "wasm",
    "cbor",
    "msgpack",
    "protobuf",
    "x-protobuf",
    "vnd.apache.parquet",
];

/// What was sent, for `output: response`.
pub(super) struct Sent {
    method: String,
    uri: String,
    headers: Value,
}

impl Sent {
    pub(super) fn of(request: &Request) -> Self {
        Self {
            method: request.method().to_string(),
            uri: request.url().to_string(),
            headers: headers_as_json(request.headers()),
        }
    }

    fn as_json(&self) -> Value {
        json!({ "method": self.method, "uri": self.uri, "headers": self.headers })
    }
}

pub(super) async fn read(
    request: &HttpRequest,
    mut response: Response,
    sent: Option<&Sent>,
    target: &Target,
    bytes_max: usize,
) -> Result<Value, Error> {
    let status = response.status();
    let headers = std::mem::take(response.headers_mut());
    let body = body(response, target, bytes_max).await?;
    let taken = status.is_success() || (request.redirect && status.is_redirection());
    if !taken {
        return Err(refused(status, &headers, &body, target));
    }
    match request.output {
        HttpOutput::Raw => Ok(Value::String(BASE64.encode(&body))),
        HttpOutput::Content => content(&headers, &body, target),
        HttpOutput::Response => Ok(json!({
            "request": sent.map(Sent::as_json),
            "statusCode": status.as_u16(),
            "headers": headers_as_json(&headers),
            "content": content(&headers, &body, target)?,
        })),
    }
}

/// Reads the body up to a limit, and never more.
pub(in crate::runtime) async fn body(
    mut response: Response,
    target: &Target,
    bytes_max: usize,
) -> Result<Vec<u8>, Error> {
    let too_large = || {
        target.communication(
            "The answer is too large",
            &format!("the answer has more than {bytes_max} bytes, the most that is taken"),
        )
    };
    let announced = response
        .content_length()
        .and_then(|bytes| usize::try_from(bytes).ok());
    if announced.is_some_and(|bytes| bytes > bytes_max) {
        return Err(too_large());
    }
    let mut body = Vec::with_capacity(announced.unwrap_or(0));
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| target.failed(&error))?
    {
        if body.len() + chunk.len() > bytes_max {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn content(headers: &HeaderMap, body: &[u8], target: &Target) -> Result<Value, Error> {
    if body.is_empty() {
        return Ok(Value::Null);
    }
    let declared = headers.get(CONTENT_TYPE);
    if declared.is_some_and(is_json) {
        return json::from_slice(body).map_err(|error| {
            target.communication(
                "The answer is not JSON",
                &format!("the answer says that it is JSON, but it can't be read: {error}"),
            )
        });
    }
    // Bytes of a binary type may happen to be text: what a flow gets must not depend on that.
    let text = match declared.is_some_and(is_binary) {
        true => None,
        false => std::str::from_utf8(body).ok(),
    };
    Ok(Value::String(
        text.map_or_else(|| BASE64.encode(body), str::to_owned),
    ))
}

/// `application/json` and everything with the suffix `+json`.
pub(in crate::runtime) fn is_json(content_type: &HeaderValue) -> bool {
    let essence = essence(content_type);
    essence == "application/json" || essence == "text/json" || essence.ends_with("+json")
}

/// Whether a type is known never to be text.
fn is_binary(content_type: &HeaderValue) -> bool {
    let essence = essence(content_type);
    match essence.split_once('/') {
        Some(("image" | "audio" | "video" | "font", subtype)) => !subtype.ends_with("+xml"),
        Some(("application", subtype)) => BINARY_SUBTYPES.contains(&subtype),
        _ => false,
    }
}

/// A content type without its parameters, in lower case; empty where it can't be read.
fn essence(content_type: &HeaderValue) -> String {
    let text = content_type.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

/// The DSL's error carries the status of the answer; 401 and 403 have types of their own.
pub(in crate::runtime) fn refused(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    target: &Target,
) -> Error {
    let reason = status
        .canonical_reason()
        .unwrap_or("an answer that is not a success");
    let mut error = target.error(
        match status {
            StatusCode::UNAUTHORIZED => StandardError::Authentication,
            StatusCode::FORBIDDEN => StandardError::Authorization,
            _ => StandardError::Communication,
        },
        &format!("HTTP {} {reason}", status.as_u16()),
        &shown(status, headers, body),
    );
    error.status = status.as_u16();
    error
}

fn shown(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> String {
    let is_text = headers.get(CONTENT_TYPE).is_some_and(|kind| {
        is_json(kind)
            || kind
                .to_str()
                .is_ok_and(|kind| kind.starts_with("text/plain"))
    });
    let text = if is_text {
        std::str::from_utf8(body).unwrap_or_default().trim()
    } else {
        ""
    };
    if text.is_empty() {
        return format!("answered {}", status.as_u16());
    }
    let mut shown: String = text.chars().take(SHOWN_CHARACTERS_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("answered {}: {shown}", status.as_u16())
}

fn headers_as_json(headers: &HeaderMap) -> Value {
    let mut object = Map::new();
    for name in headers.keys() {
        let value = if SECRET_HEADERS.contains(&name.as_str()) {
            "***".to_owned()
        } else {
            let values = headers.get_all(name).iter();
            values
                .map(|value| String::from_utf8_lossy(value.as_bytes()))
                .collect::<Vec<_>>()
                .join(", ")
        };
        object.insert(name.to_string(), Value::String(value));
    }
    Value::Object(object)
}
