//! Deleting runs that have ended: a little in each commit, so that what else is written does not wait.
//!
//! Deliberately absent: which runs are to go (the caller asks with an [`Expiry`]), and events that were emitted and dead
//! letters, which stay.

use flame_types::{RunId, Timestamp, WorkflowId};
use rusqlite::{Connection, OptionalExtension, params};

use crate::blob::{self, Place};
use crate::row::{self, Id};
use crate::snapshot;

/// Journal bytes that one commit deletes, beyond its first batch.
const SLICE_BYTES_MAX: i64 = 4 * 1024 * 1024;
/// Journal batches that one commit deletes.
const SLICE_BATCHES_MAX: usize = 1_000;

/// Which of a workflow's runs are not kept, once they have ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Expiry {
    pub workflow: WorkflowId,
    /// Those that ended before.
    pub ended_before: Option<Timestamp>,
    /// All but this many of the newest.
    pub newest: Option<u64>,
    /// A run whose idempotency key was used since then stays: the same request gets the same answer.
    pub claimed_since: Timestamp,
}

type Outcome<T> = rusqlite::Result<T>;

/// The addresses that have runs.
pub(crate) fn workflows(connection: &Connection) -> Outcome<Vec<WorkflowId>> {
    // One seek for each, where a DISTINCT would read the whole index.
    let mut statement = connection.prepare_cached(
        "SELECT namespace, name, version FROM runs INDEXED BY runs_by_workflow \
         WHERE (namespace, name, version) > (?1, ?2, ?3) ORDER BY namespace, name, version LIMIT 1",
    )?;
    let mut found: Vec<WorkflowId> = Vec::new();
    let mut last = [String::new(), String::new(), String::new()];
    while let Some(next) = statement
        .query_row(last.each_ref(), |row| row::workflow(row, 0))
        .optional()?
    {
        last = [
            next.namespace.to_string(),
            next.name.to_string(),
            next.version.to_string(),
        ];
        found.push(next);
    }
    Ok(found)
}

/// Ended runs that are not kept, oldest first.
pub(crate) fn expired(
    connection: &Connection,
    expiry: &Expiry,
    limit: usize,
) -> Outcome<Vec<RunId>> {
    let workflow = &expiry.workflow;
    let address = [
        workflow.namespace.as_str(),
        workflow.name.as_str(),
        workflow.version.as_str(),
    ];
    let oldest_kept = expiry
        .newest
        .map(|newest| i64::try_from(newest).unwrap_or(i64::MAX));
    let beyond: Option<Id> = match oldest_kept {
        None => None,
        Some(newest) => connection
            .prepare_cached(
                "SELECT id FROM runs INDEXED BY runs_by_workflow \
                 WHERE namespace = ?1 AND name = ?2 AND version = ?3 ORDER BY id DESC LIMIT 1 OFFSET ?4",
            )?
            .query_row(params![address[0], address[1], address[2], newest], |row| {
                row.get(0)
            })
            .optional()?,
    };
    // An id begins with the time of its making, and a run does not end before it is made.
    let made_before = expiry.ended_before.map(first_id_of);
    connection
        .prepare_cached(
            "SELECT id FROM runs INDEXED BY runs_by_workflow \
             WHERE namespace = ?1 AND name = ?2 AND version = ?3 AND id <= MAX(IFNULL(?4, x''), IFNULL(?5, x'')) \
             AND status IN ('cancelled', 'faulted', 'completed') AND (id <= ?4 OR ended < ?6) \
             AND NOT EXISTS (SELECT 1 FROM idempotency WHERE run = runs.id AND created >= ?7) \
             ORDER BY id LIMIT ?8",
        )?
        .query_map(
            params![
                address[0],
                address[1],
                address[2],
                beyond.as_ref().map(|id| id.0.as_bytes().as_slice()),
                made_before.as_ref().map(<[u8; 16]>::as_slice),
                expiry.ended_before.map(Timestamp::as_microsecond),
                expiry.claimed_since.as_microsecond(),
                i64::try_from(limit).unwrap_or(i64::MAX),
            ],
            |row| row::run_id(row, 0),
        )?
        .collect()
}

