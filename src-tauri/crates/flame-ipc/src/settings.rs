//! What a person may set.

use flame_types::Durability;
use serde::{Deserialize, Serialize};
use specta::Type;

use crate::RuntimeMode;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    pub theme: Theme,
    /// The agent goes on when the app is closed.
    pub keep_running: bool,
    pub durability: DurabilityView,
    /// Keys without a modifier, such as `R`, are commands.
    pub single_keys: bool,
    /// The first steps on Home were closed by the person.
    pub first_steps_hidden: bool,
    pub runtime_mode: RuntimeMode,
}

/// Only the given fields change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SettingsPatch {
    #[serde(default)]
    pub theme: Option<Theme>,
    #[serde(default)]
    pub keep_running: Option<bool>,
    #[serde(default)]
    pub durability: Option<DurabilityView>,
    #[serde(default)]
    pub single_keys: Option<bool>,
    #[serde(default)]
    pub first_steps_hidden: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum Theme {
    System,
    Light,
    Dark,
}

/// What an acknowledgement promises: `full` survives a power cut, `normal` a crash of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
#[serde(rename = "Durability")]
pub enum DurabilityView {
    Full,
    Normal,
}

impl From<Durability> for DurabilityView {
    fn from(durability: Durability) -> Self {
        match durability {
            Durability::Full => Self::Full,
            Durability::Normal => Self::Normal,
        }
    }
}

impl From<DurabilityView> for Durability {
    fn from(durability: DurabilityView) -> Self {
        match durability {
            DurabilityView::Full => Self::Full,
            DurabilityView::Normal => Self::Normal,
        }
    }
}
