//! AsyncAPI over WebSocket: a message is a text frame; headers go with the handshake.

use flame_engine::Error;
use futures::{SinkExt as _, StreamExt as _};
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::{Map, Value};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};

use super::super::invalid;
use super::{Exchange, message};
use crate::runtime::outbound::Connected;

/// Sends a message, and waits until the server has closed as well: what was sent has arrived then.
pub(super) async fn send(
    exchange: &Exchange<'_>,
    payload: &Value,
    headers: &[(String, String)],
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
    stream: WebSocketStream<Connected>,
    place: String,
}

impl Socket {
    pub(super) async fn open(
        exchange: &Exchange<'_>,
        headers: &[(String, String)],
    ) -> Result<Self, Error> {
        let (caller, url) = (exchange.caller, &exchange.channel.url);
        let mut request = url
            .as_str()
            .into_client_request()
            .map_err(|error| invalid(format!("{url} is no WebSocket address: {error}")))?;
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).ok();
            let pair = name.zip(HeaderValue::from_str(value).ok());
            let (name, value) = pair.ok_or_else(|| {
                invalid("a header of the message has a name or value that HTTP forbids".to_owned())
            })?;
            request.headers_mut().insert(name, value);
        }
        caller.add_key(request.headers_mut());
        let bytes_max = caller.outbound.response_bytes_max();
        let config = WebSocketConfig::default()
            .max_message_size(Some(bytes_max))
            .max_frame_size(Some(bytes_max));
        let connection = caller.outbound.connect(url, exchange.named).await?;
        let opened =
            tokio_tungstenite::client_async_with_config(request, connection, Some(config)).await;
        let (stream, _) = opened.map_err(|error| {
            exchange.failed("The WebSocket can't be opened", &error.to_string())
        })?;
        Ok(Self {
            stream,
            place: url.host_str().unwrap_or_default().to_owned(),
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
        flame_engine::StandardError::Communication
            .with("The WebSocket broke", format!("{}: {error}", self.place))
    }
}
