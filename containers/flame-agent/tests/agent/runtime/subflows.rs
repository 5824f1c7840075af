//! Child runs: started once, waited for, cancelled with their parents, also over a restart.

use std::path::Path;
use std::time::Duration;

use flame_agent::runtime::Handle;
use flame_store::{Page, RunFilter, RunSummary};
use flame_types::{RunId, RunStatus};
use serde_json::json;
use tokio::io::AsyncWriteExt;

use super::{deploy, document, error, open, output, run, start, until};
use crate::server::Server;

const WAITS: &str = "- w: { wait: PT1H }";

fn calls(name: &str, rest: &str) -> String {
    format!(
        "- sub: {{ run: {{ workflow: {{ namespace: test, name: {name}, version: latest, input: {{ n: '${{ .n }}' }} }} {rest} }} }}"
    )
}

async fn children(handle: &Handle, parent: RunId) -> Vec<RunSummary> {
    let filter = RunFilter {
        parent: Some(parent),
        ..RunFilter::default()
    };
    handle.runs(filter, Page::first(100)).await.unwrap()
}

/// The only child of a run, once there is one.
async fn child(handle: &Handle, parent: RunId) -> RunSummary {
    let mut changes = handle.changes();
    let found = async {
        loop {
            if let Some(child) = children(handle, parent).await.pop() {
                return child;
            }
            let _ = changes.recv().await;
        }
    };
    tokio::time::timeout(super::PATIENCE, found)
        .await
        .expect("the child is started")
}

#[tokio::test]
async fn a_child_s_output_is_its_task_s() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    deploy(&handle, "child", "- double: { set: { n: '${ .n * 2 }' } }").await;
    let parent = deploy(&handle, "parent", &calls("child", "")).await;
    let ended = run(&handle, &parent, json!({"n": 21})).await;
    assert_eq!(output(&ended), json!({"n": 42}));
    let found = children(&handle, ended.summary.id).await;
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0].parent,
        Some((ended.summary.id, "/do/0/sub".to_owned()))
    );
    assert_eq!(found[0].trigger, "workflow");
    assert_eq!(ended.summary.parent, None);
}

#[tokio::test]
async fn a_child_that_nobody_awaits_goes_on_alone() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    deploy(&handle, "child", WAITS).await;
    let parent = deploy(&handle, "parent", &calls("child", ", await: false")).await;
    let ended = run(&handle, &parent, json!({"n": 1})).await;
    assert_eq!(output(&ended), json!({"n": 1}));
    let child = child(&handle, ended.summary.id).await;
    until(&handle, child.id, RunStatus::Waiting).await;
}

#[tokio::test]
async fn a_child_s_fault_is_its_task_s_and_can_be_caught() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    deploy(
        &handle,
        "child",
        "- deep: { raise: { error: { type: https://e.com/sold-out, status: 409, title: Sold out } } }",
    )
    .await;
    let parent = deploy(&handle, "parent", &calls("child", "")).await;
    let ended = run(&handle, &parent, json!({})).await;
    assert_eq!(
        error(&ended),
        json!({"type": "https://e.com/sold-out", "status": 409, "title": "Sold out", "instance": "/do/0/deep"})
    );
    let catching = format!(
        "- t:\n    try:\n      {}\n    catch:\n      errors: {{ with: {{ status: 409 }} }}\n      do: [{{ done: {{ set: {{ caught: '${{ $error.title }}' }} }} }}]",
        calls("child", "")
    );
    let parent = deploy(&handle, "catching", &catching).await;
    assert_eq!(
        output(&run(&handle, &parent, json!({})).await),
        json!({"caught": "Sold out"})
    );
}

#[tokio::test]
async fn a_workflow_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    for (version, detail) in [
        (
            "latest",
            "there is no workflow test/gone in any version; put it first",
        ),
        (
            "3.2.1",
            "there is no workflow test/gone/3.2.1; put it first",
        ),
    ] {
        let tasks = calls("gone", "").replace("latest", version);
        let parent = deploy(&handle, "parent", &tasks).await;
        let error = error(&run(&handle, &parent, json!({})).await);
        assert_eq!(error["detail"], detail);
        assert!(error["type"].as_str().unwrap().ends_with("/configuration"));
        assert_eq!(error["instance"], "/do/0/sub");
    }
}

