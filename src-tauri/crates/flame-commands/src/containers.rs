//! The agent's worker: runs the containers that its tasks ask for, and removes them.
//!
//! The agent never holds Podman's socket. It orders, and orders again whenever a worker comes back; what runs
//! or has ended already is found by the order's id. Deliberately absent: what a container is for.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flame_agent_client::api::{
    ContainerEnd, ContainerFault, ContainerJob, ContainerOrder, ContainerOutcome, ContainerPull,
};
use flame_agent_client::{AgentClient, Result as CallResult};
use flame_errors::Code;
use flame_podman::{Ended, Error, Job, JobOptions, Jobs, Limits, Locator, Place, Pull};
use flame_types::{RunId, Timestamp};
use futures::{Stream, StreamExt};
use tokio::sync::Mutex;
use tokio::task::{AbortHandle, JoinSet};

use crate::failure::chain;

/// Between a stream or a Podman that went away and the next try.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
/// Tries to reach a Podman that went away before a task is told.
const TRIES_MAX: u32 = 5;
/// How often containers are looked for whose runs have ended without them.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// Where a worker runs containers.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// Names the objects in Podman.
    pub workspace: String,
    /// Where Podman's socket is, instead of the usual places.
    pub podman: Option<String>,
    /// The output folder, whose folders containers may have; `None` where it is not on this machine.
    pub volumes: Option<PathBuf>,
    /// Where it stands which containers were made.
    pub marks: PathBuf,
}

/// Runs containers for one agent.
#[derive(Debug)]
pub struct ContainerWorker {
    options: WorkerOptions,
    /// Podman as it was found; a service that was started for us ends with this.
    podman: Mutex<Option<Arc<(Place, Jobs)>>>,
}

impl ContainerWorker {
    pub fn new(options: WorkerOptions) -> Arc<Self> {
        Arc::new(Self {
            options,
            podman: Mutex::default(),
        })
    }

