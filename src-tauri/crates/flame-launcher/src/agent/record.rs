//! The note about a running agent, so that the next start of the app finds it again.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The agent's line on stdout once it is ready; also what the note holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listening {
    /// Base address, such as `http://127.0.0.1:41231`.
    pub(crate) listening: String,
    pub(crate) version: String,
    pub(crate) pid: u32,
    pub(crate) data_dir: PathBuf,
}

impl Listening {
    pub(crate) fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let fresh = path.with_extension("new");
        std::fs::write(&fresh, serde_json::to_vec(self)?)?;
        std::fs::rename(&fresh, path)
    }
}

pub(crate) fn forget(path: &Path) {
    // A note that stays is harmless: it is believed only when the token opens what it names.
    let _ = std::fs::remove_file(path);
}
