//! The doctor: every known failure with its code, the command to copy and, where we can, a repair.

use std::sync::Arc;
use std::time::Instant;

use flame_agent_client::api::{AgentStatus, StorageState};
use flame_errors::Code;
use flame_ipc::{
    CheckState, DoctorCheck, DoctorCheckView, DoctorRepair, DoctorReport, ErrorView, PodmanState,
    PodmanStatus, PodmanStatusGet, RuntimeMode, Whole,
};
use flame_launcher::agent::Phase;
use flame_podman::{Diagnosis, Locator, diagnose};
use flame_vault::{Place, State};
use flame_workspace::{DocumentKind, newest_whole, restore};

use crate::app::{App, Options, now};
use crate::execute::Execute;
use crate::failure::OrView;
use crate::session::Session;
use crate::{connections, feeds};

/// Below this much free space runs may soon be refused.
const FREE_BYTES_LOW: u64 = 1024 * 1024 * 1024;

impl Execute for DoctorCheck {
    async fn execute(self, app: Arc<App>) -> Result<DoctorReport, ErrorView> {
        report(&app).await
    }

    async fn without_app(
        self,
        session: &Session,
        why: ErrorView,
    ) -> Result<DoctorReport, ErrorView> {
        shut(session, why).await
    }
}

impl Execute for DoctorRepair {
    async fn execute(self, app: Arc<App>) -> Result<DoctorReport, ErrorView> {
        match self.id.as_str() {
            "agent" | "port" => {
                if app.runtime.is_damaged() {
                    app.runtime.restore().await?;
                }
                app.runtime.restart().await;
                app.agent().await?;
            }
            "folders" => {
                for feed in feeds::broken_folders(&app) {
                    std::fs::create_dir_all(&feed).map_err(|error| {
                        let detail = format!("{} can't be made: {error}", feed.display());
                        ErrorView::new(Code::WatchFailed, detail)
                    })?;
                }
                feeds::try_again(&app).await;
            }
            other => {
                return Err(
                    ErrorView::new(Code::NotFound, "there is no repair of that name")
                        .with_value(other),
                );
            }
        }
        report(&app).await
    }

    async fn without_app(
        self,
        session: &Session,
        why: ErrorView,
    ) -> Result<DoctorReport, ErrorView> {
        if self.id != "workspace" {
            return Err(why);
        }
        let folder = session.options.data_dir.clone();
        let mend = move |why: &ErrorView| {
            if why.is(Code::StorageCorrupt) {
                let restored = restore(&folder, now()).or_view()?;
                tracing::warn!(?restored, "a damaged workspace was replaced");
            }
            Ok(())
        };
        report(&session.open_after(mend).await?).await
    }
}

impl Execute for PodmanStatusGet {
    async fn execute(self, app: Arc<App>) -> Result<PodmanStatus, ErrorView> {
        Ok(podman_status(&app.options).await)
    }

    async fn without_app(
        self,
        session: &Session,
        _why: ErrorView,
    ) -> Result<PodmanStatus, ErrorView> {
        Ok(podman_status(&session.options).await)
    }
}

async fn podman_status(options: &Options) -> PodmanStatus {
    let found = diagnose(&Locator::from_environment(options.podman.clone())).await;
    let state = match found.code {
        None => PodmanState::Ready,
        Some(Code::PodmanMissing) => PodmanState::Missing,
        Some(Code::PodmanNotRunning) => PodmanState::NotRunning,
        Some(Code::PodmanUnsupported) => PodmanState::Unsupported,
        Some(Code::PodmanPermission) => PodmanState::NoPermission,
        Some(_) => PodmanState::Broken,
    };
    PodmanStatus {
        state,
        version: found.version,
        rootless: found.rootless,
        error: found.code.map(|code| ErrorView::new(code, found.detail)),
        command: found.command,
    }
}

async fn report(app: &Arc<App>) -> Result<DoctorReport, ErrorView> {
    let began = Instant::now();
    let agent = agent_status(app).await;
    let locator = Locator::from_environment(app.options.podman.clone());
    let (keychain, podman, workspace) =
        tokio::join!(keychain(app), diagnose(&locator), workspace(app));
    let mut checks = vec![
        runtime(app),
        port(app),
        keychain?,
        podman_check(app, &podman),
    ];
    checks.push(workspace);
    checks.extend(own_machine(app).await);
    checks.push(folders(app));
    checks.extend(file_watches());
    if let Some(status) = &agent {
        checks.push(durability(status));
        checks.push(disk(status));
    }
    // Stable: within a state the order above stays.
    checks.sort_by_key(|check| check.state);
    let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(DoctorReport {
        checked_at: now().into(),
        took_ms: Whole::new(took),
        checks,
    })
}

