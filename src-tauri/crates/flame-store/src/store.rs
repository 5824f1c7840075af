//! The front door: opens a data folder, takes commits, answers reads.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flame_types::{Durability, RunId, RunStatus, Timestamp, WorkflowId};
use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot};

use crate::backup::{self, Reason};
use crate::checkpoint::Checkpointer;
use crate::file::{failed, open_reader, open_writer, translate};
use crate::health::Gauges;
use crate::lock::FolderLock;
use crate::operation::{
    Child, Commit, DeadLetter, DeadLetterState, Definition, DefinitionKey, Feed, JournalBatch,
    Schedule, Snapshot, Subscription,
};
use crate::reader::{self, Page, RunFilter, StoredEvent};
use crate::row::{Run, RunSummary};
use crate::search::{self, FieldCondition, Found};
use crate::writer::{Request, Writer};
use crate::{Error, Expiry, Health, check, epoch, migrate, retention, snapshot};

/// The database's name inside a data folder.
pub const FILE_NAME: &str = "agent.db";

/// How long a close waits for the writer. A disk that hangs must not keep the process for ever; then the
/// folder is given back by the kernel.
const CLOSE_PATIENCE: Duration = Duration::from_secs(60);

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// The data folder; made when it is not there.
    pub folder: PathBuf,
    pub durability: Durability,
    /// Commits that may wait for the writer.
    pub queue_max: usize,
    /// Connections for reading.
    pub readers: usize,
    /// Pages of 4 KiB that the database may grow to; `None` is what the disk holds.
    pub pages_max: Option<u32>,
    /// Dates backups.
    pub clock: fn() -> Timestamp,
}

impl Options {
    /// The defaults: fsync before every acknowledgement.
    pub fn new(folder: impl Into<PathBuf>, clock: fn() -> Timestamp) -> Self {
        Self {
            folder: folder.into(),
            durability: Durability::Full,
            queue_max: 16_384,
            readers: 4,
            pages_max: None,
            clock,
        }
    }
}

/// A commit that was not applied, given back so that it can be sent again.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{error}")]
pub struct Refused {
    #[source]
    pub error: Error,
    pub commit: Commit,
}

