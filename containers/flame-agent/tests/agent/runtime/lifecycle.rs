//! What people do to runs: cancel, suspend, resume, retry, replay; and what they can read.

use std::time::Duration;

use flame_agent::runtime::{Change, Error};
use flame_engine::Record;
use flame_store::Page;
use flame_types::RunStatus;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::{deploy, error, open, output, run, start, until};
use crate::server::{Server, json};

#[tokio::test]
async fn a_commanded_run_does_what_its_state_allows_and_says_why_not() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let workflow = deploy(&handle, "sleep", "- sleep:\n    wait: { hours: 1 }").await;
    let sleeper = start(&handle, &workflow, json!({})).await;
    for attempt in [handle.resume(sleeper).await, handle.retry(sleeper).await] {
        assert!(
            matches!(attempt, Err(Error::RunNotInState { .. })),
            "{attempt:?}"
        );
    }
    let stored = handle.run(sleeper).await.unwrap().unwrap();
    let inspection = handle.inspect(&stored).await.unwrap();
    assert_eq!(inspection.tasks[0].name.as_ref(), "sleep");
    assert_eq!(
        handle.suspend(sleeper).await.unwrap().summary.status,
        RunStatus::Suspended
    );
    assert_eq!(handle.load().suspended, 1);
    assert_eq!(
        handle.resume(sleeper).await.unwrap().summary.status,
        RunStatus::Waiting
    );
    assert_eq!(
        handle.cancel(sleeper, false).await.unwrap().summary.status,
        RunStatus::Cancelled
    );
    let again = handle.cancel(sleeper, false).await;
    assert!(
        matches!(again, Err(Error::RunNotInState { .. })),
        "{again:?}"
    );
    let nobody = handle
        .cancel(
            "0192d3a4-7c1e-7e6b-9a51-3f2b8c1d4e5f".parse().unwrap(),
            false,
        )
        .await;
    assert!(
        matches!(nobody, Err(Error::RunUnknown { .. })),
        "{nobody:?}"
    );
    // It was read once more to be told that it has ended.
    flame_testkit::until("the run is let go", || {
        (handle.load().in_flight == 0).then_some(())
    })
    .await;
    assert_eq!(handle.load().cancelled, 1);
    handle.drain(Duration::ZERO).await;
}

/// A server that fails until it is told to work.
async fn moody() -> (Server, tokio::sync::watch::Sender<bool>) {
    let (works, mood) = tokio::sync::watch::channel(false);
    let server = Server::start(move |_, _, mut stream| {
        let works = *mood.borrow();
        async move {
            let bytes = if works {
                json("200 OK", "{\"paid\":true}")
            } else {
                json("402 No", "{}")
            };
            let _ = stream.write_all(&bytes).await;
        }
    })
    .await;
    (server, works)
}

