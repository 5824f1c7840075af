//! Watched folders: notice a file, wait until it has settled, hand it over from where the agent is.
//!
//! Notices of the system are hints; a look into the folder is the truth, so files that were dropped
//! while the app was closed are found too. Which bytes are done is the agent's to know.

mod file;
mod folder;
mod service;
mod sink;

pub use folder::WatchedFolder;
pub use service::{FolderWatch, WatchOptions};
pub use sink::{Checkpoint, FeedError, FeedPart, FeedSink, FileProgress, FileState, FolderError};
