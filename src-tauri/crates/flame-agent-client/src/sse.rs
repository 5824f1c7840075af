//! Server-sent events out of a byte stream (WHATWG HTML, "Server-sent events"), with bounds.

use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};

use crate::client::AgentClient;
use crate::{Error, Result};

/// The agent writes a comment every 15 s: this long a silence is a dead connection.
const SILENCE_MAX: Duration = Duration::from_secs(45);

/// Bytes of one event that a follower takes at most.
const EVENT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) data: String,
}

/// An event was larger than a follower takes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// Cuts bytes into events; lines may be split anywhere.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    buffer: Vec<u8>,
    event: Event,
    has_data: bool,
}

impl Parser {
    /// Takes bytes and gives the events that they complete.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> std::result::Result<Vec<Event>, TooLarge> {
        let mut events = Vec::new();
        for byte in bytes {
            if *byte != b'\n' {
                self.buffer.push(*byte);
                if self.buffer.len() + self.event.data.len() > EVENT_BYTES_MAX {
                    return Err(TooLarge);
                }
                continue;
            }
            let line = std::mem::take(&mut self.buffer);
            let text = String::from_utf8_lossy(&line);
            if let Some(event) = self.line(text.trim_end_matches('\r')) {
                events.push(event);
            }
        }
        Ok(events)
    }

    fn line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            return std::mem::take(&mut self.has_data).then_some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.name),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            // Comments, which have an empty field name, and `id` and `retry`, which nobody here needs.
            _ => {}
        }
        None
    }
}

/// The events of an answer until it ends; an error is the last item.
pub(crate) fn events(
    client: AgentClient,
    response: reqwest::Response,
) -> impl Stream<Item = Result<Event>> + Send {
    let chunks: futures::stream::BoxStream<'static, _> = Box::pin(response.bytes_stream());
    let state = Some((client, chunks, Parser::default()));
    futures::stream::unfold(state, |state| async move {
        let (client, mut chunks, mut parser) = state?;
        let batch = next_batch(&client, &mut chunks, &mut parser).await?;
        let next = batch.is_ok().then_some((client, chunks, parser));
        let items = match batch {
            Ok(events) => events.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        };
        Some((futures::stream::iter(items), next))
    })
    .flatten()
}

async fn next_batch(
    client: &AgentClient,
    chunks: &mut futures::stream::BoxStream<'static, reqwest::Result<Bytes>>,
    parser: &mut Parser,
) -> Option<Result<Vec<Event>>> {
    let address = client.base().to_owned();
    match tokio::time::timeout(SILENCE_MAX, chunks.next()).await {
        Err(_) => Some(Err(Error::TimedOut {
            address,
            seconds: SILENCE_MAX.as_secs(),
        })),
        Ok(None) => None,
        Ok(Some(Err(error))) => Some(Err(client.lost(error))),
        Ok(Some(Ok(bytes))) => Some(parser.feed(&bytes).map_err(|TooLarge| {
            let detail = format!("an event is larger than {EVENT_BYTES_MAX} bytes");
            client.unexpected(reqwest::StatusCode::OK, detail)
        })),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{EVENT_BYTES_MAX, Event, Parser, TooLarge};

    fn event(name: &str, data: &str) -> Event {
        Event {
            name: name.to_owned(),
            data: data.to_owned(),
        }
    }

    #[test]
    fn comments_ids_and_empty_events_are_passed_over() {
        let text = ": hello\n\nid: 7\nretry: 10\nevent: journal\r\ndata: {\"a\":\ndata: 1}\n\nevent: x\n\n";
        let events = Parser::default().feed(text.as_bytes()).unwrap();
        assert_eq!(events, [event("journal", "{\"a\":\n1}")]);
    }

    #[test]
    fn an_event_without_end_is_refused() {
        let mut parser = Parser::default();
        let line = vec![b'x'; EVENT_BYTES_MAX + 1];
        assert_eq!(parser.feed(&line), Err(TooLarge));
    }

    proptest! {
        #[test]
        fn events_do_not_depend_on_where_the_bytes_are_cut(
            names in proptest::collection::vec("[a-z]{0,8}", 1..5),
            data in "[ -~é]{0,40}",
            cut in 1_usize..7,
        ) {
            let text: String = names
                .iter()
                .map(|name| format!("event: {name}\ndata: {data}\n\n"))
                .collect();
            let mut parser = Parser::default();
            let mut events = Vec::new();
            for piece in text.as_bytes().chunks(cut) {
                events.extend(parser.feed(piece).unwrap());
            }
            let expected: Vec<Event> = names.iter().map(|name| event(name, &data)).collect();
            prop_assert_eq!(events, expected);
        }
    }
}
