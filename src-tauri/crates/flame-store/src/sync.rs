//! The thread that brings the log to the disk and answers what is there. While the device works, the writer
//! applies the next transaction: a commit waits for one sync, and the two cores are not idle meanwhile.
//!
//! What SQLite does in its mode `FULL`, a sync of the log after each commit, is done here instead; the syncs
//! around a checkpoint stay SQLite's own (its mode `NORMAL`).

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::Error;
use crate::health::Gauges;
use crate::operation::Commit;
use crate::store::Refused;

pub(crate) type Reply = Box<dyn FnOnce(Result<(), Refused>) + Send>;

/// A commit and whoever waits for it.
pub(crate) struct Waiting {
    /// Whose replies belong together.
    pub(crate) sender: usize,
    pub(crate) commit: Commit,
    pub(crate) reply: Reply,
}

/// A transaction that is written and not yet on the disk, with what is answered once it is.
pub(crate) struct Written {
    /// As [`Progress::begin`] gave it.
    pub(crate) number: u64,
    pub(crate) log: Arc<File>,
    pub(crate) answers: Vec<(Waiting, Result<(), Error>)>,
}

/// How far the transactions are on the disk. Who reads sees a transaction a moment before that.
#[derive(Debug)]
pub(crate) struct Progress {
    begun: AtomicU64,
    reached: watch::Sender<Reached>,
}

#[derive(Debug, Clone, Default)]
struct Reached {
    transaction: u64,
    /// Why it may stay there.
    failure: Option<Error>,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            begun: AtomicU64::new(0),
            reached: watch::Sender::new(Reached::default()),
        }
    }
}

impl Progress {
    /// Before a transaction can be seen.
    pub(crate) fn begin(&self) -> u64 {
        self.begun.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Everything that was begun is on the disk, or was never seen.
    pub(crate) fn catch_up(&self) {
        let transaction = self.begun.load(Ordering::SeqCst);
        self.reached.send_replace(Reached {
            transaction,
            failure: None,
        });
    }

    fn reach(&self, transaction: u64) {
        self.reached.send_if_modified(|reached| {
            let is_further = reached.failure.is_none() && reached.transaction < transaction;
            if is_further {
                reached.transaction = transaction;
            }
            is_further
        });
    }

    fn fail(&self, error: &Error) {
        self.reached
            .send_modify(|reached| reached.failure = Some(error.clone()));
    }

    /// Waits until all that could be seen before this call is on the disk.
    ///
    /// # Errors
    ///
    /// That of the sync which failed: what was seen may not last.
    pub(crate) async fn settled(&self) -> Result<(), Error> {
        let seen = self.begun.load(Ordering::SeqCst);
        if self.reached.borrow().transaction >= seen {
            return Ok(());
        }
        let mut reached = self.reached.subscribe();
        let reached = reached
            .wait_for(|reached| reached.transaction >= seen || reached.failure.is_some())
            .await
            .map_err(|_| Error::Closed)?;
        match &reached.failure {
            Some(error) if reached.transaction < seen => Err(error.clone()),
            _ => Ok(()),
        }
    }
}

/// What both threads tell: answers, and figures for those who look.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) gauges: Arc<Gauges>,
    pub(crate) depth: Arc<AtomicUsize>,
    pub(crate) progress: Arc<Progress>,
}

impl Desk {
    /// Answers transactions that are where their durability wants them.
    pub(crate) fn answer(
        &self,
        mut answers: Vec<(Waiting, Result<(), Error>)>,
        transactions: u64,
        took: Duration,
    ) {
        self.depth.fetch_sub(answers.len(), Ordering::Relaxed);
        let taken = answers
            .iter()
            .filter(|(_, verdict)| verdict.is_ok())
            .count();
        self.gauges.committed(taken as u64, transactions, took);
        // Stable, so that each sender is answered in its own order.
        answers.sort_by_key(|(waiting, _)| waiting.sender);
        for (waiting, verdict) in answers {
            (waiting.reply)(verdict.map_err(|error| Refused {
                error,
                commit: waiting.commit,
            }));
        }
    }