/// What can be said while the workspace is shut: what keeps it shut.
async fn shut(session: &Session, why: ErrorView) -> Result<DoctorReport, ErrorView> {
    let folder = session.options.data_dir.clone();
    let has_backup = move || newest_whole(&folder).is_some();
    let repair = if !why.is(Code::StorageCorrupt) {
        "Try again"
    } else if tokio::task::spawn_blocking(has_backup).await.or_view()? {
        "Put the last backup in place"
    } else {
        "Keep it aside and begin an empty workspace"
    };
    let words = [Some(why.detail), why.kept].into_iter().flatten();
    let check = DoctorCheckView {
        state: CheckState::Broken,
        code: Some(why.code),
        repair: Some(repair.to_owned()),
        ..fine(
            "workspace",
            "The workspace can't be opened",
            words.collect::<Vec<_>>().join(". "),
        )
    };
    Ok(DoctorReport {
        checked_at: now().into(),
        took_ms: Whole::new(0),
        checks: vec![check],
    })
}

async fn agent_status(app: &App) -> Option<AgentStatus> {
    app.agent_now()?.status().await.ok()
}

fn fine(id: &str, title: &str, detail: impl Into<String>) -> DoctorCheckView {
    DoctorCheckView {
        id: id.to_owned(),
        title: title.to_owned(),
        state: CheckState::Ok,
        detail: detail.into(),
        code: None,
        command: None,
        repair: None,
    }
}

fn found(
    id: &str,
    title: &str,
    state: CheckState,
    code: Code,
    detail: impl Into<String>,
) -> DoctorCheckView {
    let code = Some(code.as_str().to_owned());
    DoctorCheckView {
        state,
        code,
        ..fine(id, title, detail)
    }
}

fn runtime(app: &App) -> DoctorCheckView {
    let state = app.runtime.state().borrow().clone();
    let mode = match app.runtime.mode() {
        RuntimeMode::Native => "native",
        RuntimeMode::Podman => "in Podman",
    };
    match state.phase {
        Phase::Ready => {
            let version = state.version.unwrap_or_default();
            let took = state
                .ready_ms
                .map(|ms| format!(", ready in {ms} ms"))
                .unwrap_or_default();
            fine(
                "agent",
                "Agent",
                format!("flame-agent {version}, {mode}{took}"),
            )
        }
        Phase::Starting => found(
            "agent",
            "Agent",
            CheckState::Warning,
            Code::AgentDown,
            "starting",
        ),
        Phase::Stopped | Phase::Failed => {
            let (code, detail) = match state.failure {
                Some(failure) => (failure.code, failure.detail),
                None => (Code::AgentDown, "it was stopped".to_owned()),
            };
            let check = found(
                "agent",
                "The agent does not run",
                CheckState::Broken,
                code,
                detail,
            );
            if app.runtime.is_damaged() {
                let native = app.runtime.options().native;
                let command = format!(
                    "'{}' restore --data-dir '{}'",
                    native.program.display(),
                    native.data_dir.display()
                );
                return DoctorCheckView {
                    // In a container nobody but we can do it.
                    command: (app.runtime.mode() == RuntimeMode::Native).then_some(command),
                    repair: Some("Put the last backup in place".to_owned()),
                    ..check
                };
            }
            DoctorCheckView {
                repair: Some("Restart the agent".to_owned()),
                ..check
            }
        }
    }
}

fn port(app: &App) -> DoctorCheckView {
    let state = app.runtime.state().borrow().clone();
    match (state.port_taken, &state.endpoint) {
        (Some(port), _) => {
            let detail = format!(
                "Another program holds port {port}, so webhooks answer at another address until \
                 the agent is restarted."
            );
            let title = "The agent's port is taken";
            let check = found("port", title, CheckState::Warning, Code::PortTaken, detail);
            DoctorCheckView {
                command: Some(format!("ss -ltnp 'sport = :{port}'")),
                repair: Some("Restart the agent".to_owned()),
                ..check
            }
        }
        (None, Some(endpoint)) => fine("port", "Address", endpoint.base.clone()),
        (None, None) => fine("port", "Address", "none while the agent does not run"),
    }
}

async fn keychain(app: &App) -> Result<DoctorCheckView, ErrorView> {
    let status = app.with_vault(|vault| Ok(vault.status())).await?;
    Ok(match (status.place, status.state) {
        (Place::Keychain, _) => fine("keychain", "Keychain", "unlocked, write probe passed"),
        (Place::File, State::Ready) => fine(
            "keychain",
            "Secrets",
            "in the vault of this computer, unlocked",
        ),
        (Place::File, State::New) => fine(
            "keychain",
            "Secrets",
            "no keychain; the first secret asks for a passphrase",
        ),
        (Place::File, State::Locked) => found(
            "keychain",
            "Secrets are locked",
            CheckState::Warning,
            Code::VaultLocked,
            "There is no keychain. Connections with a secret need the passphrase once.",
        ),
    })
}

