//! Why the workspace refused.

use std::path::{Path, PathBuf};

use flame_errors::Code;

use crate::document::DocumentId;

/// A refusal, with the value and, where it helps, the file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no document {0}")]
    NotFound(DocumentId),
    #[error("the document has revision {actual}, the change was made from {expected}")]
    Conflict { expected: u64, actual: u64 },
    #[error("a connection named {0:?} exists already")]
    NameTaken(String),
    #[error("the document has {bytes} bytes, at most {max} are kept")]
    TooLarge { bytes: usize, max: usize },
    #[error(
        "{path} was written by a newer version of Mastra (format {found}, this one knows {known})"
    )]
    Newer {
        path: PathBuf,
        found: i64,
        known: i64,
    },
    #[error("{path} is damaged: {detail}")]
    Corrupt {
        path: PathBuf,
        detail: String,
        /// The newest backup beside it.
        backup: Option<PathBuf>,
    },
    #[error("{folder} is in use by another Mastra")]
    Locked { folder: PathBuf },
    #[error("the disk that holds {path} is full")]
    Full { path: PathBuf },
    #[error("{action} {path}")]
    Io {
        action: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the workspace database refused the work")]
    Sqlite(#[source] rusqlite::Error),
}

impl Error {
    pub const fn code(&self) -> Code {
        match self {
            Self::NotFound(_) => Code::NotFound,
            Self::Conflict { .. } => Code::DocumentConflict,
            Self::NameTaken(_) => Code::ParameterInvalid,
            Self::TooLarge { .. } => Code::DefinitionTooLarge,
            Self::Newer { .. } => Code::StorageNewer,
            Self::Corrupt { .. } => Code::StorageCorrupt,
            Self::Locked { .. } => Code::StorageLocked,
            Self::Full { .. } => Code::StorageFull,
            Self::Io { .. } | Self::Sqlite(_) => Code::WorkspaceFailed,
        }
    }

    /// Tells what SQLite's refusal means for a person.
    pub(crate) fn from_sqlite(path: &Path, error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full {
                path: path.to_owned(),
            },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt {
                path: path.to_owned(),
                detail: error.to_string(),
                backup: crate::backup::newest(path),
            },
            _ => Self::Sqlite(error),
        }
    }

    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}