#[tokio::test]
async fn latest_is_the_newest_release_when_the_child_starts() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let parent = deploy(&handle, "parent", &calls("child", "")).await;
    for (version, expected) in [
        ("1.9.0", "1.9.0"),
        ("1.10.0", "1.10.0"),
        ("2.0.0-rc.1", "1.10.0"),
        ("2.0.0", "2.0.0"),
    ] {
        let text = document("child", &format!("- s: {{ set: {{ v: {version} }} }}"))
            .replace("version: 1.0.0", &format!("version: {version}"));
        handle
            .deploy(&text, "application/yaml", None)
            .await
            .unwrap();
        let ended = run(&handle, &parent, json!({})).await;
        assert_eq!(output(&ended), json!({"v": expected}), "after {version}");
    }
}

#[tokio::test]
async fn a_workflow_that_runs_itself_stops_at_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let endless = deploy(&handle, "endless", &calls("endless", "")).await;
    let ended = run(&handle, &endless, json!({})).await;
    assert_eq!(error(&ended)["title"], "Workflows nested too deeply");
    let runs = handle.runs(RunFilter::default(), Page::first(100)).await;
    assert_eq!(runs.unwrap().len(), 65, "itself and 64 below it");
}

/// Children get their places although their parents hold all there are.
#[tokio::test]
async fn parents_that_fill_the_agent_wait_for_no_place() {
    let folder = tempfile::tempdir().unwrap();
    let options = flame_agent::runtime::Options {
        in_flight_max: 2,
        ..super::options(folder.path())
    };
    let handle = Handle::open(options).await.unwrap();
    deploy(&handle, "child", "- s: { set: { done: true } }").await;
    let parent = deploy(&handle, "parent", &calls("child", "")).await;
    let both = tokio::join!(
        run(&handle, &parent, json!({})),
        run(&handle, &parent, json!({}))
    );
    assert_eq!(output(&both.0), json!({"done": true}));
    assert_eq!(output(&both.1), json!({"done": true}));
}

#[tokio::test]
async fn cancelling_a_parent_cancels_its_child() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    deploy(&handle, "child", WAITS).await;
    let parent = deploy(&handle, "parent", &calls("child", "")).await;
    let parent = start(&handle, &parent, json!({})).await;
    let child = child(&handle, parent).await.id;
    handle.cancel(parent, false).await.unwrap();
    until(&handle, child, RunStatus::Cancelled).await;
}

#[tokio::test]
async fn a_child_that_is_cancelled_is_its_task_s_error() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    deploy(&handle, "child", WAITS).await;
    let parent = deploy(&handle, "parent", &calls("child", "")).await;
    let parent = start(&handle, &parent, json!({})).await;
    let child = child(&handle, parent).await.id;
    handle.cancel(child, false).await.unwrap();
    let ended = until(&handle, parent, RunStatus::Faulted).await;
    assert_eq!(error(&ended)["title"], "The child run was cancelled");
}

#[tokio::test]
async fn a_timeout_of_the_task_cancels_the_child() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    deploy(&handle, "child", WAITS).await;
    let tasks = calls("child", "").replace("sub: {", "sub: { timeout: { after: PT0.2S },");
    let parent = deploy(&handle, "parent", &tasks).await;
    let ended = run(&handle, &parent, json!({})).await;
    assert_eq!(error(&ended)["title"], "Timed out");
    let child = child(&handle, ended.summary.id).await.id;
    until(&handle, child, RunStatus::Cancelled).await;
}

