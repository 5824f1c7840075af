//! What the app holds: options, the state to follow, and the orders it may give.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flame_types::{Durability, Timestamp};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::budget::RestartBudget;
use super::error::Failure;
use super::logs::{LogBook, LogLine};
use super::supervisor::{Order, Supervisor};
use super::token::Token;

/// Orders that wait for the supervisor.
const ORDERS_MAX: usize = 16;

/// How the agent is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The `flame-agent` program.
    pub program: PathBuf,
    /// The agent's own data folder.
    pub data_dir: PathBuf,
    /// Where the token and the note about the running agent stand; private to the user.
    pub runtime_dir: PathBuf,
    pub log_file: PathBuf,
    pub durability: Durability,
    /// The port that is taken when it is free; another one otherwise.
    pub port: Option<u16>,
    /// The agent goes on when the app ends.
    pub keep_running: bool,
    pub budget: RestartBudget,
    /// How often the agent is asked whether it lives.
    pub health_every: Duration,
    /// How long it may take to end.
    pub grace: Duration,
    /// How long the agent of an app that was killed may hold the data folder: it ends by itself, with what it
    /// has under way.
    pub release: Duration,
}

impl Options {
    /// The usual limits: 5 restarts in 60 s, a look every 2 s, 15 s to end, 30 s to let go of the data folder.
    pub fn new(
        program: PathBuf,
        data_dir: PathBuf,
        runtime_dir: PathBuf,
        log_file: PathBuf,
    ) -> Self {
        Self {
            program,
            data_dir,
            runtime_dir,
            log_file,
            durability: Durability::Full,
            port: None,
            keep_running: false,
            budget: RestartBudget::new(5, Duration::from_secs(60)),
            health_every: Duration::from_secs(2),
            grace: Duration::from_secs(15),
            release: Duration::from_secs(30),
        }
    }
}

/// Whether the agent runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Starting,
    Ready,
    /// It was ordered to stop.
    Stopped,
    /// It is not started again until a person orders it.
    Failed,
}

/// Where the agent answers, and the token that opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub base: String,
    pub token: Token,
}

/// The agent as the supervisor last saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentState {
    pub phase: Phase,
    /// Present while it is ready.
    pub endpoint: Option<Endpoint>,
    pub pid: Option<u32>,
    pub version: Option<String>,
    pub started_at: Option<Timestamp>,
    /// From the start of the process until it was ready; absent for one that was found running.
    pub ready_ms: Option<u64>,
    /// Restarts that nobody ordered, since the app was started.
    pub restarts: u32,
    /// The last failure; gone once it is ready.
    pub failure: Option<Failure>,
    /// The wished port when another program holds it.
    pub port_taken: Option<u16>,
}

impl AgentState {
    pub(crate) const fn stopped() -> Self {
        Self {
            phase: Phase::Stopped,
            endpoint: None,
            pid: None,
            version: None,
            started_at: None,
            ready_ms: None,
            restarts: 0,
            failure: None,
            port_taken: None,
        }
    }
}

/// A supervised native agent. Dropping it without [`Launcher::close`] ends the supervision, and with
/// it an agent that was not told to stay.
#[derive(Debug)]
pub struct Launcher {
    /// Gone once it is closed.
    reins: Mutex<Option<Reins>>,
    state: watch::Receiver<AgentState>,
    logs: Arc<Mutex<LogBook>>,
}

/// What holds the supervisor.
#[derive(Debug)]
struct Reins {
    orders: mpsc::Sender<Order>,
    /// Dropping it ends a start that is under way.
    closing: oneshot::Sender<()>,
    supervisor: JoinHandle<()>,
}

impl Launcher {
    /// Begins the supervision; the agent is stopped until [`Launcher::start`].
    pub fn new(options: Options) -> Self {
        let (orders, inbox) = mpsc::channel(ORDERS_MAX);
        let (publish, state) = watch::channel(AgentState::stopped());
        let logs = Arc::new(Mutex::new(LogBook::new(options.log_file.clone())));
        let (closing, closed) = oneshot::channel();
        let supervisor = Supervisor::new(options, inbox, publish, Arc::clone(&logs));
        let supervisor = tokio::spawn(supervisor.run(closed));
        Self {
            reins: Mutex::new(Some(Reins {
                orders,
                closing,
                supervisor,
            })),
            state,
            logs,
        }
    }

    /// The state now and every later one.
    pub fn state(&self) -> watch::Receiver<AgentState> {
        self.state.clone()
    }

    /// Starts the agent, or finds the one that an earlier start left running. Does nothing when it
    /// runs. Comes back at once: follow [`Launcher::state`].
    pub async fn start(&self) {
        self.give(Order::Start).await;
    }

    /// Stops the agent and comes back when it has ended.
    pub async fn stop(&self) {
        let (done, ended) = oneshot::channel();
        self.give(Order::Stop(done)).await;
        let _ = ended.await;
    }

    /// Stops it and starts it again with a full restart budget.
    pub async fn restart(&self) {
        self.stop().await;
        self.start().await;
    }

    /// Whether it outlives the app; acts at once.
    pub async fn keep_running(&self, keep: bool) {
        self.give(Order::Keep(keep)).await;
    }

    /// Takes effect at the next start.
    pub async fn set_durability(&self, durability: Durability) {
        self.give(Order::Durability(durability)).await;
    }

    /// Log lines after that number, oldest first. Reads a file.
    pub fn logs(&self, after: u64) -> Vec<LogLine> {
        self.logs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .after(after)
    }

    /// Ends the supervision: the agent stops with it, or runs on when that was wished.
    pub async fn close(&self) {
        let reins = self
            .reins
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(Reins {
            orders,
            closing,
            supervisor,
        }) = reins
        else {
            return;
        };
        drop((orders, closing));
        if let Err(error) = supervisor.await {
            tracing::error!(%error, "the supervisor of the agent broke");
        }
    }

    async fn give(&self, order: Order) {
        let orders = {
            let reins = self.reins.lock().unwrap_or_else(PoisonError::into_inner);
            reins.as_ref().map(|reins| reins.orders.clone())
        };
        let given = match orders {
            Some(orders) => orders.send(order).await.is_ok(),
            None => false,
        };
        if !given {
            tracing::debug!("the supervision of the agent has ended");
        }
    }
}
