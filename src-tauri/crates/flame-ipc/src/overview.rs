//! Figures over a span of time for Home, computed from runs that really happened.

use serde::{Deserialize, Serialize};
use specta::Type;

use crate::{Moment, Whole};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
pub enum OverviewWindow {
    #[serde(rename = "1h")]
    Hour,
    #[serde(rename = "24h")]
    Day,
    #[serde(rename = "7d")]
    Week,
    #[serde(rename = "30d")]
    Month,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Overview {
    /// Runs that started inside the window.
    pub runs: Whole,
    pub completed: Whole,
    pub faulted: Whole,
    pub duration_p50_ms: Option<Whole>,
    pub duration_p95_ms: Option<Whole>,
    /// Runs in flight now, whenever they started.
    pub queued: Whole,
    pub oldest_wait_ms: Option<Whole>,
    /// Whether the window held more runs than were counted: the figures are of the newest ones.
    pub partial: bool,
    pub buckets: Vec<OverviewBucket>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct OverviewBucket {
    /// Where the bucket begins.
    pub at: Moment,
    pub total: Whole,
    pub completed: Whole,
    pub faulted: Whole,
    pub duration_p95_ms: Option<Whole>,
    /// Runs in flight where the bucket ends, whenever they started.
    pub in_flight: Whole,
}
