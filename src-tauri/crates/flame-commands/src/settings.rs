//! Settings: kept as one fact of the workspace.

use std::sync::Arc;

use flame_ipc::{
    DurabilityView, ErrorView, Event, RuntimeMode, Settings, SettingsGet, SettingsSet, Theme,
};
use flame_workspace::Workspace;

use crate::app::App;
use crate::execute::Execute;
use crate::failure::OrView;

const FACT: &str = "settings";

/// What holds until a person changes it.
const DEFAULTS: Settings = Settings {
    theme: Theme::System,
    keep_running: false,
    durability: DurabilityView::Full,
    single_keys: true,
    first_steps_hidden: false,
    runtime_mode: RuntimeMode::Native,
};

/// Reads the settings. Ones that can't be read are the defaults; the next change writes them anew.
pub(crate) fn read(workspace: &Workspace) -> Result<Settings, ErrorView> {
    let Some(text) = workspace.fact(FACT).or_view()? else {
        return Ok(DEFAULTS);
    };
    Ok(serde_json::from_str(&text).unwrap_or_else(|error| {
        tracing::warn!(%error, "the settings can't be read and are the defaults again");
        DEFAULTS
    }))
}

pub(crate) fn write(workspace: &Workspace, settings: &Settings) -> Result<(), ErrorView> {
    let text = serde_json::to_string(settings).map_err(|error| {
        ErrorView::new(
            flame_errors::Code::Internal,
            format!("the settings: {error}"),
        )
    })?;
    workspace.set_fact(FACT, &text).or_view()
}

impl Execute for SettingsGet {
    async fn execute(self, app: Arc<App>) -> Result<Settings, ErrorView> {
        Ok(app.settings())
    }
}

impl Execute for SettingsSet {
    async fn execute(self, app: Arc<App>) -> Result<Settings, ErrorView> {
        let before = app.settings();
        let patch = self.patch;
        let after = Settings {
            theme: patch.theme.unwrap_or(before.theme),
            keep_running: patch.keep_running.unwrap_or(before.keep_running),
            durability: patch.durability.unwrap_or(before.durability),
            single_keys: patch.single_keys.unwrap_or(before.single_keys),
            first_steps_hidden: patch
                .first_steps_hidden
                .unwrap_or(before.first_steps_hidden),
            runtime_mode: before.runtime_mode,
        };
        app.save_settings(after.clone()).await?;
        app.emit(&Event::SettingsChanged(after.clone()));
        if after.keep_running != before.keep_running {
            app.runtime.keep_running(after.keep_running).await;
        }
        if after.durability != before.durability {
            app.runtime.set_durability(after.durability.into()).await?;
        }
        Ok(after)
    }
}
