//! Calls that another document describes, and calls by protocols that HTTP carries.
//!
//! Everything goes out by the same rules as `call: http`: the limits of time and size, the filter of
//! addresses, the ledger. Deliberately absent: expressions, which the engine has evaluated.

mod a2a;
mod asyncapi;
mod described;
mod grpc;
mod json_rpc;
mod lines;
mod mcp;
mod openapi;
mod resources;
mod texts;

use std::convert::Infallible;
use std::path::PathBuf;

use flame_dsl::{Protocol, Task, TaskKind, Workflow};
use flame_engine::{Credentials, Error, HttpRequest, Mark, ProtocolRequest, StandardError};
use flame_types::IdempotencyKey;
use prost_reflect::DescriptorPool;
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::calls::names;
use super::outbound::{self, Outbound, Sender, is_named_by};
use super::process::Processes;
pub(super) use asyncapi::Taker;
use resources::{Cache, Resource, Resources};

/// What is kept between calls.
#[derive(Debug)]
pub(super) struct Protocols {
    resources: Resources,
    openapi: Cache<openapi::Operation>,
    protos: Cache<DescriptorPool>,
    agents: Cache<a2a::Agent>,
    channels: Cache<asyncapi::Channel>,
    texts: Cache<String>,
}

/// Who calls, and by what means.
#[derive(Debug)]
pub(super) struct Caller<'c> {
    pub(super) outbound: &'c Outbound,
    /// For the ledger of hosts.
    pub(super) origin: outbound::Caller<'c>,
    pub(super) processes: &'c Processes,
    pub(super) key: &'c IdempotencyKey,
    pub(super) workflow: &'c Workflow,
    pub(super) task: Option<&'c Task>,
    /// The address of the function out of the network to which the task belongs.
    pub(super) foreign: Option<&'c str>,
}

impl Protocols {
    pub(super) fn new(resources_folder: PathBuf) -> Self {
        Self {
            resources: Resources::new(resources_folder),
            openapi: Cache::default(),
            protos: Cache::default(),
            agents: Cache::default(),
            channels: Cache::default(),
            texts: Cache::default(),
        }
    }

    /// Makes the call, within the task's timeout or the one of all calls.
    pub(super) async fn call(
        &self,
        caller: &Caller<'_>,
        request: &ProtocolRequest,
    ) -> Result<Value, Error> {
        // A subscription waits for what others do, so only its own limits hold.
        let usual = match request.receipt {
            None => Some(caller.outbound.timeout()),
            Some(_) => None,
        };
        let timeout = request.timeout.or(usual);
        let call = async {
            match request.protocol {
                Protocol::OpenApi => openapi::call(self, caller, request).await,
                Protocol::Grpc => grpc::call(self, caller, request).await,
                Protocol::Mcp => mcp::call(caller, request).await,
                Protocol::A2a => a2a::call(self, caller, request).await,
                Protocol::AsyncApi => asyncapi::call(self, caller, request).await,
            }
        };
        let Some(timeout) = timeout else {
            return call.await;
        };
        tokio::time::timeout(timeout, call).await.map_err(|_| {
            StandardError::Timeout.with(
                "No answer in time",
                format!(
                    "call {}: no complete answer within {} ms",
                    request.protocol.name(),
                    timeout.as_millis()
                ),
            )
        })?
    }

    /// Hands over the messages of a subscription one by one, until that fails. The run has the timeouts.
    pub(super) async fn feed(
        &self,
        caller: &Caller<'_>,
        request: &ProtocolRequest,
        after: Option<&Mark>,
        taker: &Taker<'_>,
    ) -> Result<Infallible, Error> {
        asyncapi::feed(self, caller, request, after, taker).await
    }

    /// The document that the task names, and whether the task names its host.
    fn document(&self, caller: &Caller<'_>, request: &ProtocolRequest) -> Result<Resource, Error> {
        let address = request.document.as_deref().ok_or_else(|| {
            invalid("the call names no document; add one with its endpoint".to_owned())
        })?;
        let credentials = request.document_credentials.clone();
        self.resources
            .locate(address, credentials, |url| caller.names_document(url))
    }
}

impl Caller<'_> {
    /// Whether the workflow itself names the host of the document that describes the call.
    fn names_document(&self, url: &str) -> bool {
        match self.task.map(|task| &task.kind) {
            Some(TaskKind::CallProtocol(call)) => call
                .document
                .as_ref()
                .is_some_and(|document| self.is_own(url) && names(&document.endpoint, url)),
            _ => false,
        }
    }

    /// Whether the workflow itself names the host of the server that it says to call.
    fn names_server(&self, url: &str) -> bool {
        match self.task.map(|task| &task.kind) {
            Some(TaskKind::CallProtocol(call)) => call
                .server
                .as_ref()
                .is_some_and(|endpoint| self.is_own(url) && names(endpoint, url)),
            _ => false,
        }
    }

    /// What a function out of the network names is data, but for its own host.
    fn is_own(&self, url: &str) -> bool {
        self.foreign.is_none_or(|address| is_named_by(address, url))
    }

    /// The idempotency key, unless the document has sent its own.
    fn add_key(&self, headers: &mut HeaderMap) {
        // The key's type keeps to visible ASCII, which every header takes.
        if let Ok(value) = HeaderValue::from_str(self.key.as_str()) {
            headers.entry("idempotency-key").or_insert(value);
        }
    }

    /// Makes one HTTP call and enters it into the ledger.
    async fn http(&self, request: &HttpRequest, named: bool) -> Result<Value, Error> {
        self.outbound
            .call(request, self.key, named, self.origin)
            .await
    }

    const fn sender<'s>(&'s self, named: bool, credentials: Option<&'s Credentials>) -> Sender<'s> {
        Sender {
            caller: self.origin,
            named,
            credentials,
        }
    }

    fn enter(&self, url: &Url, failed: bool) {
        self.origin.record(url, failed);
    }
}

/// Names and values, as texts.
fn texts(object: &Value) -> Vec<(String, String)> {
    let members = object.as_object();
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    members
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), text(value)))
        .collect()
}

/// Headers out of an object of texts.
fn headers(value: &Value) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    for (name, value) in value.as_object().into_iter().flatten() {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        // The value may be a secret, so only the name is shown.
        let pair = HeaderName::from_bytes(name.as_bytes())
            .ok()
            .zip(HeaderValue::from_str(&text).ok());
        let (name, value) = pair.ok_or_else(|| {
            invalid(format!(
                "the header {name:?} has a name or value that HTTP forbids"
            ))
        })?;
        if outbound::is_framing(&name) {
            return Err(invalid(format!(
                "the header {name:?} frames the message, which is not the document's to say; leave it out"
            )));
        }
        headers.append(name, value);
    }
    Ok(headers)
}

/// A call that can't be made as the workflow has it.
fn invalid(detail: String) -> Error {
    StandardError::Configuration.with("The call can't be made", detail)
}
