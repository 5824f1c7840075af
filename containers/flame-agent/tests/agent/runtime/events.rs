//! Events in and out of the log: every task that listens gets each of its events once, whatever happens.

use std::time::Duration;

use flame_agent::runtime::{Error, Handle, Options};
use flame_store::Page;
use flame_types::{RunId, RunStatus};
use serde_json::{Value, json};

use super::{deploy, open, options, output, start, until};

fn event(id: impl ToString, kind: &str, data: Value) -> Value {
    json!({"specversion": "1.0", "id": id.to_string(), "source": "/test", "type": kind, "data": data})
}

async fn publish(handle: &Handle, event: Value) {
    handle.publish(vec![event]).await.unwrap();
}

/// Starts a run and waits until it listens.
async fn listening(handle: &Handle, name: &str, tasks: &str) -> RunId {
    let workflow = deploy(handle, name, tasks).await;
    let run = start(handle, &workflow, json!({})).await;
    until(handle, run, RunStatus::Waiting).await;
    run
}

async fn completed(handle: &Handle, run: RunId) -> Value {
    output(&until(handle, run, RunStatus::Completed).await)
}

/// The agent ends at once, as if it was killed, and starts again.
async fn restarted(handle: Handle, folder: &std::path::Path) -> Handle {
    handle.drain(Duration::ZERO).await;
    drop(handle);
    open(folder).await
}

#[tokio::test]
async fn an_event_reaches_those_who_listen_to_it_and_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    publish(&handle, event(1, "t.a", json!("before"))).await;
    let one = listening(
        &handle,
        "one",
        "- l: { listen: { to: { one: { with: { type: t.a } } } } }",
    )
    .await;
    let other = listening(
        &handle,
        "other",
        "- l: { listen: { to: { one: { with: { type: t.b } } } } }",
    )
    .await;
    let any = listening(
        &handle,
        "any",
        "- l: { listen: { to: { one: { with: { type: 't\\..*' } } } } }",
    )
    .await;
    publish(&handle, event(2, "t.a", json!("now"))).await;
    assert_eq!(completed(&handle, one).await, json!(["now"]));
    assert_eq!(completed(&handle, any).await, json!(["now"]));
    assert_eq!(
        until(&handle, other, RunStatus::Waiting).await.summary.id,
        other
    );
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn what_one_run_emits_another_hears() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let listener = listening(
        &handle,
        "hear",
        "- l: { listen: { to: { one: { with: { type: t.said } } }, read: envelope } }",
    )
    .await;
    let say = deploy(
        &handle,
        "say",
        "- s: { emit: { event: { with: { type: t.said, data: { x: 1 } } } } }",
    )
    .await;
    start(&handle, &say, json!({})).await;
    let heard = completed(&handle, listener).await;
    assert_eq!(heard[0]["data"], json!({"x": 1}));
    assert_eq!(heard[0]["source"], "/test/say/1.0.0");
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn a_run_hears_its_own_events_only_once_it_listens() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let run = listening(
        &handle,
        "echo",
        "
- before: { emit: { event: { with: { type: t.x, data: 1 } } } }
- both:
    fork:
      branches:
        - hear: { listen: { to: { one: { with: { type: t.x } } } } }
        - later: { do: [{ w: { wait: { milliseconds: 1 } } }, { say: { emit: { event: { with: { type: t.x, data: 2 } } } } }] }
- done: { set: '${ .[0] }' }",
    )
    .await;
    assert_eq!(completed(&handle, run).await, json!([2]));
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn the_same_source_and_id_is_one_event() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    for _ in 0..2 {
        handle
            .publish(vec![
                event(1, "t", json!(1)),
                event(1, "t", json!(2)),
                event(2, "t", json!(3)),
            ])
            .await
            .unwrap();
    }
    let stored = handle
        .store()
        .events(None, None, Page::first(10))
        .await
        .unwrap();
    assert_eq!(stored.len(), 2);
    handle.drain(Duration::ZERO).await;
}

/// More events than a task has in hand at once, over restarts in the middle.
#[tokio::test]
async fn a_storm_is_taken_whole_and_in_order_over_restarts() {
    const EVENTS: u64 = 1_000;
    let folder = tempfile::tempdir().unwrap();
    let mut handle = open(folder.path()).await;
    let listen = "- l: { listen: { to: { any: [{ with: { type: t.n } }], until: { one: { with: { type: t.end } } } } } }";
    let run = listening(&handle, "storm", listen).await;
    for part in 0..4 {
        let from = part * EVENTS / 4;
        let noise = (from..from + EVENTS / 4).map(|n| event(format!("x{n}"), "t.noise", json!(n)));
        let events = (from..from + EVENTS / 4).map(|n| event(n, "t.n", json!(n)));
        handle
            .publish(events.zip(noise).flat_map(|(a, b)| [a, b]).collect())
            .await
            .unwrap();
        handle = restarted(handle, folder.path()).await;
    }
    publish(&handle, event("end", "t.end", json!(null))).await;
    let expected: Vec<u64> = (0..EVENTS).collect();
    assert_eq!(completed(&handle, run).await, json!(expected));
    let entries = handle.journal(run, 0, 5_000).await.unwrap();
    let consumed = entries
        .iter()
        .filter(|entry| entry.record.kind() == "eventConsumed");
    assert_eq!(consumed.count() as u64, EVENTS + 1);
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn events_of_a_suspension_and_of_a_stop_are_taken_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let run = listening(
        &handle,
        "held",
        "- l: { listen: { to: { any: [], until: 'length == 2' } } }",
    )
    .await;
    publish(&handle, event(1, "t", json!(1))).await;
    handle.suspend(run).await.unwrap();
    publish(&handle, event(2, "t", json!(2))).await;
    let handle = restarted(handle, folder.path()).await;
    handle.resume(run).await.unwrap();
    assert_eq!(completed(&handle, run).await, json!([1, 2]));
    assert_eq!(
        handle.store().listeners(vec![(run, 1)]).await.unwrap(),
        [None],
        "its place is given back"
    );
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn too_many_events_that_wait_are_refused_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let handle = Handle::open(Options {
        events_waiting_max: 10,
        ..options(folder.path())
    })
    .await
    .unwrap();
    let many = (0..11).map(|n| event(n, "t", json!(n))).collect();
    let refused = handle.publish(many).await.unwrap_err();
    assert!(
        matches!(refused, Error::TooManyEvents { limit: 10, .. }),
        "{refused}"
    );
    assert_eq!(
        handle
            .store()
            .events(None, None, Page::first(10))
            .await
            .unwrap(),
        []
    );
    handle.drain(Duration::ZERO).await;
}
