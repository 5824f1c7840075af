//! The one thread that writes: takes what waits, commits it as one transaction, answers.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use flame_types::{Durability, Timestamp};
use rusqlite::Connection;

use crate::Error;
use crate::apply::{apply, is_applied};
use crate::backup::{self, Reason};
use crate::checkpoint::Checkpointer;
use crate::epoch;
use crate::file::{open_writer, translate};
use crate::health::Gauges;
use crate::operation::Commit;
use crate::store::Refused;

/// Commits in one transaction.
const GROUP_COMMITS_MAX: usize = 1_024;
/// Payload bytes in one transaction, beyond its first commit.
const GROUP_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Pages in the write-ahead log after which they move to the database (4 KiB each), beside the writer. What
/// changed often is moved once.
const CHECKPOINT_PAGES: i32 = 8_000;
/// As many that came meanwhile the writer moves itself, so that the log can begin anew. Callers wait for that.
const REST_PAGES: i32 = 1_000;
/// Pages at which the writer waits for that thread and for readers, so that the log can begin anew.
const RESTART_PAGES: i32 = 64_000;
/// How often a writer in trouble tries whether it can write again.
const PROBE_INTERVAL: Duration = Duration::from_millis(500);

pub(crate) type Reply = Box<dyn FnOnce(Result<(), Refused>) + Send>;

/// What the writer is asked for.
pub(crate) enum Request {
    Commit {
        /// Whose replies belong together.
        sender: usize,
        commit: Commit,
        reply: Reply,
    },
    /// Ends the thread after everything that was asked for before.
    Close {
        done: std::sync::mpsc::SyncSender<()>,
    },
}

/// Owns the only connection that writes.
pub(crate) struct Writer {
    pub(crate) path: PathBuf,
    pub(crate) durability: Durability,
    pub(crate) pages_max: Option<u32>,
    pub(crate) clock: fn() -> Timestamp,
    /// Under which this writer writes.
    pub(crate) epoch: i64,
    /// `None` after a failure, until the file is opened anew.
    pub(crate) connection: Option<Connection>,
    pub(crate) requests: Receiver<Request>,
    pub(crate) gauges: Arc<Gauges>,
    pub(crate) depth: Arc<AtomicUsize>,
    /// Pages in the log after the last commit, set by SQLite's hook.
    pub(crate) log_pages: Arc<AtomicI32>,
    pub(crate) checkpointer: Checkpointer,
}

struct Waiting {
    sender: usize,
    commit: Commit,
    reply: Reply,
}

impl Writer {
    /// Watches how long the log gets. SQLite's own automatic checkpoint is off.
    pub(crate) fn watch_log(
        connection: &mut Connection,
        pages: &Arc<AtomicI32>,
    ) -> Result<(), rusqlite::Error> {
        let pages = Arc::clone(pages);
        connection.wal_hook(Some(
            move |_: &mut rusqlite::hooks::Wal, count: std::ffi::c_int| {
                pages.store(count, Ordering::Relaxed);
                Ok(())
            },
        ))
    }

    /// Runs until it is closed or nobody can ask any more.
    pub(crate) fn run(mut self) {
        loop {
            let request = if self.gauges.is_troubled() {
                match self.requests.recv_timeout(PROBE_INTERVAL) {
                    Ok(request) => request,
                    Err(RecvTimeoutError::Timeout) => {
                        self.probe();
                        continue;
                    }
                    Err(RecvTimeoutError::Disconnected) => break self.checkpointer.finish(),
                }
            } else {
                match self.requests.recv() {
                    Ok(request) => request,
                    Err(_) => break self.checkpointer.finish(),
                }
            };
            let (group, close) = self.gather(request);
            if !group.is_empty() {
                self.commit(group);
                self.checkpoint();
            }
            if let Some(done) = close {
                self.finish();
                // Whoever closes may have stopped waiting.
                let _ = done.send(());
                break;
            }
        }
    }

    /// Everything that waits, up to the limits of a group.
    fn gather(&self, first: Request) -> (Vec<Waiting>, Option<std::sync::mpsc::SyncSender<()>>) {
        let mut group = Vec::new();
        let mut bytes = 0;
        let mut next = Some(first);
        while let Some(request) = next.take() {
            match request {
                Request::Close { done } => return (group, Some(done)),
                Request::Commit {
                    sender,
                    commit,
                    reply,
                } => {
                    bytes += commit.bytes();
                    group.push(Waiting {
                        sender,
                        commit,
                        reply,
                    });
                }
            }
            if group.len() < GROUP_COMMITS_MAX && bytes < GROUP_BYTES_MAX {
                next = self.requests.try_recv().ok();
            }
        }
        (group, None)
    }

    fn commit(&mut self, group: Vec<Waiting>) {
        let outcome = match self.write_together(&group) {
            Ok(sync) => Ok((vec![Ok(()); group.len()], sync)),
            Err(Failure::Transaction(error)) => Err(error),
            // One of them was refused: find out which, the others go through.
            Err(Failure::Refused) => self.write_apart(&group),
        };
        self.depth.fetch_sub(group.len(), Ordering::Relaxed);
        match outcome {
            Ok((verdicts, sync)) => {
                let taken = verdicts.iter().filter(|verdict| verdict.is_ok()).count();
                self.gauges.committed(taken as u64, sync);
                let mut answers: Vec<_> = group.into_iter().zip(verdicts).collect();
                // Stable, so that each sender is answered in its own order.
                answers.sort_by_key(|(waiting, _)| waiting.sender);
                for (waiting, verdict) in answers {
                    (waiting.reply)(verdict.map_err(|error| Refused {
                        error,
                        commit: waiting.commit,
                    }));
                }
            }
            Err(error) => {
                self.gauges.failed(&error);
                for waiting in group {
                    (waiting.reply)(Err(Refused {
                        error: error.clone(),
                        commit: waiting.commit,
                    }));
                }
            }
        }
    }

