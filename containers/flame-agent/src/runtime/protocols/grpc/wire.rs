//! gRPC over HTTP/2: framed messages, and a status in the trailers.

use std::fmt::Write as _;

use axum::http;
use flame_engine::{Error, StandardError};
use flame_types::IdempotencyKey;
use http_body_util::BodyExt as _;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, TE};
use reqwest::{Body, Request};

use crate::runtime::outbound::{Outbound, Sender, Target};

/// A flag (1 for a compressed message) and the length.
const FRAME_BYTES: usize = 5;
const MESSAGES_MAX: usize = 10_000;

pub(super) fn headers(key: &IdempotencyKey) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(TE, HeaderValue::from_static("trailers"));
    // The key's type keeps to visible ASCII, which metadata takes.
    if let Ok(value) = HeaderValue::from_str(key.as_str()) {
        headers.insert(HeaderName::from_static("idempotency-key"), value);
    }
    headers
}

/// One message as it goes over the wire, not compressed.
pub(super) fn framed(message: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(FRAME_BYTES + message.len());
    bytes.push(0);
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(message);
    bytes
}

/// Sends the request and gives the messages of the answer, if its status is a success.
pub(super) async fn exchange(
    outbound: &Outbound,
    request: Request,
    sender: Sender<'_>,
) -> Result<Vec<Vec<u8>>, Error> {
    let target = Target::of(&request);
    let response = outbound.send_http2(request, sender, &target).await?;
    let status = response.status();
    let (parts, mut body) = http::Response::<Body>::from(response).into_parts();
    if !status.is_success() {
        let mut error = target.communication(
            &format!("HTTP {}", status.as_u16()),
            "the server answered without gRPC; is this the right port?",
        );
        error.status = status.as_u16();
        return Err(error);
    }
    let bytes_max = outbound.response_bytes_max();
    let (mut bytes, mut trailers) = (Vec::new(), None);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| target.failed(&error))?;
        match frame.into_data() {
            Ok(data) if bytes.len() + data.len() > bytes_max => {
                return Err(target.communication(
                    "The answer is too large",
                    &format!("the answer has more than {bytes_max} bytes, the most that is taken"),
                ));
            }
            Ok(data) => bytes.extend_from_slice(&data),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    // An answer without messages may have its status among the headers.
    let trailers = trailers.unwrap_or(parts.headers);
    let Some(code) = trailers
        .get("grpc-status")
        .and_then(|code| code.to_str().ok())
    else {
        return Err(target.communication(
            "The answer is not gRPC",
            "the answer has no grpc-status; is this the right port?",
        ));
    };
    if code != "0" {
        return Err(refused(&target, code, &trailers));
    }
    messages(&bytes).ok_or_else(|| {
        target.communication(
            "The answer can't be read",
            "its messages are compressed, cut off, or more than are taken",
        )
    })
}

fn messages(mut bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (head, rest) = bytes.split_at_checked(FRAME_BYTES)?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let (message, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        if head[0] != 0 || found.len() >= MESSAGES_MAX {
            return None;
        }
        found.push(message.to_vec());
        bytes = rest;
    }
    Some(found)
}

/// gRPC's status codes, with the HTTP status that stands for each.
const CODES: [(&str, u16); 17] = [
    ("OK", 200),
    ("CANCELLED", 499),
    ("UNKNOWN", 500),
    ("INVALID_ARGUMENT", 400),
    ("DEADLINE_EXCEEDED", 504),
    ("NOT_FOUND", 404),
    ("ALREADY_EXISTS", 409),
    ("PERMISSION_DENIED", 403),
    ("RESOURCE_EXHAUSTED", 429),
    ("FAILED_PRECONDITION", 400),
    ("ABORTED", 409),
    ("OUT_OF_RANGE", 400),
    ("UNIMPLEMENTED", 501),
    ("INTERNAL", 500),
    ("UNAVAILABLE", 503),
    ("DATA_LOSS", 500),
    ("UNAUTHENTICATED", 401),
];

fn refused(target: &Target, code: &str, trailers: &HeaderMap) -> Error {
    let known = code.parse().ok().and_then(|code: usize| CODES.get(code));
    let (name, status) = known.copied().unwrap_or(("an unknown status", 500));
    let mut detail = format!("answered {name} ({code})");
    if let Some(message) = trailers.get("grpc-message") {
        let message = percent_encoding::percent_decode(message.as_bytes()).decode_utf8_lossy();
        let shown: String = message.chars().take(300).collect();
        // Writing to a text does not fail.
        let _ = write!(detail, ": {shown}");
    }
    let title = format!("gRPC {name}");
    let standard = match name {
        "UNAUTHENTICATED" => StandardError::Authentication,
        "PERMISSION_DENIED" => StandardError::Authorization,
        "DEADLINE_EXCEEDED" => StandardError::Timeout,
        _ => StandardError::Communication,
    };
    Error {
        status,
        ..standard.with(&title, target.describe(&detail))
    }
}
