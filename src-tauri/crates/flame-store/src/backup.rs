//! Backups: made by SQLite into a new file, kept few, and put back by `restore`.
//!
//! A database is never copied as a file: what is in its write-ahead log would be missing.

use std::fs;
use std::path::{Path, PathBuf};

use flame_types::Timestamp;
use jiff::SignedDuration;
use rusqlite::Connection;

use crate::file::{failed, make_private, open_reader, translate};
use crate::lock::FolderLock;
use crate::{Error, FILE_NAME};

/// An orderly end waits for a backup of a file up to this size.
pub(crate) const AT_CLOSE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Backups that stay; older ones are removed when a new one is there.
const KEPT: usize = 3;
const FOLDER: &str = "backups";

/// Why a backup is made; part of its name.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reason {
    Daily,
    Migration { from: i64 },
}

/// What `restore` did.
#[derive(Debug, Clone, PartialEq)]
pub struct Backup {
    /// The backup that is now the database.
    pub restored: PathBuf,
    /// Where the damaged file and its log were moved.
    pub damaged: PathBuf,
}

/// The newest backup in a data folder.
pub fn latest(data_folder: &Path) -> Option<PathBuf> {
    list(data_folder).pop()
}

/// Puts a backup in the place of the database; the present files are kept in a folder beside it.
///
/// Takes the folder's lock, so it fails with `Error::Locked` while an agent runs.
pub fn restore(data_folder: &Path, backup: Option<&Path>, now: Timestamp) -> Result<Backup, Error> {
    let lock = FolderLock::take(data_folder)?;
    let path = data_folder.join(FILE_NAME);
    let restored = backup
        .map(Path::to_owned)
        .or_else(|| latest(data_folder))
        .ok_or_else(|| Error::Failed {
            operation: "restore",
            path: data_folder.join(FOLDER),
            detail: "there is no backup".into(),
        })?;
    let source = open_reader(&restored)?;
    crate::check::quick(&source, &restored)?;
    match crate::migrate::format(&source, &restored) {
        Ok(0) | Err(Error::Foreign { .. }) => {
            return Err(Error::Failed {
                operation: "restore",
                path: restored,
                detail: "it is no database of an agent; nothing was moved".into(),
            });
        }
        known => known?,
    };
    drop(source);
    let damaged = data_folder.join(format!("damaged-{}", stamp(now)));
    // The copy is complete before anything moves, so a full disk leaves the folder as it was.
    let copy = path.with_extension("restoring");
    let copied = fs::copy(&restored, &copy)
        .map_err(|error| failed("write", &copy, &error))
        .and_then(|_| sync(&copy))
        .and_then(|()| {
            fs::create_dir_all(&damaged).map_err(|error| failed("create", &damaged, &error))
        });
    if let Err(error) = copied {
        let _ = fs::remove_file(&copy);
        return Err(error);
    }
    for suffix in ["", "-wal", "-shm"] {
        let from = data_folder.join(format!("{FILE_NAME}{suffix}"));
        if from.exists() {
            let to = damaged.join(format!("{FILE_NAME}{suffix}"));
            fs::rename(&from, &to).map_err(|error| failed("move", &from, &error))?;
        }
    }
    fs::rename(&copy, &path).map_err(|error| failed("move", &copy, &error))?;
    drop(lock);
    Ok(Backup { restored, damaged })
}

/// Whether no backup was made within a day. One of the future says nothing: the clock was wrong then.
pub(crate) fn is_due(data_folder: &Path, now: Timestamp) -> bool {
    let is_fresh = |path: &PathBuf| {
        fs::metadata(path)
            .and_then(|metadata| metadata.modified())
            .ok()
            .and_then(|made| Timestamp::try_from(made).ok())
            .is_some_and(|made| now.duration_since(made).abs() <= SignedDuration::from_hours(24))
    };
    !list(data_folder).iter().any(is_fresh)
}

/// Writes a backup beside the database and removes the oldest ones.
pub(crate) fn make(
    connection: &Connection,
    path: &Path,
    reason: Reason,
    now: Timestamp,
) -> Result<PathBuf, Error> {
    let data_folder = path.parent().unwrap_or(Path::new("."));
    let folder = data_folder.join(FOLDER);
    fs::create_dir_all(&folder).map_err(|error| failed("create", &folder, &error))?;
    let stamp = stamp(now);
    let name = match reason {
        Reason::Daily => format!("{stamp}.db"),
        Reason::Migration { from } => format!("{stamp}-format-{from}.db"),
    };
    let target = folder.join(name);
    into_file(connection, path, &target)?;
    let mut made = list(data_folder);
    // A later name than this one's comes from a clock that was ahead.
    made.sort_by_key(|path| *path <= target);
    for old in made.iter().rev().skip(KEPT) {
        if let Err(error) = fs::remove_file(old) {
            tracing::warn!(file = %old.display(), %error, "An old backup could not be removed");
        }
    }
    Ok(target)
}

/// Writes a consistent copy while others read and write. The target appears whole or not at all.
pub(crate) fn into_file(connection: &Connection, path: &Path, target: &Path) -> Result<(), Error> {
    let partial = target.with_extension("partial");
    // A copy that a crash left unfinished would make the statement below fail.
    let _ = fs::remove_file(&partial);
    let text = partial.to_string_lossy();
    let made = make_private(&partial)
        .map_err(|error| failed("create", &partial, &error))
        .and_then(|()| {
            connection
                .execute("VACUUM INTO ?1", [text.as_ref()])
                .map_err(|error| unwritten(path, target, &error))
        })
        .and_then(|_| sync(&partial))
        .and_then(|()| {
            fs::rename(&partial, target).map_err(|error| failed("move", &partial, &error))
        });
    if made.is_err() {
        let _ = fs::remove_file(&partial);
        let _ = fs::remove_file(partial.with_extension("partial-journal"));
    }
    made
}

/// The disk that is full is that of the copy.
fn unwritten(path: &Path, target: &Path, error: &rusqlite::Error) -> Error {
    match translate("back up", path, error) {
        Error::Full { .. } => Error::Full {
            path: target.to_owned(),
        },
        other => other,
    }
}

fn sync(path: &Path) -> Result<(), Error> {
    fs::OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|file| file.sync_all())
        .map_err(|error| failed("write", path, &error))
}

/// Oldest first: the names begin with the time.
fn list(data_folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(data_folder.join(FOLDER)) else {
        return Vec::new();
    };
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "db"))
        .collect();
    found.sort();
    found
}

/// Sorts by time.
fn stamp(now: Timestamp) -> String {
    now.strftime("%Y%m%dT%H%M%S%3fZ").to_string()
}