/// A stop and a start in between: the same child, waited for again.
#[tokio::test]
async fn a_parent_finds_its_child_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|number, _, mut stream| async move {
        // The first life gets no answer.
        match number {
            0 => std::future::pending().await,
            _ => {
                let answer = crate::server::json("200 OK", r#"{"n":7}"#);
                stream.write_all(&answer).await.unwrap();
            }
        }
    })
    .await;
    let handle = open(folder.path()).await;
    let tasks = format!(
        "- c: {{ call: http, with: {{ method: get, endpoint: '{}' }} }}",
        server.url("/")
    );
    deploy(&handle, "child", &tasks).await;
    let parent = deploy(&handle, "parent", &calls("child", "")).await;
    let parent = start(&handle, &parent, json!({})).await;
    server.until(1).await;
    handle.drain(Duration::ZERO).await;
    drop(handle);
    let handle = open(folder.path()).await;
    let ended = until(&handle, parent, RunStatus::Completed).await;
    assert_eq!(output(&ended), json!({"n": 7}));
    assert_eq!(children(&handle, parent).await.len(), 1);
    assert_eq!(server.asked().len(), 2);
}

/// The two commits that a crash can part: the parent's intent and the child's start, the child's end and
/// the parent's result. What the second one wrote is taken back, as if it had never been.
#[tokio::test]
async fn a_crash_at_a_child_s_start_or_return_starts_it_once() {
    for child_is_lost in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::saying(crate::server::json("200 OK", r#"{"n":7}"#)).await;
        let handle = open(folder.path()).await;
        let tasks = format!(
            "- c: {{ call: http, with: {{ method: get, endpoint: '{}' }} }}",
            server.url("/")
        );
        deploy(&handle, "child", &tasks).await;
        let parent = deploy(&handle, "parent", &calls("child", "")).await;
        let parent = run(&handle, &parent, json!({})).await.summary.id;
        let child = child(&handle, parent).await.id;
        handle.drain(super::PATIENCE).await;
        drop(handle);
        let database = database(folder.path());
        for statement in [
            "DELETE FROM journal WHERE run = ?1 AND first > 0",
            "UPDATE runs SET status = 'running', ended = NULL, output = NULL WHERE id = ?1",
        ] {
            let changed = database.execute(statement, [parent.as_uuid().as_bytes()]);
            assert_eq!(changed.unwrap(), 1, "{statement}");
        }
        if child_is_lost {
            for statement in [
                "DELETE FROM journal WHERE run = ?1",
                "DELETE FROM runs WHERE id = ?1",
                "DELETE FROM children WHERE run = ?1",
            ] {
                database
                    .execute(statement, [child.as_uuid().as_bytes()])
                    .unwrap();
            }
        }
        drop(database);
        let handle = open(folder.path()).await;
        let ended = until(&handle, parent, RunStatus::Completed).await;
        assert_eq!(output(&ended), json!({"n": 7}));
        let found = children(&handle, parent).await;
        assert_eq!(
            found.iter().map(|child| child.id).collect::<Vec<_>>(),
            [child],
            "the same child"
        );
        let calls = if child_is_lost { 2 } else { 1 };
        assert_eq!(server.asked().len(), calls);
    }
}

/// As a crash between the commit that ended the parent and the one that cancels the child leaves them.
#[tokio::test]
async fn a_child_that_a_crash_left_behind_is_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let (parent, child) = left_behind(folder.path()).await;
    let handle = open(folder.path()).await;
    until(&handle, child, RunStatus::Cancelled).await;
    let parent = handle.run(parent).await.unwrap().unwrap();
    assert_eq!(parent.summary.status, RunStatus::Cancelled);
}

/// A cancelled parent with a child that is at work, put together from the journals of two lives.
async fn left_behind(folder: &Path) -> (RunId, RunId) {
    let handle = open(folder).await;
    deploy(&handle, "child", WAITS).await;
    let parent = deploy(&handle, "parent", &calls("child", "")).await;
    let parent = start(&handle, &parent, json!({})).await;
    let child = child(&handle, parent).await.id;
    until(&handle, child, RunStatus::Waiting).await;
    handle.drain(super::PATIENCE).await;
    drop(handle);
    database(folder)
        .execute(
            "UPDATE runs SET status = 'cancelled', ended = updated WHERE id = ?1",
            [parent.as_uuid().as_bytes()],
        )
        .unwrap();
    (parent, child)
}

fn database(folder: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(folder.join(flame_store::FILE_NAME)).unwrap()
}
