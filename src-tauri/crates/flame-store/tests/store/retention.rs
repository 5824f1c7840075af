//! Deleting runs that have ended: what goes, what stays, and that the file gets smaller.

use flame_store::{
    AppendedEvent, Expiry, IdempotencyClaim, JournalBatch, Operation, Page, RunFilter, Store,
};
use flame_types::{RunId, RunStatus, Timestamp};
use serde_json::json;
use uuid::Uuid;

use crate::values::{at, commit, letter, new_run, open, state, workflow};

/// When the run of that number was made, in milliseconds.
fn made(number: u64) -> i64 {
    1_700_000_000_000 + i64::try_from(number).unwrap() * 1_000
}

fn instant(milliseconds: i64) -> Timestamp {
    at(milliseconds * 1_000)
}

/// An id as runs have it: it begins with the time.
fn id(number: u64) -> RunId {
    let time = u64::try_from(made(number)).unwrap();
    RunId::new(Uuid::from_u64_pair(
        time << 16 | 0x7000,
        0x8000_0000_0000_0000 | number,
    ))
}

fn create(number: u64, name: &str, status: RunStatus) -> Operation {
    let mut new = new_run(number);
    new.id = id(number);
    new.workflow = workflow(name);
    new.created = instant(made(number));
    new.state = state(status);
    new.state.ended = status.is_terminal().then(|| instant(made(number) + 500));
    Operation::CreateRun(Box::new(new))
}

fn journal(number: u64, first: u64, records: Vec<u8>) -> Operation {
    Operation::Append(JournalBatch {
        run: id(number),
        first,
        count: 1,
        records,
    })
}

fn expiry(name: &str) -> Expiry {
    Expiry {
        workflow: workflow(name),
        ended_before: None,
        newest: None,
        claimed_since: Timestamp::MAX,
    }
}

async fn delete(store: &Store, expiry: &Expiry) -> Vec<RunId> {
    let expired = store.expired(expiry.clone(), 1_000).await.unwrap();
    let deletions = expired.iter().map(|id| Operation::DeleteRun { id: *id });
    store.commit(commit(deletions)).await.unwrap();
    while store.remains().await.unwrap() {
        store.commit(Operation::Clear).await.unwrap();
    }
    expired
}

async fn left(store: &Store) -> Vec<RunId> {
    let page = Page::first(1_000);
    let runs = store.runs(RunFilter::default(), page).await.unwrap();
    runs.into_iter().rev().map(|run| run.id).collect()
}

#[tokio::test]
async fn runs_go_by_age_and_by_count_and_those_in_flight_stay() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for number in 0..20 {
        let status = match number % 4 {
            0 => RunStatus::Waiting,
            1 => RunStatus::Faulted,
            _ => RunStatus::Completed,
        };
        store
            .commit(create(number, "orders", status))
            .await
            .unwrap();
        store
            .commit(create(100 + number, "others", status))
            .await
            .unwrap();
    }
    assert_eq!(
        store.workflows_with_runs().await.unwrap(),
        [workflow("orders"), workflow("others")]
    );
    assert!(delete(&store, &expiry("orders")).await.is_empty());
    // Ended before the end of run 5, exactly.
    let by_age = Expiry {
        ended_before: Some(instant(made(5) + 500)),
        ..expiry("orders")
    };
    let gone: Vec<RunId> = [1, 2, 3].map(id).to_vec();
    assert_eq!(delete(&store, &by_age).await, gone);
    let by_count = Expiry {
        newest: Some(8),
        ..expiry("orders")
    };
    let gone: Vec<RunId> = [5, 6, 7, 9, 10, 11].map(id).to_vec();
    assert_eq!(delete(&store, &by_count).await, gone);
    let mut kept: Vec<RunId> = [0, 4, 8].into_iter().chain(12..20).map(id).collect();
    kept.extend((100..120).map(id));
    assert_eq!(left(&store).await, kept);
    // Somebody retried it since it was listed.
    store
        .commit(Operation::DeleteRun { id: id(8) })
        .await
        .unwrap();
    assert_eq!(left(&store).await, kept);
    store.close();
}

