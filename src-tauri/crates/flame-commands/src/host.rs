//! What a shell offers to the commands.

use std::path::Path;

use flame_ipc::Event;

/// The window's side of things. Nothing here may block.
pub trait Host: Send + Sync + 'static {
    /// Tells the window.
    fn emit(&self, event: &Event);

    /// Shows a folder in the file manager.
    fn open_folder(&self, folder: &Path) -> std::io::Result<()>;
}
