//! Runs, journals, definitions, events and dead letters in SQLite, behind one writer with group commit.
//!
//! A commit is a list of operations that is applied as a whole. The writer thread puts all commits that
//! wait into one transaction and answers each after the transaction is on disk; one that is refused
//! leaves the others in the batch untouched.
//!
//! Deliberately absent: what records and payloads mean (they are bytes here), clocks and ids (the
//! caller passes them), and any retry of a refused commit.

mod apply;
mod backup;
mod blob;
mod check;
mod checkpoint;
mod epoch;
mod error;
mod file;
mod health;
mod lock;
mod migrate;
mod operation;
mod reader;
mod retention;
mod row;
mod search;
mod snapshot;
mod spill;
mod store;
mod writer;

pub use backup::{Backup, latest as latest_backup, restore};
pub use error::Error;
pub use file::failed;
pub use health::Health;
pub use operation::{
    AppendedEvent, Child, Commit, DeadLetter, DeadLetterState, Definition, DefinitionKey, Feed,
    IdempotencyClaim, JournalBatch, NewRun, Operation, RunState, Schedule, Snapshot, Subscription,
};
pub use reader::{Page, RunFilter, StoredEvent};
pub use retention::Expiry;
pub use row::{Run, RunSummary};
pub use search::{Comparison, FieldCondition, Found, Payload};
pub use store::{FILE_NAME, Options, Refused, Store};
