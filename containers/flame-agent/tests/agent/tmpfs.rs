//! A small file system of a test's own. Needs root; a test without it says why it skips.

use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) struct Tmpfs(tempfile::TempDir);

impl Tmpfs {
    /// A disk that is soon full; `None`, said aloud, where there is no right to mount it.
    pub(crate) fn small() -> Option<Self> {
        Self::mount("24m")
            .inspect_err(|reason| {
                flame_testkit::skipped(format_args!(
                    "a small tmpfs can't be mounted here: {reason}"
                ));
            })
            .ok()
    }

    fn mount(size: &str) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(folder.path())
            .output()
            .map_err(|error| error.to_string())?;
        if !mounted.status.success() {
            return Err(String::from_utf8_lossy(&mounted.stderr).into_owned());
        }
        Ok(Self(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all space but so many bytes; removing the file that this gives gives it back.
    pub(crate) fn fill(&self, but: u64) -> PathBuf {
        let ballast = self.path().join("ballast");
        let free = rustix::fs::statvfs(self.path()).unwrap();
        let bytes = (free.f_bavail * free.f_frsize).saturating_sub(but);
        // Fails for want of space where nothing is to be left, which is what it is for.
        let _ = std::fs::write(&ballast, vec![1_u8; usize::try_from(bytes).unwrap()]);
        ballast
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazy, so that a test that failed with files open cleans up too.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}
