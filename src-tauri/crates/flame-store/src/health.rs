//! How the writer is doing, read without asking it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use flame_types::Durability;

/// A snapshot for `/health/ready`, `/metrics` and the UI.
#[derive(Debug, Clone, PartialEq)]
pub struct Health {
    pub durability: Durability,
    /// The last attempt to write met a full disk.
    pub full: bool,
    /// Why the last attempt to write failed, if it did and the disk is not full.
    pub failure: Option<String>,
    /// Commits that wait for the writer.
    pub queue_depth: usize,
    /// Commits answered with success since the start.
    pub commits: u64,
    /// Transactions since the start; `commits / transactions` is the mean group.
    pub transactions: u64,
    /// Time that the last transaction took to reach the disk.
    pub sync_last: Duration,
    /// The same, as a moving average.
    pub sync_average: Duration,
}

/// Shared between the writer, which sets it, and everybody who looks.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    pub(crate) full: AtomicBool,
    pub(crate) commits: AtomicU64,
    pub(crate) transactions: AtomicU64,
    sync_last_us: AtomicU64,
    sync_average_us: AtomicU64,
    failure: Mutex<Option<String>>,
}

impl Gauges {
    pub(crate) fn committed(&self, commits: u64, sync: Duration) {
        self.commits.fetch_add(commits, Ordering::Relaxed);
        self.transactions.fetch_add(1, Ordering::Relaxed);
        let last = u64::try_from(sync.as_micros()).unwrap_or(u64::MAX);
        let average = self.sync_average_us.load(Ordering::Relaxed);
        let average = if average == 0 {
            last
        } else {
            (average * 15 + last) / 16
        };
        self.sync_last_us.store(last, Ordering::Relaxed);
        self.sync_average_us.store(average, Ordering::Relaxed);
        if self.full.swap(false, Ordering::Relaxed) {
            tracing::info!("There is space on the disk again, writing goes on");
        }
        self.set_failure(None);
    }

    pub(crate) fn failed(&self, error: &crate::Error) {
        if matches!(error, crate::Error::Full { .. }) {
            if !self.full.swap(true, Ordering::Relaxed) {
                tracing::error!(%error, "Writing stopped");
            }
        } else {
            tracing::error!(%error, "A transaction failed");
            self.set_failure(Some(error.to_string()));
        }
    }

    /// Something needs a write to find out whether it is over.
    pub(crate) fn is_troubled(&self) -> bool {
        self.full.load(Ordering::Relaxed) || self.with_failure(|failure| failure.is_some())
    }

    pub(crate) fn snapshot(&self, durability: Durability, queue_depth: usize) -> Health {
        Health {
            durability,
            full: self.full.load(Ordering::Relaxed),
            failure: self.with_failure(|failure| failure.clone()),
            queue_depth,
            commits: self.commits.load(Ordering::Relaxed),
            transactions: self.transactions.load(Ordering::Relaxed),
            sync_last: Duration::from_micros(self.sync_last_us.load(Ordering::Relaxed)),
            sync_average: Duration::from_micros(self.sync_average_us.load(Ordering::Relaxed)),
        }
    }

    fn set_failure(&self, failure: Option<String>) {
        self.with_failure(|held| *held = failure);
    }

    fn with_failure<T>(&self, read: impl FnOnce(&mut Option<String>) -> T) -> T {
        // A poisoned lock only means that a reader panicked; the text is whole.
        read(
            &mut self
                .failure
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        )
    }
}
