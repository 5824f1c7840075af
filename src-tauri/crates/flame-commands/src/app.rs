//! The open app: its workspace, its secrets, its agent, and the tasks that keep them together.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flame_agent_client::AgentClient;
use flame_errors::Code;
use flame_ipc::{ErrorView, Event, RuntimeMode, Settings};
use flame_launcher::agent::Endpoint;
use flame_launcher::watch::{FolderWatch, WatchOptions};
use flame_types::Timestamp;
use flame_vault::{Cost, Vault};
use flame_workspace::{DocumentId, Workspace};
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::connections::Checks;
use crate::containers::WorkerOptions;
use crate::failure::{OrView, View};
use crate::feeds::{FeedBoard, Feeder};
use crate::follow::Followers;
use crate::host::Host;
use crate::runtime::{Runtime, RuntimeOptions};
use crate::{connections, documents, feeds, follow, settings};

/// A command waits this long for an agent that is starting.
const AGENT_WAIT_MAX: Duration = Duration::from_secs(20);

/// Where the app lives, and where its agent is.
#[derive(Debug, Clone)]
pub struct Options {
    /// Workspace, inbox, logs and the agent's own folder.
    pub data_dir: PathBuf,
    /// For the token; private to the user and gone after a restart of the machine.
    pub runtime_dir: PathBuf,
    pub agent_program: PathBuf,
    /// Where the same program without dynamic libraries, for a container, may be, best first.
    pub static_agent_programs: Vec<PathBuf>,
    /// Where Podman's socket is, instead of the usual places.
    pub podman: Option<String>,
    /// The port that the agent takes when it is free.
    pub agent_port: Option<u16>,
    pub version: String,
    /// Names the app in the keychain.
    pub vault_service: String,
}

/// Everything the commands work on.
pub struct App {
    pub(crate) options: Options,
    host: Arc<dyn Host>,
    pub(crate) workspace: Arc<Workspace>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) runtime: Runtime,
    pub(crate) board: Arc<FeedBoard>,
    pub(crate) watch: Mutex<Option<Arc<FolderWatch>>>,
    pub(crate) checks: Checks,
    pub(crate) followers: Followers,
    /// Held while the pins of a workflow change.
    pub(crate) pins: Arc<Mutex<()>>,
    /// Held while the agent is told what may run on this computer.
    pub(crate) host_execution: tokio::sync::Mutex<()>,
    settings: Mutex<Settings>,
    /// Titles of documents, until one changes.
    pub(crate) titles: Mutex<Option<Arc<documents::Titles>>>,
    /// The agent once it runs and holds what is deployed.
    client: watch::Sender<Option<Connected>>,
    tasks: Mutex<JoinSet<()>>,
}

/// A client, and the agent it was made for.
#[derive(Debug, Clone)]
pub(crate) struct Connected {
    pub(crate) endpoint: Endpoint,
    pub(crate) client: AgentClient,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("data_dir", &self.options.data_dir)
            .finish_non_exhaustive()
    }
}

impl App {
    /// Opens the workspace, with the samples when it is new, and starts the agent.
    pub async fn open(options: Options, host: Arc<dyn Host>) -> Result<Arc<Self>, ErrorView> {
        let folder = options.data_dir.clone();
        let workspace = tokio::task::spawn_blocking(move || Workspace::open(&folder, now()))
            .await
            .or_view()?
            .or_view()?;
        let workspace = Arc::new(workspace);
        make_folder(&options.data_dir.join("inbox"))?;
        if workspace.is_first_start() {
            documents::seed(&workspace, &options.data_dir)?;
        }
        let settings = settings::read(&workspace)?;
        let vault = Vault::new(
            options.vault_service.clone(),
            options.data_dir.join("vault.json"),
            Cost::default(),
        );
        let runtime = Runtime::new(RuntimeOptions::of(&options, &settings, &workspace)?);
        let app = Arc::new(Self {
            host,
            workspace,
            vault: Arc::new(vault),
            runtime,
            board: Arc::default(),
            watch: Mutex::default(),
            checks: Checks::default(),
            followers: Followers::default(),
            pins: Arc::default(),
            host_execution: tokio::sync::Mutex::default(),
            settings: Mutex::new(settings),
            titles: Mutex::default(),
            client: watch::Sender::new(None),
            tasks: Mutex::default(),
            options,
        });
        app.begin().await;
        Ok(app)
    }

    async fn begin(self: &Arc<Self>) {
        let feeder = Arc::new(Feeder::new(Arc::downgrade(self)));
        let watch = Arc::new(FolderWatch::start(WatchOptions::default(), feeder));
        *self.watch.lock().unwrap_or_else(PoisonError::into_inner) = Some(watch);
        self.runtime.start().await;
        self.spawn(follow::agent(Arc::downgrade(self)));
        self.spawn(follow::figures(Arc::downgrade(self)));
        feeds::watch_deployed(self).await;
    }