/// The open store; clones share it. [`Store::close`] ends it in order, dropping the last clone too.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    durability: Durability,
    queue_max: usize,
    clock: fn() -> Timestamp,
    requests: Sender<Request>,
    depth: Arc<AtomicUsize>,
    gauges: Arc<Gauges>,
    readers: Mutex<Vec<Connection>>,
    reading: Semaphore,
    /// Given back last, after the writer has let go of the file.
    lock: Mutex<Option<FolderLock>>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Opens a data folder: takes its lock, checks the file, brings it to the current format and
    /// starts the writer. Blocks; call it where that is allowed.
    pub fn open(options: &Options) -> Result<Self, Error> {
        let folder = &options.folder;
        make_folder(folder)?;
        let lock = FolderLock::take(folder)?;
        let path = folder.join(FILE_NAME);
        let existed = size(&path) > 0;
        if !existed {
            check::nothing_lost(&path)?;
        }
        let mut connection = open_writer(&path, options.durability, options.pages_max)?;
        migrate::migrate(&mut connection, &path, (options.clock)())?;
        if existed && size(&path) <= check::QUICK_BYTES_MAX {
            check::quick(&connection, &path)?;
        }
        let epoch = epoch::raise(&connection, &path)?;
        let (requests, receiver) = mpsc::channel();
        let log_pages = Arc::new(AtomicI32::new(0));
        Writer::watch_log(&mut connection, &log_pages)
            .map_err(|error| translate("open", &path, &error))?;
        let readers = (0..options.readers.max(1))
            .map(|_| open_reader(&path))
            .collect::<Result<Vec<_>, _>>()?;
        let inner = Inner {
            path: path.clone(),
            durability: options.durability,
            queue_max: options.queue_max,
            clock: options.clock,
            requests,
            depth: Arc::default(),
            gauges: Arc::default(),
            reading: Semaphore::new(readers.len()),
            readers: Mutex::new(readers),
            lock: Mutex::new(Some(lock)),
        };
        let checkpointer = Checkpointer::spawn(path.clone(), options.durability)
            .map_err(|error| failed("start the writer for", &path, &error))?;
        let writer = Writer {
            path: path.clone(),
            durability: options.durability,
            pages_max: options.pages_max,
            clock: options.clock,
            epoch,
            connection: Some(connection),
            requests: receiver,
            gauges: Arc::clone(&inner.gauges),
            depth: Arc::clone(&inner.depth),
            log_pages,
            checkpointer,
        };
        std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| failed("start the writer for", &path, &error))?;
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Sends a commit; `reply` is called on the writer's thread once it is on disk or refused, and
    /// must not block. Refuses at once with `Error::Busy` where too many wait.
    pub fn submit(&self, commit: Commit, reply: impl FnOnce(Result<(), Refused>) + Send + 'static) {
        self.submit_from(0, commit, reply);
    }

    /// The same for one of several senders: replies to one sender are called in a row, so that a thread
    /// that sleeps until then is woken once for all of them.
    pub fn submit_from(
        &self,
        sender: usize,
        commit: Commit,
        reply: impl FnOnce(Result<(), Refused>) + Send + 'static,
    ) {
        let waiting = self.inner.depth.fetch_add(1, Ordering::Relaxed);
        if waiting >= self.inner.queue_max {
            self.inner.depth.fetch_sub(1, Ordering::Relaxed);
            reply(Err(Refused {
                error: Error::Busy { waiting },
                commit,
            }));
            return;
        }
        let request = Request::Commit {
            sender,
            commit,
            reply: Box::new(reply),
        };
        if let Err(mpsc::SendError(request)) = self.inner.requests.send(request) {
            self.inner.depth.fetch_sub(1, Ordering::Relaxed);
            if let Request::Commit { commit, reply, .. } = request {
                reply(Err(Refused {
                    error: Error::Closed,
                    commit,
                }));
            }
        }
    }

    /// Sends a commit and waits until it is on disk or refused.
    pub async fn commit(&self, commit: impl Into<Commit>) -> Result<(), Error> {
        let (sender, receiver) = oneshot::channel();
        self.submit(commit.into(), move |outcome| {
            // The caller may have gone; the commit stands all the same.
            let _ = sender.send(outcome.map_err(|refused| refused.error));
        });
        receiver.await.unwrap_or(Err(Error::Closed))
    }

    /// How the writer is doing.
    pub fn health(&self) -> Health {
        let depth = self.inner.depth.load(Ordering::Relaxed);
        self.inner.gauges.snapshot(self.inner.durability, depth)
    }

    /// Whether the last attempt to write met a full disk.
    pub fn is_full(&self) -> bool {
        self.inner.gauges.full.load(Ordering::Relaxed)
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Bytes of the database and its log.
    pub fn file_bytes(&self) -> u64 {
        size(&self.inner.path) + size(&self.inner.path.with_extension("db-wal"))
    }

    /// Commits what waits, backs up where a backup is due, closes the file and gives the folder back,
    /// also where clones of this value are still held. Blocks.
    pub fn close(&self) {
        let (done, closed) = mpsc::sync_channel(1);
        let ended = self.inner.requests.send(Request::Close { done }).is_err()
            || !matches!(
                closed.recv_timeout(CLOSE_PATIENCE),
                Err(RecvTimeoutError::Timeout)
            );
        // The readers keep the log alive; without them SQLite removes it.
        self.inner
            .readers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        if ended {
            self.inner
                .lock
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
        }
    }

    /// Writes a consistent copy while the store is in use, for a hand-over.
    pub async fn backup_to(&self, target: &Path) -> Result<(), Error> {
        let target = target.to_owned();
        let path = self.inner.path.clone();
        self.blocking("back up", move |_| {
            // A connection of its own: the copy may take long, and readers are few.
            let connection = open_reader(&path)?;
            backup::into_file(&connection, &path, &target)
        })
        .await?
    }

    /// Makes the daily backup when it is due; gives its path.
    pub async fn backup_if_due(&self) -> Result<Option<PathBuf>, Error> {
        let path = self.inner.path.clone();
        self.blocking("back up", move |inner| {
            let now = (inner.clock)();
            if !path
                .parent()
                .is_some_and(|folder| backup::is_due(folder, now))
            {
                return Ok(None);
            }
            let connection = open_reader(&path)?;
            backup::make(&connection, &path, Reason::Daily, now).map(Some)
        })
        .await?
    }

    pub async fn run(&self, id: RunId) -> Result<Option<Run>, Error> {
        self.read(move |connection| reader::run(connection, id))
            .await
    }

    /// Runs, newest first.
    pub async fn runs(
        &self,
        filter: RunFilter,
        page: Page<RunId>,
    ) -> Result<Vec<RunSummary>, Error> {
        self.read(move |connection| reader::runs(connection, &filter, page))
            .await
    }

    /// Runs whose input and output fulfil all conditions, newest first; what a bounded scan finds.
    pub async fn search_runs(
        &self,
        filter: RunFilter,
        conditions: Vec<FieldCondition>,
        page: Page<RunId>,
    ) -> Result<Found, Error> {
        self.read(move |connection| search::search(connection, &filter, &conditions, page))
            .await
    }

    /// Runs that have not ended, oldest first.
    pub async fn live_runs(&self, page: Page<RunId>) -> Result<Vec<RunSummary>, Error> {
        self.read(move |connection| reader::live_runs(connection, page))
            .await
    }

    /// Runs that have not ended and that another run's task waits for, oldest first.
    pub async fn awaited_children(&self, page: Page<RunId>) -> Result<Vec<Child>, Error> {
        self.read(move |connection| reader::awaited_children(connection, page))
            .await
    }

    /// How many runs there are of each status; a status without runs is absent.
    pub async fn run_counts(&self) -> Result<Vec<(RunStatus, u64)>, Error> {
        self.read(reader::run_counts).await
    }

    /// How many runs there are of each workflow and status.
    pub async fn workflow_run_counts(&self) -> Result<Vec<(DefinitionKey, RunStatus, u64)>, Error> {
        self.read(reader::workflow_run_counts).await
    }

    /// The journal from the batch that holds record `from`, a few megabytes at a time; empty at the end.
    pub async fn journal(&self, run: RunId, from: u64) -> Result<Vec<JournalBatch>, Error> {
        self.read(move |connection| reader::journal(connection, run, from))
            .await
    }

    /// The last snapshot of a run that stands for at most so many records.
    pub async fn snapshot(&self, run: RunId, most: u64) -> Result<Option<Snapshot>, Error> {
        self.read(move |connection| snapshot::get(connection, run, most))
            .await
    }

    /// How many records at the beginning of a run's journal are not kept any more.
    pub async fn journal_start(&self, run: RunId) -> Result<u64, Error> {
        self.read(move |connection| snapshot::journal_start(connection, run))
            .await
    }

    /// The run that a key was used for, and the hash of the body.
    pub async fn idempotency(
        &self,
        scope: &str,
        key: &str,
    ) -> Result<Option<(RunId, [u8; 32])>, Error> {
        let (scope, key) = (scope.to_owned(), key.to_owned());
        self.read(move |connection| reader::idempotency(connection, &scope, &key))
            .await
    }

    pub async fn definition(&self, key: DefinitionKey) -> Result<Option<Definition>, Error> {
        self.read(move |connection| reader::definition(connection, &key))
            .await
    }

    /// Definitions of a kind, by address.
    pub async fn definitions(
        &self,
        kind: &str,
        page: Page<DefinitionKey>,
    ) -> Result<Vec<Definition>, Error> {
        let kind = kind.to_owned();
        self.read(move |connection| reader::definitions(connection, &kind, page))
            .await
    }

    /// Content type and text of a definition by its hash, also after it was replaced or deleted.
    pub async fn definition_text(
        &self,
        kind: &str,
        hash: &str,
    ) -> Result<Option<(String, Vec<u8>)>, Error> {
        let (kind, hash) = (kind.to_owned(), hash.to_owned());
        self.read(move |connection| reader::definition_text(connection, &kind, &hash))
            .await
    }

    /// Emitted events, oldest first, of one run or all, of one CloudEvents type or all.
    pub async fn events(
        &self,
        run: Option<RunId>,
        kind: Option<String>,
        page: Page<u64>,
    ) -> Result<Vec<StoredEvent>, Error> {
        self.read(move |connection| reader::events(connection, run, kind, page))
            .await
    }

    /// The place of the last event in the log, also where it was deleted since; 0 where there was none.
    pub async fn events_end(&self) -> Result<u64, Error> {
        self.read(reader::events_end).await
    }

    /// Events behind a place of the log, oldest first, of these CloudEvents types or of all: at most
    /// `limit`, and no more once they come to `bytes_max`.
    pub async fn events_after(
        &self,
        after: u64,
        types: Option<Vec<String>>,
        limit: usize,
        bytes_max: usize,
    ) -> Result<Vec<StoredEvent>, Error> {
        self.read(move |connection| {
            reader::events_after(connection, after, types.as_deref(), limit, bytes_max)
        })
        .await
    }

    /// Where the event log ended when these task executions began to listen, in their order; `None` for
    /// one that does not.
    pub async fn listeners(&self, wanted: Vec<(RunId, u64)>) -> Result<Vec<Option<u64>>, Error> {
        self.read(move |connection| reader::listeners(connection, &wanted))
            .await
    }

    /// Dead letters, newest first.
    pub async fn dead_letters(
        &self,
        state: Option<DeadLetterState>,
        origin: Option<String>,
        page: Page<u64>,
    ) -> Result<Vec<DeadLetter>, Error> {
        self.read(move |connection| reader::dead_letters(connection, state, origin, page))
            .await
    }

    pub async fn dead_letter(&self, id: u64) -> Result<Option<DeadLetter>, Error> {
        self.read(move |connection| reader::dead_letter(connection, id))
            .await
    }

    /// How many dead letters there are, by origin and state.
    pub async fn dead_letter_counts(&self) -> Result<Vec<(String, DeadLetterState, u64)>, Error> {
        self.read(reader::dead_letter_counts).await
    }

    pub async fn feed(&self, pipeline: &str, source: &str) -> Result<Option<Feed>, Error> {
        let (pipeline, source) = (pipeline.to_owned(), source.to_owned());
        self.read(move |connection| reader::feed(connection, &pipeline, &source))
            .await
    }

    /// Feeds of one pipeline or all, latest change first.
    pub async fn feeds(&self, pipeline: Option<String>, limit: usize) -> Result<Vec<Feed>, Error> {
        self.read(move |connection| reader::feeds(connection, pipeline, limit))
            .await
    }

    /// The addresses that have runs.
    pub async fn workflows_with_runs(&self) -> Result<Vec<WorkflowId>, Error> {
        self.read(retention::workflows).await
    }

    /// Ended runs that are not kept, oldest first.
    pub async fn expired(&self, expiry: Expiry, limit: usize) -> Result<Vec<RunId>, Error> {
        self.read(move |connection| retention::expired(connection, &expiry, limit))
            .await
    }

    /// Whether `Operation::Clear` has anything to do.
    pub async fn remains(&self) -> Result<bool, Error> {
        self.read(retention::remains).await
    }

    /// Pages of 4 KiB in the file that hold nothing.
    pub async fn free_pages(&self) -> Result<u64, Error> {
        self.read(retention::free_pages).await
    }

    /// How far the workflows that events start have read the log.
    pub async fn subscriptions(&self) -> Result<Vec<Subscription>, Error> {
        self.read(reader::subscriptions).await
    }

    pub async fn schedules(&self) -> Result<Vec<Schedule>, Error> {
        self.read(reader::schedules).await
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let path = self.inner.path.clone();
        self.blocking("read", move |inner| {
            let connection = inner.take_reader()?;
            let outcome = read(&connection);
            inner.give_back(connection);
            outcome.map_err(|error| translate_read(&path, &error))
        })
        .await?
    }

    /// Runs `work` on a blocking thread, at most as many at once as there are readers.
    async fn blocking<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Inner) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let _permit = self
            .inner
            .reading
            .acquire()
            .await
            .map_err(|_| Error::Closed)?;
        let inner = Arc::clone(&self.inner);
        tokio::task::spawn_blocking(move || work(&inner))
            .await
            .map_err(|error| Error::Failed {
                operation,
                path: self.inner.path.clone(),
                detail: error.to_string().into(),
            })
    }
}

impl Inner {
    fn take_reader(&self) -> Result<Connection, Error> {
        let held = self
            .readers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        if let Some(connection) = held {
            return Ok(connection);
        }
        if self
            .lock
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_none()
        {
            return Err(Error::Closed);
        }
        // A reader that panicked took its connection along.
        open_reader(&self.path)
    }

    fn give_back(&self, connection: Connection) {
        if self
            .lock
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_none()
        {
            return;
        }
        self.readers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(connection);
    }
}

fn translate_read(path: &Path, error: &rusqlite::Error) -> Error {
    match error {
        rusqlite::Error::FromSqlConversionFailure(_, _, detail) => Error::Unreadable {
            what: "value",
            detail: detail.to_string().into(),
        },
        error => translate("read", path, error),
    }
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}

fn make_folder(folder: &Path) -> Result<(), Error> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        // Journals hold payloads: nobody else on the machine reads them.
        builder.mode(0o700);
    }
    builder
        .create(folder)
        .map_err(|error| match failed("make", folder, &error) {
            Error::Failed {
                operation,
                path,
                detail,
            } => Error::Failed {
                operation,
                path,
                detail: format!("{detail}; use a folder that you may write to").into(),
            },
            other => other,
        })
}
