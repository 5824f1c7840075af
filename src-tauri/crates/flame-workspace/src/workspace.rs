//! The open workspace and everything that can be done to its documents.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use flame_types::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use crate::document::{Document, DocumentId, DocumentKind, NewDocument, PastRevision, UndoToken};
use crate::error::Error;
use crate::{backup, schema};

/// The database in the data folder.
pub(crate) const FILE: &str = "workspace.db";
/// A larger document is refused.
pub const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Earlier saves that are kept of each document.
pub const REVISIONS_KEPT: u64 = 200;

const COLUMNS: &str = "id, kind, name, revision, body, sample, updated_ms";

/// The workspace of one data folder; no other process has it open at the same time.
///
/// Calls block for as long as the disk takes: keep them off the async runtime.
#[derive(Debug)]
pub struct Workspace {
    connection: Mutex<Connection>,
    path: PathBuf,
    first_start: bool,
    /// Held for as long as the workspace is open.
    lock: Mutex<Option<File>>,
}

impl Workspace {
    /// Opens `workspace.db` in that folder, or makes both.
    pub fn open(folder: &Path, now: Timestamp) -> Result<Self, Error> {
        make_private_folder(folder)?;
        let lock = lock(folder)?;
        let path = folder.join(FILE);
        let is_new = std::fs::metadata(&path).map_or(0, |file| file.len()) == 0;
        if is_new && let Some(backup) = backup::newest(&path) {
            // An empty workspace would look as if there had never been a document.
            return Err(Error::Corrupt {
                path,
                detail: "it is gone or empty, and there are backups of it".to_owned(),
                backup: Some(backup),
            });
        }
        let sqlite = |error| Error::from_sqlite(&path, error);
        let mut connection = Connection::open(&path).map_err(sqlite)?;
        schema::prepare(&mut connection, &path, now)?;
        if !is_new {
            backup::daily(&connection, &path, now)?;
        }
        // An app that was ended on its first start comes to it again.
        let first_start = connection
            .query_row("SELECT NOT EXISTS (SELECT 1 FROM documents)", [], |row| {
                row.get(0)
            })
            .map_err(sqlite)?;
        Ok(Self {
            connection: Mutex::new(connection),
            path,
            first_start,
            lock: Mutex::new(Some(lock)),
        })
    }

