//! The workspace: documents with their revisions, in SQLite, in the app's data folder.
//!
//! A save names the revision it was made from, so nothing is overwritten in silence; a delete is a
//! tombstone that can be undone. Deliberately absent: what a document's text means, clocks and ids
//! (the caller gives both), and secrets, which no document holds.

mod backup;
mod document;
mod error;
mod permission;
mod samples;
mod schema;
mod workspace;

pub use backup::{Restored, backups_folder, newest_whole, restore};
pub use document::{Document, DocumentId, DocumentKind, NewDocument, PastRevision, UndoToken};
pub use error::Error;
pub use permission::{HostPermission, PROGRAMS_MAX};
pub use samples::{CUSTOMERS, SAMPLES, Sample};
pub use workspace::{BODY_BYTES_MAX, REVISIONS_KEPT, Workspace};
