//! `call: asyncapi`: messages sent or received as an AsyncAPI 3 document describes, over HTTP, WebSocket or
//! NATS.
//!
//! A subscription gives the list of its messages, each `{payload, headers, correlationId}`, or hands them over
//! one by one (`feed`). Deliberately absent: durable subscriptions; what arrives while nobody receives is the
//! server's to keep.

mod document;
mod feed;
mod http;
mod nats;
mod web_socket;

use std::convert::Infallible;
use std::sync::Arc;

use flame_engine::{
    Credentials, Error, Mark, ProtocolRequest, Receipt, StandardError, Subscription, Verdict,
};
use serde_json::{Map, Value, json};

use super::{Caller, Protocols, invalid, texts};
use crate::runtime::outbound::{Sender, host_and_port};
pub(super) use document::Channel;
use document::{Transport, Wanted};
pub(in crate::runtime) use feed::Taker;

/// Messages that one subscription may take.
const MESSAGES_MAX: usize = 10_000;

/// What a call does with a channel, and where it is.
struct Exchange<'c> {
    caller: &'c Caller<'c>,
    channel: &'c Channel,
    /// The workflow names the server's host.
    named: bool,
    credentials: Option<&'c Credentials>,
}

/// Messages that arrive.
enum Inbox {
    Http(Box<http::Stream>),
    WebSocket(Box<web_socket::Socket>),
    Nats(Box<nats::Connection>),
}

impl Inbox {
    /// The next message; `None` at the end of the connection.
    async fn next(&mut self) -> Result<Option<Value>, Error> {
        match self {
            Self::Http(stream) => stream.next().await,
            Self::WebSocket(socket) => socket.next().await,
            Self::Nats(connection) => connection.next().await.map(Some),
        }
    }

    /// Where its source goes on behind the message that came last.
    fn mark(&self) -> Option<Mark> {
        match self {
            Self::Http(stream) => stream.mark(),
            Self::WebSocket(_) | Self::Nats(_) => None,
        }
    }
}

pub(super) async fn call(
    protocols: &Protocols,
    caller: &Caller<'_>,
    request: &ProtocolRequest,
) -> Result<Value, Error> {
    let (channel, named) = locate(protocols, caller, request).await?;
    let exchange = Exchange {
        caller,
        named,
        credentials: request.credentials.as_deref(),
        channel: &channel,
    };
    let outcome = exchange.run(request).await;
    // A request over HTTP has entered itself.
    if channel.transport != Transport::Http || request.receipt.is_some() {
        caller.enter(&channel.url, outcome.is_err());
    }
    outcome
}

/// Receives messages that are handed over one by one, until that fails.
pub(super) async fn feed(
    protocols: &Protocols,
    caller: &Caller<'_>,
    request: &ProtocolRequest,
    after: Option<&Mark>,
    taker: &Taker<'_>,
) -> Result<Infallible, Error> {
    let (channel, named) = locate(protocols, caller, request).await?;
    let exchange = Exchange {
        caller,
        named,
        credentials: request.credentials.as_deref(),
        channel: &channel,
    };
    let inbox = exchange.open(after).await;
    caller.enter(&channel.url, inbox.is_err());
    exchange.feed(inbox?, taker).await
}

/// The channel that the document describes, and whether the workflow names its host.
async fn locate(
    protocols: &Protocols,
    caller: &Caller<'_>,
    request: &ProtocolRequest,
) -> Result<(Arc<Channel>, bool), Error> {
    let resource = protocols.document(caller, request)?;
    let wanted = Wanted::of(&request.arguments);
    let key = format!("{} {wanted:?}", resource.key());
    let channel = match protocols.channels.get(&key) {
        Some(known) => known,
        None => {
            let bytes = protocols.resources.read(caller, &resource).await?;
            let read = tokio::task::spawn_blocking(move || document::find(&bytes, &wanted)).await;
            let read = read.map_err(|error| {
                StandardError::Runtime.with("A document was not read", error.to_string())
            })?;
            let channel =
                read.map_err(|problem| invalid(format!("{}: {problem}", resource.name())))?;
            protocols.channels.put(key, channel)
        }
    };
    let named = resource.names(&channel.url);
    Ok((channel, named))
}

