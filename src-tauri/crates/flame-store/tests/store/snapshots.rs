//! Snapshots, and journals whose beginning is forgotten.

use flame_store::{Operation, Snapshot};
use rusqlite::Connection;
use serde_json::json;

use crate::values::{append, commit, create, journal, open, run_id};

fn put(run: u64, sequence: u64, state: &str) -> Operation {
    Operation::PutSnapshot(Box::new(Snapshot {
        run: run_id(run),
        sequence,
        state: state.into(),
    }))
}

#[tokio::test]
async fn the_nearest_snapshot_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let big = json!({"data": "x".repeat(100_000)}).to_string();
    store
        .commit(commit([
            create(1),
            append(1, 0, 30),
            put(1, 10, "{}"),
            put(1, 20, &big),
        ]))
        .await
        .unwrap();
    for (most, expected) in [(9, None), (10, Some(10)), (19, Some(10)), (99, Some(20))] {
        let found = store.snapshot(run_id(1), most).await.unwrap();
        assert_eq!(found.map(|found| found.sequence), expected, "{most}");
    }
    let found = store.snapshot(run_id(1), 20).await.unwrap().unwrap();
    assert!(found.state == big.as_bytes());
    assert_eq!(store.snapshot(run_id(2), 20).await.unwrap(), None);
    store.close();
}

#[tokio::test]
async fn a_journal_forgets_what_a_snapshot_stands_for_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let big = |number: u64| {
        json!({"data": "x".repeat(100_000), "n": number, "own": number.to_string().repeat(100_000)})
            .to_string()
    };
    store.commit(create(1)).await.unwrap();
    for number in 0..10 {
        let operations = [
            append(1, number * 10, 10),
            put(1, (number + 1) * 10, &big(number)),
        ];
        store.commit(commit(operations)).await.unwrap();
    }
    let compact = |keep| Operation::Compact {
        run: run_id(1),
        keep,
    };
    store.commit(compact(1_000)).await.unwrap();
    assert_eq!(store.journal_start(run_id(1)).await.unwrap(), 0);
    store.commit(compact(25)).await.unwrap();
    assert_eq!(store.journal_start(run_id(1)).await.unwrap(), 70);
    let kept = store.journal(run_id(1), 0).await.unwrap();
    assert_eq!((kept[0].first, kept.len()), (70, 3));
    assert_eq!(store.snapshot(run_id(1), 69).await.unwrap(), None);
    assert!(store.snapshot(run_id(1), 70).await.unwrap().is_some());
    store.commit(append(1, 100, 3)).await.unwrap();
    let blobs = |what: &str| -> i64 {
        let sql = format!("SELECT COUNT(*) FROM {what}");
        Connection::open(store.path())
            .unwrap()
            .query_row(&sql, [], |row| row.get(0))
            .unwrap()
    };
    // What all share, and what each of the four that are left has for itself.
    assert_eq!(
        (blobs("blobs"), blobs("blob_uses"), blobs("snapshots")),
        (5, 8, 4)
    );
    store.close();
}

#[tokio::test]
async fn a_journal_without_snapshots_is_kept_whole() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store
        .commit(commit([
            create(1),
            append(1, 0, 50),
            Operation::Compact {
                run: run_id(1),
                keep: 0,
            },
        ]))
        .await
        .unwrap();
    assert_eq!(journal(&store, 1).await.len(), 50);
    store.close();
}
