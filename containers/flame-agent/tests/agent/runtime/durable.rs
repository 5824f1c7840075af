//! What a restart does to runs: nothing that anybody notices.

use std::time::Duration;

use flame_agent::runtime::{Error, Handle, IdempotencyKey, Options, StartRequest};
use flame_types::{RunId, RunStatus};
use serde_json::json;
use tokio::io::AsyncWriteExt;

use super::{PATIENCE, deploy, open, options, output, run, start, tasks_of, until};
use crate::server::{Server, json};

#[tokio::test]
async fn a_run_without_effects_is_one_commit() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let tasks = "
- count:
    for: { each: n, in: '${ [range(50)] }' }
    do:
      - add: { set: { sum: '${ (.sum // 0) + $n }' } }";
    let workflow = deploy(&handle, "sum", tasks).await;
    let before = handle.store().health().commits;
    let ended = run(&handle, &workflow, json!({})).await;
    assert_eq!(output(&ended), json!({"sum": 1225}));
    assert_eq!(handle.store().health().commits, before + 1);
    handle.drain(Duration::ZERO).await;
}

/// The agent ends while a call is under way: the next one makes it again, under the same key.
#[tokio::test]
async fn a_call_that_was_cut_off_is_made_again_under_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|number, _, mut stream| async move {
        if number == 0 {
            std::future::pending::<()>().await;
        }
        let _ = stream.write_all(&json("200 OK", "\"done\"")).await;
    })
    .await;
    let tasks = format!(
        "- before:\n    set: {{ x: 1 }}\n- ask:\n    call: http\n    with: {{ method: post, endpoint: '{}' }}",
        server.url("/")
    );
    let handle = open(folder.path()).await;
    let workflow = deploy(&handle, "cut", &tasks).await;
    let cut = start(&handle, &workflow, json!({})).await;
    server.until(1).await;
    handle.drain(Duration::ZERO).await;
    drop(handle);
    let handle = open(folder.path()).await;
    handle.recovered().await;
    assert_eq!(
        output(&until(&handle, cut, RunStatus::Completed).await),
        json!("done")
    );
    let keys: Vec<_> = server
        .asked()
        .iter()
        .map(|asked| asked.header("idempotency-key"))
        .collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);
    let started = handle.journal(cut, 0, 1_000).await.unwrap();
    let begun = started.iter().filter(|entry| {
        matches!(&entry.record, flame_engine::Record::TaskStarted { name, .. } if &**name == "before")
    });
    assert_eq!(begun.count(), 1, "a task that has ended does not run again");
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn a_waiting_run_wakes_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let workflow = deploy(
        &handle,
        "nap",
        "- nap:\n    wait: { milliseconds: 400 }\n- say:\n    set: { up: true }",
    )
    .await;
    let sleeper = start(&handle, &workflow, json!({})).await;
    let held = handle.run(sleeper).await.unwrap().unwrap().summary;
    assert_eq!(held.status, RunStatus::Waiting);
    assert!(held.wakes.is_some());
    handle.drain(Duration::ZERO).await;
    drop(handle);
    let handle = open(folder.path()).await;
    assert_eq!(
        output(&until(&handle, sleeper, RunStatus::Completed).await),
        json!({"up": true})
    );
    handle.drain(Duration::ZERO).await;
}

/// What waits for long is on disk alone: not limited, still shown, still there to be told something.
#[tokio::test]
async fn runs_that_wait_for_long_take_no_place_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let options = || Options {
        in_flight_max: 2,
        ..options(folder.path())
    };
    let handle = Handle::open(options()).await.unwrap();
    let workflow = deploy(&handle, "sleep", "- sleep:\n    wait: { hours: 1 }").await;
    let mut runs = Vec::new();
    for _ in 0..5 {
        runs.push(start(&handle, &workflow, json!({})).await);
    }

    let tasks = tasks_of(&handle, runs[0]).await;
    assert_eq!(&*tasks[0].name, "sleep");
    assert!(tasks[0].due.is_some());
    assert_eq!(
        handle.suspend(runs[0]).await.unwrap().summary.status,
        RunStatus::Suspended
    );
    handle.drain(Duration::ZERO).await;
    drop(handle);

    let handle = Handle::open(options()).await.unwrap();
    handle.recovered().await;
    assert_eq!(
        handle.resume(runs[0]).await.unwrap().summary.status,
        RunStatus::Waiting
    );
    for run in &runs {
        // Also puts it back to rest, so that what is counted has settled.
        assert_eq!(tasks_of(&handle, *run).await.len(), 1);
    }
    let mut changes = handle.changes();
    handle.cancel(runs[4], false).await.unwrap();
    while handle.run(runs[4]).await.unwrap().unwrap().summary.status != RunStatus::Cancelled {
        let _ = changes.recv().await;
    }
    assert_eq!(handle.load().waiting, 4);
    handle.drain(Duration::ZERO).await;
}

/// Whoever asks for a run of before gets it, whether or not the recovery has come to it.
#[tokio::test]
async fn a_run_of_before_answers_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let workflow = deploy(&handle, "sleep", "- sleep:\n    wait: { hours: 1 }").await;
    let mut runs = Vec::new();
    for _ in 0..20 {
        runs.push(start(&handle, &workflow, json!({})).await);
    }
    handle.drain(Duration::ZERO).await;
    drop(handle);
    let handle = open(folder.path()).await;
    let cancelled =
        futures::future::join_all(runs.iter().map(|run| handle.cancel(*run, false))).await;
    for run in cancelled {
        assert_eq!(run.unwrap().summary.status, RunStatus::Cancelled);
    }
    handle.recovered().await;
    flame_testkit::until("all are let go", || {
        (handle.load().in_flight == 0).then_some(())
    })
    .await;
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn an_idempotency_key_gives_the_same_run_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let workflow = deploy(&handle, "once", "- say:\n    set: { x: 1 }").await;
    let request = |body: u8| StartRequest {
        idempotency: Some(IdempotencyKey {
            key: "k1".to_owned(),
            body_hash: [body; 32],
        }),
        ..StartRequest::new(workflow.clone(), json!({}))
    };
    // At once, so that some meet in one commit.
    let first = futures::future::join_all((0..20).map(|_| handle.start(request(1)))).await;
    let ids: std::collections::BTreeSet<RunId> = first
        .iter()
        .map(|started| started.as_ref().unwrap().run.summary.id)
        .collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(
        first
            .iter()
            .filter(|started| !started.as_ref().unwrap().existing)
            .count(),
        1
    );
    handle.drain(Duration::ZERO).await;
    drop(handle);
    let handle = open(folder.path()).await;
    let again = handle.start_and_wait(request(1), PATIENCE).await.unwrap();
    assert!(again.existing && ids.contains(&again.run.summary.id));
    let error = handle.start(request(2)).await.unwrap_err();
    assert!(
        matches!(error, Error::IdempotencyConflict { .. }),
        "{error}"
    );
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn the_order_of_an_end_is_kept_for_those_who_wait() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let workflow = deploy(&handle, "sleep", "- sleep:\n    wait: { hours: 1 }").await;
    let sleeper = start(&handle, &workflow, json!({})).await;
    let waiting = {
        let handle = handle.clone();
        tokio::spawn(async move { handle.wait(sleeper, PATIENCE).await })
    };
    handle.drain(Duration::ZERO).await;
    // The end of the agent ends the wait; the run is as it was.
    match waiting.await.unwrap() {
        Ok(run) => assert_eq!(run.summary.status, RunStatus::Waiting),
        Err(error) => assert!(
            matches!(error, Error::Store(flame_store::Error::Closed)),
            "{error}"
        ),
    }
}