/// The largest id that a run of that time can have.
fn first_id_of(at: Timestamp) -> [u8; 16] {
    let mut id = [0xff; 16];
    let milliseconds = u64::try_from(at.as_millisecond()).unwrap_or(0);
    id[..6].copy_from_slice(&milliseconds.to_be_bytes()[2..]);
    id
}

/// Deletes a run that has ended, with all that is its alone; one that has not ended stays, and one whose
/// parent may still want its outcome. What is long is left to [`clear`].
pub(crate) fn delete(connection: &Connection, run: RunId) -> Outcome<()> {
    let id = run.as_uuid().as_bytes();
    let deleted = connection
        .prepare_cached(
            "DELETE FROM runs WHERE id = ?1 AND status IN ('cancelled', 'faulted', 'completed') \
             AND NOT EXISTS (SELECT 1 FROM children JOIN runs AS parents ON parents.id = parent \
             WHERE children.run = ?1 AND awaited = 1 \
             AND parents.status NOT IN ('cancelled', 'faulted', 'completed'))",
        )?
        .execute([id])?;
    if deleted == 0 {
        return Ok(());
    }
    connection
        .prepare_cached("DELETE FROM idempotency WHERE run = ?1")?
        .execute([id])?;
    connection
        .prepare_cached("DELETE FROM children WHERE run = ?1")?
        .execute([id])?;
    connection
        .prepare_cached("DELETE FROM listeners WHERE run = ?1")?
        .execute([id])?;
    // What they say is a reading of the journal.
    connection
        .prepare_cached(
            "DELETE FROM events WHERE run = ?1 AND type GLOB 'io.serverlessworkflow.*'",
        )?
        .execute([id])?;
    blob::release(connection, run, Place::Output, Place::Input)?;
    snapshot::delete(connection, run)?;
    if !clear_slice(connection, run)? {
        connection
            .prepare_cached("INSERT INTO remains (run) VALUES (?1)")?
            .execute([id])?;
    }
    Ok(())
}

/// Deletes some of what is left of deleted runs.
pub(crate) fn clear(connection: &Connection) -> Outcome<()> {
    let run = connection
        .prepare_cached("SELECT run FROM remains LIMIT 1")?
        .query_row([], |row| row::run_id(row, 0))
        .optional()?;
    let Some(run) = run else { return Ok(()) };
    if clear_slice(connection, run)? {
        connection
            .prepare_cached("DELETE FROM remains WHERE run = ?1")?
            .execute([run.as_uuid().as_bytes()])?;
    }
    Ok(())
}

/// Whether [`clear`] has anything to do.
pub(crate) fn remains(connection: &Connection) -> Outcome<bool> {
    connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM remains)")?
        .query_row([], |row| row.get(0))
}

/// Deletes the beginning of a journal; true where nothing of it is left.
fn clear_slice(connection: &Connection, run: RunId) -> Outcome<bool> {
    let id = run.as_uuid().as_bytes();
    let mut statement = connection.prepare_cached(
        "SELECT first, LENGTH(records) FROM journal WHERE run = ?1 ORDER BY first",
    )?;
    let mut rows = statement.query([id])?;
    let (mut last, mut bytes, mut batches, mut all) = (None, 0, 0, true);
    while let Some(row) = rows.next()? {
        if bytes >= SLICE_BYTES_MAX || batches >= SLICE_BATCHES_MAX {
            all = false;
            break;
        }
        last = Some(row::count(row, 0)?);
        bytes += row.get::<_, i64>(1)?;
        batches += 1;
    }
    drop(rows);
    if let Some(last) = last {
        connection
            .prepare_cached("DELETE FROM journal WHERE run = ?1 AND first <= ?2")?
            .execute(params![id, i64::try_from(last).unwrap_or(i64::MAX)])?;
        blob::release(connection, run, Place::Batch(0), Place::Batch(last))?;
    }
    Ok(all)
}

/// Gives up to so many free pages at the end of the file back to the file system, at the next checkpoint.
pub(crate) fn shrink(connection: &Connection, pages: u32) -> Outcome<()> {
    let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
    let mut steps = statement.query([])?;
    while steps.next()?.is_some() {}
    Ok(())
}

/// Pages of the file that hold nothing.
pub(crate) fn free_pages(connection: &Connection) -> Outcome<u64> {
    connection.pragma_query_value(None, "freelist_count", |row| row::count(row, 0))
}