    /// Brings everything into the one file and lets others open the folder; for the end of the app.
    pub fn close(&self) -> Result<(), Error> {
        let merged = self
            .connection()
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .map_err(|error| self.sqlite(error));
        drop(
            self.lock
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        merged
    }

    /// Whether this opening found no document, not even a deleted one.
    pub const fn is_first_start(&self) -> bool {
        self.first_start
    }

    /// Live documents of that kind, by name.
    pub fn list(&self, kind: DocumentKind) -> Result<Vec<Document>, Error> {
        let connection = self.connection();
        let mut statement = connection
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM documents WHERE kind = ?1 AND deleted_ms IS NULL
                 ORDER BY name, id"
            ))
            .map_err(|error| self.sqlite(error))?;
        statement
            .query_map([kind.as_str()], document)
            .and_then(Iterator::collect)
            .map_err(|error| self.sqlite(error))
    }

    pub fn get(&self, id: DocumentId) -> Result<Document, Error> {
        self.connection()
            .query_row(
                &format!("SELECT {COLUMNS} FROM documents WHERE id = ?1 AND deleted_ms IS NULL"),
                [id.to_string()],
                document,
            )
            .optional()
            .map_err(|error| self.sqlite(error))?
            .ok_or(Error::NotFound(id))
    }

    /// The live document of that kind and name; the oldest when several drafts share it.
    pub fn find(&self, kind: DocumentKind, name: &str) -> Result<Option<Document>, Error> {
        self.connection()
            .query_row(
                &format!(
                    "SELECT {COLUMNS} FROM documents
                     WHERE kind = ?1 AND name = ?2 AND deleted_ms IS NULL ORDER BY id LIMIT 1"
                ),
                [kind.as_str(), name],
                document,
            )
            .optional()
            .map_err(|error| self.sqlite(error))
    }

    /// Adds a document with revision 1.
    pub fn create(&self, new: &NewDocument<'_>, now: Timestamp) -> Result<Document, Error> {
        check_size(new.body)?;
        self.write(|transaction| {
            transaction
                .execute(
                    "INSERT INTO documents (id, kind, name, revision, body, sample, updated_ms)
                     VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6)",
                    params![
                        new.id.to_string(),
                        new.kind.as_str(),
                        new.name,
                        new.body,
                        new.sample,
                        now.as_millisecond()
                    ],
                )
                .map_err(|error| self.named(error, new.name))?;
            self.keep(transaction, new.id, 1, new.body, now)
        })?;
        self.get(new.id)
    }

    /// Saves a new body, made from revision `base`.
    pub fn save(
        &self,
        id: DocumentId,
        base: u64,
        name: &str,
        body: &str,
        now: Timestamp,
    ) -> Result<Document, Error> {
        check_size(body)?;
        self.write(|transaction| {
            self.expect_revision(transaction, id, base, false)?;
            transaction
                .execute(
                    "UPDATE documents SET name = ?2, body = ?3, revision = ?4, updated_ms = ?5
                     WHERE id = ?1",
                    params![
                        id.to_string(),
                        name,
                        body,
                        as_sql(base + 1),
                        now.as_millisecond()
                    ],
                )
                .map_err(|error| self.named(error, name))?;
            self.keep(transaction, id, base + 1, body, now)
        })?;
        self.get(id)
    }

    /// Deletes a document; the token undoes it.
    pub fn delete(&self, id: DocumentId, now: Timestamp) -> Result<UndoToken, Error> {
        let base = self.get(id)?.revision;
        self.write(|transaction| {
            self.expect_revision(transaction, id, base, false)?;
            transaction
                .execute(
                    "UPDATE documents SET deleted_ms = ?2, updated_ms = ?2, revision = ?3
                     WHERE id = ?1",
                    params![id.to_string(), now.as_millisecond(), as_sql(base + 1)],
                )
                .map_err(|error| self.sqlite(error))?;
            Ok(())
        })?;
        Ok(UndoToken {
            document: id,
            revision: base + 1,
        })
    }

    /// Undoes a delete.
    pub fn restore(&self, token: UndoToken, now: Timestamp) -> Result<Document, Error> {
        let id = token.document;
        self.write(|transaction| {
            self.expect_revision(transaction, id, token.revision, true)?;
            let name: String = transaction
                .query_row(
                    "SELECT name FROM documents WHERE id = ?1",
                    [id.to_string()],
                    |row| row.get(0),
                )
                .map_err(|error| self.sqlite(error))?;
            transaction
                .execute(
                    "UPDATE documents SET deleted_ms = NULL, updated_ms = ?2, revision = ?3
                     WHERE id = ?1",
                    params![
                        id.to_string(),
                        now.as_millisecond(),
                        as_sql(token.revision + 1)
                    ],
                )
                .map_err(|error| self.named(error, &name))?;
            Ok(())
        })?;
        self.get(id)
    }

    /// What was saved before, newest first, at most [`REVISIONS_KEPT`].
    pub fn history(&self, id: DocumentId) -> Result<Vec<PastRevision>, Error> {
        let connection = self.connection();
        let mut statement = connection
            .prepare_cached(
                "SELECT revision, saved_ms, length(CAST(body AS BLOB)) FROM revisions
                 WHERE document = ?1 ORDER BY revision DESC",
            )
            .map_err(|error| self.sqlite(error))?;
        statement
            .query_map([id.to_string()], |row| {
                Ok(PastRevision {
                    revision: unsigned(row, 0)?,
                    saved: moment(row, 1)?,
                    body_bytes: unsigned(row, 2)?,
                })
            })
            .and_then(Iterator::collect)
            .map_err(|error| self.sqlite(error))
    }

    /// The body of an earlier save.
    pub fn revision_body(&self, id: DocumentId, revision: u64) -> Result<String, Error> {
        self.connection()
            .query_row(
                "SELECT body FROM revisions WHERE document = ?1 AND revision = ?2",
                params![id.to_string(), as_sql(revision)],
                |row| row.get(0),
            )
            .optional()
            .map_err(|error| self.sqlite(error))?
            .ok_or(Error::NotFound(id))
    }

    /// A fact about the workspace that is no document, such as the settings.
    pub fn fact(&self, key: &str) -> Result<Option<String>, Error> {
        self.connection()
            .query_row("SELECT value FROM facts WHERE key = ?1", [key], |row| {
                row.get(0)
            })
            .optional()
            .map_err(|error| self.sqlite(error))
    }

    pub fn set_fact(&self, key: &str, value: &str) -> Result<(), Error> {
        self.write(|transaction| {
            transaction
                .execute(
                    "INSERT INTO facts (key, value) VALUES (?1, ?2)
                     ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                    [key, value],
                )
                .map_err(|error| self.sqlite(error))?;
            Ok(())
        })
    }

    /// Remembers a save and forgets those that are too many.
    fn keep(
        &self,
        transaction: &Transaction<'_>,
        id: DocumentId,
        revision: u64,
        body: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        transaction
            .execute(
                "INSERT INTO revisions (document, revision, body, saved_ms) VALUES (?1, ?2, ?3, ?4)",
                params![id.to_string(), as_sql(revision), body, now.as_millisecond()],
            )
            .map_err(|error| self.sqlite(error))?;
        transaction
            .execute(
                "DELETE FROM revisions WHERE document = ?1 AND revision <= ?2",
                params![
                    id.to_string(),
                    as_sql(revision.saturating_sub(REVISIONS_KEPT))
                ],
            )
            .map_err(|error| self.sqlite(error))?;
        Ok(())
    }

    fn expect_revision(
        &self,
        transaction: &Transaction<'_>,
        id: DocumentId,
        expected: u64,
        deleted: bool,
    ) -> Result<(), Error> {
        let found: Option<(u64, bool)> = transaction
            .query_row(
                "SELECT revision, deleted_ms IS NOT NULL FROM documents WHERE id = ?1",
                [id.to_string()],
                |row| Ok((unsigned(row, 0)?, row.get(1)?)),
            )
            .optional()
            .map_err(|error| self.sqlite(error))?;
        match found {
            Some((actual, _)) if actual != expected => Err(Error::Conflict { expected, actual }),
            Some((_, is_deleted)) if is_deleted == deleted => Ok(()),
            _ => Err(Error::NotFound(id)),
        }
    }

    pub(crate) fn write<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut connection = self.connection();
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| self.sqlite(error))?;
        let done = work(&transaction)?;
        transaction.commit().map_err(|error| self.sqlite(error))?;
        Ok(done)
    }

    pub(crate) fn connection(&self) -> MutexGuard<'_, Connection> {
        // A panic inside a call rolled its transaction back: the connection is whole.
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn sqlite(&self, error: rusqlite::Error) -> Error {
        Error::from_sqlite(&self.path, error)
    }

    fn named(&self, error: rusqlite::Error, name: &str) -> Error {
        if error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) {
            return Error::NameTaken(name.to_owned());
        }
        self.sqlite(error)
    }
}

