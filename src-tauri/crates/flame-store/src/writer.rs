//! The one thread that writes: takes what waits, applies it in one transaction, and hands that to the thread that
//! syncs and answers. While an earlier transaction is on its way to the disk, the next one stays open and grows.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use flame_types::{Durability, Timestamp};
use rusqlite::Connection;

use crate::Error;
use crate::apply::{apply, is_applied};
use crate::backup::{self, Reason};
use crate::epoch;
use crate::file::{failed, open_writer, translate};
use crate::operation::Commit;
use crate::sync::{Desk, Synced, Syncer, Waiting, Written};

/// Commits in one transaction.
const GROUP_COMMITS_MAX: usize = 1_024;
/// Payload bytes in one transaction, beyond its first commit.
const GROUP_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Pages in the write-ahead log after which they move to the database (4 KiB each).
const CHECKPOINT_PAGES: i32 = 2_000;
/// Pages at which the writer waits for readers so that the log can begin anew.
const RESTART_PAGES: i32 = 64_000;
/// How often a writer in trouble tries whether it can write again.
const PROBE_INTERVAL: Duration = Duration::from_millis(500);

/// What the writer is asked for.
pub(crate) enum Request {
    Commit(Waiting),
    /// A sync ended.
    Synced(Synced),
    /// Ends the thread after everything that was asked for before.
    Close {
        done: SyncSender<()>,
    },
    /// Ends it likewise where nobody waits for an orderly end.
    Leave,
}

/// Owns the only connection that writes.
pub(crate) struct Writer {
    pub(crate) path: PathBuf,
    pub(crate) durability: Durability,
    pub(crate) pages_max: Option<u32>,
    pub(crate) clock: fn() -> Timestamp,
    /// Under which this writer writes.
    pub(crate) epoch: i64,
    pub(crate) requests: Receiver<Request>,
    pub(crate) desk: Desk,
    /// Pages in the log after the last commit, set by SQLite's hook.
    pub(crate) log_pages: Arc<AtomicI32>,
    /// `None` after a failure, until the file is opened anew.
    pub(crate) connection: Option<Connection>,
    /// The log as the syncs see it, once there is one.
    pub(crate) log: Option<Arc<File>>,
    /// `None` where an answer does not wait for the disk.
    pub(crate) syncer: Option<Syncer>,
    /// Transactions that are on their way to the disk.
    pub(crate) syncing: usize,
    /// A sync failed: what the log holds counts only once it is in the database.
    pub(crate) is_log_doubtful: bool,
}

/// How the thread ends.
enum End {
    Closed(SyncSender<()>),
    Left,
}

/// A transaction in the making.
#[derive(Default)]
struct Group {
    waiting: Vec<Waiting>,
    /// Of those that were applied, in order.
    verdicts: Vec<Result<(), Error>>,
    bytes: usize,
    is_begun: bool,
    /// One of them was refused, so each stands in a savepoint: the others go through.
    is_apart: bool,
}

impl Group {
    fn push(&mut self, waiting: Waiting) {
        self.bytes += waiting.commit.bytes();
        self.waiting.push(waiting);
    }

    fn is_full(&self) -> bool {
        self.waiting.len() >= GROUP_COMMITS_MAX || self.bytes >= GROUP_BYTES_MAX
    }
}

impl Writer {
    /// Makes a connection this writer's: watches how long the log gets, since SQLite's own automatic checkpoint is
    /// off, and leaves the sync after each commit to the other thread.
    pub(crate) fn adopt(
        connection: &mut Connection,
        pages: &Arc<AtomicI32>,
    ) -> Result<(), rusqlite::Error> {
        let pages = Arc::clone(pages);
        connection.wal_hook(Some(
            move |_: &mut rusqlite::hooks::Wal, count: std::ffi::c_int| {
                pages.store(count, Ordering::Relaxed);
                Ok(())
            },
        ))?;
        connection.pragma_update(None, "synchronous", "NORMAL")
    }

    /// Runs until it is closed or nobody can ask any more.
    pub(crate) fn run(mut self) {
        loop {
            let request = if self.desk.gauges.is_troubled() {
                match self.requests.recv_timeout(PROBE_INTERVAL) {
                    Err(RecvTimeoutError::Timeout) => {
                        self.probe();
                        continue;
                    }
                    Ok(request) => request,
                    Err(RecvTimeoutError::Disconnected) => Request::Leave,
                }
            } else {
                self.requests.recv().unwrap_or(Request::Leave)
            };
            let end = self.round(request);
            self.checkpoint();
            match end {
                None => {}
                Some(End::Left) => break,
                Some(End::Closed(done)) => {
                    if let Some(syncer) = self.syncer.take() {
                        syncer.finish();
                    }
                    self.finish();
                    drop(self.connection.take());
                    // Whoever closes may have stopped waiting.
                    let _ = done.send(());
                    break;
                }
            }
        }
    }

