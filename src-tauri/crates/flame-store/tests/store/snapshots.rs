//! Snapshots, and journals whose beginning is forgotten.

use flame_store::{Error, JournalBatch, Operation, Snapshot};
use flame_types::RunStatus;
use rusqlite::Connection;
use serde_json::json;

use crate::values::{append, commit, create, create_ended, journal, open, run_id, state};

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
async fn a_run_that_ends_with_its_first_commit_is_one_row_and_can_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let large = |first: u64| {
        Operation::Append(JournalBatch {
            run: run_id(2),
            first,
            count: 1,
            records: json!(["x".repeat(20_000)]).to_string().into(),
        })
    };
    let whole = commit([create_ended(1), append(1, 0, 7)]);
    for commit in [
        whole.clone(),
        whole,
        commit([create_ended(2), large(0)]),
        commit([create(3), append(3, 0, 2)]),
    ] {
        // One whose outcome was unknown comes again.
        store.commit(commit).await.unwrap();
    }
    let beside = || -> i64 {
        let sql = "SELECT COUNT(*) FROM journal WHERE run = ?1";
        Connection::open(store.path())
            .unwrap()
            .query_row(sql, [run_id(1).as_uuid().as_bytes()], |row| row.get(0))
            .unwrap()
    };
    assert_eq!(beside(), 0);
    assert_eq!(store.journal(run_id(2), 0).await.unwrap().len(), 1);
    let records = async |run| {
        store
            .run(run_id(run))
            .await
            .unwrap()
            .unwrap()
            .summary
            .records
    };
    assert_eq!(
        (records(1).await, records(2).await, records(3).await),
        (7, 1, 2)
    );

    let other = append(1, 6, 2);
    let error = store.commit(other).await.unwrap_err();
    assert!(matches!(error, Error::Sequence { found: 7, .. }), "{error}");
    let reopened = Operation::UpdateRun {
        id: run_id(1),
        state: Box::new(state(RunStatus::Running)),
        reopen: true,
    };
    let goes_on = commit([
        reopened,
        append(1, 7, 3),
        put(1, 10, "{}"),
        append(1, 10, 5),
    ]);
    store.commit(goes_on).await.unwrap();
    assert_eq!((records(1).await, beside()), (15, 2));
    assert_eq!(journal(&store, 1).await, (0..15).collect::<Vec<_>>());
    let from = store.journal(run_id(1), 7).await.unwrap();
    assert_eq!((from[0].first, from.len()), (7, 2));

    assert_eq!(store.journal_start(run_id(1)).await.unwrap(), 0);
    let compact = Operation::Compact {
        run: run_id(1),
        keep: 5,
    };
    store.commit(compact).await.unwrap();
    assert_eq!(store.journal_start(run_id(1)).await.unwrap(), 10);
    let kept = store.journal(run_id(1), 0).await.unwrap();
    assert_eq!((kept[0].first, kept.len()), (10, 1));
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
