//! A full disk: refused without a trace, reported, and over as soon as there is space.

use flame_store::{Error, Options, Page, RunFilter, Store};

use crate::values::{append, commit, create, journal, open, options};

/// Appends until the store is full; gives where the journal of run 1 ends.
async fn fill(store: &Store) -> u64 {
    let mut end = 0;
    loop {
        match store.commit(append(1, end, 200)).await {
            Ok(()) => end += 200,
            Err(error) => {
                assert!(matches!(error, Error::Full { .. }), "{error}");
                return end;
            }
        }
        assert!(end < 1_000_000, "the disk never got full");
    }
}

#[tokio::test]
async fn a_full_database_refuses_and_keeps_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let limited = Options {
        pages_max: Some(120),
        ..options(folder.path())
    };
    let store = Store::open(&limited).unwrap();
    store.commit(create(1)).await.unwrap();
    let end = fill(&store).await;
    assert!(store.is_full() && store.health().full);
    assert_eq!(journal(&store, 1).await.len() as u64, end);
    assert_eq!(
        store
            .runs(RunFilter::default(), Page::first(9))
            .await
            .unwrap()
            .len(),
        1
    );
    store.close();
    drop(store);
    // More space: the same store goes on where it was.
    let store = open(folder.path());
    store.commit(append(1, end, 1)).await.unwrap();
    assert!(!store.is_full());
    store.close();
}

/// The real thing: a file system without space, which gets some while the store is open.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_is_over_when_there_is_space() {
    let mount = match Tmpfs::mount("12m") {
        Ok(mount) => mount,
        Err(reason) => {
            return flame_testkit::skipped(format_args!(
                "a small tmpfs can't be mounted here: {reason}"
            ));
        }
    };
    let ballast = mount.path().join("ballast");
    std::fs::write(&ballast, vec![0_u8; 9 * 1024 * 1024]).unwrap();
    let store = open(&mount.path().join("data"));
    store.commit(commit([create(1)])).await.unwrap();
    let end = fill(&store).await;
    assert!(store.is_full());
    std::fs::remove_file(&ballast).unwrap();
    // The writer finds out by itself: whoever waits for space need not try.
    tokio::time::timeout(std::time::Duration::from_secs(30), async {
        while store.is_full() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    store.commit(append(1, end, 1)).await.unwrap();
    assert_eq!(journal(&store, 1).await.len() as u64, end + 1);
    store.close();
}

/// An opening that could not be written down is none: its commits would be those of somebody else.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_file_is_not_opened_where_its_opening_finds_no_space() {
    let mount = match Tmpfs::mount("12m") {
        Ok(mount) => mount,
        Err(reason) => {
            return flame_testkit::skipped(format_args!(
                "a small tmpfs can't be mounted here: {reason}"
            ));
        }
    };
    let data = mount.path().join("data");
    let store = open(&data);
    store.commit(create(1)).await.unwrap();
    store.close();
    drop(store);
    let ballast = mount.path().join("ballast");
    let (mut end, mut refused) = (0, 0);
    // From no room at all to enough for the log and its index.
    for room in (0..=64 * 1024).step_by(4 * 1024) {
        // Fails for want of space, which is what it is for.
        let _ = std::fs::write(&ballast, vec![0_u8; 12 * 1024 * 1024]);
        let file = std::fs::OpenOptions::new().write(true).open(&ballast);
        let taken = std::fs::metadata(&ballast).unwrap().len();
        file.unwrap().set_len(taken - room).unwrap();
        let opened = Store::open(&options(&data));
        std::fs::remove_file(&ballast).unwrap();
        match opened {
            Ok(store) => {
                let outcome = store.commit(append(1, end, 1)).await;
                outcome.unwrap_or_else(|error| panic!("opened with {room} bytes: {error}"));
                end += 1;
                store.close();
            }
            Err(error) => {
                assert!(matches!(error, Error::Full { .. }), "{room}: {error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 0 && end > 0, "{refused} were refused, {end} not");
}

#[cfg(target_os = "linux")]
struct Tmpfs(tempfile::TempDir);

#[cfg(target_os = "linux")]
impl Tmpfs {
    fn mount(size: &str) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(folder.path())
            .output()
            .map_err(|error| error.to_string())?;
        if !mounted.status.success() {
            return Err(String::from_utf8_lossy(&mounted.stderr).into_owned());
        }
        Ok(Self(folder))
    }

    fn path(&self) -> &std::path::Path {
        self.0.path()
    }
}

#[cfg(target_os = "linux")]
impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazy, so that a test that failed with files open cleans up too.
        let _ = std::process::Command::new("umount")
            .arg("-l")
            .arg(self.0.path())
            .status();
    }
}
