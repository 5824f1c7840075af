//! The loop that starts the agent, looks after it and obeys orders. Owns the process and the channels.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use flame_errors::Code;
use flame_types::{Durability, Timestamp};
use tokio::sync::{mpsc, oneshot, watch};

use super::error::Failure;
use super::health;
use super::launcher::{AgentState, Endpoint, Options, Phase};
use super::logs::LogBook;
use super::process::Process;
use super::record::{self, Listening};
use super::token::Token;

/// Looks without an answer before the agent counts as hung.
const SILENT_LOOKS_MAX: u32 = 5;
/// Between two tries while another agent has the data folder.
const LOCKED_WAIT: Duration = Duration::from_millis(250);

/// What the app may order.
#[derive(Debug)]
pub(crate) enum Order {
    Start,
    Stop(oneshot::Sender<()>),
    Keep(bool),
    Durability(Durability),
}

/// Why the loop around one process ended.
enum End {
    /// The process is gone and nobody ordered it.
    Lost(Failure),
    Stop(oneshot::Sender<()>),
    /// The app ends.
    Close,
}

pub(crate) struct Supervisor {
    options: Options,
    inbox: mpsc::Receiver<Order>,
    publish: watch::Sender<AgentState>,
    logs: Arc<Mutex<LogBook>>,
    began: Instant,
    /// Since when starts have failed for another agent in the data folder, and for nothing else.
    locked_since: Option<Instant>,
}

impl Supervisor {
    pub(crate) fn new(
        options: Options,
        inbox: mpsc::Receiver<Order>,
        publish: watch::Sender<AgentState>,
        logs: Arc<Mutex<LogBook>>,
    ) -> Self {
        Self {
            options,
            inbox,
            publish,
            logs,
            began: Instant::now(),
            locked_since: None,
        }
    }

    /// Until the app drops its end of the orders.
    pub(crate) async fn run(mut self, mut closed: oneshot::Receiver<()>) {
        while let Some(order) = self.inbox.recv().await {
            match order {
                Order::Start => {
                    self.options.budget.refill();
                    self.locked_since = None;
                    if self.run_agent(&mut closed).await.is_break() {
                        return;
                    }
                }
                Order::Stop(done) => {
                    self.publish_stopped();
                    let _ = done.send(());
                }
                Order::Keep(keep) => self.options.keep_running = keep,
                Order::Durability(durability) => self.options.durability = durability,
            }
        }
    }

    /// Starts the agent and again when it is lost, until an order or the end of the budget.
    async fn run_agent(&mut self, closed: &mut oneshot::Receiver<()>) -> std::ops::ControlFlow<()> {
        use std::ops::ControlFlow::{Break, Continue};
        loop {
            let begun = tokio::select! {
                begun = self.begin() => begun,
                // The half-started agent ends as its stdin closes.
                _ = &mut *closed => return Break(()),
            };
            let end = match begun {
                Ok(process) => self.look_after(process).await,
                Err(failure) => End::Lost(failure),
            };
            match end {
                End::Close => return Break(()),
                End::Stop(done) => {
                    self.publish_stopped();
                    let _ = done.send(());
                    return Continue(());
                }
                End::Lost(failure) => {
                    tracing::warn!(code = %failure.code, detail = failure.detail, "the agent is lost");
                    let Some(wait) = self.wait_before_restart(&failure) else {
                        return Continue(());
                    };
                    self.publish.send_modify(|state| {
                        *state = AgentState {
                            phase: Phase::Starting,
                            restarts: state.restarts + u32::from(!failure.is_locked()),
                            failure: Some(failure),
                            port_taken: state.port_taken,
                            ..AgentState::stopped()
                        };
                    });
                    match self.idle(wait).await {
                        None => {}
                        Some(End::Stop(done)) => {
                            self.publish_stopped();
                            let _ = done.send(());
                            return Continue(());
                        }
                        Some(_) => return Break(()),
                    }
                }
            }
        }
    }

