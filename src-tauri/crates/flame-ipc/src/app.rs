//! The app itself: its version, folders, and search over everything.

use serde::{Deserialize, Serialize};
use specta::Type;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct AppInfoView {
    pub version: String,
    pub platform: Platform,
    /// None while the workspace is shut: the name stands in it.
    pub workspace_name: Option<String>,
    pub data_folder: String,
    /// Where the sample pipeline looks for files.
    pub inbox_folder: String,
    /// Where what `file.write` wrote can be looked at: the folder itself, or in Podman that of the copy. None while
    /// the workspace is shut, which says where the agent runs.
    pub output_folder: Option<String>,
    /// Where the daily copies of the documents are.
    pub backups_folder: String,
    /// Where the agent's log is while it runs natively.
    pub logs_folder: String,
    /// Whether this start made the workspace.
    pub first_start: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum Platform {
    Linux,
    Macos,
    Windows,
}

/// A folder that the window may ask to have opened in the file manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum Folder {
    Data,
    Inbox,
    Output,
    Backups,
    Logs,
}

/// Something that the palette found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct SearchHit {
    pub kind: SearchKind,
    /// Document id, run id or connection id.
    pub id: String,
    pub title: String,
    pub detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum SearchKind {
    Workflow,
    Pipeline,
    Connection,
    Run,
}
