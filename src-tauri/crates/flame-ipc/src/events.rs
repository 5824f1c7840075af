//! What the shell tells the window without being asked. At most 10 of a kind a second; newest wins.

use serde::{Deserialize, Serialize};
use specta::Type;

use crate::{FeedFile, JournalEntry, RunStatusView, RunSummary, RuntimeStatus, Settings};
use crate::{SwitchProgress, Whole};

/// Declares the events: wire name, payload.
macro_rules! events {
    ($($(#[doc = $doc:literal])* $name:literal $variant:ident($payload:ty);)*) => {
        /// One message of the shell to the window.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Event { $($(#[doc = $doc])* $variant($payload),)* }

        impl Event {
            /// The name it travels under.
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name,)* }
            }
        }

        impl Serialize for Event {
            /// The payload alone; the name travels beside it.
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self { $(Self::$variant(payload) => payload.serialize(serializer),)* }
            }
        }

        #[cfg(test)]
        pub(crate) fn event_shapes(types: &mut specta::Types) -> Vec<crate::contract::Shape> {
            vec![$(crate::contract::Shape {
                name: $name,
                doc: concat!($($doc),*).trim(),
                input: None,
                output: <$payload as Type>::definition(types),
            },)*]
        }
    };
}

events! {
    /// The agent's state or figures changed.
    "runtime-status" RuntimeChanged(RuntimeStatus);
    /// Runs began, moved or ended.
    "runs-changed" RunsChanged(RunsChangedPayload);
    /// New journal entries of a run that is followed.
    "run-entries" RunEntries(RunEntriesPayload);
    /// Documents were saved, deployed, deleted or restored.
    "documents-changed" DocumentsChanged(Changed);
    /// Connections were saved, checked, deleted or restored.
    "connections-changed" ConnectionsChanged(Changed);
    /// The number of dead letters changed.
    "dead-letters-changed" DeadLettersChanged(DeadLettersChangedPayload);
    /// A file of a watched folder moved on.
    "feed-progress" FeedProgress(FeedProgressPayload);
    /// A switch between native and Podman moved on.
    "switch-progress" SwitchMoved(SwitchProgress);
    /// Settings changed.
    "settings-changed" SettingsChanged(Settings);
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
#[serde(rename = "RunsChanged")]
pub struct RunsChangedPayload {
    /// Newest state of each run that changed, at most 100.
    pub runs: Vec<RunSummary>,
    /// More changed than are listed: read the list again.
    pub more: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
#[serde(rename = "RunEntries")]
pub struct RunEntriesPayload {
    pub run: String,
    pub status: RunStatusView,
    pub entries: Vec<JournalEntry>,
}

/// Which documents or connections changed; empty means any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Changed {
    pub ids: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
#[serde(rename = "DeadLettersChanged")]
pub struct DeadLettersChangedPayload {
    pub total: Whole,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
#[serde(rename = "FeedProgress")]
pub struct FeedProgressPayload {
    pub document_id: String,
    pub file: FeedFile,
}
