//! Files of older formats: carried over whole, with a backup, also when the power goes on the way.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use flame_store::{FILE_NAME, Page, RunFilter, latest_backup};
use rusqlite::{Connection, params};
use serde_json::json;

use crate::values::{append, open, run_id};

const FOLDER: &str = "FLAME_STORE_TEST_MIGRATION";
const RUNS: u64 = 60;

/// A file as the first version left it, with payloads of every size in its journals.
fn format_1(folder: &Path) {
    let connection = Connection::open(folder.join(FILE_NAME)).unwrap();
    connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))
        .unwrap();
    connection
        .execute_batch(include_str!("../../src/schema/1.sql"))
        .unwrap();
    connection
        .pragma_update(None, "application_id", 0x4D41_5354)
        .unwrap();
    connection.pragma_update(None, "user_version", 1).unwrap();
    for run in 0..RUNS {
        connection
            .execute(
                "INSERT INTO runs (id, namespace, name, version, hash, started_by, created, status, updated, \
                 output, input) VALUES (?1, 'test', 'orders', '1.0.0', 'h', 'api', 1, 'running', 2, ?2, ?3)",
                params![
                    run_id(run).as_uuid().as_bytes(),
                    text(run),
                    text(run + 1)
                ],
            )
            .unwrap();
        connection
            .execute(
                "INSERT INTO journal (run, first, count, records) VALUES (?1, 0, 1, ?2)",
                params![run_id(run).as_uuid().as_bytes(), records(run)],
            )
            .unwrap();
    }
    connection.close().unwrap();
}

/// From nothing to 180 KB.
fn text(run: u64) -> Vec<u8> {
    let text = "x".repeat(usize::try_from(run).unwrap() * 3_000);
    json!({ "text": text }).to_string().into_bytes()
}

fn records(run: u64) -> Vec<u8> {
    [b"[", text(run).as_slice(), b"]"].concat()
}

async fn assert_whole(folder: &Path) {
    let store = open(folder);
    let page = Page::first(1_000);
    let runs = store.runs(RunFilter::default(), page).await.unwrap();
    assert_eq!(runs.len() as u64, RUNS);
    for run in 0..RUNS {
        let held = store.run(run_id(run)).await.unwrap().unwrap();
        assert!(held.input == text(run + 1) && held.output == Some(text(run)));
        let batches = store.journal(run_id(run), 0).await.unwrap();
        assert!(batches.len() == 1 && batches[0].records == records(run));
    }
    store.close();
}

#[tokio::test]
async fn a_file_of_the_first_format_is_carried_over() {
    let folder = tempfile::tempdir().unwrap();
    format_1(folder.path());
    assert_whole(folder.path()).await;
    let backup = Connection::open(latest_backup(folder.path()).unwrap()).unwrap();
    let version: i64 = backup
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(version, 1, "the backup is of the time before");
    let store = open(folder.path());
    store.commit(append(7, 1, 3)).await.unwrap();
    assert_eq!(store.journal(run_id(7), 0).await.unwrap().len(), 2);
    store.close();
}

/// Opens the folder and stays. Started by the test below.
#[test]
#[ignore = "the child of the test below"]
fn child_that_opens() {
    let folder = std::env::var(FOLDER).unwrap();
    let store = open(Path::new(&folder));
    // Killed, or told by the end of its input that it is not needed any more.
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    store.close();
}

fn opening(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "migration::child_that_opens", "--ignored"])
        .env(FOLDER, folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Killed as soon as a sign of each of its steps shows: the file is then of the old format or of the new
/// one, and whole.
#[tokio::test]
async fn a_kill_during_the_migration_leaves_a_file_that_works() {
    type Sign = fn(&Path) -> bool;
    let backup: Sign = |folder| {
        let backups = folder.join("backups");
        has(&backups, "partial") || has(&backups, "db")
    };
    let backed_up: Sign = |folder| has(&folder.join("backups"), "db");
    let writing: Sign = |folder| {
        let log = folder.join(format!("{FILE_NAME}-wal"));
        fs::metadata(log).is_ok_and(|log| log.len() > 0)
    };
    let migrated: Sign = |folder| {
        Connection::open(folder.join(FILE_NAME))
            .and_then(|file| file.pragma_query_value(None, "user_version", |row| row.get(0)))
            .is_ok_and(|version: i64| version > 1)
    };
    for sign in [backup, backed_up, writing, migrated] {
        let folder = tempfile::tempdir().unwrap();
        format_1(folder.path());
        let mut child = opening(folder.path());
        while !sign(folder.path()) {
            assert_eq!(
                child.try_wait().unwrap(),
                None,
                "the sign comes before the end"
            );
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_whole(folder.path()).await;
    }
}

fn has(folder: &Path, extension: &str) -> bool {
    fs::read_dir(folder).is_ok_and(|entries| {
        entries.filter_map(Result::ok).any(|entry| {
            entry
                .path()
                .extension()
                .is_some_and(|found| found == extension)
        })
    })
}