    /// The wait before the next start, or `None` when there is none: the state says why.
    fn wait_before_restart(&mut self, failure: &Failure) -> Option<Duration> {
        if !failure.is_locked() {
            self.locked_since = None;
        }
        let wait = if failure.is_locked() {
            // Nothing of ours broke, and the budget is for that.
            let since = *self.locked_since.get_or_insert_with(Instant::now);
            (since.elapsed() < self.options.release).then_some(LOCKED_WAIT)
        } else if failure.is_final() {
            None
        } else {
            self.options.budget.ask(self.began.elapsed())
        };
        if wait.is_none() {
            let failure = if failure.is_final() {
                failure.clone()
            } else {
                let budget = &self.options.budget;
                Failure::new(
                    Code::AgentRestarting,
                    format!(
                        "{} restarts within {} s; the last end: {}",
                        budget.restarts_max(),
                        budget.window().as_secs(),
                        failure.detail
                    ),
                )
            };
            self.publish.send_modify(|state| {
                *state = AgentState {
                    phase: Phase::Failed,
                    restarts: state.restarts,
                    failure: Some(failure),
                    port_taken: state.port_taken,
                    ..AgentState::stopped()
                };
            });
        }
        wait
    }

    /// Waits, obeying orders meanwhile; gives an end when one was ordered.
    async fn idle(&mut self, wait: Duration) -> Option<End> {
        let until = tokio::time::Instant::now() + wait;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(until) => return None,
                order = self.inbox.recv() => match order {
                    None => return Some(End::Close),
                    Some(Order::Stop(done)) => return Some(End::Stop(done)),
                    Some(Order::Start) => return None,
                    Some(Order::Keep(keep)) => self.options.keep_running = keep,
                    Some(Order::Durability(durability)) => self.options.durability = durability,
                },
            }
        }
    }

    /// Finds the agent that runs already, or starts one.
    async fn begin(&self) -> Result<Process, Failure> {
        self.publish
            .send_modify(|state| state.phase = Phase::Starting);
        if let Some(process) = self.find().await {
            return Ok(process);
        }
        let token = Token::random().map_err(|error| {
            Failure::new(
                Code::Internal,
                format!("no randomness for the token: {error}"),
            )
        })?;
        let token_file = self.token_file();
        token.write(&token_file).map_err(|error| {
            let detail = format!(
                "the token can't be written to {}: {error}",
                token_file.display()
            );
            Failure::new(Code::AgentDown, detail)
        })?;
        let began = Instant::now();
        let (port, port_taken) = self.free_port();
        let mut process = self.spawn(port).await.inspect_err(|_| self.forget())?;
        if self.options.keep_running {
            process.keep(true).await;
        }
        if let Err(error) = process.listening.write(&self.record_file()) {
            tracing::warn!(%error, "the note about the agent can't be written");
        }
        let ready_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.publish_ready(&process.listening, token, Some(ready_ms), port_taken);
        Ok(process)
    }

    async fn spawn(&self, port: u16) -> Result<Process, Failure> {
        let path = |path: &std::path::Path| path.to_string_lossy().into_owned();
        let arguments = [
            "serve".to_owned(),
            "--data-dir".to_owned(),
            path(&self.options.data_dir),
            "--listen".to_owned(),
            format!("127.0.0.1:{port}"),
            "--token-file".to_owned(),
            path(&self.token_file()),
            "--durability".to_owned(),
            self.options.durability.as_str().to_owned(),
            "--exit-on-stdin-close".to_owned(),
            // It runs as this user and listens on loopback; what it may start, the app says.
            "--host-execution-by-api".to_owned(),
        ];
        let log = self.book().open_for_agent().map_err(|error| {
            let detail = format!(
                "{} can't be opened: {error}",
                self.options.log_file.display()
            );
            Failure::new(Code::AgentDown, detail)
        })?;
        let spawned = Process::spawn(&self.options.program, &arguments, log).await;
        spawned.map_err(|failure| self.explain(failure))
    }

    /// An agent that an earlier start left running, when its note, its token, its data folder and
    /// its version all fit. One of another version is stopped.
    async fn find(&self) -> Option<Process> {
        let listening = Listening::read(&self.record_file())?;
        let token = Token::read(&self.token_file()).ok()?;
        let identity = health::identity(&listening.listening, &token).await?;
        if identity.pid != listening.pid || listening.data_dir != self.options.data_dir {
            return None;
        }
        let mut process = Process::found(listening);
        if identity.version != env!("CARGO_PKG_VERSION") {
            tracing::info!(
                version = identity.version,
                "an agent of another version is stopped"
            );
            process.stop(self.options.grace).await;
            return None;
        }
        self.publish_ready(&process.listening, token, None, None);
        Some(process)
    }

    /// Until the process is gone or an order ends it.
    async fn look_after(&mut self, mut process: Process) -> End {
        let mut looks = tokio::time::interval(self.options.health_every);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut silent = 0;
        loop {
            tokio::select! {
                how = process.ended() => {
                    self.forget();
                    return End::Lost(self.explain(Failure::new(Code::AgentDown, how)));
                }
                _ = looks.tick() => {
                    silent = if health::is_live(&process.listening.listening).await { 0 } else { silent + 1 };
                    if let Err(error) = self.book().rotate_when_large() {
                        tracing::warn!(%error, "the agent's log can't be rotated");
                    }
                    if silent >= SILENT_LOOKS_MAX {
                        self.end(&mut process).await;
                        let detail = format!("it did not answer {silent} times and was stopped");
                        return End::Lost(Failure::new(Code::AgentDown, detail));
                    }
                }
                order = self.inbox.recv() => match order {
                    Some(Order::Start) => {}
                    Some(Order::Keep(keep)) => {
                        self.options.keep_running = keep;
                        process.keep(keep).await;
                    }
                    Some(Order::Durability(durability)) => self.options.durability = durability,
                    Some(Order::Stop(done)) => {
                        self.end(&mut process).await;
                        return End::Stop(done);
                    }
                    None => {
                        if self.options.keep_running {
                            process.leave().await;
                        } else {
                            self.end(&mut process).await;
                        }
                        return End::Close;
                    }
                },
            }
        }
    }

    async fn end(&self, process: &mut Process) {
        process.stop(self.options.grace).await;
        self.forget();
    }

    /// Removes what is kept of an agent that has ended.
    fn forget(&self) {
        record::forget(&self.record_file());
        Token::forget(&self.token_file());
    }

    fn explain(&self, failure: Failure) -> Failure {
        match self.book().last_message() {
            Some(said) => failure.with_last_words(&said),
            None => failure,
        }
    }

    /// The wished port when it is free, else 0 (any) and the port that is taken.
    fn free_port(&self) -> (u16, Option<u16>) {
        match self.options.port {
            None => (0, None),
            Some(port) if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() => (port, None),
            Some(port) => (0, Some(port)),
        }
    }

    fn publish_ready(
        &self,
        listening: &Listening,
        token: Token,
        ready_ms: Option<u64>,
        port_taken: Option<u16>,
    ) {
        self.publish.send_modify(|state| {
            *state = AgentState {
                phase: Phase::Ready,
                endpoint: Some(Endpoint {
                    base: listening.listening.clone(),
                    token,
                }),
                pid: Some(listening.pid),
                version: Some(listening.version.clone()),
                started_at: Some(Timestamp::now()),
                ready_ms,
                restarts: state.restarts,
                failure: None,
                port_taken,
            };
        });
    }

    fn publish_stopped(&self) {
        self.publish.send_modify(|state| {
            *state = AgentState {
                restarts: state.restarts,
                ..AgentState::stopped()
            };
        });
    }

    fn token_file(&self) -> std::path::PathBuf {
        self.options.runtime_dir.join("token")
    }

    fn record_file(&self) -> std::path::PathBuf {
        self.options.runtime_dir.join("agent.json")
    }

    fn book(&self) -> std::sync::MutexGuard<'_, LogBook> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
