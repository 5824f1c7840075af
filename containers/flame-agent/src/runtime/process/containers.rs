//! Containers that tasks wait for, and the worker that runs them: the shell, which holds Podman's socket.
//!
//! A container's id stays the same over a crash of the agent, the worker or both, so each worker is given
//! every container that is waited for and finds those that run already. Deliberately absent: Podman.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use flame_engine::{ContainerCall, EffectId, Error, StandardError};
use flame_errors::Code;
use flame_types::{IdempotencyKey, RunId, WorkflowId};
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, oneshot, watch};

use super::{Ended, refused};

/// A container that a task wants to be run.
#[derive(Debug)]
pub struct ContainerJob {
    pub id: ContainerId,
    pub run: RunId,
    pub workflow: WorkflowId,
    /// JSON pointer of the task.
    pub task: Arc<str>,
    /// Its command is in `entrypoint`.
    pub container: ContainerCall,
    /// In place of the image's own; empty keeps that.
    pub entrypoint: Vec<String>,
    pub arguments: Vec<String>,
    pub environment: Vec<(String, String)>,
    pub stdin: Option<String>,
    pub network: bool,
    pub awaits: bool,
    pub timeout: Duration,
    pub output_bytes_max: usize,
}

impl ContainerJob {
    /// Bytes of what the container is given.
    pub(super) fn size(&self) -> usize {
        let lists = self.entrypoint.iter().chain(&self.arguments);
        let pairs = self.environment.iter().chain(&self.container.volumes);
        lists.map(String::len).sum::<usize>()
            + pairs
                .map(|(name, value)| name.len() + value.len())
                .sum::<usize>()
            + self.stdin.as_ref().map_or(0, String::len)
    }
}

/// 32 hex digits that stand for one attempt of a task.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContainerId(String);

impl ContainerId {
    /// The key alone is that of all attempts of a `try`.
    pub(super) fn of(key: &IdempotencyKey, effect: EffectId) -> Self {
        let digest = Sha256::digest(format!("{}~{}", key.as_str(), effect.0));
        let digits = digest[..16].iter().map(|byte| format!("{byte:02x}"));
        Self(digits.collect())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What the worker is told.
#[derive(Debug, Clone)]
pub enum ContainerOrder {
    Run(Arc<ContainerJob>),
    End(ContainerId),
}

/// How a container came out.
#[derive(Debug)]
pub enum ContainerOutcome {
    Ended {
        code: i64,
        stdout: String,
        stderr: String,
    },
    Fault {
        code: Option<Code>,
        title: String,
        detail: String,
    },
}

/// Told once what a container came to is on disk.
pub(in crate::runtime) type Stored = oneshot::Sender<()>;

type Told = (ContainerOutcome, Stored);

#[derive(Debug)]
pub(super) struct Containers {
    state: Mutex<State>,
    workers: watch::Sender<usize>,
    /// After a start, how long a container waits for a worker to come.
    patience: Duration,
    begun: Instant,
}

#[derive(Debug, Default)]
struct State {
    /// The one that came last gets the orders.
    workers: BTreeMap<u64, mpsc::UnboundedSender<ContainerOrder>>,
    came: u64,
    open: BTreeMap<ContainerId, Open>,
}

#[derive(Debug)]
struct Open {
    job: Arc<ContainerJob>,
    outcome: oneshot::Sender<Told>,
}

impl State {
    fn order(&self, order: ContainerOrder) {
        if let Some((_, worker)) = self.workers.last_key_value() {
            // One that has just gone gets nothing; the next is given everything that is open.
            let _ = worker.send(order);
        }
    }
}

impl Containers {
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            state: Mutex::default(),
            workers: watch::Sender::new(0),
            patience,
            begun: Instant::now(),
        }
    }

    /// The orders for a worker, until they are dropped; first everything that is waited for.
    pub(super) fn work(self: &Arc<Self>) -> ContainerOrders {
        let (sender, orders) = mpsc::unbounded_channel();
        let number = self.locked(|state| {
            state.came += 1;
            state.workers.insert(state.came, sender);
            for open in state.open.values() {
                state.order(ContainerOrder::Run(Arc::clone(&open.job)));
            }
            state.came
        });
        self.workers.send_modify(|workers| *workers += 1);
        ContainerOrders {
            orders,
            containers: Arc::clone(self),
            number,
        }
    }

