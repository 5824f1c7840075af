//! Whether a file is whole.

use std::path::Path;

use rusqlite::Connection;

use crate::Error;
use crate::file::translate;

/// Files up to this size are read through at every start; larger ones show damage when it is met.
pub(crate) const QUICK_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Refuses to begin anew where a database was: it is gone or empty, and backups of it are there.
pub(crate) fn nothing_lost(path: &Path) -> Result<(), Error> {
    let Some(backup) = path.parent().and_then(crate::backup::latest) else {
        return Ok(());
    };
    Err(Error::Lost {
        path: path.to_owned(),
        backup,
    })
}

/// Reads the whole file and reports the first thing that is wrong with it.
pub(crate) fn quick(connection: &Connection, path: &Path) -> Result<(), Error> {
    let verdict: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|error| translate("check", path, &error))?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(Error::Corrupt {
        path: path.to_owned(),
        backup: path.parent().and_then(crate::backup::latest),
        detail: verdict,
    })
}