    /// Gives back what could not be written.
    pub(crate) fn refuse(&self, group: impl IntoIterator<Item = Waiting>, error: &Error) {
        self.gauges.failed(error);
        for waiting in group {
            self.depth.fetch_sub(1, Ordering::Relaxed);
            (waiting.reply)(Err(Refused {
                error: error.clone(),
                commit: waiting.commit,
            }));
        }
    }
}

/// The thread, as the writer holds it.
pub(crate) struct Syncer {
    written: Sender<Written>,
    thread: JoinHandle<()>,
}

/// What the thread tells the writer after each sync: how many transactions it covered, and whether it failed.
pub(crate) struct Synced {
    pub(crate) transactions: usize,
    pub(crate) outcome: Result<(), Error>,
}

impl Syncer {
    /// `sync` brings the log to the disk; `tell` lets the writer know.
    pub(crate) fn spawn(
        path: PathBuf,
        desk: Desk,
        sync: impl Fn(&File) -> io::Result<()> + Send + 'static,
        tell: impl Fn(Synced) + Send + 'static,
    ) -> io::Result<Self> {
        let (written, queue) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("store-sync".to_owned())
            .spawn(move || work(&path, &desk, &queue, sync, tell))?;
        Ok(Self { written, thread })
    }

    /// Gives the transaction back where the thread has ended.
    pub(crate) fn hand_over(&self, written: Written) -> Result<(), Written> {
        self.written
            .send(written)
            .map_err(|mpsc::SendError(written)| written)
    }

    /// Ends the thread after everything that was handed over.
    pub(crate) fn finish(self) {
        drop(self.written);
        if self.thread.join().is_err() {
            tracing::error!("The thread that syncs the log ended by a panic");
        }
    }
}

