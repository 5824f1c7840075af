//! Lifecycle events of runs: in the log for those who ask, and for nobody else.

use std::time::Duration;

use flame_agent::runtime::Handle;
use flame_store::{Page, RunFilter};
use flame_types::RunStatus;
use serde_json::{Value, json};

use super::{PATIENCE, deploy, document, open, output, run, start, until};

const COMPLETED: &str = "io.serverlessworkflow.workflow.completed.v1";
const SAY: &str = "- say: { set: { x: 1 } }";

async fn log(handle: &Handle) -> Vec<Value> {
    let events = handle
        .store()
        .events(None, None, Page::first(999))
        .await
        .unwrap();
    let body = |event: &flame_store::StoredEvent| serde_json::from_slice(&event.body).unwrap();
    events.iter().map(body).collect()
}

async fn runs_of(handle: &Handle, name: &str) -> usize {
    let filter = RunFilter {
        name: Some(name.to_owned()),
        ..RunFilter::default()
    };
    handle.runs(filter, Page::first(999)).await.unwrap().len()
}

#[tokio::test]
async fn where_nobody_asks_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let any = "- any: { listen: { to: { any: [] } } }";
    let any = deploy(&handle, "any", any).await;
    start(&handle, &any, json!({})).await;
    let say = deploy(&handle, "say", SAY).await;
    run(&handle, &say, json!({})).await;
    assert_eq!(log(&handle).await, Vec::<Value>::new());
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn a_task_hears_of_another_run_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let hear = format!(
        "- hear: {{ listen: {{ to: {{ all: [ {{ with: {{ type: {COMPLETED} }} }}, \
         {{ with: {{ type: io.serverlessworkflow.task.faulted.v1 }} }} ] }}, read: envelope }} }}"
    );
    let hear = deploy(&handle, "hear", &hear).await;
    let heard = start(&handle, &hear, json!({})).await;
    until(&handle, heard, RunStatus::Waiting).await;
    let say = deploy(&handle, "say", SAY).await;
    let said = run(&handle, &say, json!({})).await;
    handle.drain(Duration::ZERO).await;
    drop(handle);

    let handle = open(folder.path()).await;
    let fail = "- fail: { raise: { error: { type: https://x.test/e, status: 418 } } }";
    let fail = deploy(&handle, "fail", fail).await;
    let failed = run(&handle, &fail, json!({})).await;
    let heard = output(&until(&handle, heard, RunStatus::Completed).await);
    assert_eq!(heard[0]["type"], COMPLETED);
    assert_eq!(heard[0]["subject"], said.summary.id.to_string());
    assert_eq!(heard[0]["data"]["output"], json!({"x": 1}));
    assert_eq!(heard[1]["subject"], failed.summary.id.to_string());
    assert_eq!(heard[1]["data"]["task"], "/do/0/fail");
    assert_eq!(heard[1]["data"]["error"]["status"], 418);
    let kinds: Vec<Value> = log(&handle)
        .await
        .iter()
        .map(|event| event["type"].clone())
        .collect();
    assert_eq!(
        kinds,
        [
            json!(COMPLETED),
            json!("io.serverlessworkflow.task.faulted.v1")
        ],
        "only what was asked for"
    );
    handle.drain(Duration::ZERO).await;
}

/// It starts a child too: neither it nor the child is heard of.
#[tokio::test]
async fn a_workflow_that_they_start_does_not_start_itself() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let child = deploy(&handle, "child", SAY).await;
    let tasks = "- of: { set: { of: '${ $workflow.input[0].subject }' } }
- child: { run: { workflow: { namespace: test, name: child, version: 1.0.0 } } }
- told: { emit: { event: { with: { type: t.told } } } }";
    let text = document("after", tasks)
        + &format!("schedule: {{ on: {{ one: {{ with: {{ type: {COMPLETED} }} }} }} }}\n");
    handle
        .deploy(&text, "application/yaml", None)
        .await
        .unwrap();
    let mut heard = Vec::new();
    for _ in 0..3 {
        heard.push(run(&handle, &child, json!({})).await.summary.id.to_string());
    }
    let mut changes = handle.changes();
    let all_told = async {
        loop {
            let log = log(&handle).await;
            if log.iter().filter(|event| event["type"] == "t.told").count() == heard.len() {
                return log;
            }
            let _ = changes.recv().await;
        }
    };
    let log = tokio::time::timeout(PATIENCE, all_told).await.unwrap();
    let of: Vec<&str> = log
        .iter()
        .filter(|event| event["type"] == COMPLETED)
        .map(|event| event["subject"].as_str().unwrap())
        .collect();
    assert_eq!(of, heard, "the runs that a person started, and no other");
    assert_eq!(
        (
            runs_of(&handle, "after").await,
            runs_of(&handle, "child").await
        ),
        (3, 6)
    );
    handle.drain(Duration::ZERO).await;
}
