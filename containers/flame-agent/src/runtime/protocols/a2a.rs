//! `call: a2a`: a request to an agent by the A2A protocol, JSON-RPC over HTTP.
//!
//! Documents have the method names of A2A 0.3; an agent whose card says 1.0 is spoken to in 1.0: names and
//! parameters are translated, answers are given as they come. Deliberately absent: the gRPC and REST bindings.

use flame_engine::{Credentials, Error, ProtocolRequest};
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

use super::json_rpc::{self, Peer};
use super::{Caller, Protocols, invalid};

const VERSION: HeaderName = HeaderName::from_static("a2a-version");
const CALL: u64 = 1;
/// Events of one stream that are kept.
const EVENTS_MAX: usize = 10_000;

/// Where an agent is, and which version it speaks.
#[derive(Debug, Clone)]
pub(super) struct Agent {
    url: Url,
    is_1_0: bool,
}

pub(super) async fn call(
    protocols: &Protocols,
    caller: &Caller<'_>,
    request: &ProtocolRequest,
) -> Result<Value, Error> {
    let arguments = &request.arguments;
    let method = arguments["method"].as_str().unwrap_or_default();
    let (agent, named, credentials) = agent(protocols, caller, request).await?;
    let mut headers = HeaderMap::new();
    let (name, parameters) = if agent.is_1_0 {
        headers.insert(VERSION, HeaderValue::from_static("1.0"));
        (
            name_1_0(method),
            parameters_1_0(method, &arguments["parameters"]),
        )
    } else {
        (method, arguments["parameters"].clone())
    };
    if !matches!(parameters, Value::Null | Value::Object(_)) {
        return Err(invalid(format!("with.parameters of {method} is no object")));
    }
    let peer = Peer {
        caller,
        named,
        credentials: credentials.as_deref(),
        url: agent.url,
        headers,
    };
    let mut answer = peer
        .post(&json_rpc::request(CALL, name, &parameters))
        .await?;
    let is_stream = matches!(method, "message/stream" | "tasks/resubscribe");
    let mut events = Vec::new();
    while let Some(mut message) = answer.next().await? {
        let result = json_rpc::result(&mut message, method)?;
        if !is_stream {
            return Ok(result);
        }
        events.push(result);
        if events.len() > EVENTS_MAX {
            return Err(invalid(format!(
                "the agent sent more than {EVENTS_MAX} events"
            )));
        }
    }
    match is_stream {
        true => Ok(Value::Array(events)),
        false => Err(answer.ended_early()),
    }
}

/// The agent of the card, at the address that the task says instead where it does; whether the task names its
/// host; and what it is called with: credentials for the card go to nobody but who gave the card.
async fn agent(
    protocols: &Protocols,
    caller: &Caller<'_>,
    request: &ProtocolRequest,
) -> Result<(Agent, bool, Option<Box<Credentials>>), Error> {
    let mut found = None;
    if request.document.is_some() {
        let resource = protocols.document(caller, request)?;
        let key = resource.key();
        let known = match protocols.agents.get(&key) {
            Some(known) => known,
            None => {
                let bytes = protocols.resources.read(caller, &resource).await?;
                let card = read(&bytes)
                    .map_err(|problem| invalid(format!("{}: {problem}", resource.name())))?;
                protocols.agents.put(key, card)
            }
        };
        let named = resource.names(&known.url);
        let credentials = request.document_credentials.clone();
        let credentials = credentials.filter(|_| resource.is_from(&known.url));
        found = Some(((*known).clone(), named, credentials));
    }
    let Some(server) = &request.server else {
        return found.ok_or_else(|| invalid("the call names no agent".to_owned()));
    };
    let url = Url::parse(server)
        .map_err(|error| invalid(format!("{server:?} is no address: {error}")))?;
    let is_1_0 = found.is_some_and(|(agent, ..)| agent.is_1_0);
    let named = caller.names_server(server);
    Ok((Agent { url, is_1_0 }, named, request.credentials.clone()))
}

/// The card's address for JSON-RPC: 1.0 has a list of interfaces, 0.3 an address of its own and others.
fn read(bytes: &[u8]) -> Result<Agent, String> {
    let card: Value = flame_types::json::from_slice(bytes)
        .map_err(|error| format!("the card is not JSON: {error}"))?;
    let is_json_rpc = |binding: &Value| {
        binding
            .as_str()
            .is_none_or(|binding| binding.eq_ignore_ascii_case("JSONRPC"))
    };
    let list = |key: &str| card[key].as_array().into_iter().flatten();
    let newer = list("supportedInterfaces")
        .find(|interface| is_json_rpc(&interface["protocolBinding"]))
        .map(|interface| {
            let version = interface["protocolVersion"].as_str().unwrap_or("1.0");
            (&interface["url"], !version.starts_with("0."))
        });
    let older = || {
        if is_json_rpc(&card["preferredTransport"]) && card["url"].is_string() {
            return Some(&card["url"]);
        }
        list("additionalInterfaces")
            .find(|interface| is_json_rpc(&interface["transport"]))
            .map(|interface| &interface["url"])
    };
    let found = newer.or_else(|| older().map(|url| (url, false)));
    let Some((Some(url), is_1_0)) = found.map(|(url, is_1_0)| (url.as_str(), is_1_0)) else {
        return Err(
            "the card has no address for JSON-RPC, which is what this release speaks".into(),
        );
    };
    let url = Url::parse(url).map_err(|error| format!("the card's address {url:?}: {error}"))?;
    Ok(Agent { url, is_1_0 })
}

