//! Who listens, how far each has read, and what comes next for whom.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use flame_engine::Arrived;
use flame_store::StoredEvent;
use flame_types::json;
use serde_json::Value;

use super::{Listener, Note};
use crate::runtime::Error;
use crate::runtime::message::Message;
use crate::runtime::shared::Shared;

/// Events that a task has in hand at most.
const BATCH_EVENTS: usize = 64;
/// Bytes after which a batch is closed, so that what it becomes fits into one commit.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// What is read of the log at once.
const PAGE_EVENTS: usize = 512;
const PAGE_BYTES: usize = 16 * 1024 * 1024;

pub(super) struct Desk {
    shared: Arc<Shared>,
    /// Every event up to here was looked at.
    position: u64,
    listeners: HashMap<Listener, Hand>,
    /// Listeners to literal types, so that an event asks nobody else.
    by_type: HashMap<Arc<str>, BTreeSet<Listener>>,
    of_any: BTreeSet<Listener>,
    /// Those who have nothing in hand and are behind the position.
    lagging: BTreeSet<Listener>,
}

/// How far a listener is.
struct Hand {
    types: Option<Vec<Arc<str>>>,
    /// Place of the last event that it was given.
    seen: u64,
    /// It was given events and is not done with them.
    busy: bool,
    /// Behind `seen` and up to the position there may be events for it.
    behind: bool,
}

/// The next events for one listener.
#[derive(Default)]
struct Batch {
    events: Vec<Arrived>,
    bytes: usize,
}

impl Batch {
    fn push(&mut self, sequence: u64, event: Arc<Value>, bytes: usize) {
        self.bytes += bytes;
        self.events.push(Arrived {
            sequence: Some(sequence),
            event,
        });
    }

    fn is_full(&self) -> bool {
        self.events.len() >= BATCH_EVENTS || self.bytes >= BATCH_BYTES
    }
}

impl Desk {
    pub(super) fn new(shared: Arc<Shared>, position: u64) -> Self {
        Self {
            shared,
            position,
            listeners: HashMap::new(),
            by_type: HashMap::new(),
            of_any: BTreeSet::new(),
            lagging: BTreeSet::new(),
        }
    }

    pub(super) const fn position(&self) -> u64 {
        self.position
    }

    /// Takes the notes, lets those catch up who lag, and hands on the next page of the log; `false` where
    /// it has no more.
    pub(super) async fn work(&mut self, told: &mut Vec<Note>) -> Result<bool, Error> {
        self.take(told).await?;
        while let Some(listener) = self.lagging.first().copied() {
            self.catch_up(listener).await?;
            self.lagging.remove(&listener);
        }
        let page = self
            .shared
            .store
            .events_after(self.position, None, PAGE_EVENTS, PAGE_BYTES)
            .await?;
        let Some(end) = page.last().map(|event| event.sequence) else {
            return Ok(false);
        };
        let mut batches = HashMap::new();
        for stored in &page {
            self.hand_on(stored, &mut batches);
        }
        self.position = end;
        for (listener, batch) in batches {
            self.give(listener, batch);
        }
        Ok(true)
    }

    async fn take(&mut self, told: &mut Vec<Note>) -> Result<(), Error> {
        let new: Vec<_> = told
            .iter()
            .filter_map(|note| match note {
                Note::Listen { listener, .. } => Some((listener.0, listener.1.0)),
                _ => None,
            })
            .collect();
        let mut since = match new.is_empty() {
            true => Vec::new(),
            false => self.shared.store.listeners(new).await?,
        }
        .into_iter();
        for note in told.drain(..) {
            match note {
                Note::Listen {
                    listener,
                    types,
                    taken,
                } => {
                    self.remove(listener);
                    // Without a place in the store the run has gone on, and listens no more.
                    if let Some(Some(since)) = since.next() {
                        self.add(listener, types, since.max(taken));
                    }
                }
                Note::Unlisten(listener) => self.remove(listener),
                Note::Done(listener) => {
                    if let Some(hand) = self.listeners.get_mut(&listener) {
                        hand.busy = false;
                        if hand.behind {
                            self.lagging.insert(listener);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, listener: Listener, types: Option<Vec<Arc<str>>>, seen: u64) {
        match &types {
            None => {
                self.of_any.insert(listener);
            }
            Some(types) => {
                for kind in types {
                    let listeners = self.by_type.entry(Arc::clone(kind)).or_default();
                    listeners.insert(listener);
                }
            }
        }
        let behind = seen < self.position;
        if behind {
            self.lagging.insert(listener);
        }
        let hand = Hand {
            types,
            seen,
            busy: false,
            behind,
        };
        self.listeners.insert(listener, hand);
    }

    fn remove(&mut self, listener: Listener) {
        let Some(hand) = self.listeners.remove(&listener) else {
            return;
        };
        self.of_any.remove(&listener);
        self.lagging.remove(&listener);
        for kind in hand.types.iter().flatten() {
            if let Some(listeners) = self.by_type.get_mut(kind) {
                listeners.remove(&listener);
                if listeners.is_empty() {
                    self.by_type.remove(kind);
                }
            }
        }
    }

    /// Gives a listener what it has not seen of the log, a batch at a time.
    async fn catch_up(&mut self, listener: Listener) -> Result<(), Error> {
        let Some(hand) = self.listeners.get_mut(&listener) else {
            return Ok(());
        };
        let types = hand
            .types
            .as_ref()
            .map(|types| types.iter().map(|kind| kind.to_string()).collect());
        let missed = self
            .shared
            .store
            .events_after(hand.seen, types, BATCH_EVENTS, BATCH_BYTES)
            .await?;
        if missed.is_empty() {
            hand.seen = hand.seen.max(self.position);
            hand.behind = false;
            return Ok(());
        }
        let mut batch = Batch::default();
        for stored in &missed {
            if let Some(event) = parse(stored) {
                batch.push(stored.sequence, event, stored.body.len());
            }
        }
        self.give(listener, batch);
        Ok(())
    }

    /// Puts an event into the batches of those who listen to its type and are up to date.
    fn hand_on(&mut self, stored: &StoredEvent, batches: &mut HashMap<Listener, Batch>) {
        if self.listeners.is_empty() {
            return;
        }
        let Some(event) = parse(stored) else { return };
        let of_type = event
            .get("type")
            .and_then(Value::as_str)
            .and_then(|kind| self.by_type.get(kind));
        for listener in of_type.into_iter().flatten().chain(&self.of_any) {
            let Some(hand) = self.listeners.get_mut(listener) else {
                continue;
            };
            if hand.behind || stored.sequence <= hand.seen {
                continue;
            }
            if hand.busy {
                hand.behind = true;
                continue;
            }
            let batch = batches.entry(*listener).or_default();
            batch.push(stored.sequence, Arc::clone(&event), stored.body.len());
            hand.behind = batch.is_full();
        }
    }

    fn give(&mut self, listener: Listener, batch: Batch) {
        let (Some(hand), Some(last)) = (self.listeners.get_mut(&listener), batch.events.last())
        else {
            return;
        };
        hand.seen = last.sequence.unwrap_or(hand.seen);
        hand.busy = true;
        let (run, frame) = listener;
        self.shared.send(
            run,
            Message::Events {
                run,
                frame,
                events: batch.events,
                bytes: batch.bytes,
            },
        );
    }
}

fn parse(stored: &StoredEvent) -> Option<Arc<Value>> {
    match json::from_slice(&stored.body) {
        Ok(event) => Some(Arc::new(event)),
        Err(error) => {
            tracing::error!(sequence = stored.sequence, %error, "An event of the log can't be read");
            None
        }
    }
}
