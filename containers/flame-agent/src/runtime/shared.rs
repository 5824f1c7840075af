//! What every part of the runtime can reach.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, OnceLock};

use flame_dsl::Workflow;
use flame_engine::{Record, Run as EngineRun, Secrets};
use flame_store::{Run, Store};
use flame_types::{RunId, Timestamp};
use tokio::sync::{Semaphore, broadcast, watch};

use super::calls::Calls;
use super::connections::Connections;
use super::definitions::Definitions;
use super::events::Events;
use super::load::{Counters, Place};
use super::message::{Loaded, Message};
use super::schedule::Schedules;
use super::value::Change;
use super::{Error, Options};

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) store: Store,
    pub(super) definitions: Definitions,
    pub(super) schedules: Schedules,
    pub(super) events: Events,
    pub(super) connections: Arc<Connections>,
    pub(super) calls: Calls,
    pub(super) counters: Arc<Counters>,
    pub(super) changes: broadcast::Sender<Change>,
    pub(super) shards: OnceLock<Vec<Sender<Message>>>,
    pub(super) accepting: AtomicBool,
    /// True once the runtime stops; wakes what waits.
    pub(super) stopped: watch::Sender<bool>,
    /// Journals that are read at once; a long one takes memory.
    pub(super) loading: Semaphore,
    pub(super) reactor: tokio::runtime::Handle,
}

impl Shared {
    pub(super) fn is_accepting(&self) -> bool {
        self.accepting.load(Ordering::Relaxed)
    }

    /// A place for one more run, or why there is none.
    pub(super) fn admit(&self) -> Result<Place, Error> {
        if !self.is_accepting() {
            return Err(Error::ShuttingDown);
        }
        if self.store.is_full() {
            return Err(Error::Store(flame_store::Error::Full {
                path: self.store.path().to_owned(),
            }));
        }
        self.counters.admit(self.options.in_flight_max)
    }

    /// Sends to the shard that owns a run. After the end there is none, and whoever waits is told by
    /// the reply that is dropped with the message.
    pub(super) fn send(&self, run: RunId, message: Message) {
        if let Some(shards) = self.shards.get().filter(|shards| !shards.is_empty()) {
            // The last bytes of a UUIDv7 are random.
            let bytes = run.as_uuid().as_bytes();
            let at = usize::from(u16::from_be_bytes([bytes[14], bytes[15]])) % shards.len();
            let _ = shards[at].send(message);
        }
    }

    /// Tells those who follow, if anybody does.
    pub(super) fn announce(&self, change: impl FnOnce() -> Change) {
        if self.changes.receiver_count() > 0 {
            // An error means that the last follower has just gone.
            let _ = self.changes.send(change());
        }
    }

    /// The definition of a hash; a run that stands on one that is gone can't go on.
    pub(super) async fn pinned(&self, hash: &str) -> Result<Arc<Workflow>, Error> {
        self.definitions
            .pinned(hash)
            .await?
            .ok_or_else(|| Error::Internal {
                detail: format!(
                    "the definition {hash} that a run is pinned to is not in the store"
                ),
            })
    }

    /// What a workflow's `$secrets` gives now.
    pub(super) fn secrets(&self, workflow: &Workflow) -> Option<Secrets> {
        (!workflow.secrets.is_empty()).then(|| self.connections.secrets(&workflow.secrets))
    }

    /// Waits for the secrets that a workflow declares, as long as they may still come.
    pub(super) async fn await_secrets(&self, workflow: &Workflow) {
        for name in &*workflow.secrets {
            self.calls.awaited(name).await;
        }
    }

    pub(super) async fn stored(&self, run: RunId) -> Result<Run, Error> {
        self.store.run(run).await?.ok_or(Error::RunUnknown { run })
    }

    /// A run's whole journal.
    pub(super) async fn records(&self, run: RunId) -> Result<Vec<Record>, Error> {
        let mut records = Vec::new();
        loop {
            let batches = self.store.journal(run, records.len() as u64).await?;
            if batches.is_empty() {
                return Ok(records);
            }
            records = tokio::task::spawn_blocking(move || {
                for batch in batches {
                    records.extend(decode(run, &batch.records)?);
                }
                Ok::<_, Error>(records)
            })
            .await
            .map_err(|error| Error::Internal {
                detail: format!("reading a journal: {error}"),
            })??;
        }
    }

    /// A run as its journal left it.
    pub(super) async fn load(&self, run: RunId) -> Result<Box<Loaded>, Error> {
        let summary = self.stored(run).await?.summary;
        let workflow = self.pinned(&summary.hash).await?;
        self.await_secrets(&workflow).await;
        let Ok(_permit) = self.loading.acquire().await else {
            return Err(Error::ShuttingDown);
        };
        let records = self.records(run).await?;
        let folded = tokio::task::spawn_blocking(move || EngineRun::resume(run, workflow, records))
            .await
            .map_err(|error| Error::Internal {
                detail: format!("folding a journal: {error}"),
            })?
            .map_err(|error| Error::Internal {
                detail: format!("the journal of run {run}: {error}"),
            })?;
        Ok(Box::new(Loaded {
            run: folded,
            summary,
        }))
    }
}

/// The records of one batch.
pub(super) fn decode(run: RunId, bytes: &[u8]) -> Result<Vec<Record>, Error> {
    serde_json::from_slice(bytes).map_err(|error| {
        Error::Store(flame_store::Error::Unreadable {
            what: "journal",
            detail: format!("run {run}: {error}").into(),
        })
    })
}

/// Waits until the runtime stops.
pub(super) async fn stopping(shared: &Shared) {
    // An error means that the runtime is gone.
    let _ = shared
        .stopped
        .subscribe()
        .wait_for(|stopped| *stopped)
        .await;
}

/// The clock of everything that is decided here.
pub(super) fn now() -> Timestamp {
    Timestamp::now()
}
