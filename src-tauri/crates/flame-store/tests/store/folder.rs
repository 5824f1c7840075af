//! Data folders: one agent each, damaged and newer files kept as they are, backups that help.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use flame_errors::Code;
use flame_store::{Error, FILE_NAME, Page, RunFilter, Store, latest_backup, restore};

use crate::values::{append, at, commit, create, journal, open, options, run_id};

async fn filled(folder: &Path, runs: u64) {
    let store = open(folder);
    for number in 0..runs {
        store
            .commit(commit([create(number), append(number, 0, 50)]))
            .await
            .unwrap();
    }
    store.close();
}

#[tokio::test]
async fn a_folder_has_one_agent() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let error = Store::open(&options(folder.path())).unwrap_err();
    assert!(matches!(error, Error::Locked { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains(&folder.path().display().to_string())
    );
    store.close();
    drop(store);
    open(folder.path()).close();
}

/// Its lock is gone (here: with its file) and it does not know it: whoever opened the folder last writes,
/// and nobody else.
#[tokio::test]
async fn an_agent_that_lost_its_lock_writes_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path());
    first
        .commit(commit([create(1), append(1, 0, 2)]))
        .await
        .unwrap();
    fs::remove_file(folder.path().join("lock")).unwrap();
    let second = open(folder.path());
    for _ in 0..2 {
        let error = first.commit(append(1, 2, 1)).await.unwrap_err();
        assert!(matches!(error, Error::Deposed { .. }), "{error}");
    }
    assert!(first.health().failure.is_some());
    second.commit(append(1, 2, 3)).await.unwrap();
    assert_eq!(journal(&second, 1).await, [0, 1, 2, 3, 4]);
    let third = {
        fs::remove_file(folder.path().join("lock")).unwrap();
        open(folder.path())
    };
    let error = second.commit(append(1, 5, 1)).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Deposed {
                own: 2,
                found: 3,
                ..
            }
        ),
        "{error}"
    );
    third.commit(append(1, 5, 1)).await.unwrap();
    for store in [first, second, third] {
        store.close();
    }
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 3).await;
    let file = folder.path().join(FILE_NAME);
    let connection = rusqlite::Connection::open(&file).unwrap();
    connection
        .pragma_update(None, "user_version", 4711)
        .unwrap();
    connection.close().unwrap();
    let before = fs::read(&file).unwrap();
    let error = Store::open(&options(folder.path())).unwrap_err();
    assert!(matches!(error, Error::Newer { found: 4711, .. }), "{error}");
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[tokio::test]
async fn another_programs_database_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE_NAME);
    let connection = rusqlite::Connection::open(&file).unwrap();
    connection
        .execute_batch("CREATE TABLE theirs (id); INSERT INTO theirs VALUES (1)")
        .unwrap();
    connection.close().unwrap();
    let error = Store::open(&options(folder.path())).unwrap_err();
    assert!(matches!(error, Error::Foreign { .. }), "{error}");
}

/// An orderly end leaves a backup; a damaged file names it, and `restore` puts it in place.
#[tokio::test]
async fn a_damaged_file_is_kept_and_its_backup_helps() {
    for damage in [0_u64, 4096 * 3] {
        let folder = tempfile::tempdir().unwrap();
        filled(folder.path(), 40).await;
        let file = folder.path().join(FILE_NAME);
        let mut opened = fs::OpenOptions::new().write(true).open(&file).unwrap();
        opened.seek(SeekFrom::Start(damage)).unwrap();
        opened.write_all(&[0xA5; 8192]).unwrap();
        drop(opened);
        let damaged = fs::read(&file).unwrap();

        let error = Store::open(&options(folder.path())).unwrap_err();
        let Error::Corrupt {
            backup: Some(backup),
            ..
        } = &error
        else {
            panic!("{error}")
        };
        assert_eq!(Some(backup.clone()), latest_backup(folder.path()));
        assert!(error.to_string().contains("restore"), "{error}");
        assert_eq!(
            fs::read(&file).unwrap(),
            damaged,
            "the file is kept as it was"
        );

        let done = restore(folder.path(), None, at(1)).unwrap();
        assert_eq!(fs::read(done.damaged.join(FILE_NAME)).unwrap(), damaged);
        let store = open(folder.path());
        let runs = store
            .runs(RunFilter::default(), Page::first(100))
            .await
            .unwrap();
        assert_eq!(runs.len(), 40);
        store.close();
    }
}

