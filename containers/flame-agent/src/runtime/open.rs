//! Puts a runtime together, takes up the runs of before, and takes it apart again.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use connector_file::File;
use connector_postgres::Postgres;
use connector_sqlite::Sqlite;
use flame_connector::Folders;
use flame_store::{Page, Store};
use tokio::sync::{Semaphore, broadcast, oneshot, watch};

use super::calls::Calls;
use super::connections::{Connections, Connectors};
use super::definitions::Definitions;
use super::events::{self, Events, Notes};
use super::lanes::{Lanes, Queue};
use super::live::Rest;
use super::message::Message;
use super::outbound::Outbound;
use super::people::People;
use super::schedule::{self, Schedules};
use super::shared::{Shared, now};
use super::trigger::{self, Triggers};
use super::{Error, Options, retention, shard, subflow};

/// Changes that a slow follower may be behind before it has to read anew.
const CHANGES_MAX: usize = 1_024;
/// Journals that are read at once.
const LOADING_MAX: usize = 16;
/// Runs that are listed at once while recovering.
const RECOVERY_PAGE: usize = 500;

/// The threads behind a handle.
#[derive(Debug)]
pub(super) struct Threads {
    shards: Mutex<Vec<JoinHandle<()>>>,
    recovered: watch::Receiver<bool>,
}

pub(super) async fn open(options: Options) -> Result<(Arc<Shared>, Threads), Error> {
    let store_options = flame_store::Options {
        durability: options.durability,
        pages_max: options.pages_max,
        ..flame_store::Options::new(&options.data_folder, now)
    };
    let opened = tokio::task::spawn_blocking(move || Store::open(&store_options)).await;
    let store = opened.map_err(|error| Error::Internal {
        detail: format!("opening the store: {error}"),
    })??;
    // After the store, which makes the data folder so that nobody else on the machine reads it.
    let folders = folders(&options)?;
    let connectors = Connectors::new(vec![
        Arc::new(Sqlite::new()),
        Arc::new(Postgres::new()),
        Arc::new(File::new()),
    ]);
    let connections = Arc::new(Connections::new(connectors, folders));
    connections.hold(&options.secrets, now());
    let calls = Calls::new(
        Outbound::new(options.outbound.clone(), options.databases_folder.clone())?,
        Arc::clone(&connections),
        &options,
    );
    let (lanes, queues) = Lanes::new(lanes(&options));
    let (events, notes) = Events::new(store.events_end().await?);
    let shared = Arc::new(Shared {
        events,
        people: People::default(),
        definitions: Definitions::open(store.clone()).await?,
        schedules: Schedules::default(),
        triggers: Triggers::default(),
        store,
        connections,
        calls,
        counters: Arc::default(),
        changes: broadcast::Sender::new(CHANGES_MAX),
        lanes,
        accepting: AtomicBool::new(true),
        stopped: watch::Sender::new(false),
        loading: Semaphore::new(LOADING_MAX),
        reactor: tokio::runtime::Handle::current(),
        options,
    });
    let shards = start_shards(&shared, queues)?;
    let recovered = set_going(&shared, notes).await?;
    Ok((
        shared,
        Threads {
            shards: Mutex::new(shards),
            recovered,
        },
    ))
}

/// How many threads run workflows: one that is held up leaves others.
fn lanes(options: &Options) -> usize {
    let processors = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    options.shards.unwrap_or_else(|| (processors * 2).max(4))
}

fn start_shards(shared: &Arc<Shared>, queues: Vec<Queue>) -> Result<Vec<JoinHandle<()>>, Error> {
    queues
        .into_iter()
        .map(|queue| shard::spawn(Arc::clone(shared), queue))
        .collect::<Result<_, _>>()
        .map_err(|error| Error::Setup {
            what: "the threads that run workflows can't be started".to_owned(),
            detail: error.to_string(),
        })
}

/// Events, recovery, schedules, retention and the daily backup, each beside the work.
async fn set_going(shared: &Arc<Shared>, notes: Notes) -> Result<watch::Receiver<bool>, Error> {
    tokio::spawn(events::dispatch(Arc::clone(shared), notes));
    let (done, recovered) = watch::channel(false);
    let recovering = Arc::clone(shared);
    tokio::spawn(async move {
        if let Err(error) = recover(&recovering).await {
            tracing::error!(%error, "The runs of before could not all be taken up");
        }
        if let Err(error) = subflow::cancel_abandoned(&recovering).await {
            tracing::error!(%error, "Child runs that nobody waits for could not be looked for");
        }
        // An error means that nobody waits for it.
        let _ = done.send(true);
    });
    if shared.options.scheduling {
        shared.schedules.refresh(shared).await?;
        tokio::spawn(schedule::run(Arc::clone(shared)));
        tokio::spawn(retention::run(Arc::clone(shared)));
        tokio::spawn(trigger::run(Arc::clone(shared)));
    }
    let backing_up = Arc::clone(shared);
    tokio::spawn(async move {
        match backing_up.store.backup_if_due().await {
            Ok(Some(path)) => tracing::info!(file = %path.display(), "The daily backup was made"),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "The daily backup failed"),
        }
    });
    Ok(recovered)
}

/// Hands every run that has not ended to its shard, oldest first.
async fn recover(shared: &Shared) -> Result<(), Error> {
    let mut page = Page::first(RECOVERY_PAGE);
    let mut count = 0;
    loop {
        let runs = shared.store.live_runs(page).await?;
        let Some(last) = runs.last() else { break };
        page = Page::after(last.id, RECOVERY_PAGE);
        for run in &runs {
            let message = match Rest::of(run, run.wakes, shared.options.rest_least) {
                Some(rest) => Message::Rest { run: run.id, rest },
                None => Message::Recover { run: run.id },
            };
            shared.send(run.id, message);
        }
        count += runs.len();
    }
    for shard in shared.lanes.all() {
        // A thread that has ended takes no message.
        let _ = shard.send(Message::Recovered);
    }
    if count > 0 {
        tracing::info!(runs = count, "Runs of before go on");
    }
    Ok(())
}

fn folders(options: &Options) -> Result<Folders, Error> {
    let make = |folder: &Path| {
        std::fs::create_dir_all(folder)
            .map_err(|error| Error::Store(flame_store::failed("create", folder, &error)))
    };
    make(&options.output_folder)?;
    make(&options.databases_folder)?;
    Ok(Folders {
        output: options.output_folder.clone(),
        databases: options.databases_folder.clone(),
    })
}

impl Threads {
    pub(super) fn recovered(&self) -> watch::Receiver<bool> {
        self.recovered.clone()
    }

    /// Lets every shard begin nothing new, and waits until nothing is under way.
    pub(super) async fn idle(&self, shared: &Shared) {
        let mut waiting = Vec::new();
        for shard in shared.lanes.all() {
            let (idle, done) = oneshot::channel();
            if shard.send(Message::Drain { idle }).is_ok() {
                waiting.push(done);
            }
        }
        for done in waiting {
            // An error means that the thread has ended, which is idle too.
            let _ = done.await;
        }
    }

    /// Ends the threads after what was sent to them before. Blocks.
    pub(super) fn stop(&self, shared: &Shared) {
        for shard in shared.lanes.all() {
            // A thread that has ended takes no message.
            let _ = shard.send(Message::Stop);
        }
        let shards =
            std::mem::take(&mut *self.shards.lock().unwrap_or_else(PoisonError::into_inner));
        for shard in shards {
            if shard.join().is_err() {
                tracing::error!("A thread that runs workflows had panicked");
            }
        }
    }
}