    /// Waits for a worker as long as one may still come.
    pub(super) async fn worker(&self) -> Result<(), Error> {
        let patience = self.patience.saturating_sub(self.begun.elapsed());
        let mut workers = self.workers.subscribe();
        let found = tokio::time::timeout(patience, workers.wait_for(|workers| *workers > 0)).await;
        if matches!(found, Ok(Ok(_))) || *self.workers.borrow() > 0 {
            return Ok(());
        }
        Err(refused(
            Code::PodmanMissing,
            "containers need Podman, and nobody runs them for this agent; open the Mastra app beside it, \
             which does",
        ))
    }

    /// Waits for a container's outcome. Dropping the future ends the container, unless the worker is gone.
    pub(super) async fn run(&self, job: ContainerJob) -> (Result<Ended, Fault>, Option<Stored>) {
        let (told, outcome) = oneshot::channel();
        let waiting = Waiting {
            containers: self,
            id: job.id.clone(),
        };
        self.locked(|state| {
            let job = Arc::new(job);
            state.order(ContainerOrder::Run(Arc::clone(&job)));
            let open = Open { job, outcome: told };
            state.open.insert(waiting.id.clone(), open);
        });
        match outcome.await {
            Ok((outcome, stored)) => (end(outcome), Some(stored)),
            Err(_) => {
                let fault = Fault {
                    code: None,
                    title: "The container was not run".to_owned(),
                    detail: "another container of this task took its place".to_owned(),
                };
                (Err(fault), None)
            }
        }
    }

    /// Gives the task that waits for a container its outcome; true once that is on disk, false where
    /// nobody waits.
    pub(super) async fn tell(&self, id: &str, outcome: ContainerOutcome) -> bool {
        let open = self.locked(|state| state.open.remove(&ContainerId(id.to_owned())));
        let (stored, told) = oneshot::channel();
        let is_taken = open.is_some_and(|open| open.outcome.send((outcome, stored)).is_ok());
        is_taken && told.await.is_ok()
    }

    fn locked<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn end(outcome: ContainerOutcome) -> Result<Ended, Fault> {
    match outcome {
        ContainerOutcome::Ended {
            code,
            stdout,
            stderr,
        } => Ok(Ended {
            code,
            stdout,
            stderr,
        }),
        ContainerOutcome::Fault {
            code,
            title,
            detail,
        } => Err(Fault {
            code,
            title,
            detail,
        }),
    }
}

/// Why a container did not run to its end.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) code: Option<Code>,
    title: String,
    pub(super) detail: String,
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault.code {
            Some(code) => refused(code, &fault.detail),
            None => StandardError::Runtime.with(&fault.title, fault.detail),
        }
    }
}

/// A task that waits for its container.
struct Waiting<'c> {
    containers: &'c Containers,
    id: ContainerId,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.containers.locked(|state| {
            // Without an outcome nobody waits for it any more.
            if state.open.remove(&self.id).is_some() {
                state.order(ContainerOrder::End(self.id.clone()));
            }
        });
    }
}

/// What one worker is told, as long as it holds this.
#[derive(Debug)]
pub struct ContainerOrders {
    orders: mpsc::UnboundedReceiver<ContainerOrder>,
    containers: Arc<Containers>,
    number: u64,
}

impl ContainerOrders {
    pub async fn next(&mut self) -> Option<ContainerOrder> {
        self.orders.recv().await
    }
}

impl Drop for ContainerOrders {
    fn drop(&mut self) {
        self.containers.locked(|state| {
            let was_last = state
                .workers
                .last_key_value()
                .is_some_and(|(number, _)| *number == self.number);
            state.workers.remove(&self.number);
            if was_last {
                for open in state.open.values() {
                    state.order(ContainerOrder::Run(Arc::clone(&open.job)));
                }
            }
        });
        self.containers.workers.send_modify(|workers| *workers -= 1);
    }
}
