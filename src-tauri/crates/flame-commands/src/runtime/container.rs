//! The agent in Podman: started, watched and stopped with the app.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use flame_agent_client::AgentClient;
use flame_agent_client::api::SecretText;
use flame_errors::Code;
use flame_ipc::{ContainerGet, ContainerView, ErrorView, Fraction, RuntimeMode, Whole};
use flame_launcher::agent::{AgentState, Endpoint, Failure, Phase, RestartBudget, Token};
use flame_podman::{
    AgentContainer, AgentImage, ContainerState, Limits, Locator, LogLine, Place, Program, Spec,
    Stats,
};
use flame_types::{Durability, Timestamp};
use flame_workspace::Workspace;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::RuntimeOptions;
use super::switch::{fresh_folder, remove_folder, rename};
use crate::app::{App, lock};
use crate::execute::Execute;
use crate::failure::{OrView, View};

const READY_MAX: Duration = Duration::from_secs(30);
const READY_EVERY: Duration = Duration::from_millis(50);
const LOOK_EVERY: Duration = Duration::from_secs(2);
const SILENT_LOOKS_MAX: u32 = 5;
const DRAIN: Duration = Duration::from_secs(15);
const FACT: &str = "podman:workspace";

/// The name of this workspace's objects in Podman; made once.
pub(super) fn workspace_name(workspace: &Workspace) -> Result<String, ErrorView> {
    if let Some(name) = workspace.fact(FACT).or_view()? {
        return Ok(name);
    }
    let random = Uuid::now_v7().simple().to_string();
    let name = format!("w{}", &random[22..]);
    workspace.set_fact(FACT, &name).or_view()?;
    Ok(name)
}

/// The agent's container and the task that looks after it.
pub(super) struct Container {
    workspace: String,
    static_programs: Vec<PathBuf>,
    podman: Option<String>,
    token_file: PathBuf,
    durability: Mutex<Durability>,
    /// The port that the agent should have wherever it runs.
    wished_port: Option<u16>,
    native: watch::Receiver<AgentState>,
    publish: watch::Sender<AgentState>,
    /// Podman as it was found, with the container that is in use.
    driver: Mutex<Option<Arc<Driver>>>,
    keeper: Mutex<Option<JoinHandle<()>>>,
    /// Held while the output folder is copied out.
    copying: tokio::sync::Mutex<()>,
}

/// A Podman that answers and our container in it. A service that was started for us ends with this.
pub(super) struct Driver {
    pub(super) place: Place,
    pub(super) container: AgentContainer,
    port: u16,
    verified: Mutex<Vec<String>>,
}