#[tokio::test]
async fn a_faulted_run_goes_on_at_its_task_when_it_is_retried() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let (server, works) = moody().await;
    let tasks = format!(
        "- first:\n    call: http\n    with: {{ method: get, endpoint: '{0}', redirect: true, output: response }}\n    if: '${{ false }}'\n- pay:\n    call: http\n    with: {{ method: post, endpoint: '{0}' }}",
        server.url("/")
    );
    let workflow = deploy(&handle, "pay", &tasks).await;
    let faulted = run(&handle, &workflow, json!({})).await;
    assert_eq!(error(&faulted)["status"], 402);
    let id = faulted.summary.id;
    assert_eq!(handle.retry(id).await.unwrap().summary.id, id);
    until(&handle, id, RunStatus::Faulted).await;
    works.send(true).unwrap();
    handle.retry(id).await.unwrap();
    let ended = until(&handle, id, RunStatus::Completed).await;
    assert_eq!(output(&ended), json!({"paid": true}));
    assert_eq!(error(&ended), Value::Null);
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn a_replay_is_a_new_run_from_a_task_with_other_input() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let tasks = "
- first: { set: { a: '${ .n }' } }
- second: { set: { b: '${ .a * 10 }' } }";
    let workflow = deploy(&handle, "tens", tasks).await;
    let old = run(&handle, &workflow, json!({"n": 1})).await;
    assert_eq!(output(&old), json!({"b": 10}));
    let old_id = old.summary.id;
    let new = handle
        .replay(old_id, "/do/1/second", Some(json!({"a": 7})), None)
        .await
        .unwrap();
    let new = until(&handle, new.summary.id, RunStatus::Completed).await;
    assert_eq!(output(&new), json!({"b": 70}));
    assert_eq!(
        new.summary.replay_of,
        Some((old_id, "/do/1/second".to_owned()))
    );
    let journal = handle.journal(new.summary.id, 0, 100).await.unwrap();
    let began = |name: &str| {
        journal.iter().any(|entry| matches!(&entry.record, Record::TaskStarted { name: held, .. } if &**held == name))
    };
    assert!(began("second") && !began("first"));
    let whole = handle
        .replay(old_id, "", Some(json!({"n": 3})), None)
        .await
        .unwrap();
    let whole = until(&handle, whole.summary.id, RunStatus::Completed).await;
    assert_eq!(output(&whole), json!({"b": 30}));
    let wrong = handle
        .replay(old_id, "/do/9/nobody", None, None)
        .await
        .unwrap_err();
    assert!(matches!(wrong, Error::ReplayImpossible { .. }), "{wrong}");
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn a_journal_is_numbered_from_one_and_read_in_pages() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let tasks = "
- pause: { wait: { milliseconds: 1 } }
- a: { set: { x: 1 } }
- pause2: { wait: { milliseconds: 1 } }
- b: { set: { x: 2 } }";
    let workflow = deploy(&handle, "pages", tasks).await;
    let ended = run(&handle, &workflow, json!({})).await;
    let id = ended.summary.id;
    let whole = handle.journal(id, 0, 1_000).await.unwrap();
    let numbers: Vec<u64> = whole.iter().map(|entry| entry.sequence).collect();
    assert_eq!(numbers, (1..=whole.len() as u64).collect::<Vec<_>>());
    assert_eq!(ended.summary.records, whole.len() as u64);
    for limit in 1..5 {
        let mut paged = Vec::new();
        loop {
            let page = handle.journal(id, paged.len() as u64, limit).await.unwrap();
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            paged.extend(page);
        }
        assert_eq!(paged, whole, "{limit}");
    }
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn emitted_events_are_stored_with_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let tasks = "
- tell:
    emit:
      event:
        with: { source: 'https://shop.example', type: shop.order.placed, data: { id: '${ .id }' } }";
    let workflow = deploy(&handle, "tell", tasks).await;
    let ended = run(&handle, &workflow, json!({"id": 4})).await;
    let events = handle
        .store()
        .events(None, Some("shop.order.placed".to_owned()), Page::first(10))
        .await
        .unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].run, Some(ended.summary.id));
    let event: Value = serde_json::from_slice(&events[0].body).unwrap();
    assert_eq!(
        (&event["data"], &event["specversion"]),
        (&json!({"id": 4}), &json!("1.0"))
    );
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn whoever_follows_is_told_of_every_state() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let workflow = deploy(&handle, "nap", "- nap:\n    wait: { milliseconds: 1 }").await;
    let mut changes = handle.changes();
    let ended = run(&handle, &workflow, json!({})).await;
    let mut seen = Vec::new();
    while seen.last() != Some(&RunStatus::Completed) {
        if let Change::Run(summary) = changes.recv().await.unwrap() {
            assert_eq!(summary.id, ended.summary.id);
            seen.push(summary.status);
        }
    }
    assert_eq!(seen, [RunStatus::Waiting, RunStatus::Completed]);
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn an_input_that_does_not_fit_is_refused_where_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let text = super::document("strict", "- say: { set: { x: 1 } }")
        + "input:\n  schema:\n    document: { type: object, required: [id], properties: { id: { type: integer } } }\n";
    let id = handle
        .deploy(&text, "application/yaml", None)
        .await
        .unwrap()
        .0
        .workflow
        .id
        .clone();
    let request = |input| flame_agent::runtime::StartRequest {
        refuse_unfit: true,
        ..flame_agent::runtime::StartRequest::new(id.clone(), input)
    };
    let error = handle.start(request(json!({"id": "x"}))).await.unwrap_err();
    assert!(matches!(error, Error::InputInvalid { .. }), "{error}");
    assert!(error.to_string().contains("/id"), "{error}");
    handle.start(request(json!({"id": 1}))).await.unwrap();
    let faulted = run(&handle, &id, json!({})).await;
    assert_eq!(faulted.summary.status, RunStatus::Faulted);
    handle.drain(Duration::ZERO).await;
}