fn podman_check(app: &App, podman: &Diagnosis) -> DoctorCheckView {
    let in_use = app.runtime.mode() == RuntimeMode::Podman;
    match podman.code {
        None => fine("podman", "Podman", podman.detail.clone()),
        // Native mode needs no Podman: its absence is no fault.
        Some(Code::PodmanMissing) if !in_use => DoctorCheckView {
            code: Some(Code::PodmanMissing.as_str().to_owned()),
            command: podman.command.clone(),
            ..fine(
                "podman",
                "Podman",
                "not installed; native mode does not need it, tasks with containers do",
            )
        },
        Some(code) => {
            let state = if in_use {
                CheckState::Broken
            } else {
                CheckState::Warning
            };
            let check = found("podman", code.title(), state, code, podman.detail.clone());
            DoctorCheckView {
                command: podman.command.clone(),
                ..check
            }
        }
    }
}

async fn workspace(app: &App) -> DoctorCheckView {
    let counted = app
        .with_workspace(|workspace| {
            let mut count = 0;
            for kind in DocumentKind::ALL {
                count += workspace.list(kind).or_view()?.len();
            }
            Ok(count)
        })
        .await;
    match counted {
        Ok(count) => {
            let folder = app.options.data_dir.display();
            fine(
                "workspace",
                "Workspace",
                format!("{count} documents in {folder}"),
            )
        }
        Err(error) => found(
            "workspace",
            "The workspace can't be read",
            CheckState::Broken,
            Code::WorkspaceFailed,
            error.detail,
        ),
    }
}

/// In a container, what is on this computer has another name.
async fn own_machine(app: &App) -> Option<DoctorCheckView> {
    if app.runtime.mode() != RuntimeMode::Podman {
        return None;
    }
    // A workspace that can't be read has its own finding.
    let names = app.with_workspace(connections::to_own_machine).await.ok()?;
    if names.is_empty() {
        return None;
    }
    let detail = format!(
        "{}: the agent runs in a container, and localhost is the container itself. Put \
         host.containers.internal as the host, and let the server accept connections from there.",
        names.join(", ")
    );
    let title = "Connections to this computer don't reach it";
    let code = Code::ConnectionRefused;
    Some(found(
        "own-machine",
        title,
        CheckState::Warning,
        code,
        detail,
    ))
}

fn folders(app: &App) -> DoctorCheckView {
    let broken = feeds::broken_folders(app);
    if broken.is_empty() {
        return fine("folders", "Watched folders", "all can be read");
    }
    let list: Vec<String> = broken
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let detail = format!("{} can't be read", list.join(", "));
    let title = "A watched folder can't be read";
    let check = found(
        "folders",
        title,
        CheckState::Broken,
        Code::WatchFailed,
        detail,
    );
    DoctorCheckView {
        command: list.first().map(|folder| format!("mkdir -p '{folder}'")),
        repair: Some("Make the folder".to_owned()),
        ..check
    }
}

/// Few file watches mean that a folder is only looked at now and then.
fn file_watches() -> Option<DoctorCheckView> {
    const WATCHES_LOW: u64 = 8_192;
    let text = std::fs::read_to_string("/proc/sys/fs/inotify/max_user_watches").ok()?;
    let watches: u64 = text.trim().parse().ok()?;
    if watches >= WATCHES_LOW {
        return Some(fine(
            "watches",
            "File watches",
            format!("{watches} for each user"),
        ));
    }
    let detail = format!(
        "This system allows {watches} file watches. A watched folder may miss a notice and is then \
         read every 30 s instead."
    );
    let title = "Few file watches are left";
    let check = found(
        "watches",
        title,
        CheckState::Warning,
        Code::WatchFailed,
        detail,
    );
    let command = "sudo sysctl -w fs.inotify.max_user_watches=65536".to_owned();
    Some(DoctorCheckView {
        command: Some(command),
        ..check
    })
}

fn durability(status: &AgentStatus) -> DoctorCheckView {
    let storage = &status.storage;
    let durability = storage.durability;
    let detail = if storage.commit_ms > 0.0 {
        format!("{durability}, a commit takes {:.1} ms", storage.commit_ms)
    } else {
        format!("{durability}, no commit measured yet")
    };
    match storage.state {
        StorageState::Ok => fine("durability", "Durability", detail),
        StorageState::Full => {
            let detail = storage.detail.clone().unwrap_or_default();
            found(
                "durability",
                "The disk is full",
                CheckState::Broken,
                Code::StorageFull,
                detail,
            )
        }
        StorageState::Failed => {
            let detail = storage.detail.clone().unwrap_or_default();
            let title = "The agent's database refuses work";
            let code = Code::StorageFailed;
            let check = found("durability", title, CheckState::Broken, code, detail);
            DoctorCheckView {
                repair: None,
                ..check
            }
        }
    }
}

fn disk(status: &AgentStatus) -> DoctorCheckView {
    let free = status.storage.free_bytes;
    let detail = format!("{:.1} GB free", free as f64 / 1e9);
    if free >= FREE_BYTES_LOW {
        return fine("disk", "Disk", detail);
    }
    found(
        "disk",
        "Little space is left",
        CheckState::Warning,
        Code::StorageFull,
        detail,
    )
}
