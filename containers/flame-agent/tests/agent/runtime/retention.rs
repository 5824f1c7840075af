//! What is kept of ended runs: as the document says, else as the agent was told.

use std::time::Duration;

use flame_agent::runtime::{Handle, IdempotencyKey, Options, StartRequest};
use flame_dsl::Retention;
use flame_store::{Page, RunFilter};
use flame_types::{RunId, RunStatus, WorkflowId};
use serde_json::json;

use super::{PATIENCE, document, options, run, start};

const KEEPS_ONE: &str = "metadata: { mastra.io/retention: { runs: 1 } } }";

async fn deploy(handle: &Handle, name: &str, tasks: &str, keeps_one: bool) -> WorkflowId {
    let mut text = document(name, tasks);
    if keeps_one {
        text = text.replacen(
            "version: 1.0.0 }",
            &format!("version: 1.0.0, {KEEPS_ONE}"),
            1,
        );
    }
    let (deployed, _) = handle
        .deploy(&text, "application/yaml", None)
        .await
        .unwrap();
    deployed.workflow.id.clone()
}

/// Oldest first.
async fn left(handle: &Handle, workflow: &WorkflowId) -> Vec<RunId> {
    let filter = RunFilter {
        name: Some(workflow.name.to_string()),
        ..RunFilter::default()
    };
    let runs = handle.runs(filter, Page::first(100)).await.unwrap();
    runs.into_iter().rev().map(|run| run.id).collect()
}

#[tokio::test]
async fn a_workflow_keeps_what_it_says_and_others_what_the_agent_was_told() {
    let folder = tempfile::tempdir().unwrap();
    let told = Options {
        retention: Retention {
            days: None,
            runs: Some(3),
        },
        ..options(folder.path())
    };
    let handle = Handle::open(told).await.unwrap();
    let say = "- say: { set: { x: 1 } }";
    let one = deploy(&handle, "one", say, true).await;
    let three = deploy(&handle, "three", say, false).await;
    let sleep = deploy(&handle, "sleep", "- nap: { wait: { hours: 1 } }", true).await;
    let mut sleeping = Vec::new();
    for _ in 0..5 {
        run(&handle, &one, json!({})).await;
        run(&handle, &three, json!({})).await;
        sleeping.push(start(&handle, &sleep, json!({})).await);
    }
    handle.sweep().await.unwrap();
    assert_eq!(left(&handle, &one).await.len(), 1);
    assert_eq!(left(&handle, &three).await.len(), 3);
    assert_eq!(
        left(&handle, &sleep).await,
        sleeping,
        "runs in flight are never touched"
    );
    // Their time comes when they have ended, also where the document is not there any more.
    for id in &sleeping {
        handle.cancel(*id, false).await.unwrap();
    }
    handle.undeploy(&sleep).await.unwrap();
    handle.sweep().await.unwrap();
    assert_eq!(left(&handle, &sleep).await, sleeping[2..]);
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn days_count_from_the_end_and_a_key_that_was_just_used_keeps_its_run() {
    let folder = tempfile::tempdir().unwrap();
    let told = |days| Options {
        retention: Retention {
            days: Some(days),
            runs: None,
        },
        ..options(folder.path())
    };
    let handle = Handle::open(told(1)).await.unwrap();
    let say = deploy(&handle, "say", "- say: { set: { x: 1 } }", false).await;
    let plain = run(&handle, &say, json!({})).await;
    let keyed = StartRequest {
        idempotency: Some(IdempotencyKey {
            key: "k".to_owned(),
            body_hash: [1; 32],
        }),
        ..StartRequest::new(say.clone(), json!({}))
    };
    let kept = handle
        .start_and_wait(keyed.clone(), PATIENCE)
        .await
        .unwrap();
    assert_eq!(handle.sweep().await.unwrap(), 0, "no day has gone by");
    handle.drain(Duration::ZERO).await;
    drop(handle);

    let handle = Handle::open(told(0)).await.unwrap();
    handle.sweep().await.unwrap();
    assert_eq!(left(&handle, &say).await, [kept.run.summary.id]);
    assert!(handle.run(plain.summary.id).await.unwrap().is_none());
    let again = handle.start_and_wait(keyed, PATIENCE).await.unwrap();
    assert_eq!(again.run.summary.id, kept.run.summary.id);
    assert_eq!(again.run.summary.status, RunStatus::Completed);
    handle.drain(Duration::ZERO).await;
}
