//! What the commands may ask of the desktop.

use std::path::Path;

use flame_commands::Host;
use flame_ipc::Event;
use tauri::{AppHandle, Emitter};

use crate::{tray, window};

/// The desktop behind the commands.
#[derive(Debug)]
pub(crate) struct Desktop(pub(crate) AppHandle);

impl Host for Desktop {
    fn emit(&self, event: &Event) {
        if let Event::RuntimeChanged(status) = event {
            tray::show_status(&self.0, status);
        }
        if let Err(error) = self.0.emit_to(window::LABEL, event.name(), event) {
            tracing::debug!(%error, name = event.name(), "the window was not told");
        }
    }

    fn open_folder(&self, folder: &Path) -> std::io::Result<()> {
        open::that_detached(folder)
    }
}
