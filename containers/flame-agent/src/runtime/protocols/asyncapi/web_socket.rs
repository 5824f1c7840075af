//! AsyncAPI over WebSocket: a message is a text frame; headers go with the handshake.

use flame_engine::{Error, StandardError};
use futures::{SinkExt as _, StreamExt as _};
use reqwest::header::{
    CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use reqwest::{Method, Request, StatusCode, Upgraded};
use serde_json::{Map, Value};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};

use super::{Exchange, message};
use crate::runtime::outbound::{Target, body, refused};

/// Sends a message, and waits until the server has closed as well: what was sent has arrived then.
pub(super) async fn send(
    exchange: &Exchange<'_>,
    payload: &Value,
    headers: &Value,
) -> Result<(), Error> {
    let mut socket = Socket::open(exchange, headers).await?;
    let text = Message::text(payload.to_string());
    let sent = socket.stream.send(text).await;
    sent.map_err(|error| socket.failed(&error))?;
    let closed = socket.stream.close(None).await;
    closed.map_err(|error| socket.failed(&error))?;
    while socket.next().await?.is_some() {}
    Ok(())
}

pub(super) struct Socket {
    stream: WebSocketStream<Upgraded>,
    place: String,
}

impl Socket {
    /// The handshake (RFC 6455, 4.1) is a request like any other, with its rules and credentials.
    pub(super) async fn open(exchange: &Exchange<'_>, headers: &Value) -> Result<Self, Error> {
        let (caller, channel) = (exchange.caller, exchange.channel);
        let mut request = Request::new(Method::GET, channel.url.clone());
        let key = generate_key();
        let wanted = request.headers_mut();
        *wanted = super::super::headers(headers)?;
        caller.add_key(wanted);
        wanted.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        wanted.insert(UPGRADE, HeaderValue::from_static("websocket"));
        wanted.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        if let Ok(key) = HeaderValue::from_str(&key) {
            wanted.insert(SEC_WEBSOCKET_KEY, key);
        }
        let target = Target::of(&request);
        let outbound = caller.outbound;
        let bytes_max = outbound.response_bytes_max();
        let mut response = outbound.send(request, exchange.sender(), &target).await?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let no_socket =
            |detail: &str| target.communication("The WebSocket can't be opened", detail);
        if status.is_success() {
            return Err(no_socket(&format!(
                "answered {} without a WebSocket; is the address right?",
                status.as_u16()
            )));
        }
        if status != StatusCode::SWITCHING_PROTOCOLS {
            let body = body(response, &target, bytes_max).await?;
            return Err(refused(status, &headers, &body, &target));
        }
        let accepted = headers.get(SEC_WEBSOCKET_ACCEPT);
        if accepted.is_none_or(|accepted| *accepted != *derive_accept_key(key.as_bytes())) {
            return Err(no_socket("its answer belongs to no WebSocket"));
        }
        let upgraded = response.upgrade().await;
        let upgraded = upgraded.map_err(|error| target.failed(&error))?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(bytes_max))
            .max_frame_size(Some(bytes_max));
        Ok(Self {
            stream: WebSocketStream::from_raw_socket(upgraded, Role::Client, Some(config)).await,
            place: target.host,
        })
    }

    pub(super) async fn next(&mut self) -> Result<Option<Value>, Error> {
        loop {
            match self.stream.next().await {
                None | Some(Ok(Message::Close(_)) | Err(tungstenite::Error::ConnectionClosed)) => {
                    return Ok(None);
                }
                Some(Ok(Message::Text(text))) => {
                    return Ok(Some(message(text.as_bytes(), Map::new())));
                }
                Some(Ok(Message::Binary(bytes))) => {
                    return Ok(Some(message(&bytes, Map::new())));
                }
                // The library answers pings.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(self.failed(&error)),
            }
        }
    }

    fn failed(&self, error: &tungstenite::Error) -> Error {
        StandardError::Communication.with("The WebSocket broke", format!("{}: {error}", self.place))
    }
}