/// Makes the folder so that nobody else reads it; leaves an existing one as it is.
fn make_private_folder(folder: &Path) -> Result<(), Error> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(folder)
        .map_err(Error::io("cannot make the folder", folder))
}

pub(crate) fn lock(folder: &Path) -> Result<File, Error> {
    let path = folder.join("workspace.lock");
    let file = File::create(&path).map_err(Error::io("cannot open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::Locked {
            folder: folder.to_owned(),
        }),
        Err(std::fs::TryLockError::Error(error)) => Err(Error::io("cannot lock", &path)(error)),
    }
}

fn check_size(body: &str) -> Result<(), Error> {
    if body.len() > BODY_BYTES_MAX {
        return Err(Error::TooLarge {
            bytes: body.len(),
            max: BODY_BYTES_MAX,
        });
    }
    Ok(())
}

fn document(row: &Row<'_>) -> rusqlite::Result<Document> {
    let id: String = row.get(0)?;
    let kind: String = row.get(1)?;
    Ok(Document {
        id: id.parse().map_err(|error| unreadable(0, error))?,
        kind: DocumentKind::from_name(&kind)
            .ok_or_else(|| unreadable(1, std::io::Error::other(kind)))?,
        name: row.get(2)?,
        revision: unsigned(row, 3)?,
        body: row.get(4)?,
        sample: row.get(5)?,
        updated: moment(row, 6)?,
    })
}

pub(crate) fn unreadable(
    column: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
}

fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number))
}

fn as_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) fn moment(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    let millis: i64 = row.get(column)?;
    Timestamp::from_millisecond(millis)
        .map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, millis))
}
