//! Where settled files go, and what is told about them.

use std::future::Future;
use std::path::PathBuf;

use flame_errors::Code;

/// How far a file has been taken in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// Everything before this byte is safe.
    pub offset: u64,
    pub rows: u64,
    pub rows_dead: u64,
    /// The whole file is in.
    pub complete: bool,
}

/// The rest of a file, from a checkpoint on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedPart {
    /// `namespace/name`.
    pub pipeline: String,
    /// Another content has another identity.
    pub identity: String,
    pub path: PathBuf,
    /// The file's name, for people.
    pub source: String,
    pub offset: u64,
    /// Bytes of the whole file as it settled; what grows behind is another identity's.
    pub total: u64,
}

/// Why a file was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeedError {
    /// Nobody answers now; the file waits.
    #[error("{0}")]
    Away(String),
    /// Trying again does not help until the file, the document or a person changes something.
    #[error("{code}: {detail}")]
    Refused { code: Code, detail: String },
}

/// Takes files in. One call at a time for each pipeline.
pub trait FeedSink: Send + Sync + 'static {
    /// How far this content was taken before.
    fn checkpoint(
        &self,
        pipeline: &str,
        identity: &str,
    ) -> impl Future<Output = Result<Checkpoint, FeedError>> + Send;

    /// Takes the rest of a file; comes back when it is in, or with how far it got.
    fn send(&self, part: FeedPart) -> impl Future<Output = Result<Checkpoint, FeedError>> + Send;

    /// Told whenever the state of a file changes; must not block.
    fn report(&self, progress: FileProgress);

    /// Told when a folder can't be watched, and with `None` when it can again; must not block.
    fn report_folder(&self, pipeline: &str, error: Option<FolderError>);
}

/// Where a file is on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileProgress {
    pub pipeline: String,
    pub source: String,
    /// Known once the file has settled.
    pub identity: Option<String>,
    pub bytes: u64,
    pub state: FileState,
    pub checkpoint: Checkpoint,
}

/// The stations of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileState {
    /// Somebody may still be writing.
    Settling,
    Queued,
    Reading,
    Done,
    Failed(FeedError),
}

/// Why a folder can't be watched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{folder} can't be watched: {detail}", folder = .folder.display())]
pub struct FolderError {
    pub folder: PathBuf,
    pub detail: String,
}