impl Container {
    /// `native` is the state of the agent outside Podman.
    pub(super) fn new(options: &RuntimeOptions, native: watch::Receiver<AgentState>) -> Self {
        Self {
            workspace: options.workspace.clone(),
            static_programs: options.static_programs.clone(),
            podman: options.podman.clone(),
            token_file: options.native.runtime_dir.join("container-token"),
            durability: Mutex::new(options.native.durability),
            wished_port: options.native.port,
            native,
            publish: watch::Sender::new(stopped()),
            driver: Mutex::default(),
            keeper: Mutex::default(),
            copying: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn state(&self) -> watch::Receiver<AgentState> {
        self.publish.subscribe()
    }

    pub(super) fn set_durability(&self, durability: Durability) {
        *lock(&self.durability) = durability;
    }

    /// Finds the running container or starts it, and looks after it from then on.
    pub(super) fn start(self: &Arc<Self>) {
        self.publish
            .send_modify(|state| state.phase = Phase::Starting);
        let container = Arc::clone(self);
        let keeper = tokio::spawn(async move { container.keep().await });
        if let Some(before) = lock(&self.keeper).replace(keeper) {
            before.abort();
        }
    }

    pub(super) async fn restart(self: &Arc<Self>) {
        self.end_keeper();
        self.publish.send_replace(stopped());
        let driver = lock(&self.driver).clone();
        if let Some(driver) = driver
            && let Err(error) = driver.container.stop().await
        {
            tracing::warn!(%error, "the container could not be stopped");
        }
        self.start();
    }

    /// Makes the container anew, as its arguments changed; the data stays in its volume.
    pub(super) async fn recreate(self: &Arc<Self>) -> Result<(), ErrorView> {
        self.end_keeper();
        self.publish.send_replace(stopped());
        let driver = self.locate().await?;
        self.create(&driver).await?;
        *lock(&self.driver) = Some(driver);
        self.start();
        Ok(())
    }

    /// The app ends.
    pub(super) async fn close(&self, stop: bool) {
        self.end_keeper();
        let driver = lock(&self.driver).take();
        if let Some(driver) = driver.filter(|_| stop)
            && let Err(error) = driver.container.stop().await
        {
            tracing::warn!(%error, "the container could not be stopped");
        }
    }

    pub(super) fn end_keeper(&self) {
        if let Some(keeper) = lock(&self.keeper).take() {
            keeper.abort();
        }
    }

    pub(super) fn forget(&self) {
        self.end_keeper();
        *lock(&self.driver) = None;
        self.publish.send_replace(stopped());
    }

    pub(super) async fn stats(&self) -> Option<Stats> {
        let driver = lock(&self.driver).clone()?;
        driver.container.stats().await.ok().flatten()
    }

    pub(super) async fn logs(&self, lines: u32) -> Result<Vec<LogLine>, ErrorView> {
        let driver = lock(&self.driver).clone();
        match driver {
            Some(driver) => driver.container.logs(lines).await.or_view(),
            None => Ok(Vec::new()),
        }
    }

    /// Copies the output folder out of the container, in place of the last copy. The files in a copy
    /// can't be written, as nothing would come of it.
    pub(super) async fn copy_output(&self, to: &Path) -> Result<(), ErrorView> {
        let _alone = self.copying.lock().await;
        let known = lock(&self.driver).clone();
        let driver = match known {
            Some(driver) => driver,
            None => self.locate().await?,
        };
        let fresh = fresh_folder(to.with_extension("new"))?;
        driver.container.export("files", &fresh).await.or_view()?;
        remove_folder(to)?;
        rename(&fresh, to)?;
        let copy = to.to_owned();
        tokio::task::spawn_blocking(move || protect(&copy))
            .await
            .or_view()
    }

    /// Starts the container and keeps it running within a budget.
    async fn keep(&self) {
        let mut budget = RestartBudget::new(5, Duration::from_secs(60));
        let began = Instant::now();
        loop {
            let failure = match self.begin().await {
                Ok((driver, endpoint)) => self.look_after(&driver, &endpoint).await,
                Err(failure) => failure,
            };
            tracing::warn!(%failure, "the agent's container is lost");
            let wait = match failure.is_final() {
                true => None,
                false => budget.ask(began.elapsed()),
            };
            self.publish.send_modify(|state| {
                *state = AgentState {
                    phase: if wait.is_some() {
                        Phase::Starting
                    } else {
                        Phase::Failed
                    },
                    restarts: state.restarts + u32::from(wait.is_some()),
                    failure: Some(failure.clone()),
                    ..stopped()
                };
            });
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return,
            }
        }
    }

    async fn begin(&self) -> Result<(Arc<Driver>, Endpoint), Failure> {
        let known = lock(&self.driver).clone();
        let driver = match known {
            Some(driver) => driver,
            None => self.locate().await.map_err(failure)?,
        };
        let state = driver
            .container
            .state()
            .await
            .map_err(|error| podman_failure(&error))?;
        let began = Instant::now();
        let is_running = state
            .as_ref()
            .is_some_and(|state| state.status == "running");
        let endpoint = match (is_running, Token::read(&self.token_file)) {
            (true, Ok(token)) => {
                let words = driver.container.verify().await;
                *lock(&driver.verified) = words.map_err(|error| podman_failure(&error))?;
                Endpoint {
                    base: base(driver.port),
                    token,
                }
            }
            _ => {
                self.create(&driver).await.map_err(failure)?;
                self.run(&driver).await.map_err(failure)?
            }
        };
        wait_until_ready(&driver, &endpoint).await?;
        *lock(&self.driver) = Some(Arc::clone(&driver));
        self.publish_ready(&driver, &endpoint, (!is_running).then(|| began.elapsed()))
            .await;
        Ok((driver, endpoint))
    }

    async fn look_after(&self, driver: &Driver, endpoint: &Endpoint) -> Failure {
        let Ok(client) = client(endpoint) else {
            return Failure {
                code: Code::Internal,
                detail: "no client".to_owned(),
            };
        };
        let mut silent = 0;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            silent = if client.status().await.is_ok() {
                0
            } else {
                silent + 1
            };
            if let Some(failure) = ended(driver).await {
                return failure;
            }
            if silent >= SILENT_LOOKS_MAX {
                if let Err(error) = driver.container.stop().await {
                    tracing::warn!(%error, "the silent container could not be stopped");
                }
                let detail = format!("it did not answer {silent} times and was stopped");
                return Failure {
                    code: Code::AgentDown,
                    detail,
                };
            }
        }
    }

