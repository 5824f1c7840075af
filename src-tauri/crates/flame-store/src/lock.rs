//! One agent per data folder: a lock that the kernel gives back however the process ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Error;
use crate::file::failed;

/// How long a lock may take to come back after its process was killed.
const RELEASE_MAX: Duration = Duration::from_millis(500);
const RELEASE_STEP: Duration = Duration::from_millis(10);

/// Held for the life of the store.
#[derive(Debug)]
pub(crate) struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Takes the lock or says that somebody has it. Waits a moment for a process that was just killed:
    /// the kernel gives its locks back a little after it reports the end.
    pub(crate) fn take(folder: &Path) -> Result<Self, Error> {
        let path = folder.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(|error| failed("open", &path, &error))?;
        let begin = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) if begin.elapsed() < RELEASE_MAX => {
                    std::thread::sleep(RELEASE_STEP);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::Locked {
                        path: folder.to_owned(),
                    });
                }
                Err(TryLockError::Error(error)) => return Err(failed("lock", &path, &error)),
            }
        }
    }
}
