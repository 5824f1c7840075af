//! A run that ends with its first commit. No thread keeps it meanwhile: what is left to do once that is on disk is done
//! by whoever hears of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use flame_dsl::Workflow;
use flame_store::{Refused, Run};
use tokio::sync::oneshot;

use super::Error;
use super::live::{Begun, Live};
use super::load::Place;
use super::shared::Shared;
use super::value::Change;

pub(super) struct Brief {
    run: Run,
    workflow: Arc<Workflow>,
    place: Place,
    reply: oneshot::Sender<Result<Run, Error>>,
}

/// The commits of one thread's brief runs that the store has not answered.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    commits: AtomicUsize,
    is_awaited: AtomicBool,
}

impl UnderWay {
    pub(super) fn begin(&self) {
        self.commits.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether somebody waits for this one, the last.
    pub(super) fn end(&self) -> bool {
        self.commits.fetch_sub(1, Ordering::SeqCst) == 1 && self.is_awaited.load(Ordering::SeqCst)
    }

    /// From here on [`Self::end`] tells of the last one.
    pub(super) fn wait(&self) {
        self.is_awaited.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.commits.load(Ordering::SeqCst) == 0
    }
}

impl Brief {
    /// What is needed of a run that has ended, and who is to be told.
    pub(super) fn of(live: Live, begun: Begun) -> Self {
        Self {
            run: live.as_stored(begun.input),
            workflow: Arc::clone(live.run.workflow()),
            place: live.place,
            reply: begun.reply,
        }
    }

    /// The store has answered.
    pub(super) fn committed(mut self, shared: &Shared, outcome: Result<(), Refused>) {
        // Before anybody is told, so that the next run finds its place free.
        self.place.vacate();
        let answer = match outcome {
            Ok(()) => {
                let summary = &self.run.summary;
                shared.announce(|| Change::Run(Arc::new(summary.clone())));
                shared.counters.started();
                shared.counters.ended(summary.status);
                shared.schedules.ended(&self.workflow);
                Ok(self.run)
            }
            // Nobody was told of this run yet, so it does not exist.
            Err(refused) => Err(refused.error.into()),
        };
        // Whoever asked may have gone.
        let _ = self.reply.send(answer);
    }
}