    async fn publish_ready(&self, driver: &Driver, endpoint: &Endpoint, took: Option<Duration>) {
        let version = match client(endpoint) {
            Ok(client) => client.status().await.ok().map(|status| status.version),
            Err(_) => None,
        };
        self.publish.send_modify(|state| {
            *state = AgentState {
                phase: Phase::Ready,
                endpoint: Some(endpoint.clone()),
                version,
                started_at: Some(Timestamp::now()),
                ready_ms: took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
                restarts: state.restarts,
                ..stopped()
            };
        });
        tracing::info!(socket = %driver.place.socket.display(), "the agent runs in Podman");
    }

    /// Finds Podman. The port is the one of the container that is there, else a new one's.
    pub(super) async fn locate(&self) -> Result<Arc<Driver>, ErrorView> {
        let place = Locator::from_environment(self.podman.clone())
            .locate()
            .await
            .or_view()?;
        let port = self.new_port()?;
        let container = AgentContainer::new(&place, self.spec(port));
        let known = container.state().await.or_view()?;
        let port = known
            .and_then(|state| published_port(&state))
            .unwrap_or(port);
        let container = AgentContainer::new(&place, self.spec(port));
        Ok(Arc::new(Driver {
            place,
            container,
            port,
            verified: Mutex::default(),
        }))
    }

    /// For a container to be made: webhooks keep their address over a move, as the native agent has
    /// ended when the container starts.
    fn new_port(&self) -> Result<u16, ErrorView> {
        let native = self.native.borrow().endpoint.as_ref().and_then(port_of);
        let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
        match native.or(self.wished_port.filter(is_free)) {
            Some(port) => Ok(port),
            None => free_port(),
        }
    }

    fn spec(&self, port: u16) -> Spec {
        Spec {
            workspace: self.workspace.clone(),
            publish: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            durability: lock(&self.durability).as_str().to_owned(),
            limits: Limits::default(),
            drain: DRAIN,
        }
    }

    /// The image that is there, or one built of the static program, which may have come since the start.
    pub(super) async fn image(&self, driver: &Driver) -> Result<AgentImage, ErrorView> {
        let there = self.static_programs.iter().find(|path| path.is_file());
        let Some(path) = there.cloned() else {
            return Err(ErrorView::new(
                Code::PodmanImage,
                "the agent's program for containers is not installed",
            )
            .with_hint("In a source checkout, run: cargo xtask images. Then switch again."));
        };
        let program = read_program(path).await?;
        AgentImage::ensure(&driver.place, &program).await.or_view()
    }

    /// Makes the container with a fresh token; what is in its volume stays.
    pub(super) async fn create(&self, driver: &Driver) -> Result<(), ErrorView> {
        let image = self.image(driver).await?;
        let token = self.new_token()?;
        let made = driver.container.create(&image, token.expose()).await;
        made.or_view()
    }

    /// Puts the last backup in the place of a damaged database. The container is made anew at the next
    /// start.
    pub(super) async fn restore(&self) -> Result<(), ErrorView> {
        self.end_keeper();
        let driver = self.locate().await?;
        let image = self.image(&driver).await?;
        let token = self.new_token()?;
        let restored = driver.container.restore(&image, token.expose()).await;
        restored.or_view()
    }

    fn new_token(&self) -> Result<Token, ErrorView> {
        let failed = |error: std::io::Error| {
            let detail = format!("{}: {error}", self.token_file.display());
            ErrorView::new(
                Code::PodmanFailed,
                format!("the token can't be kept: {detail}"),
            )
        };
        let token = Token::random().map_err(failed)?;
        token.write(&self.token_file).map_err(failed)?;
        Ok(token)
    }

    /// Starts the created container and verifies its protection.
    pub(super) async fn run(&self, driver: &Driver) -> Result<Endpoint, ErrorView> {
        let token = Token::read(&self.token_file)
            .map_err(|error| ErrorView::new(Code::PodmanFailed, error.to_string()))?;
        let words = match driver.container.start().await {
            Ok(words) => words,
            // What it said itself tells more.
            Err(error) => {
                let ended = ended(driver).await;
                return Err(ended.map_or_else(|| error.view(), View::view));
            }
        };
        *lock(&driver.verified) = words;
        Ok(Endpoint {
            base: base(driver.port),
            token,
        })
    }

    pub(super) fn adopt(&self, driver: Arc<Driver>) {
        *lock(&self.driver) = Some(driver);
    }
}

