//! The way of events out of the log: to each task that listens, every event of its types, once, in order.
//!
//! The log is the queue. Of a task that is busy nothing is kept but its place in the log; it gets the next
//! events when it is done with those that it has. After a crash each task goes on behind the last event
//! that it took, or where it began to listen. Deliberately absent: which events a task takes (that is the
//! engine's).

mod desk;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flame_engine::{FrameId, Interest};
use flame_store::{AppendedEvent, Commit, Operation};
use flame_types::{RunId, Timestamp};
use serde_json::Value;
use tokio::sync::{Notify, mpsc};

use super::Error;
use super::depth::is_too_deep;
use super::misfit::Misfit;
use super::shared::{Shared, now, stopping};
use super::value::Change;
use desk::Desk;

/// Notes that are taken at once.
const NOTES: usize = 256;
/// Until a log that could not be read is tried again.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// A task execution of a run.
type Listener = (RunId, FrameId);

/// What the dispatch is told.
#[derive(Debug)]
enum Note {
    Listen {
        listener: Listener,
        types: Option<Vec<Arc<str>>>,
        taken: u64,
    },
    Unlisten(Listener),
    /// The events in hand are dealt with.
    Done(Listener),
}

/// How the dispatch is spoken to.
#[derive(Debug)]
pub(super) struct Events {
    notes: mpsc::UnboundedSender<Note>,
    /// Rings when the log has grown.
    grown: Notify,
    /// Everything up to this place was handed on.
    position: AtomicU64,
}

/// What the dispatch is told, to be given to [`dispatch`].
pub(super) struct Notes(mpsc::UnboundedReceiver<Note>);

impl Events {
    /// `end` is the end of the log: tasks of before read what they have not seen by themselves.
    pub(super) fn new(end: u64) -> (Self, Notes) {
        let (notes, receiver) = mpsc::unbounded_channel();
        let events = Self {
            notes,
            grown: Notify::new(),
            position: AtomicU64::new(end),
        };
        (events, Notes(receiver))
    }

    /// A task listens from its place in the store on, or behind what it has taken.
    pub(super) fn listen(&self, run: RunId, frame: FrameId, interest: Interest) {
        if let Interest::Log { types, taken } = interest {
            self.tell(Note::Listen {
                listener: (run, frame),
                types,
                taken,
            });
        }
    }

    pub(super) fn unlisten(&self, run: RunId, frame: FrameId) {
        self.tell(Note::Unlisten((run, frame)));
    }

    pub(super) fn done(&self, run: RunId, frame: FrameId) {
        self.tell(Note::Done((run, frame)));
    }

    /// Events were committed.
    pub(super) fn grown(&self) {
        self.grown.notify_one();
    }

    fn tell(&self, note: Note) {
        // After the end of the dispatch nothing is delivered; the next start does.
        let _ = self.notes.send(note);
    }
}

/// Stores events from outside, unless more wait already than may.
pub(super) async fn publish(shared: &Shared, events: Vec<Value>) -> Result<(), Error> {
    if let Some(event) = events.iter().find(|event| is_too_deep(event)) {
        let id = event.get("id").and_then(Value::as_str).unwrap_or_default();
        let problem = format!("event {id:?} has more levels than data may have");
        return Err(Error::InputInvalid {
            problems: vec![Misfit::of_whole(problem)],
        });
    }
    let end = shared.store.events_end().await?;
    let handed_on = shared.events.position.load(Ordering::Relaxed);
    let waiting = end.saturating_sub(handed_on.min(shared.triggers.held_up()));
    let limit = shared.options.events_waiting_max;
    if waiting + events.len() as u64 > limit {
        return Err(Error::TooManyEvents { waiting, limit });
    }
    let now = now();
    let operations = events
        .iter()
        .map(|event| Operation::AppendEvent(Box::new(appended(event, None, now))))
        .collect();
    shared.store.commit(Commit { operations }).await?;
    shared.log_grown();
    shared.announce(|| Change::Events);
    Ok(())
}

/// An event as the log takes it.
pub(super) fn appended(event: &Value, run: Option<RunId>, time: Timestamp) -> AppendedEvent {
    let text = |name: &str| {
        event
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    AppendedEvent {
        run,
        id: text("id"),
        kind: text("type"),
        source: text("source"),
        time,
        body: event.to_string().into_bytes(),
    }
}

/// Hands events on until the runtime stops.
pub(super) async fn dispatch(shared: Arc<Shared>, Notes(mut notes): Notes) {
    let mut desk = Desk::new(
        Arc::clone(&shared),
        shared.events.position.load(Ordering::Relaxed),
    );
    let mut told = Vec::new();
    loop {
        tokio::select! {
            _ = notes.recv_many(&mut told, NOTES) => {}
            () = shared.events.grown.notified() => {}
            () = stopping(&shared) => return,
        }
        while shared.is_accepting() {
            while let Ok(note) = notes.try_recv() {
                told.push(note);
            }
            match desk.work(&mut told).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::error!(%error, "The event log could not be read; it is tried again");
                    tokio::time::sleep(RETRY_INTERVAL).await;
                }
            }
            shared
                .events
                .position
                .store(desk.position(), Ordering::Relaxed);
        }
    }
}