    /// The common case: nothing is refused, so no savepoints are needed.
    fn write_together(&mut self, group: &[Waiting]) -> Result<Duration, Failure> {
        self.transaction(|connection, path| {
            for waiting in group {
                apply(connection, path, &waiting.commit).map_err(|error| {
                    if is_of_the_transaction(&error) {
                        Failure::Transaction(error)
                    } else {
                        Failure::Refused
                    }
                })?;
            }
            Ok(())
        })
        .map(|((), sync)| sync)
    }

    /// Each commit in a savepoint: one that is refused leaves no trace in the transaction.
    fn write_apart(
        &mut self,
        group: &[Waiting],
    ) -> Result<(Vec<Result<(), Error>>, Duration), Error> {
        self.transaction(|connection, path| {
            let mut verdicts = Vec::with_capacity(group.len());
            for waiting in group {
                let verdict = one_apart(connection, path, &waiting.commit);
                match verdict {
                    Err(error) if is_of_the_transaction(&error) => {
                        return Err(Failure::Transaction(error));
                    }
                    verdict => verdicts.push(verdict),
                }
            }
            Ok(verdicts)
        })
        .map_err(|failure| match failure {
            Failure::Transaction(error) => error,
            Failure::Refused => Error::Closed,
        })
    }

    /// One transaction around `work`; gives the time that the commit took.
    fn transaction<T>(
        &mut self,
        work: impl FnOnce(&Connection, &std::path::Path) -> Result<T, Failure>,
    ) -> Result<(T, Duration), Failure> {
        self.open_again().map_err(Failure::Transaction)?;
        let Some(connection) = &self.connection else {
            return Err(Failure::Transaction(Error::Closed));
        };
        let path = self.path.as_path();
        let run = |sql: &str| {
            connection
                .prepare_cached(sql)
                .and_then(|mut statement| statement.execute([]))
                .map_err(|error| Failure::Transaction(translate("write", path, &error)))
        };
        let outcome = run("BEGIN IMMEDIATE")
            .and_then(|_| epoch::check(connection, path, self.epoch).map_err(Failure::Transaction))
            .and_then(|()| work(connection, path))
            .and_then(|value| {
                let begun = Instant::now();
                run("COMMIT").map(|_| (value, begun.elapsed()))
            });
        if outcome.is_err() && !connection.is_autocommit() {
            // What can't be rolled back goes away with the connection.
            if run("ROLLBACK").is_err() {
                self.connection = None;
            }
        }
        if matches!(&outcome, Err(Failure::Transaction(_))) {
            // After a failed write the kernel may hold pages that never reach the disk as if they
            // had: only what is read anew from the file can be trusted.
            self.connection = None;
        }
        outcome
    }

    fn open_again(&mut self) -> Result<(), Error> {
        if self.connection.is_some() {
            return Ok(());
        }
        let mut connection = open_writer(&self.path, self.durability, self.pages_max)?;
        Self::watch_log(&mut connection, &self.log_pages)
            .map_err(|error| translate("open", &self.path, &error))?;
        self.connection = Some(connection);
        Ok(())
    }

    /// A small write that shows whether the trouble is over.
    fn probe(&mut self) {
        let outcome = self.transaction(|connection, path| {
            connection
                .prepare_cached("INSERT OR REPLACE INTO probe (id, at) VALUES (0, abs(random()))")
                .and_then(|mut statement| statement.execute([]))
                .map_err(|error| Failure::Transaction(translate("write", path, &error)))
        });
        match outcome {
            Ok((_, sync)) => self.gauges.committed(0, sync),
            Err(Failure::Transaction(error)) => self.gauges.failed(&error),
            Err(Failure::Refused) => {}
        }
    }

    /// Sees to it that pages move from the log to the database once there are many.
    fn checkpoint(&mut self) {
        let pages = self.log_pages.load(Ordering::Relaxed);
        if pages >= RESTART_PAGES {
            self.checkpointer.wait();
            return self.move_pages("RESTART");
        }
        let moved = self.checkpointer.moved();
        if self.checkpointer.is_at_work() {
            return;
        }
        if moved.is_some_and(|moved| pages - moved <= REST_PAGES) {
            return self.move_pages("PASSIVE");
        }
        if pages >= CHECKPOINT_PAGES && !self.checkpointer.begin() {
            // The thread has ended: the writer is left with all of it.
            self.move_pages("PASSIVE");
        }
    }

    /// Failing is harmless: the log holds everything, and the next round tries again.
    fn move_pages(&self, mode: &str) {
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
    fn finish(self) {
        self.checkpointer.finish();
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

enum Failure {
    /// One commit can't be taken; the transaction as such is fine.
    Refused,
    /// Nothing of the transaction can be kept.
    Transaction(Error),
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