impl Execute for ContainerGet {
    async fn execute(self, app: Arc<App>) -> Result<Option<ContainerView>, ErrorView> {
        if app.runtime.mode() != RuntimeMode::Podman {
            return Ok(None);
        }
        let driver = lock(&app.runtime.container.driver).clone();
        let Some(driver) = driver else {
            return Ok(None);
        };
        let Some(state) = driver.container.state().await.or_view()? else {
            return Ok(None);
        };
        let stats = driver.container.stats().await.or_view()?;
        let hardening = lock(&driver.verified).clone();
        Ok(Some(ContainerView {
            id: state.id,
            name: state.name,
            image: state.image,
            status: state.status,
            started_at: state
                .started_at
                .and_then(|at| at.parse::<Timestamp>().ok())
                .map(Into::into),
            cpu_percent: Fraction::new(stats.map_or(0.0, |stats| stats.cpu_percent)),
            memory_bytes: Whole::new(stats.map_or(0, |stats| stats.memory_bytes)),
            memory_limit_bytes: Some(Whole::new(state.memory_limit_bytes)),
            pids: Whole::new(stats.map_or(0, |stats| stats.pids)),
            hardening,
        }))
    }
}

async fn read_program(path: PathBuf) -> Result<Program, ErrorView> {
    tokio::task::spawn_blocking(move || Program::read(&path))
        .await
        .or_view()?
        .or_view()
}

pub(super) async fn wait_until_ready(driver: &Driver, endpoint: &Endpoint) -> Result<(), Failure> {
    let client = client(endpoint).map_err(|error| Failure {
        code: Code::Internal,
        detail: error.to_string(),
    })?;
    let ready = async {
        while client.status().await.is_err() {
            if let Some(failure) = ended(driver).await {
                return Err(failure);
            }
            tokio::time::sleep(READY_EVERY).await;
        }
        Ok(())
    };
    let waited = tokio::time::timeout(READY_MAX, ready).await;
    waited.unwrap_or_else(|_| {
        Err(Failure {
            code: Code::AgentDown,
            detail: format!(
                "the container did not answer within {} s",
                READY_MAX.as_secs()
            ),
        })
    })
}

/// Why the container does not run any more, if it does not; in the agent's words where it left some.
async fn ended(driver: &Driver) -> Option<Failure> {
    let state = driver.container.state().await.ok().flatten()?;
    if state.status == "running" {
        return None;
    }
    let failure = Failure {
        code: Code::AgentDown,
        detail: format!("the container is {} ({})", state.status, state.exit_code),
    };
    let lines = driver.container.logs(1).await.ok();
    Some(match lines.and_then(|mut lines| lines.pop()) {
        Some(line) => {
            let said = flame_launcher::agent::LogLine::parse(0, &line.text).message;
            failure.with_last_words(&said)
        }
        None => failure,
    })
}

fn client(endpoint: &Endpoint) -> Result<AgentClient, flame_agent_client::Error> {
    AgentClient::new(&endpoint.base, SecretText::new(endpoint.token.expose()))
}

fn base(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// Lets nobody write the files below a folder; where that fails they are there all the same.
fn protect(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(found) = path.symlink_metadata() else {
            continue;
        };
        if found.is_dir() {
            protect(&path);
        } else if found.is_file() {
            let mut permissions = found.permissions();
            permissions.set_readonly(true);
            if let Err(error) = std::fs::set_permissions(&path, permissions) {
                tracing::warn!(file = %path.display(), %error, "a copy can still be written");
            }
        }
    }
}

fn port_of(endpoint: &Endpoint) -> Option<u16> {
    endpoint.base.rsplit(':').next()?.parse().ok()
}

/// Podman says where the container's port is published once it was made.
fn published_port(state: &ContainerState) -> Option<u16> {
    state.published_port
}

fn free_port() -> Result<u16, ErrorView> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| ErrorView::new(Code::PortTaken, format!("no free port: {error}")))
}

pub(super) fn failure(view: ErrorView) -> Failure {
    let code = Code::ALL
        .iter()
        .copied()
        .find(|code| view.is(*code))
        .unwrap_or(Code::PodmanFailed);
    Failure {
        code,
        detail: view.detail,
    }
}

fn podman_failure(error: &flame_podman::Error) -> Failure {
    Failure {
        code: error.code(),
        detail: crate::failure::chain(error),
    }
}

pub(super) fn stopped() -> AgentState {
    AgentState {
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

/// The folder where data passes through on its way in or out of the container.
pub(super) fn passage(data_dir: &Path) -> PathBuf {
    data_dir.join("handover")
}
