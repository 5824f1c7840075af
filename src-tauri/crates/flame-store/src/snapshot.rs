//! Snapshots of runs: kept beside the journal, and what makes it possible to forget its beginning.

use flame_types::RunId;
use rusqlite::{Connection, OptionalExtension, params};

use crate::blob::{self, Place};
use crate::operation::Snapshot;
use crate::row;

type Outcome<T> = rusqlite::Result<T>;

pub(crate) fn put(connection: &Connection, snapshot: &Snapshot) -> Outcome<()> {
    let place = Place::Snapshot(snapshot.sequence);
    let spilled = blob::put(connection, snapshot.run, place, &snapshot.state)?;
    connection
        .prepare_cached("INSERT INTO snapshots (run, sequence, state) VALUES (?1, ?2, ?3)")?
        .execute(params![
            snapshot.run.as_uuid().as_bytes(),
            integer(snapshot.sequence),
            spilled.as_deref().unwrap_or(&snapshot.state)
        ])?;
    Ok(())
}

/// The last one of a run that stands for at most so many records.
pub(crate) fn get(connection: &Connection, run: RunId, most: u64) -> Outcome<Option<Snapshot>> {
    connection
        .prepare_cached(
            "SELECT sequence, state FROM snapshots WHERE run = ?1 AND sequence <= ?2 \
             ORDER BY sequence DESC LIMIT 1",
        )?
        .query_row(params![run.as_uuid().as_bytes(), integer(most)], |row| {
            Ok(Snapshot {
                run,
                sequence: row::count(row, 0)?,
                state: blob::get(connection, 1, row.get(1)?)?,
            })
        })
        .optional()
}

/// The first record that a run's journal still holds.
pub(crate) fn journal_start(connection: &Connection, run: RunId) -> Outcome<u64> {
    connection
        .prepare_cached(
            "SELECT COALESCE((SELECT 0 FROM runs WHERE id = ?1 AND opening IS NOT NULL), \
             (SELECT MIN(first) FROM journal WHERE run = ?1), 0)",
        )?
        .query_row([run.as_uuid().as_bytes()], |row| row::count(row, 0))
}

/// Forgets the records before the last snapshot that has at least `keep` records behind it, and the
/// snapshots before that.
pub(crate) fn compact(connection: &Connection, run: RunId, keep: u64) -> Outcome<()> {
    let id = run.as_uuid().as_bytes();
    let cut: Option<i64> = connection
        .prepare_cached(
            "SELECT MAX(sequence) FROM snapshots WHERE run = ?1 AND sequence <= \
             (SELECT MAX(first + count) FROM journal WHERE run = ?1) - ?2",
        )?
        .query_row(params![id, integer(keep)], |row| row.get(0))?;
    let Some(cut) = cut else { return Ok(()) };
    connection
        .prepare_cached("DELETE FROM journal WHERE run = ?1 AND first < ?2")?
        .execute(params![id, cut])?;
    connection
        .prepare_cached(
            "UPDATE runs SET opening_count = NULL, opening = NULL WHERE id = ?1 AND opening_count <= ?2",
        )?
        .execute(params![id, cut])?;
    connection
        .prepare_cached("DELETE FROM snapshots WHERE run = ?1 AND sequence < ?2")?
        .execute(params![id, cut])?;
    let last = u64::try_from(cut).unwrap_or(0).saturating_sub(1);
    blob::release(connection, run, Place::Batch(0), Place::Batch(last))?;
    blob::release(connection, run, Place::Snapshot(last), Place::Snapshot(0))
}

/// Deletes all snapshots of a run.
pub(crate) fn delete(connection: &Connection, run: RunId) -> Outcome<()> {
    connection
        .prepare_cached("DELETE FROM snapshots WHERE run = ?1")?
        .execute([run.as_uuid().as_bytes()])?;
    blob::release(
        connection,
        run,
        Place::Snapshot(u64::MAX),
        Place::Snapshot(0),
    )
}

/// SQLite's integers are signed; sequences stay far below their end.
fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
