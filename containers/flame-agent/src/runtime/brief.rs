//! A run that ends with its first commit. No thread keeps it meanwhile: what is left to do once that is on disk is done
//! by whoever hears of it.

use std::sync::Arc;

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
