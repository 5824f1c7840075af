//! JSON-RPC 2.0 over HTTP, as MCP and A2A carry it: a request is a POST, the answer JSON or a stream of
//! events (server-sent events).

use flame_engine::{Credentials, Error, StandardError};
use flame_types::json;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Request, Response, StatusCode, Url};
use serde_json::{Value, json};

use super::Caller;
use super::lines::Events;
use crate::runtime::outbound::{Sender, Target, body, is_json, refused};

/// Where requests go, and what goes with each of them.
#[derive(Debug)]
pub(super) struct Peer<'c> {
    pub(super) caller: &'c Caller<'c>,
    pub(super) url: Url,
    pub(super) named: bool,
    pub(super) credentials: Option<&'c Credentials>,
    pub(super) headers: HeaderMap,
}

/// What came back: a whole body, or a stream that is still open.
pub(super) struct Answer {
    pub(super) headers: HeaderMap,
    content: Content,
    target: Target,
    bytes_max: usize,
    received: usize,
}

enum Content {
    Whole(Option<Value>),
    Events { response: Response, events: Events },
}

pub(super) fn request(id: u64, method: &str, parameters: &Value) -> Value {
    let mut message = json!({"jsonrpc": "2.0", "id": id, "method": method});
    if !parameters.is_null() {
        message["params"] = parameters.clone();
    }
    message
}

impl Peer<'_> {
    pub(super) const fn sender(&self) -> Sender<'_> {
        self.caller.sender(self.named, self.credentials)
    }

    pub(super) async fn post(&self, message: &Value) -> Result<Answer, Error> {
        let answer = self.exchange(message).await;
        self.caller.enter(&self.url, answer.is_err());
        answer
    }

    async fn exchange(&self, message: &Value) -> Result<Answer, Error> {
        let mut request = Request::new(Method::POST, self.url.clone());
        let headers = request.headers_mut();
        headers.clone_from(&self.headers);
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static(
            "application/json, text/event-stream",
        ));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.caller.add_key(headers);
        *request.body_mut() = Some(message.to_string().into());
        let target = Target::of(&request);
        let outbound = self.caller.outbound;
        let mut response = outbound.send(request, self.sender(), &target).await?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let bytes_max = outbound.response_bytes_max();
        if !status.is_success() {
            let body = body(response, &target, bytes_max).await?;
            return Err(refused(status, &headers, &body, &target));
        }
        let kind = headers.get(CONTENT_TYPE);
        let is_stream = kind
            .and_then(|kind| kind.to_str().ok())
            .is_some_and(|kind| kind.starts_with("text/event-stream"));
        let content = if is_stream {
            Content::Events {
                response,
                events: Events::default(),
            }
        } else {
            let is_json = kind.is_some_and(is_json);
            let body = body(response, &target, bytes_max).await?;
            Content::Whole(match body.as_slice() {
                [] => None,
                bytes if is_json => Some(json::from_slice(bytes).map_err(|error| {
                    target.communication("The answer is not JSON", &error.to_string())
                })?),
                // A notification's answer says nothing.
                _ if status == StatusCode::ACCEPTED => None,
                _ => {
                    return Err(target.communication(
                        "The answer is not JSON-RPC",
                        "it is neither JSON nor a stream of events; is the address right?",
                    ));
                }
            })
        };
        Ok(Answer {
            headers,
            content,
            target,
            bytes_max,
            received: 0,
        })
    }
}

impl Answer {
    /// The next message, in the order in which they come; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Value>, Error> {
        let (response, events) = match &mut self.content {
            Content::Whole(message) => return Ok(message.take()),
            Content::Events { response, events } => (response, events),
        };
        loop {
            if let Some(data) = events.take() {
                return json::from_str(&data).map(Some).map_err(|error| {
                    self.target.communication(
                        "The answer is not JSON-RPC",
                        &format!("an event of its stream can't be read: {error}"),
                    )
                });
            }
            let chunk = response.chunk().await;
            let Some(chunk) = chunk.map_err(|error| self.target.failed(&error))? else {
                return Ok(None);
            };
            self.received += chunk.len();
            if self.received > self.bytes_max {
                return Err(self.target.communication(
                    "The answer is too large",
                    &format!(
                        "the answer has more than {} bytes, the most that is taken",
                        self.bytes_max
                    ),
                ));
            }
            events.push(&chunk);
        }
    }

    pub(super) fn ended_early(&self) -> Error {
        self.target.communication(
            "The connection ended early",
            "the stream of events ended before the answer came",
        )
    }
}

/// The result of an answer, or its error.
pub(super) fn result(message: &mut Value, method: &str) -> Result<Value, Error> {
    let Some(members) = message.as_object_mut() else {
        return Err(StandardError::Communication.with(
            "The answer is not JSON-RPC",
            format!("{method} was answered with JSON that is no object; is the address right?"),
        ));
    };
    let error = members.get("error").unwrap_or(&Value::Null);
    if error.is_null() {
        return Ok(members.remove("result").unwrap_or_default());
    }
    let (code, text) = (
        &error["code"],
        error["message"].as_str().unwrap_or_default(),
    );
    let text: String = text.chars().take(300).collect();
    // JSON-RPC 2.0, "Error object".
    let standard = match code.as_i64() {
        Some(-32_602 | -32_600) => StandardError::Validation,
        _ => StandardError::Communication,
    };
    Err(standard.with(
        "The other side refused the call",
        format!("{method} was answered with error {code}: {text}"),
    ))
}
