//! Backups of the database file: before a migration, and once a day.
//!
//! Made by SQLite itself (`VACUUM INTO`), never by copying a live file.

use std::path::{Path, PathBuf};

use flame_types::Timestamp;
use rusqlite::Connection;

use crate::error::Error;

/// Daily copies that are kept; those made before a migration are never deleted.
const DAILY_KEPT: usize = 7;
const DAY_SECONDS: i64 = 24 * 60 * 60;

/// `backups/` beside the database.
fn folder(database: &Path) -> PathBuf {
    database.with_file_name("backups")
}

/// The newest backup of that database.
pub(crate) fn newest(database: &Path) -> Option<PathBuf> {
    listed(database, "").pop()
}

/// Backups whose name goes on with `label`, oldest first.
fn listed(database: &Path, label: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder(database)) else {
        return Vec::new();
    };
    let mut found: Vec<_> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| {
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            name.starts_with("workspace-") && name.ends_with(".db") && name.contains(label)
        })
        .collect();
    found.sort();
    found
}

/// Writes a backup named by moment and label.
pub(crate) fn make(
    connection: &Connection,
    database: &Path,
    label: &str,
    now: Timestamp,
) -> Result<PathBuf, Error> {
    let folder = folder(database);
    std::fs::create_dir_all(&folder).map_err(Error::io("cannot make the folder", &folder))?;
    let target = folder.join(format!("workspace-{:020}-{label}.db", now.as_millisecond()));
    connection
        .execute("VACUUM INTO ?1", [target.to_string_lossy()])
        .map_err(|error| Error::from_sqlite(&target, error))?;
    Ok(target)
}

/// Makes today's backup when the last one is a day old, and drops the oldest ones.
pub(crate) fn daily(connection: &Connection, database: &Path, now: Timestamp) -> Result<(), Error> {
    // One of the future says nothing: the clock was wrong then.
    let is_fresh = |made: i64| (now.as_second() - made).abs() < DAY_SECONDS;
    let made = listed(database, "daily");
    if made.iter().filter_map(|path| moment_of(path)).any(is_fresh) {
        return Ok(());
    }
    make(connection, database, "daily", now)?;
    let mut all = listed(database, "daily");
    all.sort_by_key(|path| moment_of(path) <= Some(now.as_second()));
    for old in &all[..all.len().saturating_sub(DAILY_KEPT)] {
        std::fs::remove_file(old).map_err(Error::io("cannot delete the old backup", old))?;
    }
    Ok(())
}

/// The second at which a backup was made, out of its name.
fn moment_of(path: &Path) -> Option<i64> {
    let name = path.file_name()?.to_str()?;
    let millis: i64 = name
        .strip_prefix("workspace-")?
        .split('-')
        .next()?
        .parse()
        .ok()?;
    Some(millis / 1000)
}
