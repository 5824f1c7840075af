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

fn scheduled(name: &str, tasks: &str, schedule: &str) -> String {
    document(name, tasks) + &format!("schedule: {{ {schedule} }}\n")
}

async fn started(handle: &Handle, trigger: &str, count: usize) -> Vec<flame_store::RunSummary> {
    let filter = RunFilter {
        trigger: Some(trigger.to_owned()),
        ..RunFilter::default()
    };
    let wait = async {
        let mut changes = handle.changes();
        loop {
            let page = flame_store::Page::first(1_000);
            let runs = handle.runs(filter.clone(), page).await.unwrap();
            if runs.len() >= count {
                return runs;
            }
            let _ = changes.recv().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap()
}

#[tokio::test]
async fn an_interval_starts_runs_and_what_a_stop_missed_starts_one() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let text = scheduled("often", "- say: { set: { x: 1 } }", "every: PT0.02S");
    handle
        .deploy(&text, "application/yaml", None)
        .await
        .unwrap();
    started(&handle, "schedule", 3).await;
    handle.undeploy(&id("often")).await.ok();
    let text = scheduled("daily", "- say: { set: { x: 1 } }", "every: { days: 1 }");
    handle
        .deploy(&text, "application/yaml", None)
        .await
        .unwrap();
    handle.drain(Duration::ZERO).await;
    drop(handle);
    let store = Store::open(&flame_store::Options::new(folder.path(), Timestamp::now)).unwrap();
    let missed = Schedule {
        workflow: DefinitionKey::workflow(&id("daily")),
        next: "2023-01-01T00:00:00Z".parse().unwrap(),
        last: None,
    };
    store.commit(Operation::PutSchedule(missed)).await.unwrap();
    store.close();
    drop(store);
    for _ in 0..2 {
        let handle = open(folder.path()).await;
        let of_daily = async {
            let mut changes = handle.changes();
            loop {
                let filter = RunFilter {
                    name: Some("daily".to_owned()),
                    ..RunFilter::default()
                };
                let page = flame_store::Page::first(10);
                let runs = handle.runs(filter, page).await.unwrap().len();
                if runs > 0 {
                    return runs;
                }
                let _ = changes.recv().await;
            }
        };
        assert_eq!(tokio::time::timeout(PATIENCE, of_daily).await.unwrap(), 1);
        let stored = handle.store().schedules().await.unwrap();
        let daily = stored.iter().find(|held| held.workflow.name == "daily");
        assert!(daily.unwrap().next > Timestamp::now());
        handle.drain(Duration::ZERO).await;
    }
}

#[tokio::test]
async fn a_run_after_a_run_waits_for_its_end_over_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let tasks = "- hear: { listen: { to: { one: { with: { type: t.go } } } } }";
    let text = scheduled("chain", tasks, "after: PT0.02S");
    handle
        .deploy(&text, "application/yaml", None)
        .await
        .unwrap();
    let first = started(&handle, "schedule", 1).await[0].id;
    super::until(&handle, first, flame_types::RunStatus::Waiting).await;
    let id = id("chain");
    let next = async || handle.deployed(&id).await.unwrap().unwrap().next;
    // The schedule learns of the start after the run has begun.
    let unscheduled = async {
        while next().await.is_some() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(super::PATIENCE, unscheduled)
        .await
        .expect("nothing is due while a run is under way");
    handle.drain(Duration::ZERO).await;
    drop(handle);
    let handle = open(folder.path()).await;
    handle.recovered().await;
    assert_eq!(
        started(&handle, "schedule", 1).await.len(),
        1,
        "one at a time"
    );
    let go = serde_json::json!({"specversion": "1.0", "id": "1", "source": "/t", "type": "t.go"});
    handle.publish(vec![go]).await.unwrap();
    let runs = started(&handle, "schedule", 2).await;
    assert_eq!(runs.len(), 2);
    handle.drain(Duration::ZERO).await;
}
