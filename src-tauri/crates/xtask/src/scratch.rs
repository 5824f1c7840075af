//! The temporary folder of one run of the tests. What is left in it goes with it: what a test that was killed
//! could not clear away, and what programs of others leave behind.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;

const PREFIX: &str = "mastra-test-";

/// Removed with this value, or by the next run where this one was killed.
pub struct Scratch {
    folder: TempDir,
    /// Tells others that somebody is there.
    _lock: File,
}

impl Scratch {
    pub fn make() -> Result<Self> {
        Self::make_in(&std::env::temp_dir())
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn make_in(parent: &Path) -> Result<Self> {
        sweep(parent);
        loop {
            let folder = TempDir::with_prefix_in(PREFIX, parent)
                .with_context(|| format!("no folder can be made in {}", parent.display()))?;
            open_to_all(folder.path())?;
            let lock = File::open(folder.path())?;
            lock.lock()?;
            // Another run may have swept it before it was locked.
            if folder.path().is_dir() {
                return Ok(Self {
                    folder,
                    _lock: lock,
                });
            }
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        unmount_below(self.folder.path());
    }
}

/// Removes the folders of runs that are no more, as far as that goes.
fn sweep(parent: &Path) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_ours = entry
            .file_name()
            .to_str()
            .is_some_and(|name| name.starts_with(PREFIX));
        if !is_ours || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let folder = entry.path();
        let Ok(lock) = File::open(&folder) else {
            continue;
        };
        if matches!(lock.try_lock(), Err(TryLockError::WouldBlock)) {
            continue;
        }
        unmount_below(&folder);
        // Somebody else's, perhaps; then it stays.
        let _ = std::fs::remove_dir_all(&folder);
    }
}

/// As `/tmp` is: some servers run as other users, and keep to their own files.
#[cfg(unix)]
fn open_to_all(folder: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(std::fs::set_permissions(
        folder,
        std::fs::Permissions::from_mode(0o1777),
    )?)
}

#[cfg(not(unix))]
fn open_to_all(_folder: &Path) -> Result<()> {
    Ok(())
}

/// Small disks and the storage of containers, which tests mount: the last first.
fn unmount_below(folder: &Path) {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    for mount in mounted_below(folder, &mounts).iter().rev() {
        // Only root may, and only root has mounted anything.
        let _ = Command::new("umount").arg("--lazy").arg(mount).status();
    }
}

/// A space in a path stands in the table as `\040`, and no path of a test has one.
fn mounted_below(folder: &Path, table: &str) -> Vec<PathBuf> {
    table
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .map(PathBuf::from)
        .filter(|place| place != folder && place.starts_with(folder))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_run_leaves_goes_with_it_or_with_the_next() {
        let parent = tempfile::tempdir().unwrap();
        let killed = parent.path().join("mastra-test-killed/deep");
        std::fs::create_dir_all(&killed).unwrap();
        std::fs::write(killed.join("file"), "left").unwrap();
        let foreign = parent.path().join("foreign");
        std::fs::create_dir(&foreign).unwrap();

        let first = Scratch::make_in(parent.path()).unwrap();
        assert!(!killed.exists(), "nobody holds it");
        std::fs::write(first.path().join("file"), "in use").unwrap();
        let second = Scratch::make_in(parent.path()).unwrap();
        assert!(first.path().join("file").exists(), "it is held");
        drop((first, second));
        let left: Vec<_> = std::fs::read_dir(parent.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert_eq!(left, [foreign], "what is not ours stays");
    }

    #[test]
    fn mounts_are_found_below_the_folder_alone() {
        let table = "tmpfs /t/a tmpfs rw 0 0\ntmpfs /t/a/b tmpfs rw 0 0\noverlay /t/a/b/c overlay rw 0 0\n\
                     tmpfs /t/ab tmpfs rw 0 0\n";
        assert_eq!(
            mounted_below(Path::new("/t/a"), table),
            [Path::new("/t/a/b"), Path::new("/t/a/b/c")]
        );
    }
}
