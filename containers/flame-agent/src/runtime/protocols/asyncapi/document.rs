//! An AsyncAPI 3 document: which channel on which server.

use flame_dsl::did_you_mean;
use reqwest::Url;
use serde_json::{Map, Value};

use super::super::described::{Problem, resolve, tree};

/// What a call asks of a document.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    operation: Option<String>,
    channel: Option<String>,
    server: Option<String>,
    protocol: Option<String>,
    /// For `{names}` in addresses.
    variables: Map<String, Value>,
    receives: bool,
}

/// Where messages go to, or come from.
#[derive(Debug)]
pub(in super::super) struct Channel {
    pub(super) transport: Transport,
    /// Of the server, with the channel's address where that is part of it.
    pub(super) url: Url,
    /// The channel's own address: a path, a subject.
    pub(super) address: String,
    /// Of an HTTP request.
    pub(super) method: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Http,
    WebSocket,
    Nats,
}

impl Wanted {
    pub(super) fn of(arguments: &Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let server = &arguments["server"];
        Self {
            operation: text(&arguments["operation"]),
            channel: text(&arguments["channel"]),
            server: text(&server["name"]),
            protocol: text(&arguments["protocol"]),
            variables: server["variables"].as_object().cloned().unwrap_or_default(),
            receives: arguments["message"].is_null(),
        }
    }
}

pub(super) fn find(bytes: &[u8], wanted: &Wanted) -> Result<Channel, Problem> {
    let root = tree(bytes)?;
    match root["asyncapi"].as_str() {
        Some(version) if version.starts_with("3.") => {}
        Some(version) => {
            return Err(Problem(format!(
                "AsyncAPI {version} can't be read; 3.0 can"
            )));
        }
        None => {
            return Err(Problem(
                "this is no AsyncAPI document: it has no 'asyncapi'".to_owned(),
            ));
        }
    }
    let (channel, operation) = channel(&root, wanted)?;
    let address = match channel["address"].as_str() {
        Some(address) => filled(address, &channel["parameters"], &wanted.variables)?,
        None => return Err(Problem("the channel has no address".to_owned())),
    };
    let server = server(&root, channel, wanted)?;
    let protocol = server["protocol"].as_str().unwrap_or_default();
    let (transport, scheme) = transport(protocol).ok_or_else(|| {
        Problem(format!(
            "AsyncAPI over {protocol} is not supported yet; this release speaks http, ws, nats"
        ))
    })?;
    let text = |key: &str| {
        let text = server[key].as_str().unwrap_or_default();
        filled(text, &server["variables"], &wanted.variables)
    };
    let (host, path) = (text("host")?, text("pathname")?);
    let mut url = format!("{scheme}://{host}");
    if transport != Transport::Nats {
        let path = path.trim_matches('/');
        if !path.is_empty() {
            url = format!("{url}/{path}");
        }
        url = format!("{url}/{}", address.trim_start_matches('/'));
    }
    let url = Url::parse(&url)
        .ok()
        .filter(|url| url.host_str().is_some())
        .ok_or_else(|| Problem(format!("the server's address {url:?} is no address")))?;
    let method = operation["bindings"]["http"]["method"].as_str();
    let usual = if wanted.receives { "GET" } else { "POST" };
    Ok(Channel {
        transport,
        url,
        address,
        method: method.unwrap_or(usual).to_ascii_uppercase(),
    })
}

fn transport(protocol: &str) -> Option<(Transport, &'static str)> {
    Some(match protocol {
        "http" => (Transport::Http, "http"),
        "https" => (Transport::Http, "https"),
        // Its connections begin as requests of HTTP.
        "ws" => (Transport::WebSocket, "http"),
        "wss" => (Transport::WebSocket, "https"),
        "nats" => (Transport::Nats, "nats"),
        _ => return None,
    })
}

/// The channel, and the operation where one was asked for.
fn channel<'d>(root: &'d Value, wanted: &Wanted) -> Result<(&'d Value, &'d Value), Problem> {
    if let Some(name) = &wanted.operation {
        let operation = named(root, &root["operations"], "operation", name)?;
        return Ok((resolve(root, &operation["channel"])?, operation));
    }
    let name = wanted.channel.as_deref().unwrap_or_default();
    let same = |address: &str| address.trim_start_matches('/') == name.trim_start_matches('/');
    for (_, channel) in root["channels"].as_object().into_iter().flatten() {
        let channel = resolve(root, channel)?;
        if channel["address"].as_str().is_some_and(same) {
            return Ok((channel, &Value::Null));
        }
    }
    Ok((
        named(root, &root["channels"], "channel", name)?,
        &Value::Null,
    ))
}

fn named<'d>(
    root: &'d Value,
    members: &'d Value,
    what: &str,
    name: &str,
) -> Result<&'d Value, Problem> {
    if let Some(found) = members.get(name) {
        return resolve(root, found);
    }
    let known: Vec<&str> = members
        .as_object()
        .map(|members| members.keys().map(String::as_str).collect())
        .unwrap_or_default();
    let hint = did_you_mean(name, known.iter().copied()).unwrap_or_else(|| {
        if known.is_empty() {
            "the document has none".to_owned()
        } else {
            format!("the document has {}", known.join(", "))
        }
    });
    Err(Problem(format!("there is no {what} {name:?}; {hint}")))
}

