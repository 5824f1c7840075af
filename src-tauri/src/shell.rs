//! The app behind the window: opened beside it, closed before it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flame_commands::{App, Execute, Options, Session};
use flame_ipc::ErrorView;
use tauri::async_runtime;
use tauri::{AppHandle, Manager};

use crate::host::Desktop;
use crate::places::Places;

/// Names the app in the keychain.
const VAULT_SERVICE: &str = "io.mastra.desktop";

/// What commands run on.
pub(crate) struct Shell {
    session: Arc<Session>,
    closing: AtomicBool,
    closed: Arc<AtomicBool>,
}

impl Shell {
    /// Opens the app in the background: the window does not wait for it.
    pub(crate) fn open(handle: &AppHandle, places: &Places) -> Self {
        let options = Options {
            data_dir: places.data_dir.clone(),
            runtime_dir: places.runtime_dir.clone(),
            agent_program: places.agent.clone(),
            static_agent_programs: places.static_agents.clone(),
            podman: places.podman.clone(),
            agent_port: places.agent_port,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            vault_service: VAULT_SERVICE.to_owned(),
        };
        let session = Arc::new(Session::new(options, Arc::new(Desktop(handle.clone()))));
        let opening = Arc::clone(&session);
        async_runtime::spawn(async move { drop(opening.open().await) });
        Self {
            session,
            closing: AtomicBool::new(false),
            closed: Arc::default(),
        }
    }

    /// Runs a command once the app is open.
    pub(crate) async fn run<C: Execute>(&self, command: C) -> Result<C::Output, ErrorView> {
        self.session.run(command).await
    }

    /// The app if it is open now.
    pub(crate) fn app_now(&self) -> Option<Arc<App>> {
        self.session.app_now()
    }

    /// Whether closing the window leaves the app running.
    pub(crate) fn stays_open(&self) -> bool {
        self.app_now().is_some_and(|app| app.keeps_running())
    }

    /// Begins to close the app and says whether the exit must wait for it.
    pub(crate) fn close(&self, handle: &AppHandle) -> bool {
        if self.closed.load(Ordering::Acquire) {
            return false;
        }
        if !self.closing.swap(true, Ordering::AcqRel) {
            let (app, closed, handle) = (self.app_now(), Arc::clone(&self.closed), handle.clone());
            async_runtime::spawn(async move {
                if let Some(app) = app {
                    app.close().await;
                }
                closed.store(true, Ordering::Release);
                handle.exit(0);
            });
        }
        true
    }
}

/// SIGTERM and Ctrl-C end the app as its menu does.
pub(crate) fn end_on_signals(handle: &AppHandle) {
    let handle = handle.clone();
    async_runtime::spawn(async move {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let Ok(mut terminate) = signal(SignalKind::terminate()) else {
                return;
            };
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
        crate::window::remember(&handle);
        handle.exit(0);
    });
}

/// The shell of this app.
pub(crate) fn of(handle: &AppHandle) -> tauri::State<'_, Shell> {
    handle.state::<Shell>()
}
