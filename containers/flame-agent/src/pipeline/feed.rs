//! One feed: body to rows to sink, and after each batch the checkpoint with its dead letters.
//!
//! Three parts work at once, with short queues between them: reading the body, reading rows (on a
//! thread of its own) and writing. When the sink is slow the body is read no faster.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flame_connector::{Record, Sink};
use flame_dsl::Pipeline;
use flame_store::{Commit, Feed, Operation, Store};
use flame_types::Timestamp;
use futures::{Stream, StreamExt};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::error::Error;
use super::frame::Place;
use super::handle::FeedRequest;
use super::letter;
use super::mapping::{self, Batch, Mapping, Piece, Refusal};
use super::write::write_around;

/// Pieces of the body that wait for the reader of rows.
const PIECES_MAX: usize = 4;
/// Batches that wait for the sink, beside the one being written.
const BATCHES_MAX: usize = 1;
/// After this without a piece, what is gathered is written.
const PAUSE: Duration = Duration::from_millis(250);
/// Pauses in a row after which the sender counts as gone: 30 seconds.
const PAUSES_MAX: u32 = 120;
/// Refused rows of one file after which its map, not its rows, must be wrong.
const DEAD_LETTERS_MAX: u64 = 10_000;

/// A feed that may begin: the body starts at its checkpoint.
pub(super) struct Feeding {
    pipeline: Pipeline,
    feed: Feed,
    total: Option<u64>,
}

impl Feeding {
    /// Holds the request against the checkpoint.
    pub(super) async fn begin(
        store: &Store,
        pipeline: Pipeline,
        request: &FeedRequest,
    ) -> Result<Self, Error> {
        let name = format!("{}/{}", request.namespace, request.name);
        let stored = store.feed(&name, &request.identity).await?;
        let mut feed = stored.unwrap_or_else(|| Feed {
            pipeline: name,
            source: request.identity.clone(),
            offset: 0,
            records: 0,
            dead: 0,
            complete: false,
            detail: json!({}),
            updated: Timestamp::now(),
        });
        let (identity, expected) = (request.identity.clone(), feed.offset);
        if request.offset != expected {
            return Err(Error::FeedOffset {
                identity,
                expected,
                found: request.offset,
            });
        }
        if feed.complete && request.total.is_some_and(|total| total != expected) {
            let problem = format!(
                "{identity:?} was complete at byte {expected}; a file that has changed since has \
                 another identity"
            );
            return Err(Error::ParameterInvalid {
                what: "total",
                problem,
            });
        }
        let source = request.source.as_ref().unwrap_or(&request.identity);
        feed.detail["name"] = json!(source);
        feed.detail["total"] = json!(request.total);
        feed.detail["error"] = Value::Null;
        Ok(Self {
            pipeline,
            feed,
            total: request.total,
        })
    }

    pub(super) fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    fn place(&self) -> Place {
        Place {
            offset: self.feed.offset,
            line: self.feed.detail["line"].as_u64().unwrap_or(1),
        }
    }

    fn columns(&self) -> Option<Arc<[String]>> {
        let names = self.feed.detail["columns"].as_array()?;
        Some(
            names
                .iter()
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect(),
        )
    }

    fn name(&self) -> String {
        self.feed.detail["name"]
            .as_str()
            .unwrap_or(&self.feed.source)
            .to_owned()
    }
}

/// Says that a feed, as it is shown, is under way.
pub(super) fn mark_running(feed: &mut Feed) {
    feed.detail["running"] = json!(true);
}

/// Takes the body in, and gives where the feed stands with what stopped it, if anything did.
/// `announce` is told after each commit, with whether dead letters came.
pub(super) async fn run<S, E>(
    mut feeding: Feeding,
    store: &Store,
    sink: &mut dyn Sink,
    body: S,
    announce: &(dyn Fn(&Feed, bool) + Send + Sync),
    accepting: &(dyn Fn() -> bool + Send + Sync),
) -> (Feed, Result<(), Error>)
where
    S: Stream<Item = Result<Bytes, E>> + Send,
    E: std::fmt::Display + Send,
{
    if feeding.feed.complete {
        return (feeding.feed, Ok(()));
    }
    let (pieces_in, pieces) = mpsc::channel(PIECES_MAX);
    let (batches_in, batches) = mpsc::channel(BATCHES_MAX);
    let (place, name) = (feeding.place(), feeding.name());
    let mapping = Mapping::new(feeding.pipeline.clone(), feeding.columns());
    let mapper = tokio::task::spawn_blocking(move || {
        mapping::map_all(mapping, place, &name, pieces, batches_in);
    });
    let reading = read(body, place.offset, feeding.total, pieces_in, accepting);
    let writing = write(&mut feeding, store, sink, batches, announce);
    let (read, written) = futures::join!(reading, writing);
    let mapped = mapper.await.map_err(|error| Error::Internal {
        detail: error.to_string(),
    });
    // What stopped the writer is the reason for the others to stop.
    let outcome = written.and(mapped).and(read);
    if let Err(error) = &outcome
        && error.belongs_to_feed()
    {
        keep_error(&mut feeding.feed, store, error).await;
    }
    (feeding.feed, outcome)
}