    /// Stops the agent, unless it shall stay, and everything else.
    pub async fn close(&self) {
        self.followers.clear();
        connections::forget_deleted_secrets(self).await;
        let mut tasks = std::mem::take(&mut *lock(&self.tasks));
        tasks.shutdown().await;
        let watch = self
            .watch
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(watch) = watch.and_then(Arc::into_inner) {
            watch.close().await;
        }
        self.runtime.close().await;
        if let Err(error) = self
            .with_workspace(|workspace| workspace.close().or_view())
            .await
        {
            tracing::warn!(%error, "the workspace could not be closed in order");
        }
    }

    /// The agent, waiting for one that is starting.
    pub(crate) async fn agent(&self) -> Result<AgentClient, ErrorView> {
        let mut client = self.client.subscribe();
        let waited = tokio::time::timeout(AGENT_WAIT_MAX, async {
            loop {
                client.mark_unchanged();
                if let Some(agent) = self.agent_now() {
                    return Ok(agent);
                }
                if let Some(error) = self.runtime.refusal() {
                    return Err(error);
                }
                tokio::select! {
                    changed = client.changed() => {
                        if changed.is_err() {
                            return Err(ErrorView::new(Code::AgentDown, "the app is closing"));
                        }
                    }
                    () = self.runtime.changed() => {}
                }
            }
        });
        waited.await.unwrap_or_else(|_| {
            let detail = format!("it was not ready after {} s", AGENT_WAIT_MAX.as_secs());
            Err(flame_agent_down(&detail))
        })
    }

    /// Where containers run that the agent's tasks ask for.
    pub(crate) fn worker_options(&self) -> WorkerOptions {
        let runtime = self.runtime.options();
        let is_native = runtime.mode == RuntimeMode::Native;
        WorkerOptions {
            workspace: runtime.workspace,
            podman: runtime.podman,
            volumes: is_native.then(|| runtime.native.data_dir.join("files")),
            marks: self.options.data_dir.join("containers"),
        }
    }

    /// The agent if it is ready now.
    pub(crate) fn agent_now(&self) -> Option<AgentClient> {
        let connected = self.client.borrow().clone()?;
        // One that was prepared for an agent that has gone since is none.
        (self.runtime.endpoint().as_ref() == Some(&connected.endpoint)).then_some(connected.client)
    }

    pub(crate) fn set_agent(&self, agent: Option<Connected>) {
        self.client.send_replace(agent);
    }

    /// Whether the agent, and with it the app in the tray, outlives the window.
    pub fn keeps_running(&self) -> bool {
        self.settings().keep_running
    }

    pub(crate) fn settings(&self) -> Settings {
        lock(&self.settings).clone()
    }

    pub(crate) async fn save_settings(&self, after: Settings) -> Result<(), ErrorView> {
        let kept = after.clone();
        self.with_workspace(move |workspace| settings::write(workspace, &kept))
            .await?;
        *lock(&self.settings) = after;
        Ok(())
    }

    pub(crate) fn emit(&self, event: &Event) {
        if matches!(event, Event::DocumentsChanged(_)) {
            *lock(&self.titles) = None;
        }
        self.host.emit(event);
    }

    pub(crate) fn host(&self) -> &dyn Host {
        self.host.as_ref()
    }

    /// Runs work on the workspace off the async threads.
    pub(crate) async fn with_workspace<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Workspace) -> Result<T, ErrorView> + Send + 'static,
    ) -> Result<T, ErrorView> {
        let workspace = Arc::clone(&self.workspace);
        tokio::task::spawn_blocking(move || work(&workspace))
            .await
            .or_view()?
    }

    /// Runs work on the secrets off the async threads.
    pub(crate) async fn with_vault<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Vault) -> Result<T, flame_vault::Error> + Send + 'static,
    ) -> Result<T, ErrorView> {
        let vault = Arc::clone(&self.vault);
        tokio::task::spawn_blocking(move || work(&vault))
            .await
            .or_view()?
            .or_view()
    }

    /// Runs a task until the app closes.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = lock(&self.tasks);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }
}

/// The clock, read at the edge and passed inward.
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

pub(crate) fn new_id() -> DocumentId {
    DocumentId::new(Uuid::now_v7())
}

/// A value behind a lock whose holders never leave it half changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn flame_agent_down(detail: &str) -> ErrorView {
    flame_launcher::agent::Failure {
        code: Code::AgentDown,
        detail: detail.to_owned(),
    }
    .view()
}

fn make_folder(folder: &std::path::Path) -> Result<(), ErrorView> {
    std::fs::create_dir_all(folder).map_err(|error| {
        let detail = format!("the folder {} can't be made: {error}", folder.display());
        ErrorView::new(Code::WorkspaceFailed, detail)
            .with_hint("Check who owns the data folder, or start with --data-dir.")
    })
}