/// As a crash leaves it that no sync had gone before, or whoever stopped a restore half way.
#[tokio::test]
async fn a_file_that_is_gone_or_empty_is_not_begun_anew() {
    for left in [None, Some(0), Some(4096)] {
        let folder = tempfile::tempdir().unwrap();
        filled(folder.path(), 3).await;
        let file = folder.path().join(FILE_NAME);
        fs::remove_file(&file).unwrap();
        match left {
            None => {}
            Some(0) => fs::write(&file, "").unwrap(),
            // All that was in it was in its log, which is gone.
            Some(_) => {
                let connection = rusqlite::Connection::open(&file).unwrap();
                connection
                    .pragma_update(None, "journal_mode", "WAL")
                    .unwrap();
            }
        }
        assert_eq!(fs::metadata(&file).ok().map(|file| file.len()), left);
        let error = Store::open(&options(folder.path())).unwrap_err();
        assert_eq!(error.code(), Code::StorageCorrupt, "{error}");
        assert!(error.to_string().contains("restore"), "{error}");
        let size = fs::metadata(&file).ok().map(|file| file.len());
        assert_eq!(size, left, "nothing was written");
        restore(folder.path(), None, at(1)).unwrap();
        let store = open(folder.path());
        assert!(store.run(run_id(2)).await.unwrap().is_some());
        store.close();
    }
    // Without a backup there was nothing yet: the first start may have been cut off.
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(FILE_NAME), "").unwrap();
    open(folder.path()).close();
}

#[tokio::test]
async fn only_a_database_of_ours_is_restored() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 1).await;
    let foreign = folder.path().join("foreign.db");
    let connection = rusqlite::Connection::open(&foreign).unwrap();
    connection
        .execute_batch("CREATE TABLE theirs (id)")
        .unwrap();
    connection.close().unwrap();
    let empty = folder.path().join("empty.db");
    fs::write(&empty, "").unwrap();
    for file in [&foreign, &empty] {
        let error = restore(folder.path(), Some(file), at(1)).unwrap_err();
        assert!(
            error.to_string().contains("no database of an agent"),
            "{error}"
        );
    }
    assert!(!folder.path().join("agent.restoring").exists());
    open(folder.path()).close();
}

#[tokio::test]
async fn restoring_needs_a_backup_and_a_free_folder() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    assert!(matches!(
        restore(folder.path(), None, at(1)),
        Err(Error::Locked { .. })
    ));
    store.close();
    drop(store);
    fs::remove_dir_all(folder.path().join("backups")).unwrap();
    let error = restore(folder.path(), None, at(1)).unwrap_err();
    assert!(error.to_string().contains("no backup"), "{error}");
    fs::write(folder.path().join("not.db"), "hello").unwrap();
    let error = restore(folder.path(), Some(&folder.path().join("not.db")), at(1)).unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    assert!(
        folder.path().join(FILE_NAME).exists(),
        "a failed restore moves nothing"
    );
}

#[tokio::test]
async fn a_copy_is_whole_while_the_store_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store
        .commit(commit([create(1), append(1, 0, 3)]))
        .await
        .unwrap();
    let copy = folder.path().join("copy").join(FILE_NAME);
    fs::create_dir(copy.parent().unwrap()).unwrap();
    let (written, copied) = tokio::join!(
        async {
            for number in 2..40 {
                store
                    .commit(commit([create(number), append(number, 0, 3)]))
                    .await?;
            }
            Ok::<_, Error>(())
        },
        store.backup_to(&copy),
    );
    written.unwrap();
    copied.unwrap();
    let other = open(copy.parent().unwrap());
    assert!(other.run(run_id(1)).await.unwrap().is_some());
    other.close();
    store.close();
}

#[tokio::test]
async fn one_daily_backup_a_day() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    assert!(store.backup_if_due().await.unwrap().is_some());
    assert!(store.backup_if_due().await.unwrap().is_none());
    store.close();
}

/// A clock that was ahead neither stops the backups nor lets the new ones be taken for old.
#[tokio::test]
async fn backups_of_the_future_stop_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let backups = folder.path().join("backups");
    fs::create_dir(&backups).unwrap();
    for day in 1..=4 {
        let file = fs::File::create(backups.join(format!("2999010{day}T000000000Z.db"))).unwrap();
        let ahead = std::time::SystemTime::now() + std::time::Duration::from_secs(86_400 * 900);
        file.set_modified(ahead).unwrap();
    }
    let made = store.backup_if_due().await.unwrap().unwrap();
    assert!(made.exists());
    assert_eq!(fs::read_dir(&backups).unwrap().count(), 3);
    assert!(store.backup_if_due().await.unwrap().is_none());
    store.close();
}

#[cfg(unix)]
#[tokio::test]
async fn a_folder_that_is_made_is_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("data");
    open(&inner).close();
    assert_eq!(
        fs::metadata(&inner).unwrap().permissions().mode() & 0o777,
        0o700
    );
}

/// Also in a folder that others may look into.
#[cfg(unix)]
#[tokio::test]
async fn the_database_its_log_and_its_backups_are_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.commit(create(1)).await.unwrap();
    let backup = store.backup_if_due().await.unwrap().unwrap();
    let copy = folder.path().join("copy.db");
    store.backup_to(&copy).await.unwrap();
    let beside = |suffix: &str| folder.path().join(format!("{FILE_NAME}{suffix}"));
    for file in [beside(""), beside("-wal"), beside("-shm"), backup, copy] {
        let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.display());
    }
    store.close();
}
