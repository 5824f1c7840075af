//! Large payloads: kept once, given back as they were, also those of files from before.

use flame_store::{JournalBatch, Operation, Store};
use flame_types::RunStatus;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::values::{commit, new_run, open, run_id, state};

const MEGABYTE: usize = 1024 * 1024;

/// What a task of that number makes of a payload that it carries along.
fn carried(task: u64, payload: &str) -> Vec<u8> {
    let record = json!([{"type": "taskCompleted", "output": {"task": task, "payload": payload}}]);
    record.to_string().into_bytes()
}

fn batch(run: u64, first: u64, records: Vec<u8>) -> Operation {
    Operation::Append(JournalBatch {
        run: run_id(run),
        first,
        count: 1,
        records,
    })
}

fn create(run: u64, input: &Value) -> Operation {
    let mut new = new_run(run);
    new.input = input.to_string().into_bytes();
    Operation::CreateRun(Box::new(new))
}

fn complete(run: u64, output: &Value) -> Operation {
    let mut state = state(RunStatus::Completed);
    state.output = Some(output.to_string().into_bytes());
    Operation::UpdateRun {
        id: run_id(run),
        state: Box::new(state),
        reopen: false,
    }
}

/// How many blobs there are, and their bytes.
fn blobs(store: &Store) -> (i64, i64) {
    Connection::open(store.path())
        .unwrap()
        .query_row(
            "SELECT COUNT(*), COALESCE(SUM(LENGTH(body)), 0) FROM blobs",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap()
}

async fn records(store: &Store, run: u64) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    loop {
        let batches = store
            .journal(run_id(run), records.len() as u64)
            .await
            .unwrap();
        if batches.is_empty() {
            return records;
        }
        records.extend(batches.into_iter().map(|batch| batch.records));
    }
}

#[tokio::test]
async fn a_payload_carried_through_fifty_tasks_is_stored_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let payload = "payload ".repeat(MEGABYTE / 8);
    let input = json!({ "payload": payload });
    let output = json!({"payload": payload, "done": true});
    for run in 0..2 {
        store.commit(create(run, &input)).await.unwrap();
        for task in 0..50 {
            let records = carried(task, &payload);
            store.commit(batch(run, task, records)).await.unwrap();
        }
        store.commit(complete(run, &output)).await.unwrap();
    }
    // With its quotes.
    assert_eq!(blobs(&store), (1, 1_048_578));
    for run in 0..2 {
        let expected: Vec<Vec<u8>> = (0..50).map(|task| carried(task, &payload)).collect();
        assert!(records(&store, run).await == expected);
        let held = store.run(run_id(run)).await.unwrap().unwrap();
        assert!(held.input == input.to_string().into_bytes());
        assert!(held.output == Some(output.to_string().into_bytes()));
    }
    store.close();
    let bytes = std::fs::metadata(store.path()).unwrap().len();
    assert!(bytes < 2 * MEGABYTE as u64, "{bytes}");
}

/// A commit whose outcome was unknown comes again: it is known by what is stored in its place.
#[tokio::test]
async fn a_batch_that_is_there_already_is_taken_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let payload = "x".repeat(MEGABYTE);
    store.commit(create(1, &json!({}))).await.unwrap();
    for _ in 0..2 {
        let records = carried(0, &payload);
        store.commit(batch(1, 0, records)).await.unwrap();
    }
    let other = carried(0, &"y".repeat(MEGABYTE));
    store.commit(batch(1, 0, other)).await.unwrap_err();
    assert_eq!(blobs(&store).0, 1, "what is refused leaves no trace");
    store.close();
}

#[tokio::test]
async fn a_damaged_payload_is_not_given_out() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let records = carried(0, &"x".repeat(MEGABYTE));
    store
        .commit(commit([create(1, &json!({})), batch(1, 0, records)]))
        .await
        .unwrap();
    let other = Connection::open(store.path()).unwrap();
    other.execute("DELETE FROM blobs", []).unwrap();
    let error = store.journal(run_id(1), 0).await.unwrap_err();
    assert!(
        error.to_string().contains("large payload is missing"),
        "{error}"
    );
    store.close();
}