impl Exchange<'_> {
    const fn sender(&self) -> Sender<'_> {
        self.caller.sender(self.named, self.credentials)
    }

    async fn run(&self, request: &ProtocolRequest) -> Result<Value, Error> {
        match &request.receipt {
            None => self.send(request).await,
            Some(Receipt::Whole(subscription)) => self.receive(subscription).await,
            Some(Receipt::Singly { .. }) => Err(StandardError::Runtime.with(
                "Not a call",
                "messages that are taken one by one have no answer",
            )),
        }
    }

    async fn send(&self, request: &ProtocolRequest) -> Result<Value, Error> {
        let empty = json!({});
        let message = match &request.arguments["message"] {
            Value::Null => &empty,
            message => message,
        };
        let payload = &message["payload"];
        match self.channel.transport {
            Transport::Http => http::send(self, payload, &message["headers"]).await,
            Transport::WebSocket => {
                web_socket::send(self, payload, &message["headers"]).await?;
                Ok(message.clone())
            }
            Transport::Nats => {
                nats::send(self, payload, &texts(&message["headers"])).await?;
                Ok(message.clone())
            }
        }
    }

    /// The messages from now on, or behind the mark where the source knows it.
    async fn open(&self, after: Option<&Mark>) -> Result<Inbox, Error> {
        Ok(match self.channel.transport {
            Transport::Http => Inbox::Http(Box::new(http::Stream::open(self, after).await?)),
            Transport::WebSocket => Inbox::WebSocket(Box::new(
                web_socket::Socket::open(self, &Value::Null).await?,
            )),
            Transport::Nats => Inbox::Nats(Box::new(nats::subscribe(self).await?)),
        })
    }

    async fn receive(&self, subscription: &Subscription) -> Result<Value, Error> {
        let mut taken = Vec::new();
        let gather = async {
            let mut inbox = self.open(None).await?;
            self.gather(&mut inbox, subscription, &mut taken).await
        };
        match subscription.duration {
            // To run out of time is how such a subscription ends.
            Some(duration) => {
                if let Ok(outcome) = tokio::time::timeout(duration, gather).await {
                    outcome?;
                }
            }
            None => gather.await?,
        }
        Ok(Value::Array(taken))
    }

    async fn gather(
        &self,
        inbox: &mut Inbox,
        subscription: &Subscription,
        taken: &mut Vec<Value>,
    ) -> Result<(), Error> {
        let bytes_max = self.caller.outbound.response_bytes_max();
        let mut bytes = 0;
        while let Some(message) = inbox.next().await? {
            let verdict = subscription.judge(&message, taken)?;
            match verdict {
                Verdict::Passed => continue,
                Verdict::Ended => return Ok(()),
                Verdict::Taken | Verdict::TakenLast => {}
            }
            bytes += message.to_string().len();
            taken.push(message);
            if verdict == Verdict::TakenLast {
                return Ok(());
            }
            if taken.len() >= MESSAGES_MAX || bytes > bytes_max {
                return Err(self.failed(
                    "There are too many messages",
                    &format!(
                        "more than {MESSAGES_MAX} messages or {bytes_max} bytes, the most that one \
                         subscription takes"
                    ),
                ));
            }
        }
        Err(self.failed(
            "The connection ended early",
            &format!(
                "it ended after {} messages, before there were enough",
                taken.len()
            ),
        ))
    }

    fn failed(&self, title: &str, detail: &str) -> Error {
        let host = host_and_port(&self.channel.url);
        let detail = format!("{} of {host}: {detail}", self.channel.address);
        StandardError::Communication.with(title, detail)
    }
}

/// A message as workflows see it: JSON where it is JSON, else text.
fn message(payload: &[u8], headers: Map<String, Value>) -> Value {
    let payload = flame_types::json::from_slice(payload)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(payload).into_owned()));
    let known = ["correlationId", "correlation-id", "x-correlation-id"];
    let correlation = headers
        .iter()
        .find(|(name, _)| known.iter().any(|known| name.eq_ignore_ascii_case(known)))
        .map(|(_, value)| value.clone())
        .or_else(|| payload.get("correlationId").cloned());
    let mut message = json!({"payload": payload, "headers": headers});
    if let Some(correlation) = correlation {
        message["correlationId"] = correlation;
    }
    message
}
