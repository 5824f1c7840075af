//! Backups of the database file: before a migration, and once a day. [`restore`] goes back to one.
//!
//! Made by SQLite itself (`VACUUM INTO`), never by copying a live file.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use flame_types::Timestamp;
use rusqlite::{Connection, OpenFlags};

use crate::error::Error;
use crate::{schema, workspace};

/// Daily copies that are kept; those made before a migration are never deleted.
const DAILY_KEPT: usize = 7;
const DAY_SECONDS: i64 = 24 * 60 * 60;

/// Where the backups in a data folder are.
pub fn backups_folder(data_folder: &Path) -> PathBuf {
    data_folder.join("backups")
}

/// The backups beside a database.
fn folder(database: &Path) -> PathBuf {
    backups_folder(database.parent().unwrap_or(Path::new(".")))
}

/// The newest backup of that database.
pub(crate) fn newest(database: &Path) -> Option<PathBuf> {
    listed(database, "").pop()
}

/// Backups whose name goes on with `label`, oldest first.
fn listed(database: &Path, label: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder(database)) else {
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

/// The newest backup in a data folder that SQLite finds whole.
pub fn newest_whole(data_folder: &Path) -> Option<PathBuf> {
    let is_whole = |backup: &PathBuf| {
        Connection::open_with_flags(backup, OpenFlags::SQLITE_OPEN_READ_ONLY)
            .is_ok_and(|connection| schema::version(&connection, backup).is_ok_and(|it| it > 0))
    };
    let all = listed(&data_folder.join(workspace::FILE), "");
    all.into_iter().rev().find(is_whole)
}

/// What [`restore`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The backup that is now the workspace; with none the next opening begins an empty one.
    pub backup: Option<PathBuf>,
    /// The folder that the damaged file and its log were moved to.
    pub damaged: PathBuf,
}

/// Puts the newest whole backup in the place of `workspace.db`, which is kept in a folder beside it.
///
/// Takes the folder's lock: [`Error::Locked`] while a workspace is open there. The copy is complete before
/// anything moves, so a full disk leaves the folder as it was; after a failure on the way it can be called
/// again, and nothing is deleted.
pub fn restore(data_folder: &Path, now: Timestamp) -> Result<Restored, Error> {
    let _lock = workspace::lock(data_folder)?;
    let path = data_folder.join(workspace::FILE);
    let backup = newest_whole(data_folder);
    let damaged = data_folder.join(format!("damaged-{}", now.as_millisecond()));
    let copy = path.with_extension("restoring");
    let ready = match &backup {
        Some(backup) => copy_whole(backup, &copy),
        None => Ok(()),
    };
    let ready = ready.and_then(|()| {
        fs::create_dir_all(&damaged).map_err(Error::io("cannot make the folder", &damaged))
    });
    if let Err(error) = ready {
        // Half a copy is of no use.
        let _ = fs::remove_file(&copy);
        return Err(error);
    }
    for suffix in ["", "-wal", "-shm"] {
        let name = format!("{}{suffix}", workspace::FILE);
        let from = data_folder.join(&name);
        if from.exists() {
            fs::rename(&from, damaged.join(name)).map_err(Error::io("cannot move", &from))?;
        }
    }
    match &backup {
        Some(_) => fs::rename(&copy, &path).map_err(Error::io("cannot move", &copy))?,
        None => set_aside_backups(&path, &damaged)?,
    }
    Ok(Restored { backup, damaged })
}

fn copy_whole(from: &Path, to: &Path) -> Result<(), Error> {
    fs::copy(from, to).map_err(Error::io("cannot write", to))?;
    let file = File::options().write(true).open(to);
    file.and_then(|file| file.sync_all())
        .map_err(Error::io("cannot write", to))
}

/// Backups that are damaged too would keep an empty workspace from being begun.
fn set_aside_backups(database: &Path, damaged: &Path) -> Result<(), Error> {
    let from = folder(database);
    match from.exists() {
        true => fs::rename(&from, damaged.join("backups")).map_err(Error::io("cannot move", &from)),
        false => Ok(()),
    }
}

/// Writes a backup named by moment and label.
pub(crate) fn make(
    connection: &Connection,
    database: &Path,
    label: &str,
    now: Timestamp,
) -> Result<PathBuf, Error> {
    let folder = folder(database);
    fs::create_dir_all(&folder).map_err(Error::io("cannot make the folder", &folder))?;
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
        fs::remove_file(old).map_err(Error::io("cannot delete the old backup", old))?;
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