/// What 1.0 calls a method of 0.3.
fn name_1_0(method: &str) -> &str {
    match method {
        "message/send" => "SendMessage",
        "message/stream" => "SendStreamingMessage",
        "tasks/get" => "GetTask",
        "tasks/list" => "ListTasks",
        "tasks/cancel" => "CancelTask",
        "tasks/resubscribe" => "SubscribeToTask",
        "tasks/pushNotificationConfig/set" => "CreateTaskPushNotificationConfig",
        "tasks/pushNotificationConfig/get" => "GetTaskPushNotificationConfig",
        "tasks/pushNotificationConfig/list" => "ListTaskPushNotificationConfigs",
        "tasks/pushNotificationConfig/delete" => "DeleteTaskPushNotificationConfig",
        "agent/getAuthenticatedExtendedCard" => "GetExtendedAgentCard",
        other => other,
    }
}

/// Parameters of 0.3 in the shape of 1.0; what is in that shape already stays.
fn parameters_1_0(method: &str, parameters: &Value) -> Value {
    let mut parameters = match parameters {
        Value::Null => json!({}),
        parameters => parameters.clone(),
    };
    let Some(object) = parameters.as_object_mut() else {
        return parameters;
    };
    match method {
        "message/send" | "message/stream" => {
            if let Some(Value::Object(message)) = object.get_mut("message") {
                message_1_0(message);
            }
            if let Some(Value::Object(configuration)) = object.get_mut("configuration") {
                configuration_1_0(configuration);
            }
        }
        "tasks/list" => {
            if let Some(Value::String(state)) = object.get_mut("status") {
                *state = state_1_0(state);
            }
        }
        "tasks/pushNotificationConfig/set" => {
            if let Some(Value::Object(config)) = object.get("pushNotificationConfig") {
                let config = config.clone();
                object.remove("pushNotificationConfig");
                object.extend(config);
            }
            notification_1_0(object);
        }
        "tasks/pushNotificationConfig/get"
        | "tasks/pushNotificationConfig/list"
        | "tasks/pushNotificationConfig/delete"
            if !object.contains_key("taskId") =>
        {
            rename(object, "id", "taskId");
            rename(object, "pushNotificationConfigId", "id");
        }
        _ => {}
    }
    parameters
}

fn rename(object: &mut Map<String, Value>, old: &str, new: &str) {
    if let Some(value) = object.remove(old) {
        object.insert(new.to_owned(), value);
    }
}

fn message_1_0(message: &mut Map<String, Value>) {
    message.remove("kind");
    if let Some(role) = message.get_mut("role") {
        match role.as_str() {
            Some("user") => *role = json!("ROLE_USER"),
            Some("agent") => *role = json!("ROLE_AGENT"),
            _ => {}
        }
    }
    let parts = message.get_mut("parts").and_then(Value::as_array_mut);
    for part in parts.into_iter().flatten().filter_map(Value::as_object_mut) {
        part_1_0(part);
    }
}

fn configuration_1_0(configuration: &mut Map<String, Value>) {
    if let Some(blocking) = configuration.get("blocking").and_then(Value::as_bool) {
        configuration.remove("blocking");
        configuration.insert("returnImmediately".to_owned(), json!(!blocking));
    }
    rename(
        configuration,
        "pushNotificationConfig",
        "taskPushNotificationConfig",
    );
    let notification = configuration.get_mut("taskPushNotificationConfig");
    if let Some(notification) = notification.and_then(Value::as_object_mut) {
        notification_1_0(notification);
    }
}

/// 1.0 has one scheme where 0.3 has a list.
fn notification_1_0(notification: &mut Map<String, Value>) {
    let Some(Value::Object(authentication)) = notification.get_mut("authentication") else {
        return;
    };
    let schemes = authentication.get("schemes").and_then(Value::as_array);
    if let Some(first) = schemes.and_then(|schemes| schemes.first()).cloned() {
        authentication.remove("schemes");
        authentication.insert("scheme".to_owned(), first);
    }
}

