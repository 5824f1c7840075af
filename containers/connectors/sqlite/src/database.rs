//! Open databases: one writer thread each, which commits everything that waits in one transaction.
//!
//! A file is closed after a short idle time, so that its write-ahead log is folded into it and a
//! person can copy or delete the file.

use std::collections::HashMap;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use flame_connector::{Fault, Record};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::config::{DatabaseFile, Target};
use crate::error;
use crate::upsert;

/// Jobs that wait for all databases together; the next caller waits for a place.
const WAITING_MAX: usize = 1024;
/// Jobs in one commit.
const GROUP_MAX: usize = 256;
/// Files open at once; each has a thread.
const OPEN_MAX: usize = 32;
/// Prepared statements kept per database: one per set of columns.
const STATEMENTS_MAX: usize = 64;
/// A database without work is closed after this.
const IDLE: Duration = Duration::from_secs(5);
/// How long another program's lock is waited for.
const BUSY: Duration = Duration::from_secs(5);

/// The open databases. Clones share them; the writers end with the last one.
#[derive(Clone)]
pub(crate) struct Databases {
    open: Arc<Writers>,
    places: Arc<Semaphore>,
}

/// Queue of each open file. A job is sent, and a writer takes itself out, only under this lock.
type Writers = Mutex<HashMap<DatabaseFile, mpsc::Sender<Job>>>;

/// One upsert that waits for its commit.
struct Job {
    target: Target,
    records: Vec<Record>,
    answer: oneshot::Sender<Result<(), Fault>>,
    _place: OwnedSemaphorePermit,
}

impl Default for Databases {
    fn default() -> Self {
        Self {
            open: Arc::default(),
            places: Arc::new(Semaphore::new(WAITING_MAX)),
        }
    }
}

impl Databases {
    /// Writes all records or none; they are synced to disk when this returns.
    pub(crate) async fn write(
        &self,
        file: DatabaseFile,
        target: Target,
        records: Vec<Record>,
    ) -> Result<(), Fault> {
        if records.is_empty() {
            return Ok(());
        }
        let stopped =
            || Fault::runtime(format!("The writer of {} stopped.", file.name)).worth_retrying();
        let place = self
            .places
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| stopped())?;
        let (answer, answered) = oneshot::channel();
        self.send(
            &file,
            Job {
                target,
                records,
                answer,
                _place: place,
            },
        )?;
        answered.await.unwrap_or_else(|_| Err(stopped()))
    }

    fn send(&self, file: &DatabaseFile, job: Job) -> Result<(), Fault> {
        let mut open = lock(&self.open);
        let unsent = match open.get(file) {
            Some(queue) => match queue.send(job) {
                Ok(()) => return Ok(()),
                Err(mpsc::SendError(job)) => job,
            },
            None => job,
        };
        open.remove(file);
        if open.len() >= OPEN_MAX {
            return Err(Fault::runtime(format!(
                "{OPEN_MAX} databases are in use, and no more are opened at once. Try again, or \
                 put the tables into fewer files."
            ))
            .worth_retrying());
        }
        let (queue, jobs) = mpsc::channel();
        let (writer, writers) = (file.clone(), Arc::downgrade(&self.open));
        std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || write_until_idle(&writer, &writers, &jobs))
            .map_err(|error| {
                Fault::runtime(format!("No thread for {}: {error}.", file.name)).worth_retrying()
            })?;
        queue
            .send(unsent)
            .map_err(|_| Fault::runtime(format!("The writer of {} stopped.", file.name)))?;
        open.insert(file.clone(), queue);
        Ok(())
    }
}

fn lock(writers: &Writers) -> MutexGuard<'_, HashMap<DatabaseFile, mpsc::Sender<Job>>> {
    writers.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The writer's loop; it ends when idle, or when the connector is dropped.
fn write_until_idle(file: &DatabaseFile, writers: &Weak<Writers>, jobs: &mpsc::Receiver<Job>) {
    let mut connection = None;
    let mut group = Vec::with_capacity(GROUP_MAX);
    loop {
        match jobs.recv_timeout(IDLE) {
            Ok(job) => group.push(job),
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {
                let Some(writers) = writers.upgrade() else {
                    return;
                };
                let mut open = lock(&writers);
                // A job may have come between the timeout and the lock.
                match jobs.try_recv() {
                    Ok(job) => group.push(job),
                    Err(_) => {
                        // Closed under the lock, so that two writers never have one file.
                        drop(connection.take());
                        open.remove(file);
                        return;
                    }
                }
            }
        }
        group.extend(jobs.try_iter().take(GROUP_MAX - 1));
        commit(file, &mut connection, &mut group);
    }
}

/// Commits a group and answers every job of it.
fn commit(file: &DatabaseFile, connection: &mut Option<Connection>, group: &mut Vec<Job>) {
    group.retain(|job| !job.answer.is_closed());
    let outcome = match connection {
        Some(open) => commit_group(file, open, group),
        None => open(file).and_then(|open| commit_group(file, connection.insert(open), group)),
    };
    match outcome {
        Ok(results) => {
            for (job, result) in group.drain(..).zip(results) {
                // A caller that has gone away needs no answer.
                let _ = job.answer.send(result);
            }
        }
        Err(fault) => {
            // After a failed commit the handle's state is unknown: the next group opens anew.
            *connection = None;
            for job in group.drain(..) {
                let _ = job.answer.send(Err(fault.clone()));
            }
        }
    }
}

/// One transaction for the group, one savepoint for each job: a bad job spoils no other.
fn commit_group(
    file: &DatabaseFile,
    connection: &mut Connection,
    group: &[Job],
) -> Result<Vec<Result<(), Fault>>, Fault> {
    let failed = |error| error::fault(&file.name, error);
    let mut transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    let mut results = Vec::with_capacity(group.len());
    for job in group {
        let savepoint = transaction.savepoint().map_err(failed)?;
        let result = upsert::write(&savepoint, &file.name, &job.target, &job.records);
        if result.is_ok() {
            savepoint.commit().map_err(failed)?;
        } else {
            savepoint.finish().map_err(failed)?;
        }
        results.push(result);
    }
    transaction.commit().map_err(failed)?;
    Ok(results)
}

/// Opens a file, makes it when missing, and sets the promises: write-ahead log, synced commits.
pub(crate) fn open(file: &DatabaseFile) -> Result<Connection, Fault> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if file.confined {
        flags |= OpenFlags::SQLITE_OPEN_NOFOLLOW;
    }
    let failed = |error| error::fault(&file.name, error);
    let connection = Connection::open_with_flags(&file.path, flags).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    connection
        .pragma_update(None, "trusted_schema", false)
        .map_err(failed)?;
    connection
        .pragma_update(None, "foreign_keys", true)
        .map_err(failed)?;
    connection
        .pragma_update(None, "journal_mode", "wal")
        .map_err(failed)?;
    connection
        .pragma_update(None, "synchronous", "full")
        .map_err(failed)?;
    // Only macOS tells a drive's cache from the platter; elsewhere this changes nothing.
    connection
        .pragma_update(None, "fullfsync", true)
        .map_err(failed)?;
    // A plan once made stays: otherwise SQLite, as it is built here, may plan a statement anew for the
    // values of each execution.
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(connection)
}
