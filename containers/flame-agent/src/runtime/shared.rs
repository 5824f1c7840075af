//! What every part of the runtime can reach.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flame_dsl::Workflow;
use flame_engine::{Record, Run as EngineRun, Secrets};
use flame_store::{JournalBatch, Run, Store};
use flame_types::{RunId, Timestamp};
use tokio::sync::{Semaphore, broadcast, watch};

use super::calls::Calls;
use super::connections::Connections;
use super::definitions::Definitions;
use super::events::Events;
use super::lanes::Lanes;
use super::load::{Counters, Place};
use super::message::{Loaded, Message};
use super::people::People;
use super::schedule::Schedules;
use super::trigger::Triggers;
use super::value::Change;
use super::{Error, Options};

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) store: Store,
    pub(super) definitions: Definitions,
    pub(super) schedules: Schedules,
    pub(super) events: Events,
    pub(super) people: People,
    pub(super) triggers: Triggers,
    pub(super) connections: Arc<Connections>,
    pub(super) calls: Calls,
    pub(super) counters: Arc<Counters>,
    pub(super) changes: broadcast::Sender<Change>,
    pub(super) lanes: Lanes,
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

    /// Sends to the thread that owns a run.
    pub(super) fn send(&self, run: RunId, message: Message) {
        self.lanes.send(run, message);
    }

    /// Events were committed: whoever reads the log goes on.
    pub(super) fn log_grown(&self) {
        self.events.grown();
        self.triggers.ring();
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

    /// Gives a run what its next decision may need beside its journal.
    pub(super) fn equip(&self, run: &mut EngineRun) {
        if let Some(secrets) = self.secrets(run.workflow()) {
            run.know(secrets);
        }
        run.publish(self.definitions.observed());
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

    /// The last state of a run that a snapshot has for at most so many records; else that of a run that
    /// has not begun.
    pub(super) async fn base(
        &self,
        run: RunId,
        workflow: &Arc<Workflow>,
        most: u64,
    ) -> Result<EngineRun, Error> {
        let mut most = Some(most);
        while let Some(snapshot) = match most {
            Some(most) => self.store.snapshot(run, most).await?,
            None => None,
        } {
            let (sequence, pinned) = (snapshot.sequence, Arc::clone(workflow));
            let restored = off_thread("reading a snapshot", move || {
                EngineRun::restore(run, pinned, &snapshot.state)
            });
            match restored.await? {
                Ok(restored) => return Ok(restored),
                // The one before it does as well, or the journal from its beginning.
                Err(error) => tracing::warn!(%run, sequence, %error, "A snapshot is of no use"),
            }
            most = sequence.checked_sub(1);
        }
        Ok(EngineRun::new(run, Arc::clone(workflow)))
    }

    /// A run's records from one to before another, which share no batch with others.
    pub(super) async fn records(
        &self,
        run: RunId,
        from: u64,
        to: u64,
    ) -> Result<Vec<Record>, Error> {
        let mut records = Vec::new();
        loop {
            let next = from + records.len() as u64;
            let batches = self.store.journal(run, next).await?;
            let more = batches.len();
            let wanted: Vec<JournalBatch> = batches
                .into_iter()
                .take_while(|batch| batch.first < to)
                .collect();
            let last = wanted.len() < more;
            if wanted.is_empty() {
                return Ok(records);
            }
            records = off_thread("reading a journal", move || {
                for batch in wanted {
                    gapless(run, from + records.len() as u64, &batch)?;
                    records.extend(decode(run, &batch.records)?);
                }
                Ok::<_, Error>(records)
            })
            .await??;
            if last {
                return Ok(records);
            }
        }
    }

    /// A run as its journal left it: the last snapshot, and the records behind it.
    pub(super) async fn load(&self, run: RunId) -> Result<Box<Loaded>, Error> {
        let summary = self.stored(run).await?.summary;
        let workflow = self.pinned(&summary.hash).await?;
        self.await_secrets(&workflow).await;
        let Ok(_permit) = self.loading.acquire().await else {
            return Err(Error::ShuttingDown);
        };
        let mut folded = self.base(run, &workflow, u64::MAX).await?;
        let snapshot = folded.sequence();
        loop {
            let batches = self.store.journal(run, folded.sequence()).await?;
            if batches.is_empty() {
                break;
            }
            folded = off_thread("folding a journal", move || {
                for batch in batches {
                    gapless(run, folded.sequence(), &batch)?;
                    for record in decode(run, &batch.records)? {
                        folded.fold(&record).map_err(|error| Error::Internal {
                            detail: format!("the journal of run {run}: {error}"),
                        })?;
                    }
                }
                Ok::<_, Error>(folded)
            })
            .await??;
        }
        Ok(Box::new(Loaded {
            run: folded,
            summary,
            snapshot,
        }))
    }
}

/// Work that takes long enough to keep others waiting.
async fn off_thread<T: Send + 'static>(
    what: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::Internal {
            detail: format!("{what}: {error}"),
        })
}

/// A batch that does not begin where the reader stands: what is before it is not kept any more.
fn gapless(run: RunId, expected: u64, batch: &JournalBatch) -> Result<(), Error> {
    if batch.first == expected {
        return Ok(());
    }
    Err(Error::Internal {
        detail: format!(
            "the journal of run {run} goes on at {} after {expected}; without a snapshot that can be read \
             what is missing is lost",
            batch.first
        ),
    })
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