    /// Works for the agent until the future is dropped. Containers run on then.
    pub async fn work(self: &Arc<Self>, agent: &AgentClient) {
        loop {
            match agent.container_orders().await {
                Ok(orders) => self.follow(agent, orders).await,
                Err(error) => tracing::debug!(%error, "containers can't be run for the agent"),
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }

    async fn follow(
        self: &Arc<Self>,
        agent: &AgentClient,
        orders: impl Stream<Item = CallResult<ContainerOrder>>,
    ) {
        let mut orders = std::pin::pin!(orders);
        let mut sweeps = tokio::time::interval(SWEEP_EVERY);
        sweeps.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // All of them are let go with the stream, whose next one begins with all that is waited for.
        let mut tasks = JoinSet::new();
        let mut open: HashMap<String, AbortHandle> = HashMap::new();
        loop {
            tokio::select! {
                order = orders.next() => match order {
                    Some(Ok(ContainerOrder { run: Some(job), .. })) => {
                        let (id, worker, agent) = (job.id.clone(), Arc::clone(self), agent.clone());
                        let task = tasks.spawn(async move { worker.perform(&agent, *job).await });
                        if let Some(before) = open.insert(id, task) {
                            before.abort();
                        }
                    }
                    Some(Ok(ContainerOrder { end: Some(id), .. })) => {
                        if let Some(task) = open.remove(&id) {
                            task.abort();
                        }
                        let worker = Arc::clone(self);
                        tasks.spawn(async move { worker.end(&id).await });
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return,
                },
                _ = sweeps.tick() => {
                    open.retain(|_, task| !task.is_finished());
                    let (worker, agent) = (Arc::clone(self), agent.clone());
                    let open: Vec<String> = open.keys().cloned().collect();
                    tasks.spawn(async move { worker.sweep(&agent, &open).await });
                }
                Some(_) = tasks.join_next() => {}
            }
        }
    }

    async fn perform(&self, agent: &AgentClient, ordered: ContainerJob) {
        let awaits = ordered.awaits;
        let job = job(ordered);
        let outcome = match self.run(&job, awaits).await {
            Ok(ended) => ContainerOutcome {
                ended: Some(ContainerEnd {
                    code: ended.code,
                    stdout: ended.stdout,
                    stderr: ended.stderr,
                }),
                fault: None,
            },
            Err(error) => ContainerOutcome {
                ended: None,
                fault: Some(fault(&error)),
            },
        };
        match agent.tell_container(&job.id, &outcome).await {
            Ok(true) => self.settle(&job, awaits).await,
            // It is ordered again, or found when its run has ended.
            Ok(false) => {}
            Err(error) => tracing::debug!(%error, "the agent can't be told of a container"),
        }
    }

    async fn run(&self, job: &Job, awaits: bool) -> Result<Ended, Error> {
        let mut tries = 1;
        loop {
            match self.try_run(job, awaits).await {
                Err(error) if error.is_lost() && tries < TRIES_MAX => {
                    *self.podman.lock().await = None;
                    tokio::time::sleep(AGAIN_AFTER).await;
                    tries += 1;
                }
                outcome => return outcome,
            }
        }
    }

    async fn try_run(&self, job: &Job, awaits: bool) -> Result<Ended, Error> {
        let podman = self.podman().await?;
        podman.1.start(job).await?;
        if awaits {
            return podman.1.wait(job).await;
        }
        Ok(Ended::default())
    }

    /// After its outcome is on disk: removes the container when it is time.
    async fn settle(&self, job: &Job, awaits: bool) {
        let settled = async {
            let podman = self.podman().await?;
            if !awaits {
                podman.1.wait(job).await?;
            }
            while let Some(left) = podman.1.tidy(&job.id, Timestamp::now()).await? {
                tokio::time::sleep(left).await;
            }
            Ok::<_, Error>(())
        };
        if let Err(error) = settled.await {
            tracing::warn!(%error, job = job.id, "a container is removed later");
        }
    }

    async fn end(&self, job: &str) {
        let ended = async { self.podman().await?.1.end(job).await };
        if let Err(error) = ended.await {
            tracing::warn!(%error, job, "a container that nobody waits for runs on");
        }
    }

    /// Ends and removes what was left behind by runs that have ended meanwhile.
    async fn sweep(&self, agent: &AgentClient, open: &[String]) {
        if !Jobs::are_marked(&self.options.marks) {
            return;
        }
        let swept = async {
            let podman = self.podman().await?;
            for left in podman.1.leftovers().await? {
                if open.contains(&left.job) || !has_ended(agent, &left.run).await {
                    continue;
                }
                if left.is_running && left.is_awaited {
                    podman.1.end(&left.job).await?;
                }
                podman.1.tidy(&left.job, Timestamp::now()).await?;
            }
            podman.1.forget_all_but(open).await
        };
        if let Err(error) = swept.await {
            tracing::warn!(%error, "containers can't be looked through");
        }
    }

    async fn podman(&self) -> Result<Arc<(Place, Jobs)>, Error> {
        let mut podman = self.podman.lock().await;
        if let Some(found) = &*podman {
            return Ok(Arc::clone(found));
        }
        let place = Locator::from_environment(self.options.podman.clone())
            .locate()
            .await?;
        let jobs = Jobs::new(
            &place,
            JobOptions {
                workspace: self.options.workspace.clone(),
                volumes: self.options.volumes.clone(),
                marks: self.options.marks.clone(),
                limits: Limits::default(),
            },
        );
        let found = Arc::new((place, jobs));
        *podman = Some(Arc::clone(&found));
        Ok(found)
    }
}

/// Whether a run has ended, or is none that the agent knows.
async fn has_ended(agent: &AgentClient, run: &str) -> bool {
    let Ok(run) = run.parse::<RunId>() else {
        return true;
    };
    match agent.run(run).await {
        Ok(run) => run.status.is_terminal(),
        Err(error) => error.code() == Code::NotFound,
    }
}

fn fault(error: &Error) -> ContainerFault {
    let (code, title) = match error {
        Error::OutputTooLarge { .. } => (None, "Too much output"),
        error => (Some(error.code()), error.code().title()),
    };
    ContainerFault {
        code,
        title: title.to_owned(),
        detail: chain(error),
    }
}

fn job(ordered: ContainerJob) -> Job {
    let ports = ordered.ports.iter();
    let volumes = ordered.volumes.into_iter();
    Job {
        id: ordered.id,
        run: ordered.run.to_string(),
        image: ordered.image,
        name: ordered.name,
        entrypoint: ordered.entrypoint,
        arguments: ordered.arguments,
        environment: ordered.environment,
        stdin: ordered.stdin,
        ports: ports.map(|port| (port.host, port.container)).collect(),
        volumes: volumes
            .map(|volume| (volume.host, volume.container))
            .collect(),
        network: ordered.network,
        pull: match ordered.pull {
            ContainerPull::Always => Pull::Always,
            ContainerPull::IfNotPresent => Pull::IfNotPresent,
            ContainerPull::Never => Pull::Never,
        },
        awaits: ordered.awaits,
        remove_after: ordered.remove_after_ms.map(Duration::from_millis),
        timeout: Duration::from_millis(ordered.timeout_ms),
        output_bytes_max: usize::try_from(ordered.output_bytes_max).unwrap_or(usize::MAX),
    }
}
