//! Where the agent runs, how it is, and the switch between native and Podman.

use serde::{Deserialize, Serialize};
use specta::Type;

use crate::{DurabilityView, ErrorView, Fraction, Moment, StepStatus, Whole};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum RuntimeMode {
    Native,
    Podman,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum RuntimePhase {
    Starting,
    Ready,
    /// It runs and says that something keeps it from working fully, such as a full disk.
    Degraded,
    Stopped,
    /// It ended too often and is not started again without a person.
    Failed,
    Switching,
}

/// The pill, the status bar and Settings read this. Figures are absent while they are not known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeStatus {
    pub mode: RuntimeMode,
    pub phase: RuntimePhase,
    pub version: Option<String>,
    pub address: Option<String>,
    pub started_at: Option<Moment>,
    /// From the start of the process to its first healthy answer.
    pub ready_ms: Option<Whole>,
    /// Restarts since the app was started.
    pub restarts: u32,
    pub durability: Option<DurabilityView>,
    /// How long the last commit took to reach the disk.
    pub fsync_ms: Option<Fraction>,
    pub runs_in_flight: Whole,
    pub runs_waiting: Whole,
    pub dead_letters: Whole,
    /// Hosts that were called since the agent started.
    pub outbound_hosts: Whole,
    pub outbound_calls: Whole,
    pub memory_bytes: Option<Whole>,
    /// The most that it could take: its container's limit, else what this machine has.
    pub memory_limit_bytes: Option<Whole>,
    /// Of one core: 100 is one core all the time.
    pub cpu_percent: Option<Fraction>,
    /// Cores that this machine has.
    pub cpu_cores: Option<u32>,
    pub disk_used_bytes: Option<Whole>,
    pub disk_free_bytes: Option<Whole>,
    /// When it last answered.
    pub last_seen_at: Option<Moment>,
    pub error: Option<ErrorView>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct LogLine {
    /// Grows from line to line, as long as the agent runs in the same place.
    pub seq: Whole,
    pub at: Option<Moment>,
    pub level: String,
    pub message: String,
}

/// Whether the agent could run in Podman here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct PodmanStatus {
    pub state: PodmanState,
    pub version: Option<String>,
    pub rootless: Option<bool>,
    pub error: Option<ErrorView>,
    /// What a person can paste into a terminal to repair it.
    pub command: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum PodmanState {
    Ready,
    Missing,
    NotRunning,
    Unsupported,
    NoPermission,
    Broken,
}

/// The agent's container while it runs in Podman.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct ContainerView {
    pub id: String,
    pub name: String,
    pub image: String,
    /// Podman's word, such as `running`.
    pub status: String,
    pub started_at: Option<Moment>,
    pub cpu_percent: Fraction,
    pub memory_bytes: Whole,
    pub memory_limit_bytes: Option<Whole>,
    pub pids: Whole,
    /// What was verified after the start, such as `no new privileges`.
    pub hardening: Vec<String>,
}

/// A host that the agent called since it started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct OutboundHost {
    /// Host and port, such as `pay.example.com:443`.
    pub host: String,
    pub calls: Whole,
    /// Calls of these that were refused, here or there, or got no answer.
    pub failures: Whole,
    pub last_at: Moment,
    /// Workflows and connections that called it, by name.
    pub callers: Vec<String>,
}

/// A switch between native and Podman, step by step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct SwitchProgress {
    pub to: RuntimeMode,
    pub steps: Vec<SwitchStep>,
    /// Until the journal is handed over.
    pub cancellable: bool,
    pub done: bool,
    pub error: Option<ErrorView>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct SwitchStep {
    pub name: String,
    pub detail: String,
    pub status: StepStatus,
}
