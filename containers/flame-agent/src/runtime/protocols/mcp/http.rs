//! MCP over streamable HTTP: each message is a POST.

use flame_engine::{Error, ProtocolRequest};
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Method, Request, Url};
use serde_json::Value;

use super::super::json_rpc::Peer;
use super::super::{Caller, headers, invalid};
use super::{Heard, heard};
use crate::runtime::outbound::Target;

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

pub(super) struct Session<'c> {
    peer: Peer<'c>,
}

impl<'c> Session<'c> {
    pub(super) fn open(
        caller: &'c Caller<'c>,
        server: &str,
        request: &'c ProtocolRequest,
    ) -> Result<Self, Error> {
        let url = Url::parse(server)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or_else(|| invalid(format!("{server:?} is not an HTTP address")))?;
        Ok(Self {
            peer: Peer {
                caller,
                named: caller.names_server(server),
                credentials: request.credentials.as_deref(),
                url,
                headers: headers(&request.arguments["transport"]["http"]["headers"])?,
            },
        })
    }

    /// The version that goes with every request from now on.
    pub(super) fn agree(&mut self, version: &str) -> Result<(), Error> {
        let value = HeaderValue::from_str(version).map_err(|_| {
            invalid(format!(
                "the server speaks MCP {version:?}, which is no version"
            ))
        })?;
        self.peer.headers.insert(PROTOCOL_VERSION, value);
        Ok(())
    }

    pub(super) async fn tell(&self, message: &Value) -> Result<(), Error> {
        self.peer.post(message).await.map(drop)
    }

    pub(super) async fn ask(&mut self, id: u64, request: &Value) -> Result<Value, Error> {
        let mut answer = self.peer.post(request).await?;
        if let Some(session) = answer.headers.get(SESSION) {
            self.peer.headers.insert(SESSION, session.clone());
        }
        while let Some(message) = answer.next().await? {
            match heard(&message, id) {
                Heard::Answer => return Ok(message),
                Heard::Question(reply) => self.tell(&reply).await?,
                Heard::Note => {}
            }
        }
        Err(answer.ended_early())
    }

    pub(super) fn server(&self) -> &str {
        self.peer.url.host_str().unwrap_or_default()
    }

    /// Tells the server that the session is over; whether it takes that does not matter to the call.
    pub(super) async fn end(self) {
        let peer = &self.peer;
        if !peer.headers.contains_key(SESSION) {
            return;
        }
        let mut request = Request::new(Method::DELETE, peer.url.clone());
        request.headers_mut().clone_from(&peer.headers);
        let target = Target::of(&request);
        let outbound = peer.caller.outbound;
        let sent = outbound.send(request, peer.sender(), &target).await;
        peer.caller.enter(&peer.url, sent.is_err());
    }
}