    /// One transaction of everything that waits, or that comes while the one before is synced.
    fn round(&mut self, first: Request) -> Option<End> {
        let mut group = Group::default();
        let mut next = Some(first);
        let mut end = None;
        while let Some(request) = next.take() {
            match request {
                Request::Commit(waiting) => group.push(waiting),
                Request::Synced(synced) => self.synced(&synced, &mut group),
                Request::Close { done } => end = Some(End::Closed(done)),
                Request::Leave => end = Some(End::Left),
            }
            if end.is_some() || group.is_full() {
                break;
            }
            next = self.requests.try_recv().ok();
            if next.is_none() && self.syncing > 0 && !group.waiting.is_empty() {
                self.apply(&mut group);
                // The sync that is under way reports its end, if nothing comes before.
                next = self.requests.recv().ok();
            }
        }
        self.apply(&mut group);
        self.commit(group);
        end
    }

    fn synced(&mut self, synced: &Synced, group: &mut Group) {
        self.syncing = self.syncing.saturating_sub(synced.transactions);
        match &synced.outcome {
            Ok(()) if self.syncing == 0 => self.desk.progress.catch_up(),
            Ok(()) => {}
            Err(error) => {
                self.is_log_doubtful = true;
                self.give_up(group, error);
            }
        }
    }

    /// Applies those that are not applied yet; the transaction stays open.
    fn apply(&mut self, group: &mut Group) {
        if let Err(error) = self.try_apply(group) {
            self.give_up(group, &error);
        }
    }

    fn try_apply(&mut self, group: &mut Group) -> Result<(), Error> {
        while let Some(waiting) = group.waiting.get(group.verdicts.len()) {
            if !group.is_begun {
                self.begin()?;
                group.is_begun = true;
            }
            let connection = self.connection.as_ref().ok_or(Error::Closed)?;
            let verdict = if group.is_apart {
                one_apart(connection, &self.path, &waiting.commit)
            } else {
                apply(connection, &self.path, &waiting.commit)
            };
            match verdict {
                Err(error) if is_of_the_transaction(&error) => return Err(error),
                // The common case needs no savepoints. Now it does: all of it again, one by one.
                Err(_) if !group.is_apart => {
                    self.execute("ROLLBACK")?;
                    group.is_begun = false;
                    group.is_apart = true;
                    group.verdicts.clear();
                }
                verdict => group.verdicts.push(verdict),
            }
        }
        Ok(())
    }

    /// Nothing of the transaction is kept, and its commits go back.
    fn give_up(&mut self, group: &mut Group, error: &Error) {
        // After a failed write the kernel may hold pages that never reach the disk as if they had: only what is read
        // anew from the file can be trusted. The open transaction goes with the connection.
        self.connection = None;
        self.log = None;
        let given_up = std::mem::take(group);
        self.desk.refuse(given_up.waiting, error);
    }

    fn begin(&mut self) -> Result<(), Error> {
        self.open_again()?;
        self.execute("BEGIN IMMEDIATE")?;
        let connection = self.connection.as_ref().ok_or(Error::Closed)?;
        epoch::check(connection, &self.path, self.epoch)?;
        if self.log.is_none() {
            // There is one since the transaction began.
            let log = self.path.with_extension("db-wal");
            let file = File::options().write(true).open(&log);
            self.log = Some(Arc::new(
                file.map_err(|error| failed("open", &log, &error))?,
            ));
        }
        Ok(())
    }