#[tokio::test]
async fn what_is_a_runs_alone_goes_with_it_and_the_rest_stays() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let shared = json!([{"a": "x".repeat(100_000)}]).to_string().into_bytes();
    let own = json!([{"a": "y".repeat(100_000)}]).to_string().into_bytes();
    let claim = |number: u64, created: i64| {
        Operation::ClaimKey(IdempotencyClaim {
            scope: "workflow/test/orders".to_owned(),
            key: format!("k{number}"),
            body_hash: [1; 32],
            run: id(number),
            created: instant(created),
        })
    };
    for number in 0..3 {
        let event = AppendedEvent {
            run: Some(id(number)),
            id: format!("e{number}"),
            kind: "t".to_owned(),
            source: "/s".to_owned(),
            time: at(1),
            body: b"{}".to_vec(),
        };
        let told = AppendedEvent {
            id: format!("l{number}"),
            kind: "io.serverlessworkflow.workflow.started.v1".to_owned(),
            ..event.clone()
        };
        let mut operations = vec![
            Operation::AppendEvent(Box::new(told)),
            claim(number, made(number)),
            create(number, "orders", RunStatus::Completed),
            journal(number, 0, shared.clone()),
            Operation::AppendEvent(Box::new(event)),
            Operation::AddDeadLetter(Box::new(letter("a"))),
        ];
        if number == 0 {
            operations.push(journal(0, 1, own.clone()));
        }
        store.commit(commit(operations)).await.unwrap();
    }
    let all = Expiry {
        ended_before: Some(Timestamp::MAX),
        claimed_since: instant(made(1)),
        ..expiry("orders")
    };
    // The keys of the other two may still be used.
    assert_eq!(delete(&store, &all).await, [id(0)]);
    assert_eq!(left(&store).await, [id(1), id(2)]);
    let scope = "workflow/test/orders";
    assert_eq!(store.idempotency(scope, "k0").await.unwrap(), None);
    assert!(store.idempotency(scope, "k1").await.unwrap().is_some());
    assert!(store.journal(id(0), 0).await.unwrap().is_empty());
    let kept = store.journal(id(1), 0).await.unwrap();
    assert!(kept[0].records == shared, "the blob is needed elsewhere");
    let events = store.events(None, None, Page::first(10)).await.unwrap();
    // What it emitted stays, what tells of it goes.
    assert_eq!(events.len(), 3 + 2);
    let letters = store
        .dead_letters(None, None, Page::first(10))
        .await
        .unwrap();
    assert_eq!(letters.len(), 3);
    let blobs: i64 = rusqlite::Connection::open(store.path())
        .unwrap()
        .query_row("SELECT COUNT(*) FROM blobs", [], |row| row.get(0))
        .unwrap();
    assert_eq!(blobs, 1);
    store.close();
}

/// A long journal takes several commits; the run is gone with the first.
#[tokio::test]
async fn the_file_gets_smaller_and_a_long_journal_goes_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let record = json!([{"a": "x".repeat(50_000)}]).to_string().into_bytes();
    store
        .commit(create(1, "orders", RunStatus::Completed))
        .await
        .unwrap();
    for first in 0..400 {
        store
            .commit(journal(1, first, record.clone()))
            .await
            .unwrap();
    }
    store
        .commit(commit([
            create(2, "orders", RunStatus::Running),
            Operation::Append(JournalBatch {
                run: id(2),
                first: 0,
                count: 1,
                records: record.clone(),
            }),
        ]))
        .await
        .unwrap();
    store.close();
    drop(store);
    let size = |folder: &std::path::Path| {
        std::fs::metadata(folder.join(flame_store::FILE_NAME))
            .unwrap()
            .len()
    };
    let before = size(folder.path());
    assert!(before > 20_000_000, "{before}");

    let store = open(folder.path());
    store
        .commit(Operation::DeleteRun { id: id(1) })
        .await
        .unwrap();
    assert_eq!(store.run(id(1)).await.unwrap(), None);
    let mut commits = 0;
    while store.remains().await.unwrap() {
        store.commit(Operation::Clear).await.unwrap();
        commits += 1;
    }
    assert!(commits >= 3, "{commits}");
    while store.free_pages().await.unwrap() > 0 {
        store
            .commit(Operation::Shrink { pages: 1_000 })
            .await
            .unwrap();
    }
    let kept = store.journal(id(2), 0).await.unwrap();
    assert!(kept[0].records == record);
    store.close();
    let after = size(folder.path());
    assert!(after < 500_000, "{before} before, {after} after");
}
