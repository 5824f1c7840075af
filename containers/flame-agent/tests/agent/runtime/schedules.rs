//! Schedules: what was missed runs once, and the next time is remembered.

use std::time::Duration;

use flame_agent::runtime::Handle;
use flame_store::{DefinitionKey, Operation, RunFilter, Schedule, Store};
use flame_types::Timestamp;

use super::{PATIENCE, document, id, open, options};

fn yearly(name: &str) -> String {
    document(name, "- say: { set: { x: 1 } }") + "schedule: { cron: '0 0 1 1 *' }\n"
}

async fn runs(handle: &Handle) -> usize {
    let filter = RunFilter {
        trigger: Some("schedule".to_owned()),
        ..RunFilter::default()
    };
    handle
        .runs(filter, flame_store::Page::first(100))
        .await
        .unwrap()
        .len()
}

#[tokio::test]
async fn a_time_that_was_missed_runs_once_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    handle
        .deploy(&yearly("yearly"), "application/yaml", None)
        .await
        .unwrap();
    let next = handle
        .deployed(&id("yearly"))
        .await
        .unwrap()
        .unwrap()
        .next
        .unwrap();
    assert!(next > Timestamp::now());
    assert_eq!(runs(&handle).await, 0);
    handle.drain(Duration::ZERO).await;
    drop(handle);
    // As if the agent had been down for three years.
    let store = Store::open(&flame_store::Options::new(folder.path(), Timestamp::now)).unwrap();
    let missed = Schedule {
        workflow: DefinitionKey::workflow(&id("yearly")),
        next: "2023-01-01T00:00:00Z".parse().unwrap(),
        last: None,
    };
    store.commit(Operation::PutSchedule(missed)).await.unwrap();
    store.close();
    drop(store);
    for _ in 0..2 {
        let handle = open(folder.path()).await;
        let due = async {
            let mut changes = handle.changes();
            while runs(&handle).await == 0 {
                let _ = changes.recv().await;
            }
        };
        tokio::time::timeout(PATIENCE, due).await.unwrap();
        assert_eq!(runs(&handle).await, 1, "once, however often it was missed");
        let moved = handle.store().schedules().await.unwrap();
        assert_eq!(moved[0].next, next);
        handle.drain(Duration::ZERO).await;
    }
}

#[tokio::test]
async fn a_workflow_that_goes_takes_its_schedule_along() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    handle
        .deploy(&yearly("yearly"), "application/yaml", None)
        .await
        .unwrap();
    handle.undeploy(&id("yearly")).await.unwrap();
    assert_eq!(handle.store().schedules().await.unwrap(), []);
    handle
        .deploy(&yearly("yearly"), "application/yaml", None)
        .await
        .unwrap();
    let plain = document("yearly", "- say: { set: { x: 1 } }");
    handle
        .deploy(&plain, "application/yaml", None)
        .await
        .unwrap();
    assert_eq!(handle.store().schedules().await.unwrap(), []);
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn without_scheduling_nothing_starts_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&flame_store::Options::new(folder.path(), Timestamp::now)).unwrap();
    let handle = {
        store.close();
        drop(store);
        let quiet = flame_agent::runtime::Options {
            scheduling: false,
            ..options(folder.path())
        };
        Handle::open(quiet).await.unwrap()
    };
    handle
        .deploy(&yearly("yearly"), "application/yaml", None)
        .await
        .unwrap();
    let missed = Schedule {
        workflow: DefinitionKey::workflow(&id("yearly")),
        next: Timestamp::UNIX_EPOCH,
        last: None,
    };
    handle
        .store()
        .commit(Operation::PutSchedule(missed))
        .await
        .unwrap();
    handle
        .deploy(&yearly("yearly"), "application/yaml", None)
        .await
        .unwrap();
    assert_eq!(runs(&handle).await, 0);
    handle.drain(Duration::ZERO).await;
}
