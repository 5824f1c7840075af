//! The runtime in one value: for the pill, the status bar and Settings.

use std::sync::Arc;

use flame_agent_client::api::{AgentStatus, StorageState};
use flame_errors::Code;
use flame_ipc::{
    ErrorView, Fraction, Moment, RuntimePhase, RuntimeRestart, RuntimeStatus, RuntimeStatusGet,
    Whole,
};
use flame_launcher::agent::{AgentState, Phase};

use super::failure_view;
use crate::app::{App, lock, now};
use crate::execute::Execute;

impl Execute for RuntimeStatusGet {
    async fn execute(self, app: Arc<App>) -> Result<RuntimeStatus, ErrorView> {
        Ok(app.runtime_status().await)
    }
}

impl Execute for RuntimeRestart {
    async fn execute(self, app: Arc<App>) -> Result<RuntimeStatus, ErrorView> {
        app.set_agent(None);
        app.runtime.restart().await;
        app.agent().await?;
        Ok(app.runtime_status().await)
    }
}

impl App {
    /// The state of the agent with its figures, as far as it answers.
    pub(crate) async fn runtime_status(&self) -> RuntimeStatus {
        let state = self.runtime.state.borrow().clone();
        let mut view = self.runtime.view(&state);
        let Some(agent) = self.agent_now() else {
            return view;
        };
        match agent.status().await {
            Ok(status) => {
                fill(&mut view, &status);
                if let Ok(outbound) = agent.outbound().await {
                    view.outbound_hosts = outbound.items.len().into();
                    let calls = outbound.items.iter().map(|host| host.calls).sum::<u64>();
                    view.outbound_calls = Whole::new(calls);
                }
            }
            Err(error) => tracing::debug!(%error, "the agent gives no status"),
        }
        view
    }
}

impl super::Runtime {
    fn view(&self, state: &AgentState) -> RuntimeStatus {
        let phase = match state.phase {
            _ if lock(&self.switching).is_some() => RuntimePhase::Switching,
            Phase::Starting => RuntimePhase::Starting,
            Phase::Ready => RuntimePhase::Ready,
            Phase::Stopped => RuntimePhase::Stopped,
            Phase::Failed => RuntimePhase::Failed,
        };
        let usage = lock(&self.usage);
        RuntimeStatus {
            mode: self.mode(),
            phase,
            version: state.version.clone(),
            address: state
                .endpoint
                .as_ref()
                .map(|endpoint| endpoint.base.clone()),
            started_at: state.started_at.map(Moment::new),
            ready_ms: state.ready_ms.map(Whole::new),
            restarts: state.restarts,
            durability: None,
            fsync_ms: None,
            runs_in_flight: Whole::default(),
            runs_waiting: Whole::default(),
            dead_letters: Whole::default(),
            outbound_hosts: Whole::default(),
            outbound_calls: Whole::default(),
            memory_bytes: usage.memory_bytes.map(Whole::new),
            memory_limit_bytes: usage.memory_limit_bytes.map(Whole::new),
            cpu_cores: std::thread::available_parallelism()
                .ok()
                .and_then(|cores| u32::try_from(cores.get()).ok()),
            cpu_percent: usage.cpu_percent.map(Fraction::new),
            disk_used_bytes: None,
            disk_free_bytes: None,
            last_seen_at: None,
            error: match (state.phase, &state.failure) {
                (Phase::Ready | Phase::Stopped, _) | (_, None) => None,
                (_, failure) => Some(failure_view(failure.clone())),
            },
        }
    }
}

fn fill(view: &mut RuntimeStatus, status: &AgentStatus) {
    let storage = &status.storage;
    view.version = Some(status.version.clone());
    view.started_at = Some(status.started_at.into());
    view.durability = Some(storage.durability.into());
    view.fsync_ms = Some(Fraction::new(storage.commit_ms));
    view.runs_in_flight = Whole::new(status.runs.in_flight);
    view.runs_waiting = Whole::new(status.runs.waiting);
    view.dead_letters = Whole::new(status.dead_letters);
    view.disk_used_bytes = Some(Whole::new(storage.data_bytes));
    view.disk_free_bytes = Some(Whole::new(storage.free_bytes));
    view.last_seen_at = Some(now().into());
    if view.memory_bytes.is_none() {
        let bytes = status.memory.rss_bytes;
        view.memory_bytes = (bytes > 0).then(|| Whole::new(bytes));
    }
    let code = match storage.state {
        StorageState::Ok => return,
        StorageState::Full => Code::StorageFull,
        StorageState::Failed => Code::StorageFailed,
    };
    if view.phase == RuntimePhase::Ready {
        view.phase = RuntimePhase::Degraded;
    }
    let detail = storage
        .detail
        .clone()
        .unwrap_or_else(|| code.title().to_owned());
    view.error = Some(
        ErrorView::new(code, detail)
            .with_hint(match code {
                Code::StorageFull => "Make room on this disk; runs go on by themselves.",
                _ => "Look at the disk and the rights of the data folder, then restart the agent.",
            })
            .with_kept("No run was finished falsely; those in flight wait."),
    );
}
