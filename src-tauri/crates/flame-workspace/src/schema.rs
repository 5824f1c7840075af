//! The database's shape and its migrations. Append-only once released.

use std::path::Path;

use flame_types::Timestamp;
use rusqlite::Connection;

use crate::backup;
use crate::error::Error;

/// `MSWS`: tells our file from any other SQLite database.
const APPLICATION_ID: i64 = 0x4D53_5753;

/// Step `n` brings a file from version `n` to `n + 1`.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE documents (
        id         TEXT PRIMARY KEY,
        kind       TEXT NOT NULL,
        name       TEXT NOT NULL,
        revision   INTEGER NOT NULL,
        body       TEXT NOT NULL,
        sample     INTEGER NOT NULL,
        updated_ms INTEGER NOT NULL,
        deleted_ms INTEGER
    ) STRICT;
    CREATE UNIQUE INDEX connection_name ON documents (name)
        WHERE kind = 'connection' AND deleted_ms IS NULL;
    CREATE TABLE revisions (
        document   TEXT NOT NULL REFERENCES documents (id),
        revision   INTEGER NOT NULL,
        body       TEXT NOT NULL,
        saved_ms   INTEGER NOT NULL,
        PRIMARY KEY (document, revision)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE facts (
        key        TEXT PRIMARY KEY,
        value      TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
",
    // Of this device alone: no document brings it along and nothing synchronises it.
    "
    CREATE TABLE host_permissions (
        namespace  TEXT NOT NULL,
        name       TEXT NOT NULL,
        program    TEXT NOT NULL,
        allowed_ms INTEGER NOT NULL,
        PRIMARY KEY (namespace, name, program)
    ) STRICT, WITHOUT ROWID;
",
];

/// Checks that the file is ours, whole and not newer, then brings it to this version.
pub(crate) fn prepare(
    connection: &mut Connection,
    path: &Path,
    now: Timestamp,
) -> Result<(), Error> {
    let sqlite = |error| Error::from_sqlite(path, error);
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
             PRAGMA busy_timeout = 5000; PRAGMA trusted_schema = OFF;",
        )
        .map_err(sqlite)?;
    let found = version(connection, path)?;
    let known = MIGRATIONS.len();
    let step = usize::try_from(found).unwrap_or(usize::MAX);
    if step > known {
        let known = i64::try_from(known).unwrap_or(i64::MAX);
        return Err(Error::Newer {
            path: path.to_owned(),
            found,
            known,
        });
    }
    if 0 < step && step < known {
        backup::make(connection, path, &format!("before-{known}"), now)?;
    }
    for (number, migration) in MIGRATIONS.iter().enumerate().skip(step) {
        let transaction = connection.transaction().map_err(sqlite)?;
        transaction.execute_batch(migration).map_err(sqlite)?;
        transaction
            .execute_batch(&format!(
                "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {};",
                number + 1
            ))
            .map_err(sqlite)?;
        transaction.commit().map_err(sqlite)?;
    }
    Ok(())
}

/// The file's version; 0 for an empty one. Refuses a damaged or foreign file.
pub(crate) fn version(connection: &Connection, path: &Path) -> Result<i64, Error> {
    let sqlite = |error| Error::from_sqlite(path, error);
    let pragma = |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0));
    let corrupt = |detail: String| Error::Corrupt {
        path: path.to_owned(),
        detail,
        backup: backup::newest(path),
    };
    let verdict: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(sqlite)?;
    if verdict != "ok" {
        return Err(corrupt(verdict));
    }
    let application: i64 = pragma("application_id").map_err(sqlite)?;
    let version: i64 = pragma("user_version").map_err(sqlite)?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(sqlite)?;
    if tables > 0 && application != APPLICATION_ID {
        return Err(corrupt(format!(
            "it is the database of another program ({application:#x})"
        )));
    }
    Ok(version)
}
