//! The agent's own state, and the ledger of what it called.

use flame_types::{Durability, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schemas;

/// The one line that the agent prints on stdout once it is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listening {
    /// Base address, such as `http://127.0.0.1:41231`.
    pub listening: String,
    pub version: String,
    pub pid: u32,
    pub data_dir: String,
    /// The file that holds the bearer token.
    pub token_file: String,
}

/// What the agent is doing now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentStatus {
    pub version: String,
    pub pid: u32,
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    pub uptime_seconds: u64,
    pub storage: StorageStatus,
    pub runs: RunLoad,
    pub memory: MemoryStatus,
    pub dead_letters: u64,
}

/// The store: what an acknowledgement promises and what it costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StorageStatus {
    #[schema(value_type = schemas::Durability)]
    pub durability: Durability,
    pub state: StorageState,
    /// Why it is not `ok`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// How long the last commits took, in milliseconds (median).
    pub commit_ms: f64,
    /// Appends that wait for the writer.
    pub queue_depth: u64,
    pub data_dir: String,
    pub data_bytes: u64,
    /// Free bytes of the file system that holds the data folder.
    pub free_bytes: u64,
}

/// Whether new work is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum StorageState {
    Ok,
    /// New runs are refused; those in flight wait and go on when there is space.
    Full,
    /// The database refused a write; the agent needs a person.
    Failed,
}

/// Runs in the agent's hands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunLoad {
    /// Not ended: pending, running, waiting or suspended.
    pub in_flight: u64,
    pub running: u64,
    pub waiting: u64,
    pub suspended: u64,
    /// The number above which new runs are refused.
    pub in_flight_max: u64,
}

/// Memory of the agent's process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemoryStatus {
    /// 0 where the system does not say.
    pub rss_bytes: u64,
    pub rss_peak_bytes: u64,
}

/// A host that the agent called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutboundHost {
    /// Host and port, such as `pay.example.com:443`.
    pub host: String,
    pub calls: u64,
    pub failures: u64,
    #[schema(value_type = String, format = DateTime)]
    pub last_at: Timestamp,
    /// Workflows and connections that called it, by name.
    pub callers: Vec<String>,
}

/// Every host that was called since the agent started, most recent first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutboundList {
    pub items: Vec<OutboundHost>,
}
