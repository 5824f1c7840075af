//! What everybody else holds of the runtime. Clones share it.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use flame_dsl::Workflow;
use flame_engine::{CompensationProgress, Record};
use flame_store::{FieldCondition, Found, Page, Run, RunFilter, RunSummary, Store};
use flame_types::{RunId, WorkflowId};
use serde_json::Value;
use tokio::sync::{broadcast, oneshot, watch};

use super::connections::Connections;
use super::events;
use super::message::{Command, Message};
use super::open::{self, Threads};
use super::people;
use super::shared::{Shared, decode, now, stopping};
use super::start::{self, Begin};
use super::value::{
    Change, Deployed, Held, Inspection, JournalEntry, Load, OutboundHost, PersonTask, StartRequest,
    Started,
};
use super::{ContainerOrders, ContainerOutcome, Error, HostGrants, Options, retention};

/// The running runtime.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(super) shared: Arc<Shared>,
    threads: Arc<Threads>,
}

impl Handle {
    /// Opens the data folder and takes up every run that has not ended.
    pub async fn open(options: Options) -> Result<Self, Error> {
        let (shared, threads) = open::open(options).await?;
        Ok(Self {
            shared,
            threads: Arc::new(threads),
        })
    }

    /// Parses, checks and stores a workflow; `path` is the address it was put at, if any. The flag is
    /// true where the address is new.
    pub async fn deploy(
        &self,
        text: &str,
        content_type: &str,
        path: Option<&WorkflowId>,
    ) -> Result<(Arc<Deployed>, bool), Error> {
        self.must_accept()?;
        let (id, new) = self
            .shared
            .definitions
            .deploy(text, content_type, path, now())
            .await?;
        self.shared.schedules.refresh(&self.shared).await?;
        self.shared.triggers.refresh();
        self.shared.announce(|| Change::Workflows);
        let deployed = self.deployed(&id).await?;
        let deployed = deployed.ok_or(Error::WorkflowUnknown { workflow: id })?;
        Ok((deployed, new))
    }

    /// Removes a workflow that has no runs in flight; false where there was none.
    pub async fn undeploy(&self, workflow: &WorkflowId) -> Result<bool, Error> {
        self.must_accept()?;
        let removed = self.shared.definitions.undeploy(workflow).await?;
        if removed {
            self.shared.schedules.refresh(&self.shared).await?;
            self.shared.triggers.refresh();
            self.shared.announce(|| Change::Workflows);
        }
        Ok(removed)
    }

    pub async fn deployed(&self, workflow: &WorkflowId) -> Result<Option<Arc<Deployed>>, Error> {
        let next = self.shared.schedules.next(workflow);
        Ok(self
            .shared
            .definitions
            .deployed(workflow, next)
            .await?
            .map(Arc::new))
    }

    /// By address.
    pub async fn deployed_list(&self) -> Result<Vec<Arc<Deployed>>, Error> {
        let mut list = Vec::new();
        for id in self.shared.definitions.ids() {
            // One that is removed meanwhile is not in the list.
            list.extend(self.deployed(&id).await?);
        }
        Ok(list)
    }

    /// The workflow that answers at a webhook path, which has no leading slash.
    pub async fn hook(&self, path: &str) -> Result<Option<Arc<Workflow>>, Error> {
        self.shared.definitions.at_hook(path).await
    }

    /// The definition that a run is pinned to, also after it was replaced.
    pub async fn pinned(&self, hash: &str) -> Result<Option<Arc<Workflow>>, Error> {
        self.shared.definitions.pinned(hash).await
    }

    /// Starts a run; it is on disk when this returns.
    pub async fn start(&self, request: StartRequest) -> Result<Started, Error> {
        self.begin(request, None).await
    }

    /// Starts a run and waits until it has ended, at most `timeout`; then the newest state.
    pub async fn start_and_wait(
        &self,
        request: StartRequest,
        timeout: Duration,
    ) -> Result<Started, Error> {
        let (sender, ended) = oneshot::channel();
        let started = self.begin(request, Some(sender)).await?;
        if started.run.summary.status.is_terminal() {
            return Ok(started);
        }
        // Many end with their first commit: those do not carry along what the others need.
        Box::pin(self.until_end(started, ended, timeout)).await
    }

