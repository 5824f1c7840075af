//! `call: mcp`: a tool, prompt or resource of an MCP server, over streamable HTTP.
//!
//! Every call makes a session of its own (handshake, call, end), since a run may rest for years between two.
//! Deliberately absent: what a server may ask of its client (sampling, roots, elicitation).

use flame_dsl::parse_duration;
use flame_engine::{Error, ProtocolRequest, StandardError};
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Method, Request, Url};
use serde_json::{Value, json};

use super::json_rpc::{self, Answer, Peer};
use super::{Caller, invalid};
use crate::runtime::outbound::Target;

const VERSION: &str = "2025-06-18";
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
/// Ids of our requests, which the answers carry.
const HANDSHAKE: u64 = 1;
const CALL: u64 = 2;

pub(super) async fn call(caller: &Caller<'_>, request: &ProtocolRequest) -> Result<Value, Error> {
    let arguments = &request.arguments;
    let Some(server) = &request.server else {
        return Err(StandardError::Configuration.with(
            "The MCP server can't be started",
            "an MCP server over stdio is a program on this machine, which this agent does not start; \
             run the server with its HTTP transport and write transport.http.endpoint",
        ));
    };
    let limit = match &arguments["timeout"] {
        Value::Null => None,
        value => Some(
            parse_duration(value)
                .map_err(|problem| invalid(format!("with.timeout is no duration: {problem}")))?,
        ),
    };
    let session = session(caller, server, arguments);
    match limit {
        None => session.await,
        Some(limit) => tokio::time::timeout(limit, session).await.map_err(|_| {
            StandardError::Timeout.with(
                "No answer in time",
                format!("{server}: no answer within {} ms", limit.as_millis()),
            )
        })?,
    }
}

async fn session(caller: &Caller<'_>, server: &str, arguments: &Value) -> Result<Value, Error> {
    let url = Url::parse(server)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .ok_or_else(|| invalid(format!("{server:?} is not an HTTP address")))?;
    let mut peer = Peer {
        caller,
        named: caller.names_server(server),
        url,
        headers: super::headers(&arguments["transport"]["http"]["headers"])?,
    };
    handshake(&mut peer, arguments).await?;
    let outcome = exchange(&peer, arguments).await;
    end(&peer).await;
    outcome
}

async fn handshake(peer: &mut Peer<'_>, arguments: &Value) -> Result<(), Error> {
    let text = |value: &Value, default: &str| match value {
        Value::Null => default.to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let client = &arguments["client"];
    let parameters = json!({
        "protocolVersion": text(&arguments["protocolVersion"], VERSION),
        "capabilities": {},
        "clientInfo": {
            "name": text(&client["name"], "mastra"),
            "version": text(&client["version"], env!("CARGO_PKG_VERSION")),
        },
    });
    let mut answer = peer
        .post(&json_rpc::request(HANDSHAKE, "initialize", &parameters))
        .await?;
    if let Some(session) = answer.headers.get(SESSION) {
        peer.headers.insert(SESSION, session.clone());
    }
    let agreed = answer_to(peer, &mut answer, HANDSHAKE, "initialize").await?;
    // The server may speak another version than the one that was asked for.
    let agreed = agreed["protocolVersion"].as_str().unwrap_or(VERSION);
    let agreed = HeaderValue::from_str(agreed).map_err(|_| {
        invalid(format!(
            "the server speaks MCP {agreed:?}, which is no version"
        ))
    })?;
    peer.headers.insert(PROTOCOL_VERSION, agreed);
    peer.post(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))
        .await?;
    Ok(())
}

async fn exchange(peer: &Peer<'_>, arguments: &Value) -> Result<Value, Error> {
    let method = arguments["method"].as_str().unwrap_or_default();
    let parameters = &arguments["parameters"];
    if !matches!(parameters, Value::Null | Value::Object(_)) {
        return Err(invalid(format!(
            "with.parameters gave {}; {method} needs an object",
            excerpt(parameters)
        )));
    }
    let mut answer = peer
        .post(&json_rpc::request(CALL, method, parameters))
        .await?;
    let result = answer_to(peer, &mut answer, CALL, method).await?;
    if result["isError"] == Value::Bool(true) {
        let texts: Vec<&str> = result["content"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|part| part["text"].as_str())
            .collect();
        let tool = parameters["name"].as_str().unwrap_or_default();
        let said: String = texts.join(" ").chars().take(300).collect();
        return Err(StandardError::Runtime.with(
            "The tool failed",
            format!(
                "{tool:?} of {} said: {said}",
                peer.url.host_str().unwrap_or_default()
            ),
        ));
    }
    Ok(result)
}

/// The result for one of our requests; what the server asks in between is declined.
async fn answer_to(
    peer: &Peer<'_>,
    answer: &mut Answer,
    id: u64,
    method: &str,
) -> Result<Value, Error> {
    while let Some(mut message) = answer.next().await? {
        if message.get("method").is_none() && message["id"] == id {
            return json_rpc::result(&mut message, method);
        }
        if message.get("method").is_some() && !message["id"].is_null() {
            let reply = match message["method"].as_str() {
                Some("ping") => json!({"jsonrpc": "2.0", "id": message["id"], "result": {}}),
                _ => json!({"jsonrpc": "2.0", "id": message["id"], "error":
                    {"code": -32_601, "message": "this client does not do that"}}),
            };
            peer.post(&reply).await?;
        }
    }
    Err(answer.ended_early())
}

/// Tells the server that the session is over; whether it takes that does not matter to the call.
async fn end(peer: &Peer<'_>) {
    if !peer.headers.contains_key(SESSION) {
        return;
    }
    let mut request = Request::new(Method::DELETE, peer.url.clone());
    request.headers_mut().clone_from(&peer.headers);
    let target = Target::of(&request);
    let sent = peer
        .caller
        .outbound
        .send(request, peer.named, &target)
        .await;
    peer.caller.enter(&peer.url, sent.is_err());
}

fn excerpt(value: &Value) -> String {
    value.to_string().chars().take(120).collect()
}
