//! The doctor: what was checked, what is wrong, and how to repair it.

use serde::{Deserialize, Serialize};
use specta::Type;

use crate::{Moment, Whole};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct DoctorReport {
    pub checked_at: Moment,
    pub took_ms: Whole,
    /// Broken ones first, then warnings, then what is fine.
    pub checks: Vec<DoctorCheckView>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
#[serde(rename = "DoctorCheck")]
pub struct DoctorCheckView {
    pub id: String,
    pub title: String,
    pub state: CheckState,
    pub detail: String,
    /// Has a help page.
    pub code: Option<String>,
    /// To paste into a terminal.
    pub command: Option<String>,
    /// The label of the button that repairs it; none when a person must.
    pub repair: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum CheckState {
    Broken,
    Warning,
    Ok,
}
