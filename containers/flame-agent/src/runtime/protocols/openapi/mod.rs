//! `call: openapi`: an operation of an OpenAPI 3.0 to 3.2 or Swagger 2.0 document, made into an HTTP call.
//!
//! Deliberately absent: the check of values against the document's schemas (that is the server's), and
//! multipart bodies, which are refused by name.

mod document;
mod operation;
mod request;
mod swagger;

use std::sync::Arc;

use flame_dsl::HttpOutput;
use flame_engine::{Error, ProtocolRequest, StandardError};
use reqwest::Url;
use serde_json::{Map, Value};

use super::resources::{Place, Resource};
use super::{Caller, Protocols, invalid};
pub(super) use operation::Operation;

pub(super) async fn call(
    protocols: &Protocols,
    caller: &Caller<'_>,
    request: &ProtocolRequest,
) -> Result<Value, Error> {
    let arguments = &request.arguments;
    let id = arguments["operationId"].as_str().unwrap_or_default();
    let resource = protocols.document(caller, request)?;
    let operation = operation(protocols, caller, &resource, id).await?;
    let none = Map::new();
    let parameters = arguments["parameters"].as_object().unwrap_or(&none);
    let output = match arguments["output"].as_str() {
        Some("raw") => HttpOutput::Raw,
        Some("response") => HttpOutput::Response,
        _ => HttpOutput::Content,
    };
    let url = server(&operation, &resource)?;
    let mut http = request::build(&operation, &url, parameters).map_err(|problem| {
        invalid(format!(
            "operation {id:?} of {}: {problem}",
            resource.name()
        ))
    })?;
    http.redirect = arguments["redirect"] == Value::Bool(true);
    http.timeout = request.timeout;
    http.credentials.clone_from(&request.credentials);
    // The whole response shows of what type the content is.
    http.output = match output {
        HttpOutput::Content if operation.answers_json => HttpOutput::Response,
        output => output,
    };
    let answer = caller.http(&http, resource.names(&url)).await?;
    if output == HttpOutput::Content && operation.answers_json {
        return json_content(answer, &operation, &url);
    }
    Ok(answer)
}

async fn operation(
    protocols: &Protocols,
    caller: &Caller<'_>,
    resource: &Resource,
    id: &str,
) -> Result<Arc<Operation>, Error> {
    let key = format!("{} {id}", resource.key());
    if let Some(known) = protocols.openapi.get(&key) {
        return Ok(known);
    }
    let bytes = protocols.resources.read(caller, resource).await?;
    let wanted = id.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        document::parse(&bytes).and_then(|document| operation::find(&document, &wanted))
    })
    .await
    .map_err(|error| StandardError::Runtime.with("A document was not read", error.to_string()))?;
    let operation = read.map_err(|problem| invalid(format!("{}: {problem}", resource.name())))?;
    Ok(protocols.openapi.put(key, operation))
}

/// Where the operation's server is; a relative address is one of the document's own host.
fn server(operation: &Operation, resource: &Resource) -> Result<Url, Error> {
    let address = &operation.server;
    let parsed = match (&resource.place, Url::parse(address)) {
        (_, Ok(url)) => Ok(url),
        (Place::Http(own), Err(_)) => own.join(address),
        (Place::File(_), Err(error)) => Err(error),
    };
    match parsed {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        _ => Err(invalid(format!(
            "{}: its server {address:?} is no HTTP address; give the document a server such as \
             https://api.example.com/v1",
            resource.name()
        ))),
    }
}

/// The content of a response whose type the document promises to be JSON.
fn json_content(mut response: Value, operation: &Operation, url: &Url) -> Result<Value, Error> {
    let content = response["content"].take();
    let kind = response["headers"]["content-type"].as_str().unwrap_or("");
    let is_json = kind.split(';').next().is_some_and(operation::is_json);
    let status = response["statusCode"].as_u64().unwrap_or_default();
    if content.is_null() || is_json || !(200..300).contains(&status) {
        return Ok(content);
    }
    Err(StandardError::Communication.with(
        "The answer is not what the document promises",
        format!(
            "{} {}{}: answered with {kind:?} where the document promises JSON; is the server's \
             address right?",
            operation.method,
            url.host_str().unwrap_or_default(),
            operation.path
        ),
    ))
}
