//! Connections to the database file, and what its errors mean.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flame_types::Durability;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::Error;

/// "MAST": tells our files from other SQLite databases.
pub(crate) const APPLICATION_ID: i64 = 0x4D41_5354;

const BUSY_TIMEOUT: Duration = Duration::from_millis(5_000);
/// Prepared statements a connection keeps.
const STATEMENTS_MAX: usize = 64;
/// After a checkpoint the write-ahead log is cut back to this.
const LOG_BYTES_MAX: i64 = 64 * 1024 * 1024;

/// Opens the file for the writer, creating it where it is not there.
pub(crate) fn open_writer(
    path: &Path,
    durability: Durability,
    pages_max: Option<u32>,
) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let is_new = std::fs::metadata(path).map_or(0, |file| file.len()) == 0;
    if is_new {
        make_private(path).map_err(|error| failed("create", path, &error))?;
    }
    let connection = open(path, flags)?;
    let set = || -> rusqlite::Result<()> {
        let synchronous = match durability {
            Durability::Full => "FULL",
            Durability::Normal => "NORMAL",
        };
        if is_new {
            shrinkable(&connection)?;
        }
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", synchronous)?;
        // macOS: fsync alone leaves data in the drive's cache. Ignored elsewhere.
        connection.pragma_update(None, "fullfsync", durability == Durability::Full)?;
        connection.pragma_update(None, "checkpoint_fullfsync", durability == Durability::Full)?;
        connection.pragma_update_and_check(
            None,
            "journal_size_limit",
            LOG_BYTES_MAX,
            |_| Ok(()),
        )?;
        // The writer checkpoints by itself, after it has answered: an automatic one would report
        // its own failure as that of a commit that is on disk.
        connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
        if let Some(pages) = pages_max {
            connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
        }
        connection.pragma_update(None, "temp_store", "MEMORY")
    };
    set().map_err(|error| translate("open", path, &error))?;
    Ok(connection)
}

/// An empty file that its owner alone can read, where there is none: SQLite writes into it, and gives its
/// logs the same mode.
pub(crate) fn make_private(path: &Path) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Lets free pages be given back. Counts from now in an empty file, and from the next `VACUUM` in another.
pub(crate) fn shrinkable(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")
}

/// Opens the file for reading only.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, Error> {
    open(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, Error> {
    let connect = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // A plan once made stays: otherwise SQLite, as it is built here, plans a statement anew for the
        // values of each execution.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        Ok(connection)
    };
    connect().map_err(|error| translate("open", path, &error))
}

/// A failure of the file system, as an error that tells a full disk apart.
pub fn failed(operation: &'static str, path: &Path, error: &io::Error) -> Error {
    if matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    ) {
        return Error::Full {
            path: path.to_owned(),
        };
    }
    Error::Failed {
        operation,
        path: path.to_owned(),
        detail: error.to_string().into(),
    }
}

/// A failure of SQLite, as an error that tells a full disk and a damaged file apart.
pub(crate) fn translate(operation: &'static str, path: &Path, error: &rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Error::Full {
            path: path.to_owned(),
        },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Error::Corrupt {
            path: path.to_owned(),
            backup: path.parent().and_then(crate::backup::latest),
            detail: error.to_string(),
        },
        // What SQLite calls an I/O error is a full disk when nothing more can be written beside it.
        Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) if is_full(path) => Error::Full {
            path: path.to_owned(),
        },
        _ => Error::Failed {
            operation,
            path: path.to_owned(),
            detail: error.to_string().into(),
        },
    }
}

/// Whether a few pages more find no room. Tried with a real file: free-space figures leave out quotas.
fn is_full(path: &Path) -> bool {
    let probe: PathBuf = path.with_extension("space-probe");
    let outcome = std::fs::write(&probe, [0u8; 32 * 1024]);
    // The probe may not exist at all; then there is nothing to remove.
    let _ = std::fs::remove_file(&probe);
    matches!(
        outcome.as_ref().map_err(io::Error::kind),
        Err(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    )
}