fn work(
    path: &Path,
    desk: &Desk,
    queue: &Receiver<Written>,
    sync: impl Fn(&File) -> io::Result<()>,
    tell: impl Fn(Synced),
) {
    let mut carried = None;
    // The log of a sync that failed: the kernel counts its pages as written now, so no later sync of it says anything.
    let mut lost: Option<(Arc<File>, Error)> = None;
    while let Some(first) = carried.take().or_else(|| queue.recv().ok()) {
        let Written {
            mut number,
            log,
            mut answers,
        } = first;
        let mut transactions = 1;
        // One sync covers all that was written to the same log before it.
        while let Ok(next) = queue.try_recv() {
            if !Arc::ptr_eq(&next.log, &log) {
                carried = Some(next);
                break;
            }
            number = next.number;
            answers.extend(next.answers);
            transactions += 1;
        }
        let begun = Instant::now();
        let outcome = match &lost {
            Some((lost, error)) if Arc::ptr_eq(lost, &log) => Err(error.clone()),
            _ => sync(&log).map_err(|error| Error::Failed {
                operation: "sync the log of",
                path: path.to_owned(),
                detail: error.to_string().into(),
            }),
        };
        match &outcome {
            Ok(()) => desk.progress.reach(number),
            Err(error) => {
                desk.progress.fail(error);
                lost = Some((log, error.clone()));
            }
        }
        // The writer goes on while the answers go out.
        tell(Synced {
            transactions,
            outcome: outcome.clone(),
        });
        match outcome {
            Ok(()) => desk.answer(answers, transactions as u64, begun.elapsed()),
            Err(error) => desk.refuse(answers.into_iter().map(|(waiting, _)| waiting), &error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// Replies and reports as they come, and a sync that waits until it is let go.
    struct Bench {
        syncer: Syncer,
        desk: Desk,
        syncing: Receiver<()>,
        let_go: Sender<io::Result<()>>,
        replies: Receiver<(u64, Result<(), Refused>)>,
        reply: Sender<(u64, Result<(), Refused>)>,
        reports: Receiver<Synced>,
    }

    impl Bench {
        fn new() -> Self {
            let desk = Desk {
                gauges: Arc::default(),
                depth: Arc::default(),
                progress: Arc::default(),
            };
            let (begins, syncing) = mpsc::channel();
            let (let_go, outcomes) = mpsc::channel();
            let (reports, reported) = mpsc::channel();
            let (reply, replies) = mpsc::channel();
            let sync = move |_: &File| {
                begins.send(()).unwrap();
                outcomes.recv().unwrap()
            };
            let tell = move |synced| reports.send(synced).unwrap();
            let syncer = Syncer::spawn("agent.db".into(), desk.clone(), sync, tell).unwrap();
            Self {
                syncer,
                desk,
                syncing,
                let_go,
                replies,
                reply,
                reports: reported,
            }
        }

        /// Hands the next transaction over, with one commit in it.
        fn write(&self, log: &Arc<File>) -> u64 {
            let number = self.desk.progress.begin();
            self.desk.depth.fetch_add(1, Ordering::Relaxed);
            let reply = self.reply.clone();
            let waiting = Waiting {
                sender: 0,
                commit: Commit::default(),
                reply: Box::new(move |outcome| reply.send((number, outcome)).unwrap()),
            };
            let written = Written {
                number,
                log: Arc::clone(log),
                answers: vec![(waiting, Ok(()))],
            };
            assert!(self.syncer.hand_over(written).is_ok());
            number
        }

        fn is_settled(&self) -> Option<Result<(), Error>> {
            let settled = std::pin::pin!(self.desk.progress.settled());
            match settled.poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(outcome) => Some(outcome),
                Poll::Pending => None,
            }
        }

        fn taken(&self) -> u64 {
            let (number, outcome) = self.replies.recv().unwrap();
            outcome.unwrap();
            number
        }

        fn refused(&self) -> u64 {
            let (number, outcome) = self.replies.recv().unwrap();
            let Refused { error, .. } = outcome.unwrap_err();
            assert_eq!(error.to_string(), "sync the log of agent.db: it is broken");
            number
        }
    }

    fn log() -> Arc<File> {
        Arc::new(tempfile::tempfile().unwrap())
    }

    fn broken() -> io::Result<()> {
        Err(io::Error::other("it is broken"))
    }

    #[test]
    fn nobody_is_answered_before_the_sync_that_covers_him() {
        let bench = Bench::new();
        let log = log();
        assert!(matches!(bench.is_settled(), Some(Ok(()))));
        bench.write(&log);
        bench.syncing.recv().unwrap();
        assert!(bench.replies.try_recv().is_err() && bench.is_settled().is_none());
        // What is written now may have missed the sync that is under way.
        bench.write(&log);
        bench.write(&log);
        bench.let_go.send(Ok(())).unwrap();
        assert_eq!(bench.taken(), 1);
        bench.syncing.recv().unwrap();
        assert!(bench.replies.try_recv().is_err() && bench.is_settled().is_none());
        bench.let_go.send(Ok(())).unwrap();
        assert_eq!((bench.taken(), bench.taken()), (2, 3));
        assert!(matches!(bench.is_settled(), Some(Ok(()))));
        let covered = [(); 2].map(|()| bench.reports.recv().unwrap().transactions);
        assert_eq!(covered, [1, 2]);
        bench.syncer.finish();
        assert_eq!(bench.desk.depth.load(Ordering::Relaxed), 0);
        assert_eq!(bench.desk.gauges.commits.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn after_a_sync_that_failed_its_log_is_not_believed() {
        let bench = Bench::new();
        let (old, new) = (log(), log());
        bench.write(&old);
        bench.syncing.recv().unwrap();
        bench.let_go.send(broken()).unwrap();
        assert_eq!(bench.refused(), 1);
        assert!(matches!(
            bench.is_settled(),
            Some(Err(Error::Failed { .. }))
        ));
        bench.write(&old);
        assert_eq!(
            bench.refused(),
            2,
            "without a sync: it would say that all is well"
        );
        assert!(bench.desk.gauges.is_troubled());
        bench.desk.progress.catch_up();
        bench.write(&new);
        bench.syncing.recv().unwrap();
        bench.let_go.send(Ok(())).unwrap();
        assert_eq!(bench.taken(), 3);
        assert!(matches!(bench.is_settled(), Some(Ok(()))));
        assert!(!bench.desk.gauges.is_troubled());
        bench.syncer.finish();
    }
}