/// `input-required` is `TASK_STATE_INPUT_REQUIRED`.
fn state_1_0(state: &str) -> String {
    if state.starts_with("TASK_STATE_") {
        return state.to_owned();
    }
    let state = match state {
        "unknown" => "UNSPECIFIED".to_owned(),
        state => state.to_ascii_uppercase().replace('-', "_"),
    };
    format!("TASK_STATE_{state}")
}

fn part_1_0(part: &mut Map<String, Value>) {
    part.remove("kind");
    let Some(Value::Object(file)) = part.remove("file") else {
        return;
    };
    for (old, new) in [
        ("uri", "url"),
        ("bytes", "raw"),
        ("mimeType", "mediaType"),
        ("name", "filename"),
    ] {
        if let Some(value) = file.get(old) {
            part.insert(new.to_owned(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(value: &Value) -> Result<(String, bool), String> {
        read(value.to_string().as_bytes()).map(|agent| (agent.url.to_string(), agent.is_1_0))
    }

    #[test]
    fn cards_of_both_versions_lead_to_their_agent() {
        for (value, expected) in [
            (
                json!({"url": "http://a/", "protocolVersion": "0.3.0"}),
                ("http://a/", false),
            ),
            (
                json!({"url": "http://a/", "preferredTransport": "GRPC",
                    "additionalInterfaces": [{"url": "http://b/", "transport": "JSONRPC"}]}),
                ("http://b/", false),
            ),
            (
                json!({"supportedInterfaces": [
                    {"url": "http://g/", "protocolBinding": "GRPC", "protocolVersion": "1.0"},
                    {"url": "http://j/", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}]}),
                ("http://j/", true),
            ),
        ] {
            assert_eq!(
                card(&value),
                Ok((expected.0.to_owned(), expected.1)),
                "{value}"
            );
        }
        for value in [
            json!({}),
            json!({"url": "http://a/", "preferredTransport": "GRPC"}),
        ] {
            assert!(
                card(&value)
                    .unwrap_err()
                    .contains("no address for JSON-RPC")
            );
        }
        assert!(
            card(&json!({"url": "a"}))
                .unwrap_err()
                .contains("the card's address \"a\"")
        );
    }

    #[test]
    fn what_is_said_in_0_3_is_said_in_1_0() {
        let parts = json!([
            {"kind": "text", "text": "hi"},
            {"kind": "file", "file": {"uri": "http://f/", "mimeType": "text/csv", "name": "f"}},
            {"kind": "data", "data": {"kind": "x"}},
        ]);
        let newer_parts = json!([
            {"text": "hi"},
            {"url": "http://f/", "mediaType": "text/csv", "filename": "f"},
            {"data": {"kind": "x"}},
        ]);
        let config = json!({"url": "http://u/", "authentication": {"schemes": ["Basic", "Bearer"], "credentials": "c"}});
        let newer_config =
            json!({"url": "http://u/", "authentication": {"scheme": "Basic", "credentials": "c"}});
        for (method, old, new) in [
            (
                "message/send",
                json!({"message": {"kind": "message", "role": "user", "messageId": "1", "parts": parts}}),
                json!({"message": {"role": "ROLE_USER", "messageId": "1", "parts": newer_parts}}),
            ),
            (
                "message/stream",
                json!({"message": {}, "configuration": {"blocking": true, "historyLength": 1,
                    "pushNotificationConfig": config}}),
                json!({"message": {}, "configuration": {"returnImmediately": false, "historyLength": 1,
                    "taskPushNotificationConfig": newer_config}}),
            ),
            (
                "tasks/list",
                json!({"status": "input-required"}),
                json!({"status": "TASK_STATE_INPUT_REQUIRED"}),
            ),
            (
                "tasks/list",
                json!({"status": "unknown"}),
                json!({"status": "TASK_STATE_UNSPECIFIED"}),
            ),
            (
                "tasks/pushNotificationConfig/set",
                json!({"taskId": "t", "pushNotificationConfig": {"id": "c", "url": "http://u/"}}),
                json!({"taskId": "t", "id": "c", "url": "http://u/"}),
            ),
            (
                "tasks/pushNotificationConfig/get",
                json!({"id": "t", "pushNotificationConfigId": "c"}),
                json!({"taskId": "t", "id": "c"}),
            ),
            (
                "tasks/pushNotificationConfig/list",
                json!({"id": "t"}),
                json!({"taskId": "t"}),
            ),
            ("tasks/get", json!({"id": "t"}), json!({"id": "t"})),
            ("agent/getAuthenticatedExtendedCard", Value::Null, json!({})),
        ] {
            assert_eq!(parameters_1_0(method, &old), new, "{method}");
            assert_eq!(parameters_1_0(method, &new), new, "{method}");
        }
    }
}
