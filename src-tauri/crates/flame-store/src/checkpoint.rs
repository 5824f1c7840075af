//! The thread that moves pages from the log to the database while the writer goes on: on a slow disk that takes
//! as long as hundreds of commits.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::thread::JoinHandle;

use flame_types::Durability;
use rusqlite::Connection;

use crate::Error;
use crate::file::{open_writer, translate};

/// The thread, as the writer holds it.
pub(crate) struct Checkpointer {
    asked: Sender<()>,
    moved: Receiver<i32>,
    thread: JoinHandle<()>,
    is_at_work: bool,
}

impl Checkpointer {
    pub(crate) fn spawn(path: PathBuf, durability: Durability) -> std::io::Result<Self> {
        let (asked, asks) = mpsc::channel();
        let (tell, moved) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("store-checkpoint".to_owned())
            .spawn(move || work(&path, durability, &asks, &tell))?;
        Ok(Self {
            asked,
            moved,
            thread,
            is_at_work: false,
        })
    }

    /// Has what the log holds now moved; false where the thread has ended.
    pub(crate) fn begin(&mut self) -> bool {
        self.is_at_work = self.asked.send(()).is_ok();
        self.is_at_work
    }

    /// How many pages of the log are in the database, told once after each work.
    pub(crate) fn moved(&mut self) -> Option<i32> {
        let moved = self.moved.try_recv();
        self.is_at_work &= matches!(moved, Err(TryRecvError::Empty));
        moved.ok()
    }

    /// Waits for what is under way, and gives what [`Self::moved`] would.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        let is_at_work = std::mem::take(&mut self.is_at_work);
        // A thread that has ended tells nothing, and moves nothing any more.
        is_at_work.then(|| self.moved.recv().ok()).flatten()
    }

    pub(crate) fn is_at_work(&self) -> bool {
        self.is_at_work
    }

    /// Ends the thread after what is under way.
    pub(crate) fn finish(self) {
        drop(self.asked);
        if self.thread.join().is_err() {
            tracing::error!("The thread that moves the write-ahead log ended by a panic");
        }
    }
}

fn work(path: &Path, durability: Durability, asks: &Receiver<()>, tell: &Sender<i32>) {
    let mut held = None;
    while asks.recv().is_ok() {
        let moved = checkpoint(&mut held, path, durability).unwrap_or_else(|error| {
            // The log holds everything, and the next one tries again.
            tracing::warn!(%error, "The write-ahead log could not be moved to the database");
            held = None;
            0
        });
        if tell.send(moved).is_err() {
            return;
        }
    }
}

fn checkpoint(
    held: &mut Option<Connection>,
    path: &Path,
    durability: Durability,
) -> Result<i32, Error> {
    let connection = match held {
        Some(connection) => connection,
        None => held.insert(open_writer(path, durability, None)?),
    };
    connection
        .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(2))
        .map_err(|error| translate("write", path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_moved_by_the_thread_and_by_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sqlite");
        let writer = open_writer(&path, Durability::Full, None).unwrap();
        writer
            .execute_batch("CREATE TABLE a (b); INSERT INTO a VALUES (1)")
            .unwrap();
        let rows = || {
            let alone = folder.path().join("alone.sqlite");
            std::fs::copy(&path, &alone).unwrap();
            let alone = Connection::open(alone).unwrap();
            alone
                .query_row("SELECT COUNT(*) FROM a", [], |row| row.get::<_, i64>(0))
                .ok()
        };
        assert_eq!(rows(), None, "all of it is in the log");
        let mut checkpointer = Checkpointer::spawn(path.clone(), Durability::Full).unwrap();
        assert_eq!(checkpointer.wait(), None, "nothing was asked for");
        assert!(checkpointer.begin());
        assert!(checkpointer.wait().is_some_and(|moved| moved > 0));
        assert!(!checkpointer.is_at_work());
        assert_eq!(rows(), Some(1));
        checkpointer.finish();
    }
}