    fn execute(&self, sql: &str) -> Result<(), Error> {
        let connection = self.connection.as_ref().ok_or(Error::Closed)?;
        connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute([]))
            .map(|_| ())
            .map_err(|error| translate("write", &self.path, &error))
    }

    /// Ends the transaction and sees to it that its commits are answered.
    fn commit(&mut self, mut group: Group) {
        if !group.is_begun {
            return;
        }
        let number = self.desk.progress.begin();
        let begun = Instant::now();
        if let Err(error) = self.execute("COMMIT") {
            self.give_up(&mut group, &error);
            // Who read meanwhile waits for its number; where a sync is under way, its end lets him go.
            if self.syncing == 0 {
                self.desk.progress.catch_up();
            }
            return;
        }
        let answers = group.waiting.into_iter().zip(group.verdicts).collect();
        match (&self.syncer, &self.log) {
            (Some(syncer), Some(log)) => {
                let log = Arc::clone(log);
                let written = Written {
                    number,
                    log,
                    answers,
                };
                match syncer.hand_over(written) {
                    Ok(()) => self.syncing += 1,
                    Err(written) => {
                        let waiting = written.answers.into_iter().map(|(waiting, _)| waiting);
                        self.desk.refuse(waiting, &Error::Closed);
                    }
                }
            }
            _ => {
                self.desk.progress.catch_up();
                self.desk.answer(answers, 1, begun.elapsed());
            }
        }
    }

    fn open_again(&mut self) -> Result<(), Error> {
        if self.connection.is_some() {
            return Ok(());
        }
        let mut connection = open_writer(&self.path, self.durability, self.pages_max)?;
        let opened = |error: rusqlite::Error| translate("open", &self.path, &error);
        if self.is_log_doubtful {
            let is_busy: bool = connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
                .map_err(opened)?;
            if is_busy {
                return Err(Error::Failed {
                    operation: "sync the log of",
                    path: self.path.clone(),
                    detail: "somebody reads it".into(),
                });
            }
            self.is_log_doubtful = false;
            self.desk.progress.catch_up();
        }
        Self::adopt(&mut connection, &self.log_pages).map_err(opened)?;
        self.connection = Some(connection);
        Ok(())
    }

    /// A small write that shows whether the trouble is over.
    fn probe(&mut self) {
        let mut group = Group::default();
        let outcome = self.begin().and_then(|()| {
            group.is_begun = true;
            self.execute("INSERT OR REPLACE INTO probe (id, at) VALUES (0, abs(random()))")
        });
        match outcome {
            Ok(()) => self.commit(group),
            Err(error) => self.give_up(&mut group, &error),
        }
    }

    /// Moves pages from the log to the database once there are many. Failing is harmless: the log
    /// holds everything, and the next round tries again.
    fn checkpoint(&mut self) {
        let pages = self.log_pages.load(Ordering::Relaxed);
        let mode = match pages {
            pages if pages >= RESTART_PAGES => "RESTART",
            pages if pages >= CHECKPOINT_PAGES => "PASSIVE",
            _ => return,
        };
        let Some(connection) = &self.connection else {
            return;
        };
        let outcome = connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
            row.get::<_, i64>(0)
        });
        match outcome {
            Ok(_) => self.log_pages.store(0, Ordering::Relaxed),
            Err(error) => {
                tracing::warn!(%error, "The write-ahead log could not be moved to the database")
            }
        }
    }

    /// An orderly end: a daily backup where one is due and cheap, and an empty log.
    fn finish(&mut self) {
        let Some(connection) = &self.connection else {
            return;
        };
        let now = (self.clock)();
        let small = std::fs::metadata(&self.path)
            .is_ok_and(|metadata| metadata.len() <= backup::AT_CLOSE_BYTES_MAX);
        if small
            && self
                .path
                .parent()
                .is_some_and(|folder| backup::is_due(folder, now))
            && let Err(error) = backup::make(connection, &self.path, Reason::Daily, now)
        {
            tracing::warn!(%error, "The daily backup failed");
        }
        if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
            row.get::<_, i64>(0)
        }) {
            tracing::warn!(%error, "The write-ahead log could not be moved to the database");
        }
    }
}

const fn is_of_the_transaction(error: &Error) -> bool {
    matches!(
        error,
        Error::Full { .. } | Error::Failed { .. } | Error::Corrupt { .. } | Error::Deposed { .. }
    )
}

fn one_apart(
    connection: &Connection,
    path: &std::path::Path,
    commit: &Commit,
) -> Result<(), Error> {
    let run = |sql: &str| {
        connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute([]))
            .map_err(|error| translate("write", path, &error))
    };
    run("SAVEPOINT one")?;
    let verdict = apply(connection, path, commit);
    if verdict.is_err() {
        run("ROLLBACK TO one")?;
    }
    run("RELEASE one")?;
    match verdict {
        Err(error) if !is_of_the_transaction(&error) && is_applied(connection, path, commit)? => {
            Ok(())
        }
        verdict => verdict,
    }
}
