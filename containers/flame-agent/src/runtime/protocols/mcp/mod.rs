//! `call: mcp`: a tool, prompt or resource of an MCP server, over streamable HTTP or the standard input and
//! output of a program.
//!
//! Every call makes a session of its own (handshake, call, end), since a run may rest for years between two.
//! Deliberately absent: what a server may ask of its client (sampling, roots, elicitation).

mod http;
mod stdio;

use flame_dsl::parse_duration;
use flame_engine::{Error, ProtocolRequest, StandardError};
use serde_json::{Value, json};

use super::json_rpc;
use super::{Caller, invalid};
use crate::runtime::shared::now;

const VERSION: &str = "2025-06-18";
/// Ids of our requests, which the answers carry.
const HANDSHAKE: u64 = 1;
const CALL: u64 = 2;

/// A server that is talked to.
enum Session<'c> {
    Http(Box<http::Session<'c>>),
    Stdio(Box<stdio::Session<'c>>),
}

pub(super) async fn call(caller: &Caller<'_>, request: &ProtocolRequest) -> Result<Value, Error> {
    let limit = match &request.arguments["timeout"] {
        Value::Null => None,
        value => Some(
            parse_duration(value)
                .map(|length| length.since(now()))
                .map_err(|problem| invalid(format!("with.timeout is no duration: {problem}")))?,
        ),
    };
    let session = session(caller, request);
    match limit {
        None => session.await,
        Some(limit) => tokio::time::timeout(limit, session).await.map_err(|_| {
            let server = request.server.as_deref();
            let server = server.or_else(|| stdio::command(&request.arguments));
            StandardError::Timeout.with(
                "No answer in time",
                format!(
                    "{}: no answer within {} ms",
                    server.unwrap_or_default(),
                    limit.as_millis()
                ),
            )
        })?,
    }
}

async fn session(caller: &Caller<'_>, request: &ProtocolRequest) -> Result<Value, Error> {
    let mut session = match &request.server {
        Some(server) => Session::Http(Box::new(http::Session::open(caller, server, request)?)),
        None => {
            let session = stdio::Session::open(caller, &request.arguments).await?;
            Session::Stdio(Box::new(session))
        }
    };
    let outcome = session.exchange(&request.arguments).await;
    session.end().await;
    outcome
}

impl Session<'_> {
    async fn exchange(&mut self, arguments: &Value) -> Result<Value, Error> {
        self.handshake(arguments).await?;
        let method = arguments["method"].as_str().unwrap_or_default();
        let parameters = &arguments["parameters"];
        if !matches!(parameters, Value::Null | Value::Object(_)) {
            return Err(invalid(format!(
                "with.parameters gave {}; {method} needs an object",
                excerpt(parameters)
            )));
        }
        let result = self.ask(CALL, method, parameters).await?;
        if result["isError"] == Value::Bool(true) {
            return Err(self.failed(parameters, &result));
        }
        Ok(result)
    }

    async fn handshake(&mut self, arguments: &Value) -> Result<(), Error> {
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
        let agreed = self.ask(HANDSHAKE, "initialize", &parameters).await?;
        // The server may speak another version than the one that was asked for.
        let agreed = agreed["protocolVersion"].as_str().unwrap_or(VERSION);
        let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        match self {
            Self::Http(session) => {
                session.agree(agreed)?;
                session.tell(&initialized).await
            }
            Self::Stdio(session) => {
                session.tell(&initialized).await;
                Ok(())
            }
        }
    }

    /// The result of a request; what the server asks in between is declined.
    async fn ask(&mut self, id: u64, method: &str, parameters: &Value) -> Result<Value, Error> {
        let request = json_rpc::request(id, method, parameters);
        let mut answer = match self {
            Self::Http(session) => session.ask(id, &request).await?,
            Self::Stdio(session) => session.ask(id, &request).await?,
        };
        json_rpc::result(&mut answer, method)
    }

    fn failed(&self, parameters: &Value, result: &Value) -> Error {
        let texts: Vec<&str> = result["content"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|part| part["text"].as_str())
            .collect();
        let tool = parameters["name"].as_str().unwrap_or_default();
        let said: String = texts.join(" ").chars().take(300).collect();
        let server = match self {
            Self::Http(session) => session.server(),
            Self::Stdio(session) => session.server(),
        };
        StandardError::Runtime.with(
            "The tool failed",
            format!("{tool:?} of {server} said: {said}"),
        )
    }

    async fn end(self) {
        match self {
            Self::Http(session) => session.end().await,
            Self::Stdio(session) => session.end().await,
        }
    }
}

/// What a message of the server is, to whoever waits for the answer with this id.
enum Heard {
    Answer,
    /// The server asks something itself, and gets this.
    Question(Value),
    /// A notification.
    Note,
}

fn heard(message: &Value, id: u64) -> Heard {
    let Some(method) = message.get("method") else {
        return match message["id"] == id {
            true => Heard::Answer,
            false => Heard::Note,
        };
    };
    if message["id"].is_null() {
        return Heard::Note;
    }
    Heard::Question(match method.as_str() {
        Some("ping") => json!({"jsonrpc": "2.0", "id": message["id"], "result": {}}),
        _ => json!({"jsonrpc": "2.0", "id": message["id"], "error":
            {"code": -32_601, "message": "this client does not do that"}}),
    })
}

fn excerpt(value: &Value) -> String {
    value.to_string().chars().take(120).collect()
}