/// Passes the body on until it ends, or until nobody takes it any more.
async fn read<S, E>(
    body: S,
    offset: u64,
    total: Option<u64>,
    pieces: mpsc::Sender<Piece>,
    accepting: &(dyn Fn() -> bool + Send + Sync),
) -> Result<(), Error>
where
    S: Stream<Item = Result<Bytes, E>> + Send,
    E: std::fmt::Display + Send,
{
    let mut body = std::pin::pin!(body);
    let (mut received, mut pauses) = (offset, 0);
    loop {
        if !accepting() {
            return Err(Error::ShuttingDown);
        }
        let piece = match tokio::time::timeout(PAUSE, body.next()).await {
            Ok(Some(Ok(bytes))) => {
                pauses = 0;
                received += bytes.len() as u64;
                if let Some(total) = total.filter(|total| received > *total) {
                    let problem = format!("the file has {total} bytes, and more were sent");
                    return Err(Error::ParameterInvalid {
                        what: "total",
                        problem,
                    });
                }
                Piece::Bytes(bytes)
            }
            Ok(Some(Err(error))) => {
                tracing::debug!(%error, "a feed's sender went away");
                return Ok(());
            }
            Ok(None) => {
                if total.is_none_or(|total| total == received) {
                    // The receiver may be gone; then it has said why.
                    let _ = pieces.send(Piece::End).await;
                }
                return Ok(());
            }
            Err(_) if pauses >= PAUSES_MAX => return Ok(()),
            Err(_) => {
                pauses += 1;
                Piece::Pause
            }
        };
        if pieces.send(piece).await.is_err() {
            return Ok(());
        }
    }
}

async fn write(
    feeding: &mut Feeding,
    store: &Store,
    sink: &mut dyn Sink,
    mut batches: mpsc::Receiver<Result<Batch, Error>>,
    announce: &(dyn Fn(&Feed, bool) + Send + Sync),
) -> Result<(), Error> {
    while let Some(batch) = batches.recv().await {
        let dead = take(feeding, store, sink, batch?).await?;
        let mut shown = feeding.feed.clone();
        mark_running(&mut shown);
        announce(&shown, dead.is_some());
        if let Some((line, last)) = dead.filter(|_| feeding.feed.dead > DEAD_LETTERS_MAX) {
            let source_name = feeding.name();
            let limit = DEAD_LETTERS_MAX;
            return Err(Error::TooManyDeadLetters {
                source_name,
                limit,
                line,
                last,
            });
        }
    }
    Ok(())
}

/// Writes a batch, then commits the checkpoint with the rows that were refused. Gives the line and
/// the reason of the last of these.
async fn take(
    feeding: &mut Feeding,
    store: &Store,
    sink: &mut dyn Sink,
    batch: Batch,
) -> Result<Option<(u64, String)>, Error> {
    let Batch {
        rows,
        place,
        columns,
        complete,
    } = batch;
    let mut records: Vec<Record> = Vec::with_capacity(rows.len());
    // Which row each record came from.
    let mut origins = Vec::with_capacity(rows.len());
    let mut refused = Vec::new();
    for (at, row) in rows.into_iter().enumerate() {
        match row.outcome {
            Ok(record) => {
                records.push(record);
                origins.push((at, row.line, row.raw));
            }
            Err(refusal) => refused.push((at, row.line, row.raw, refusal)),
        }
    }
    let faults = write_around(sink, &records).await.map_err(Error::Sink)?;
    let taken = records.len() - faults.len();
    for (index, fault) in faults {
        let (at, line, raw) = std::mem::take(&mut origins[index]);
        refused.push((at, line, raw, Refusal::unfit(fault.detail)));
    }
    refused.sort_by_key(|(at, ..)| *at);
    let last = refused
        .last()
        .map(|(_, line, _, refusal)| (*line, refusal.detail.clone()));

    let now = Timestamp::now();
    let expected_offset = feeding.feed.offset;
    let mut feed = feeding.feed.clone();
    feed.offset = place.offset;
    feed.records += taken as u64;
    feed.dead += refused.len() as u64;
    feed.complete = complete;
    feed.updated = now;
    feed.detail["line"] = json!(place.line);
    feed.detail["columns"] = json!(columns.as_deref());
    let mut commit = Commit::new();
    for (_, line, raw, refusal) in refused {
        let letter = letter::new(
            &feeding.pipeline,
            &feed,
            line,
            raw.into_vec(),
            &refusal,
            now,
        );
        commit = commit.with(Operation::AddDeadLetter(Box::new(letter)));
    }
    commit = commit.with(Operation::AdvanceFeed {
        feed: Box::new(feed.clone()),
        expected_offset,
    });
    store.commit(commit).await?;
    feeding.feed = feed;
    Ok(last)
}

/// Keeps what stopped a feed with its checkpoint, for people who look later.
async fn keep_error(feed: &mut Feed, store: &Store, error: &Error) {
    feed.detail["error"] = json!(error.to_string());
    feed.updated = Timestamp::now();
    let expected_offset = feed.offset;
    let kept = Operation::AdvanceFeed {
        feed: Box::new(feed.clone()),
        expected_offset,
    };
    if let Err(failed) = store.commit(kept).await {
        tracing::warn!(%failed, %error, "what stopped a feed could not be kept");
    }
}
