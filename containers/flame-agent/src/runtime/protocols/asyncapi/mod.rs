//! `call: asyncapi`: messages sent or received as an AsyncAPI 3 document describes, over HTTP, WebSocket or
//! NATS.
//!
//! A subscription gives the list of its messages, each `{payload, headers, correlationId}`. Deliberately
//! absent: durable subscriptions; what arrives while nobody receives is the server's to keep.

mod document;
mod http;
mod nats;
mod web_socket;

use flame_engine::{Credentials, Error, ProtocolRequest, StandardError, Subscription, Verdict};
use serde_json::{Map, Value, json};

use super::{Caller, Protocols, invalid, texts};
use crate::runtime::outbound::{Sender, host_and_port};
pub(super) use document::Channel;
use document::{Transport, Wanted};

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
}

pub(super) async fn call(
    protocols: &Protocols,
    caller: &Caller<'_>,
    request: &ProtocolRequest,
) -> Result<Value, Error> {
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
    let exchange = Exchange {
        caller,
        named: resource.names(&channel.url),
        credentials: request.credentials.as_deref(),
        channel: &channel,
    };
    let outcome = exchange.run(request).await;
    // A request over HTTP has entered itself.
    if channel.transport != Transport::Http || request.subscription.is_some() {
        caller.enter(&channel.url, outcome.is_err());
    }
    outcome
}

impl Exchange<'_> {
    const fn sender(&self) -> Sender<'_> {
        self.caller.sender(self.named, self.credentials)
    }

    async fn run(&self, request: &ProtocolRequest) -> Result<Value, Error> {
        if let Some(subscription) = &request.subscription {
            return self.receive(subscription).await;
        }
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

    async fn receive(&self, subscription: &Subscription) -> Result<Value, Error> {
        let mut taken = Vec::new();
        let gather = async {
            let mut inbox = match self.channel.transport {
                Transport::Http => Inbox::Http(Box::new(http::Stream::open(self).await?)),
                Transport::WebSocket => Inbox::WebSocket(Box::new(
                    web_socket::Socket::open(self, &Value::Null).await?,
                )),
                Transport::Nats => Inbox::Nats(Box::new(nats::subscribe(self).await?)),
            };
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
    let payload = serde_json::from_slice(payload)
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