    /// Starts a run, unless one was started with the same idempotency key; `end` is told once one that has
    /// begun here has ended.
    async fn begin(
        &self,
        request: StartRequest,
        end: Option<oneshot::Sender<Run>>,
    ) -> Result<Started, Error> {
        if request.idempotency.is_some()
            && let Some(started) = Box::pin(self.started_before(&request)).await?
        {
            return Ok(started);
        }
        let mut begin = Begin::of(&self.shared, request, Vec::new()).await?;
        begin.end = end;
        begin.send(&self.shared).await
    }

    async fn until_end(
        &self,
        mut started: Started,
        ended: oneshot::Receiver<Run>,
        timeout: Duration,
    ) -> Result<Started, Error> {
        let id = started.run.summary.id;
        started.run = if started.existing {
            self.wait(id, timeout).await?
        } else {
            match self.patiently(timeout, ended).await {
                Some(run) => run,
                None => self.shared.stored(id).await?,
            }
        };
        Ok(started)
    }

    /// Puts CloudEvents from outside into the event log; they are on disk when this returns.
    pub async fn publish(&self, events: Vec<Value>) -> Result<(), Error> {
        self.must_accept()?;
        events::publish(&self.shared, events).await
    }

    /// Tasks that wait for a person, oldest run first.
    pub fn person_tasks(&self) -> Vec<PersonTask> {
        self.shared.people.list()
    }

    /// Gives a task the answer that it waits for; it is on disk when this returns.
    pub async fn answer(&self, run: RunId, task: &str, data: &Value) -> Result<Run, Error> {
        self.must_accept()?;
        self.shared.stored(run).await?;
        people::answer(&self.shared, run, task, data).await?;
        self.shared.stored(run).await
    }

    /// Says which programs of which workflows may start on this machine, in place of what was said before; false
    /// where the agent was not started to be told.
    pub fn permit_host_execution(&self, grants: HostGrants) -> bool {
        self.shared.calls.processes().permit(grants)
    }

    /// The containers that tasks wait for, for whoever runs them.
    pub fn container_orders(&self) -> ContainerOrders {
        self.shared.calls.processes().orders()
    }

    /// How an ordered container came out; true once that is on disk, false where nobody waits for it.
    pub async fn tell_container(&self, id: &str, outcome: ContainerOutcome) -> bool {
        self.shared.calls.processes().tell(id, outcome).await
    }

    /// Waits until a run has ended, at most `timeout`; gives its newest state either way.
    pub async fn wait(&self, run: RunId, timeout: Duration) -> Result<Run, Error> {
        let stored = self.shared.stored(run).await?;
        if stored.summary.status.is_terminal() {
            return Ok(stored);
        }
        let (ended, end) = oneshot::channel();
        self.shared.send(run, Message::Watch { run, ended });
        self.patiently(timeout, end).await;
        self.shared.stored(run).await
    }

    /// With `compensate` what it did is undone first, and it is cancelled then.
    pub async fn cancel(&self, run: RunId, compensate: bool) -> Result<Run, Error> {
        let command = if compensate {
            Command::CancelAndCompensate
        } else {
            Command::Cancel
        };
        self.command(run, command).await
    }

    /// Tries the compensation again that waits for a person.
    pub async fn retry_compensation(&self, run: RunId, number: u64) -> Result<Run, Error> {
        self.command(run, Command::RetryCompensation(number)).await
    }

    /// Gives the compensation up that waits for a person.
    pub async fn skip_compensation(&self, run: RunId, number: u64) -> Result<Run, Error> {
        self.command(run, Command::SkipCompensation(number)).await
    }

    pub async fn suspend(&self, run: RunId) -> Result<Run, Error> {
        self.command(run, Command::Suspend).await
    }