/// The server that was asked for, or the first that the channel has and this release speaks to.
fn server<'d>(root: &'d Value, channel: &'d Value, wanted: &Wanted) -> Result<&'d Value, Problem> {
    if let Some(name) = &wanted.server {
        return named(root, &root["servers"], "server", name);
    }
    let mut candidates = Vec::new();
    match channel["servers"].as_array() {
        Some(servers) if !servers.is_empty() => {
            for server in servers {
                candidates.push(resolve(root, server)?);
            }
        }
        _ => {
            for (_, server) in root["servers"].as_object().into_iter().flatten() {
                candidates.push(resolve(root, server)?);
            }
        }
    }
    let protocol = |server: &Value| server["protocol"].as_str().unwrap_or_default().to_owned();
    let family = |server: &Value| match protocol(server).as_str() {
        "https" => "http".to_owned(),
        "wss" => "ws".to_owned(),
        other => other.to_owned(),
    };
    if let Some(wanted) = &wanted.protocol {
        let known: Vec<String> = candidates.iter().map(|server| protocol(server)).collect();
        candidates.retain(|server| family(server) == *wanted);
        return candidates.first().copied().ok_or_else(|| {
            Problem(format!(
                "no server speaks {wanted}; the document's speak {}",
                known.join(", ")
            ))
        });
    }
    let spoken = |server: &&Value| transport(&protocol(server)).is_some();
    let first = candidates.first().copied();
    candidates
        .into_iter()
        .find(spoken)
        .or(first)
        .ok_or_else(|| Problem("the document has no server".to_owned()))
}

/// An address with its `{names}` filled in: by what the task gives, else by the document's defaults.
fn filled(address: &str, declared: &Value, given: &Map<String, Value>) -> Result<String, Problem> {
    let mut text = String::new();
    let mut rest = address;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            break;
        };
        let value = given.get(name).or_else(|| declared[name].get("default"));
        let value = value.ok_or_else(|| {
            Problem(format!(
                "the address {address:?} needs {name:?}; give it under 'server.variables'"
            ))
        })?;
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        if value.is_empty() || value.contains(|c: char| c.is_control() || "/?#@ ".contains(c)) {
            return Err(Problem(format!(
                "the value {value:?} for {name:?} can't stand in the address {address:?}"
            )));
        }
        text.push_str(before);
        text.push_str(&value);
        rest = after;
    }
    Ok(text + rest)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn url(arguments: Value) -> Result<String, String> {
        let document = json!({
            "asyncapi": "3.0.0",
            "servers": {
                "queue": {"host": "q.test", "protocol": "kafka"},
                "live": {"host": "{zone}.test:81", "pathname": "/v1", "protocol": "wss",
                    "variables": {"zone": {"default": "eu"}}},
                "plain": {"host": "h.test", "protocol": "http"},
                "bus": {"host": "n.test:4222", "protocol": "nats"},
            },
            "channels": {
                "orders": {"address": "orders/{shop}", "parameters": {"shop": {"default": "main"}}},
                "stock": {"address": "stock.{id}", "servers": [{"$ref": "#/servers/bus"}]},
                "none": {"address": null},
            },
            "operations": {
                "place": {"action": "send", "channel": {"$ref": "#/channels/orders"}},
                "watch": {"action": "receive", "channel": {"$ref": "#/channels/stock"}},
            },
        });
        find(document.to_string().as_bytes(), &Wanted::of(&arguments))
            .map(|channel| format!("{} {}", channel.url, channel.address))
            .map_err(|problem| problem.0)
    }

    #[test]
    fn a_call_finds_its_channel_and_server() {
        for (arguments, expected) in [
            (
                json!({"operation": "place"}),
                "https://eu.test:81/v1/orders/main orders/main",
            ),
            (
                json!({"operation": "place", "protocol": "http"}),
                "http://h.test/orders/main orders/main",
            ),
            (
                json!({"operation": "place", "server": {"name": "live", "variables": {"zone": "us", "shop": 7}}}),
                "https://us.test:81/v1/orders/7 orders/7",
            ),
            (
                json!({"operation": "watch", "server": {"name": "bus", "variables": {"id": "a"}}}),
                "nats://n.test:4222 stock.a",
            ),
            (
                json!({"channel": "orders"}),
                "https://eu.test:81/v1/orders/main orders/main",
            ),
            (
                json!({"channel": "/orders/{shop}"}),
                "https://eu.test:81/v1/orders/main orders/main",
            ),
        ] {
            assert_eq!(
                url(arguments.clone()),
                Ok(expected.to_owned()),
                "{arguments}"
            );
        }
    }

    #[test]
    fn what_is_not_there_is_told_with_what_is() {
        for (arguments, expected) in [
            (
                json!({"operation": "plcae"}),
                "there is no operation \"plcae\"; did you mean 'place'?",
            ),
            (
                json!({"channel": "x"}),
                "there is no channel \"x\"; the document has orders, stock, none",
            ),
            (json!({"channel": "none"}), "the channel has no address"),
            (
                json!({"operation": "place", "server": {"name": "bsu"}}),
                "there is no server \"bsu\"; did you mean 'bus'?",
            ),
            (
                json!({"operation": "place", "protocol": "mqtt"}),
                "no server speaks mqtt; the document's speak kafka, wss, http, nats",
            ),
            (
                json!({"operation": "place", "server": {"name": "queue"}}),
                "AsyncAPI over kafka is not supported yet; this release speaks http, ws, nats",
            ),
            (
                json!({"operation": "watch"}),
                "the address \"stock.{id}\" needs \"id\"; give it under 'server.variables'",
            ),
            (
                json!({"operation": "place", "server": {"name": "live", "variables": {"zone": "evil/x"}}}),
                "the value \"evil/x\" for \"zone\" can't stand in the address \"{zone}.test:81\"",
            ),
        ] {
            assert_eq!(
                url(arguments.clone()),
                Err(expected.to_owned()),
                "{arguments}"
            );
        }
    }
}
