//! `call: grpc`: a method of a service that a proto file describes, by dynamic messages over HTTP/2.
//!
//! The connection is plain, or TLS on port 443. A method that answers with a stream gives a list.
//! Deliberately absent: server reflection, and more than one message in a request.

mod proto;
mod wire;

use std::sync::Arc;

use flame_dsl::did_you_mean;
use flame_engine::{Error, ProtocolRequest, StandardError};
use prost_reflect::{
    DescriptorPool, DeserializeOptions, DynamicMessage, MessageDescriptor, MethodDescriptor,
    SerializeOptions,
};
use reqwest::{Method, Request, Url};
use serde_json::Value;

use super::{Caller, Protocols, invalid};

const TLS_PORT: u64 = 443;

pub(super) async fn call(
    protocols: &Protocols,
    caller: &Caller<'_>,
    request: &ProtocolRequest,
) -> Result<Value, Error> {
    let arguments = &request.arguments;
    let text = |pointer: &str| {
        let value = arguments.pointer(pointer);
        value.and_then(Value::as_str).unwrap_or_default()
    };
    let resource = protocols.document(caller, request)?;
    let pool = pool(protocols, caller, &resource).await?;
    let method = method(&pool, text("/service/name"), text("/method"))
        .map_err(|problem| invalid(format!("{}: {problem}", resource.name())))?;
    let message = encode(&method, &arguments["arguments"])?;
    let port = arguments["service"]["port"].as_u64().unwrap_or(TLS_PORT);
    let scheme = if port == TLS_PORT { "https" } else { "http" };
    let address = format!(
        "{scheme}://{}:{port}/{}/{}",
        text("/service/host"),
        method.parent_service().full_name(),
        method.name()
    );
    let url = Url::parse(&address)
        .map_err(|error| invalid(format!("{address:?} is no address: {error}")))?;
    let mut asked = Request::new(Method::POST, url.clone());
    *asked.headers_mut() = wire::headers(caller.key);
    *asked.body_mut() = Some(wire::framed(&message).into());
    // The task writes out its host.
    let sender = caller.sender(true, request.credentials.as_deref());
    let outcome = wire::exchange(caller.outbound, asked, sender).await;
    caller.enter(&url, outcome.is_err());
    answer(&method, &outcome?)
}

async fn pool(
    protocols: &Protocols,
    caller: &Caller<'_>,
    resource: &super::resources::Resource,
) -> Result<Arc<DescriptorPool>, Error> {
    let key = resource.key();
    if let Some(known) = protocols.protos.get(&key) {
        return Ok(known);
    }
    let pool = proto::compile(&protocols.resources, caller, resource).await?;
    Ok(protocols.protos.put(key, pool))
}

fn method(pool: &DescriptorPool, service: &str, name: &str) -> Result<MethodDescriptor, String> {
    let Some(found) = pool.get_service_by_name(service) else {
        let services: Vec<String> = pool.services().map(|s| s.full_name().to_owned()).collect();
        return Err(unknown("service", service, &services));
    };
    let Some(method) = found.methods().find(|method| method.name() == name) else {
        let methods: Vec<String> = found.methods().map(|m| m.name().to_owned()).collect();
        return Err(unknown("method", name, &methods));
    };
    if method.is_client_streaming() {
        return Err(format!(
            "{} takes a stream of messages, and a call sends one; choose a method that takes one message",
            method.full_name()
        ));
    }
    Ok(method)
}

fn unknown(what: &str, name: &str, known: &[String]) -> String {
    let hint = did_you_mean(name, known.iter().map(String::as_str)).unwrap_or_else(|| {
        if known.is_empty() {
            "it has none".to_owned()
        } else {
            format!("it has {}", known.join(", "))
        }
    });
    format!("there is no {what} {name:?}; {hint}")
}

/// The request message out of JSON (proto3 JSON mapping).
fn encode(method: &MethodDescriptor, arguments: &Value) -> Result<Vec<u8>, Error> {
    let empty = Value::Object(serde_json::Map::new());
    let arguments = if arguments.is_null() {
        &empty
    } else {
        arguments
    };
    let options = DeserializeOptions::new().deny_unknown_fields(true);
    let message = DynamicMessage::deserialize_with_options(method.input(), arguments, &options)
        .map_err(|error| {
            invalid(format!(
                "the arguments are no {}: {error}",
                method.input().full_name()
            ))
        })?;
    Ok(prost_reflect::prost::Message::encode_to_vec(&message))
}

fn answer(method: &MethodDescriptor, messages: &[Vec<u8>]) -> Result<Value, Error> {
    let decoded = messages
        .iter()
        .map(|message| decode(method.output(), message));
    if method.is_server_streaming() {
        return decoded.collect();
    }
    match messages {
        [message] => decode(method.output(), message),
        other => Err(StandardError::Communication.with(
            "The answer is not what the proto promises",
            format!(
                "{} answered with {} messages where one is promised",
                method.full_name(),
                other.len()
            ),
        )),
    }
}

/// 64-bit integers are numbers here: expressions keep them exact.
fn decode(descriptor: MessageDescriptor, bytes: &[u8]) -> Result<Value, Error> {
    let unreadable = |error: String| {
        StandardError::Communication.with(
            "The answer can't be read",
            format!("it is no {}: {error}", descriptor.full_name()),
        )
    };
    let message = DynamicMessage::decode(descriptor.clone(), bytes)
        .map_err(|error| unreadable(error.to_string()))?;
    let options = SerializeOptions::new()
        .stringify_64_bit_integers(false)
        .skip_default_fields(false);
    message
        .serialize_with_options(serde_json::value::Serializer, &options)
        .map_err(|error| unreadable(error.to_string()))
}
