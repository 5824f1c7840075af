//! Where the agent runs: natively or in Podman, one at a time, behind one state.

mod container;
mod logs;
mod outbound;
mod status;
mod switch;
mod usage;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use flame_errors::Code;
use flame_ipc::{ErrorView, RuntimeMode, Settings, SwitchProgress};
use flame_launcher::agent::{AgentState, Endpoint, Failure, Launcher, Phase, restore};
use flame_types::Durability;
use flame_workspace::Workspace;
use tokio::sync::watch;

use crate::app::{Options, lock};
use crate::failure::View;

use container::Container;
use usage::Usage;

/// What the runtime is made of.
#[derive(Debug, Clone)]
pub(crate) struct RuntimeOptions {
    pub(crate) mode: RuntimeMode,
    pub(crate) native: flame_launcher::agent::Options,
    /// Names the objects in Podman.
    pub(crate) workspace: String,
    pub(crate) static_programs: Vec<PathBuf>,
    /// Where Podman's socket is, instead of the usual places.
    pub(crate) podman: Option<String>,
}

impl RuntimeOptions {
    pub(crate) fn of(
        options: &Options,
        settings: &Settings,
        workspace: &Workspace,
    ) -> Result<Self, ErrorView> {
        let mut native = flame_launcher::agent::Options::new(
            options.agent_program.clone(),
            options.data_dir.join("agent"),
            options.runtime_dir.clone(),
            options.data_dir.join("logs/agent.log"),
        );
        native.durability = settings.durability.into();
        native.keep_running = settings.keep_running;
        native.port = options.agent_port;
        Ok(Self {
            mode: settings.runtime_mode,
            native,
            workspace: container::workspace_name(workspace)?,
            static_programs: options.static_agent_programs.clone(),
            podman: options.podman.clone(),
        })
    }
}

/// The agent, wherever it runs.
pub(crate) struct Runtime {
    options: Mutex<RuntimeOptions>,
    launcher: Arc<Launcher>,
    container: Arc<Container>,
    /// The state of whichever of the two is in use.
    state: watch::Sender<AgentState>,
    usage: Mutex<Usage>,
    switching: Mutex<Option<switch::Switching>>,
    /// The newest word on a switch, also after its end.
    progress: Mutex<Option<SwitchProgress>>,
}

impl Runtime {
    pub(crate) fn new(options: RuntimeOptions) -> Self {
        let launcher = Arc::new(Launcher::new(options.native.clone()));
        let container = Arc::new(Container::new(&options, launcher.state()));
        let state = watch::Sender::new(launcher.state().borrow().clone());
        Self {
            options: Mutex::new(options),
            launcher,
            container,
            state,
            usage: Mutex::default(),
            switching: Mutex::default(),
            progress: Mutex::default(),
        }
    }

    pub(crate) fn mode(&self) -> RuntimeMode {
        lock(&self.options).mode
    }

    fn set_mode(&self, mode: RuntimeMode) {
        lock(&self.options).mode = mode;
    }

    pub(crate) fn options(&self) -> RuntimeOptions {
        lock(&self.options).clone()
    }

    /// Starts the agent where it belongs; comes back at once.
    pub(crate) async fn start(&self) {
        match self.mode() {
            RuntimeMode::Native => {
                self.follow(self.launcher.state());
                self.launcher.start().await;
            }
            RuntimeMode::Podman => {
                self.follow(self.container.state());
                self.container.start();
            }
        }
    }

    /// Shows the states of one of the two from now on.
    fn follow(&self, mut source: watch::Receiver<AgentState>) {
        let publish = self.state.clone();
        let mut follower = lock(&self.usage);
        follower.follow(tokio::spawn(async move {
            loop {
                let state = source.borrow_and_update().clone();
                publish.send_if_modified(|shown| {
                    let is_new = *shown != state;
                    *shown = state;
                    is_new
                });
                if source.changed().await.is_err() {
                    return;
                }
            }
        }));
    }

    /// The agent's state now and every later one.
    pub(crate) fn state(&self) -> watch::Receiver<AgentState> {
        self.state.subscribe()
    }

    /// The agent's state without the delay of those who follow: after an order it is never the one before.
    fn now(&self) -> AgentState {
        let source = match self.mode() {
            RuntimeMode::Native => self.launcher.state(),
            RuntimeMode::Podman => self.container.state(),
        };
        source.borrow().clone()
    }

    /// Where the agent answers now.
    pub(crate) fn endpoint(&self) -> Option<Endpoint> {
        self.now().endpoint
    }

    pub(crate) async fn changed(&self) {
        let _ = self.state.subscribe().changed().await;
    }

    /// Why there is no use in waiting for the agent, if there is none. One that is stopped is about
    /// to start: nobody but a restart or a switch stops it.
    pub(crate) fn refusal(&self) -> Option<ErrorView> {
        let state = self.now();
        (state.phase == Phase::Failed).then(|| failure_view(state.failure))
    }

    pub(crate) async fn restart(&self) {
        match self.mode() {
            RuntimeMode::Native => self.launcher.restart().await,
            RuntimeMode::Podman => self.container.restart().await,
        }
    }

    /// Puts the last backup in the place of a damaged database; the agent has ended for it.
    pub(crate) async fn restore(&self) -> Result<(), ErrorView> {
        match self.mode() {
            RuntimeMode::Native => {
                let native = self.options().native;
                let restored = restore(&native.program, &native.data_dir).await;
                restored.map_err(View::view)
            }
            RuntimeMode::Podman => self.container.restore().await,
        }
    }

    /// Whether the agent does not start for a damaged database.
    pub(crate) fn is_damaged(&self) -> bool {
        let failure = self.now().failure;
        failure.is_some_and(|failure| failure.code == Code::StorageCorrupt)
    }

    pub(crate) async fn keep_running(&self, keep: bool) {
        lock(&self.options).native.keep_running = keep;
        self.launcher.keep_running(keep).await;
    }

    /// Restarts the agent, as durability is chosen at its start.
    pub(crate) async fn set_durability(&self, durability: Durability) -> Result<(), ErrorView> {
        lock(&self.options).native.durability = durability;
        self.launcher.set_durability(durability).await;
        self.container.set_durability(durability);
        match self.mode() {
            RuntimeMode::Native => self.launcher.restart().await,
            RuntimeMode::Podman => self.container.recreate().await?,
        }
        Ok(())
    }

    /// Copies out what workflows wrote in the container, in place of the last copy.
    pub(crate) async fn copy_output(&self, to: &Path) -> Result<(), ErrorView> {
        self.container.copy_output(to).await
    }

    /// Reads how much the agent uses.
    pub(crate) async fn measure(&self) {
        let state = self.state.borrow().clone();
        match self.mode() {
            RuntimeMode::Native => lock(&self.usage).measure(state.pid),
            RuntimeMode::Podman => {
                let stats = self.container.stats().await;
                lock(&self.usage).take(stats);
            }
        }
    }

    /// The app ends: the agent with it, unless it shall stay.
    pub(crate) async fn close(&self) {
        let switching = lock(&self.switching).take();
        if let Some(switching) = switching {
            switching.finish().await;
        }
        lock(&self.usage).end();
        self.launcher.close().await;
        let keep = self.options().native.keep_running;
        self.container
            .close(self.mode() == RuntimeMode::Podman && !keep)
            .await;
    }
}

fn failure_view(failure: Option<Failure>) -> ErrorView {
    failure
        .unwrap_or(Failure {
            code: Code::AgentDown,
            detail: "it does not run".to_owned(),
        })
        .view()
}
