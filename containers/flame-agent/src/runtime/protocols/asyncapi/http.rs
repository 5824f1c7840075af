//! AsyncAPI over HTTP: a message is a request; a subscription reads a stream of events (server-sent events),
//! lines of JSON, or one JSON list.

use std::collections::VecDeque;
use std::sync::Arc;

use flame_dsl::HttpOutput;
use flame_engine::{Error, HttpRequest, Mark};
use flame_types::json;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request, Response};
use serde_json::{Map, Value};

use super::super::lines::{Events, Lines};
use super::super::texts;
use super::{Exchange, message};
use crate::runtime::outbound::{Target, body, is_json, refused};

/// Sends a message; the answer's content is the output.
pub(super) async fn send(
    exchange: &Exchange<'_>,
    payload: &Value,
    headers: &Value,
) -> Result<Value, Error> {
    let request = HttpRequest {
        method: exchange.channel.method.clone(),
        url: exchange.channel.url.to_string(),
        headers: texts(headers),
        query: Vec::new(),
        body: (!payload.is_null()).then(|| Arc::new(payload.clone())),
        credentials: exchange.credentials.cloned().map(Box::new),
        output: HttpOutput::Content,
        redirect: false,
        timeout: None,
    };
    exchange.caller.http(&request, exchange.named).await
}

/// Messages out of one long answer.
pub(super) struct Stream {
    response: Response,
    target: Target,
    bytes_max: usize,
    content: Content,
}

enum Content {
    Events(Events),
    Lines(Lines),
    /// Of a body that was whole, and how many of it have come.
    Items(VecDeque<Value>, usize),
}

impl Stream {
    /// Behind the mark: its source is told the last event's id, of a list the beginning is passed over. A
    /// source that knows neither goes on with what it has.
    pub(super) async fn open(exchange: &Exchange<'_>, after: Option<&Mark>) -> Result<Self, Error> {
        let channel = exchange.channel;
        let method = Method::from_bytes(channel.method.as_bytes()).unwrap_or(Method::GET);
        let mut request = Request::new(method, channel.url.clone());
        let accept = "text/event-stream, application/x-ndjson, application/json;q=0.8";
        request
            .headers_mut()
            .insert(ACCEPT, HeaderValue::from_static(accept));
        if let Some(Mark::Id(id)) = after
            && let Ok(id) = HeaderValue::from_str(id)
        {
            request.headers_mut().insert("last-event-id", id);
        }
        let target = Target::of(&request);
        let outbound = exchange.caller.outbound;
        let bytes_max = outbound.response_bytes_max();
        let mut response = outbound.send(request, exchange.sender(), &target).await?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        if !status.is_success() {
            let body = body(response, &target, bytes_max).await?;
            return Err(refused(status, &headers, &body, &target));
        }
        let kind = headers.get(CONTENT_TYPE);
        let text = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let content = if text.starts_with("text/event-stream") {
            Content::Events(Events::default())
        } else if text.contains("ndjson") || text.contains("jsonl") {
            Content::Lines(Lines::default())
        } else if kind.is_some_and(is_json) {
            Content::Items(VecDeque::new(), 0)
        } else {
            return Err(target.communication(
                "The answer is no stream of messages",
                &format!(
                    "answered with {text:?}; events, lines of JSON or a JSON list can be read"
                ),
            ));
        };
        let mut stream = Self {
            response,
            target,
            bytes_max,
            content,
        };
        if matches!(stream.content, Content::Items(..)) {
            let begin = match after {
                Some(Mark::Place(place)) => *place,
                _ => 0,
            };
            stream.read_items(begin).await?;
        }
        Ok(stream)
    }

    async fn read_items(&mut self, begin: usize) -> Result<(), Error> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if bytes.len() + chunk.len() > self.bytes_max {
                return Err(self.too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        let items = match json::from_slice(&bytes) {
            Ok(Value::Array(items)) => items,
            Ok(item) => vec![item],
            Err(error) => {
                return Err(self
                    .target
                    .communication("The answer is not JSON", &error.to_string()));
            }
        };
        let items = items.into_iter().skip(begin);
        self.content = Content::Items(items.collect(), begin);
        Ok(())
    }

    /// Where it goes on behind the message that came last.
    pub(super) fn mark(&self) -> Option<Mark> {
        match &self.content {
            Content::Events(events) => events.id().map(|id| Mark::Id(id.to_owned())),
            Content::Items(_, place) => Some(Mark::Place(*place)),
            Content::Lines(_) => None,
        }
    }

    pub(super) async fn next(&mut self) -> Result<Option<Value>, Error> {
        loop {
            let found = match &mut self.content {
                Content::Items(items, place) => {
                    let item = items.pop_front();
                    *place += 1;
                    return Ok(item.map(|item| message(item.to_string().as_bytes(), Map::new())));
                }
                Content::Events(events) => events.take(),
                Content::Lines(lines) => filled(lines),
            };
            if let Some(text) = found {
                return Ok(Some(message(text.as_bytes(), Map::new())));
            }
            let Some(chunk) = self.chunk().await? else {
                return Ok(self.rest());
            };
            let waiting = match &mut self.content {
                Content::Events(events) => events.push(&chunk),
                Content::Lines(lines) => lines.push(&chunk),
                Content::Items(..) => 0,
            };
            if waiting > self.bytes_max {
                return Err(self.too_large());
            }
        }
    }

    /// The last line needs no end.
    fn rest(&mut self) -> Option<Value> {
        let Content::Lines(lines) = &mut self.content else {
            return None;
        };
        lines.push(b"\n");
        filled(lines).map(|text| message(text.as_bytes(), Map::new()))
    }

    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let chunk = self.response.chunk().await;
        let chunk = chunk.map_err(|error| self.target.failed(&error))?;
        Ok(chunk.map(|chunk| chunk.to_vec()))
    }

    fn too_large(&self) -> Error {
        self.target.communication(
            "The answer is too large",
            &format!(
                "a message has more than {} bytes, the most that is taken",
                self.bytes_max
            ),
        )
    }
}

/// The next line that is not blank.
fn filled(lines: &mut Lines) -> Option<String> {
    std::iter::from_fn(|| lines.take()).find(|line| !line.trim().is_empty())
}
