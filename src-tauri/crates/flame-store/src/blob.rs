//! Large payloads out of line: each kept once by the hash of its bytes, as long as anything needs it.

use flame_types::RunId;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, params};

use crate::spill::{self, Hash, Kind};

/// Whose payload it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Input,
    Output,
    /// A journal batch, by its first record.
    Batch(u64),
    /// A snapshot, by the records that it stands for.
    Snapshot(u64),
}

impl Place {
    fn number(self) -> i64 {
        match self {
            Self::Input => -1,
            Self::Output => -2,
            Self::Batch(first) => i64::try_from(first).unwrap_or(i64::MAX),
            // Below the others, from the last to the first.
            Self::Snapshot(sequence) => (-3_i64).checked_sub_unsigned(sequence).unwrap_or(i64::MIN),
        }
    }

    const fn kind(self) -> Kind {
        match self {
            Self::Batch(_) => Kind::Records,
            _ => Kind::Value,
        }
    }
}

type Outcome<T> = rusqlite::Result<T>;

/// Keeps the large values of a payload beside it; gives what is to be stored in its place, or `None` where
/// that is the payload itself.
pub(crate) fn put(
    connection: &Connection,
    run: RunId,
    place: Place,
    payload: &[u8],
) -> Outcome<Option<Vec<u8>>> {
    let Some(spilled) = spill::spill(payload, place.kind()) else {
        return Ok(None);
    };
    for (hash, body) in &spilled.blobs {
        connection
            .prepare_cached(
                "INSERT INTO blobs (hash, body) VALUES (?1, ?2) ON CONFLICT (hash) DO NOTHING",
            )?
            .execute(params![hash.as_slice(), body])?;
        connection
            .prepare_cached(
                "INSERT INTO blob_uses (run, place, hash) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                run.as_uuid().as_bytes(),
                place.number(),
                hash.as_slice()
            ])?;
    }
    Ok(Some(spilled.kept))
}

/// Lets go of what the places from one to another needed, and deletes what nothing needs any more.
pub(crate) fn release(connection: &Connection, run: RunId, from: Place, to: Place) -> Outcome<()> {
    let hashes: Vec<Vec<u8>> = connection
        .prepare_cached(
            "DELETE FROM blob_uses WHERE run = ?1 AND place BETWEEN ?2 AND ?3 RETURNING hash",
        )?
        .query_map(
            params![run.as_uuid().as_bytes(), from.number(), to.number()],
            |row| row.get(0),
        )?
        .collect::<Outcome<_>>()?;
    for hash in hashes {
        connection
            .prepare_cached(
                "DELETE FROM blobs WHERE hash = ?1 \
                 AND NOT EXISTS (SELECT 1 FROM blob_uses WHERE hash = ?1)",
            )?
            .execute([hash])?;
    }
    Ok(())
}

/// What `put` would store; nothing is kept.
pub(crate) fn as_stored(place: Place, payload: &[u8]) -> Option<Vec<u8>> {
    spill::spill(payload, place.kind()).map(|spilled| spilled.kept)
}

/// A payload as it was put, out of what a column holds.
pub(crate) fn get(connection: &Connection, column: usize, stored: Vec<u8>) -> Outcome<Vec<u8>> {
    let joined = spill::join(stored, |hash| body(connection, hash))?;
    joined.ok_or_else(|| unreadable(column, "a payload with large values does not fit together"))
}

fn body(connection: &Connection, hash: &Hash) -> Outcome<Vec<u8>> {
    connection
        .prepare_cached("SELECT body FROM blobs WHERE hash = ?1")?
        .query_row([hash.as_slice()], |row| row.get(0))
        .optional()?
        .ok_or_else(|| unreadable(0, "a large payload is missing"))
}

fn unreadable(column: usize, detail: &str) -> rusqlite::Error {
    let detail = std::io::Error::other(detail.to_owned());
    rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, Box::new(detail))
}