    pub async fn resume(&self, run: RunId) -> Result<Run, Error> {
        self.command(run, Command::Resume).await
    }

    /// Runs the task at which a faulted run stopped again.
    pub async fn retry(&self, run: RunId) -> Result<Run, Error> {
        self.command(run, Command::Retry).await
    }

    /// A new run from a task of an old one, with the input and context it had or others. An empty task is
    /// the start.
    pub async fn replay(
        &self,
        run: RunId,
        task: &str,
        input: Option<Value>,
        context: Option<Value>,
    ) -> Result<Run, Error> {
        self.must_accept()?;
        let old = self.shared.stored(run).await?;
        let begin = Begin::replay(&self.shared, &old, task, input, context).await?;
        Ok(begin.send(&self.shared).await?.run)
    }

    pub async fn run(&self, run: RunId) -> Result<Option<Run>, Error> {
        Ok(self.shared.store.run(run).await?)
    }

    /// Newest first.
    pub async fn runs(
        &self,
        filter: RunFilter,
        page: Page<RunId>,
    ) -> Result<Vec<RunSummary>, Error> {
        Ok(self.shared.store.runs(filter, page).await?)
    }

    /// Those of the runs whose input and output fulfil all conditions, newest first; what a bounded scan
    /// finds, and where it goes on.
    pub async fn search_runs(
        &self,
        filter: RunFilter,
        conditions: Vec<FieldCondition>,
        page: Page<RunId>,
    ) -> Result<Found, Error> {
        Ok(self
            .shared
            .store
            .search_runs(filter, conditions, page)
            .await?)
    }

    /// Entries after a sequence, oldest first.
    pub async fn journal(
        &self,
        run: RunId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<JournalEntry>, Error> {
        let mut entries = Vec::new();
        // Record 0 is entry 1, so the first wanted record has the number `after`.
        let mut next = after;
        while entries.len() < limit {
            let batches = self.shared.store.journal(run, next).await?;
            if batches.is_empty() {
                break;
            }
            for batch in batches {
                let records = decode(run, &batch.records)?;
                let numbered = (batch.first + 1..).zip(records);
                entries.extend(
                    numbered
                        .filter(|(sequence, _)| *sequence > after)
                        .map(|(sequence, record)| JournalEntry { sequence, record }),
                );
                next = batch.first + u64::from(batch.count);
                if entries.len() >= limit {
                    break;
                }
            }
        }
        entries.truncate(limit);
        Ok(entries)
    }

    /// Deletes the ended runs that are not kept, as the runtime does by itself now and then; gives how many.
    pub async fn sweep(&self) -> Result<u64, Error> {
        self.must_accept()?;
        retention::sweep(&self.shared, now()).await
    }

    /// What a run is at, or how its undoing came out.
    pub async fn inspect(&self, run: &Run) -> Result<Inspection, Error> {
        let RunSummary {
            id,
            status,
            records,
            ..
        } = run.summary;
        if !status.is_terminal() {
            let (reply, inspection) = oneshot::channel();
            self.shared.send(id, Message::Inspect { run: id, reply });
            return inspection.await.unwrap_or(Err(Error::ShuttingDown));
        }
        let last = self.journal(id, records.saturating_sub(1), 1).await?.pop();
        let end = match last.map(|entry| entry.record) {
            Some(
                Record::RunFaulted { compensation, .. } | Record::RunCancelled { compensation, .. },
            ) => compensation,
            _ => None,
        };
        let compensation = end.map(|end| CompensationProgress {
            undone: end.undone,
            skipped: end.skipped,
            left: end.left,
            parked: None,
        });
        Ok(Inspection {
            tasks: Vec::new(),
            compensation,
        })
    }

    /// Everything that changes from now on. A receiver that falls behind is told so and reads anew.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.shared.changes.subscribe()
    }

    /// Tells everybody who follows about a change that was committed outside the runtime.
    pub fn announce(&self, change: Change) {
        self.shared.announce(|| change);
    }

