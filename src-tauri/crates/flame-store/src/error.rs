//! What can go wrong with the store, told apart by what the caller does about it.

use std::path::PathBuf;
use std::sync::Arc;

use flame_errors::Code;
use flame_types::{RunId, RunStatus};

/// Cloneable, because one failed transaction answers many callers.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Nothing was written; the same commit may be sent again when there is space.
    #[error("the disk that holds {} is full; free some space", .path.display())]
    Full { path: PathBuf },
    /// The writer's queue is full.
    #[error("{waiting} commits wait already; try again in a moment")]
    Busy { waiting: usize },
    #[error(
        "{} was written by a newer version of Mastra (format {found}, this one knows up to {supported}); \
         update Mastra, or use another data folder", .path.display()
    )]
    Newer {
        path: PathBuf,
        found: i64,
        supported: i64,
    },
    #[error(
        "{} is damaged ({detail}). The file was left as it is. {}", .path.display(),
        restore_hint(.backup.as_ref())
    )]
    Corrupt {
        path: PathBuf,
        backup: Option<PathBuf>,
        detail: String,
    },
    /// There is no database where one was.
    #[error(
        "{} is gone or empty, and the folder has backups of it. {} To begin with an empty database, move \
         the backups away.", .path.display(), restore_hint(Some(.backup))
    )]
    Lost { path: PathBuf, backup: PathBuf },
    #[error(
        "another agent uses the data folder {}; stop it, or use another folder", .path.display()
    )]
    Locked { path: PathBuf },
    /// Nothing was written: another opening of the file owns it since.
    #[error(
        "{} was opened by another agent since this one opened it (opening {found}, this one has {own}); \
         this one writes no more, stop it", .path.display()
    )]
    Deposed { path: PathBuf, own: i64, found: i64 },
    #[error("{} is a database of another program; use another data folder", .path.display())]
    Foreign { path: PathBuf },
    /// The journal does not end where the caller thought: somebody else drives this run.
    #[error("the journal of run {run} ends at {found}, not at {expected}")]
    Sequence {
        run: RunId,
        expected: u64,
        found: u64,
    },
    #[error("run {run} is {status} already")]
    Terminal { run: RunId, status: RunStatus },
    #[error("there is no run {run}")]
    RunUnknown { run: RunId },
    #[error("run {run} exists already")]
    RunExists { run: RunId },
    #[error("the idempotency key {key:?} was used for run {run}")]
    KeyTaken {
        key: String,
        run: RunId,
        same_body: bool,
    },
    #[error("the feed of {source_name} into {pipeline} stands at {found}, not at {expected}")]
    FeedOffset {
        pipeline: String,
        source_name: String,
        expected: u64,
        found: u64,
    },
    #[error("dead letter {id} was changed or removed since it was read")]
    DeadLetterChanged { id: u64 },
    #[error("the {what} has {bytes} bytes; the limit is {limit}")]
    TooLarge {
        what: &'static str,
        bytes: usize,
        limit: usize,
    },
    /// The file system or the database refused; the writer opens the file anew before the next try.
    #[error("{operation} {}: {detail}", .path.display())]
    Failed {
        operation: &'static str,
        path: PathBuf,
        detail: Arc<str>,
    },
    /// A value in the file is not what this version writes.
    #[error("the database holds a {what} that can't be read: {detail}")]
    Unreadable {
        what: &'static str,
        detail: Arc<str>,
    },
    #[error("the store is closed")]
    Closed,
}

impl Error {
    /// The stable code for people and programs.
    pub const fn code(&self) -> Code {
        match self {
            Self::Full { .. } => Code::StorageFull,
            Self::Busy { .. } => Code::TooManyRequests,
            Self::Newer { .. } => Code::StorageNewer,
            Self::Corrupt { .. } | Self::Lost { .. } => Code::StorageCorrupt,
            Self::Locked { .. } | Self::Deposed { .. } => Code::StorageLocked,
            Self::Sequence { .. }
            | Self::Foreign { .. }
            | Self::Failed { .. }
            | Self::Unreadable { .. } => Code::StorageFailed,
            Self::Terminal { .. } | Self::RunExists { .. } | Self::DeadLetterChanged { .. } => {
                Code::RunNotInState
            }
            Self::RunUnknown { .. } => Code::NotFound,
            Self::KeyTaken { .. } => Code::IdempotencyConflict,
            Self::FeedOffset { .. } => Code::FeedOffset,
            Self::TooLarge { .. } => Code::BodyTooLarge,
            Self::Closed => Code::ShuttingDown,
        }
    }

    /// Whether the same commit may succeed later, unchanged.
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Full { .. } | Self::Busy { .. } | Self::Failed { .. }
        )
    }
}

fn restore_hint(backup: Option<&PathBuf>) -> String {
    match backup {
        Some(path) => format!(
            "The last backup is {}; `flame-agent restore --data-dir <folder>` puts it in place and keeps \
             the damaged file beside it.",
            path.display()
        ),
        None => "There is no backup of it yet; move the file away to start with an empty one."
            .to_owned(),
    }
}