    pub fn load(&self) -> Load {
        let shared = &self.shared;
        shared
            .counters
            .snapshot(shared.options.in_flight_max, shared.calls.under_way())
    }

    /// Runs that wait for the store, now and from now on.
    pub fn held(&self) -> watch::Receiver<Held> {
        self.shared.counters.held()
    }

    /// Most recent first.
    pub fn outbound(&self) -> Vec<OutboundHost> {
        self.shared.calls.ledger().list()
    }

    /// True until `drain` was called.
    pub fn is_accepting(&self) -> bool {
        self.shared.is_accepting()
    }

    /// Waits until the runtime takes no more work.
    pub fn stopping(&self) -> impl Future<Output = ()> + Send + use<> {
        let shared = Arc::clone(&self.shared);
        async move { stopping(&shared).await }
    }

    /// Waits until every run of before is in the hands of its shard.
    pub fn recovered(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut recovered = self.threads.recovered();
        async move {
            // An error means that the recovery is over, in whatever way.
            let _ = recovered.wait_for(|done| *done).await;
        }
    }

    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    pub fn connections(&self) -> &Connections {
        &self.shared.connections
    }

    pub fn options(&self) -> &Options {
        &self.shared.options
    }

    /// Takes no more work and waits until nothing is under way, at most `patience`. Reading goes on.
    pub async fn quiesce(&self, patience: Duration) {
        if !self.shared.accepting.swap(false, Ordering::Relaxed) {
            return;
        }
        self.shared.stopped.send_replace(true);
        if tokio::time::timeout(patience, self.threads.idle(&self.shared))
            .await
            .is_err()
        {
            tracing::info!("Calls that are still under way are made again at the next start");
        }
    }

    /// Takes no more work, lets what is being decided commit, and closes the store. Runs that have not
    /// ended go on with the next start. `patience` bounds the wait for calls that are under way.
    pub async fn drain(&self, patience: Duration) {
        self.quiesce(patience).await;
        let threads = Arc::clone(&self.threads);
        let shared = Arc::clone(&self.shared);
        let closed = tokio::task::spawn_blocking(move || {
            threads.stop(&shared);
            shared.store.close();
        });
        if closed.await.is_err() {
            tracing::error!("Closing the store failed; the next start repairs what is left");
        }
    }

    /// What is told in time, unless the runtime stops first. `None` also where the run was parked: then
    /// what is on disk is the answer.
    async fn patiently<T>(&self, timeout: Duration, told: oneshot::Receiver<T>) -> Option<T> {
        tokio::select! {
            told = tokio::time::timeout(timeout, told) => told.ok()?.ok(),
            () = stopping(&self.shared) => None,
        }
    }

    async fn command(&self, run: RunId, command: Command) -> Result<Run, Error> {
        self.must_accept()?;
        // The store knows whether there is such a run; a shard would read a journal that is not there.
        self.shared.stored(run).await?;
        let (reply, outcome) = oneshot::channel();
        self.shared.send(
            run,
            Message::Command {
                run,
                command,
                reply,
            },
        );
        outcome.await.unwrap_or(Err(Error::ShuttingDown))?;
        self.shared.stored(run).await
    }

    fn must_accept(&self) -> Result<(), Error> {
        if self.shared.is_accepting() {
            Ok(())
        } else {
            Err(Error::ShuttingDown)
        }
    }

    /// The run that an idempotency key stands for already. The commit decides in the end; this spares
    /// it the common case.
    async fn started_before(&self, request: &StartRequest) -> Result<Option<Started>, Error> {
        let Some(wanted) = &request.idempotency else {
            return Ok(None);
        };
        let scope = start::scope(&request.workflow);
        match self.shared.store.idempotency(&scope, &wanted.key).await? {
            None => Ok(None),
            Some((run, hash)) if hash == wanted.body_hash => Ok(Some(Started {
                run: self.shared.stored(run).await?,
                existing: true,
            })),
            Some((run, _)) => Err(Error::IdempotencyConflict {
                key: wanted.key.clone(),
                run,
            }),
        }
    }
}
