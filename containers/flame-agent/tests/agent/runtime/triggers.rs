//! Runs that events start: one for each, whatever happens in between.

use std::collections::BTreeSet;
use std::time::Duration;

use flame_agent::runtime::{Error, Handle, Options};
use flame_store::{Page, RunFilter};
use serde_json::{Value, json};

use super::{PATIENCE, document, id, open, options};

fn event(id: u64, kind: &str, data: Value) -> Value {
    json!({"specversion": "1.0", "id": id.to_string(), "source": "/test", "type": kind, "data": data})
}

async fn deploy(handle: &Handle, name: &str, tasks: &str, schedule: &str) {
    let text = document(name, tasks) + &format!("schedule: {{ {schedule} }}\n");
    handle
        .deploy(&text, "application/yaml", None)
        .await
        .unwrap();
}

/// The inputs of the runs of a workflow, once there are so many.
async fn inputs(handle: &Handle, name: &str, count: usize) -> Vec<Value> {
    let filter = RunFilter {
        name: Some(name.to_owned()),
        ..RunFilter::default()
    };
    let wait = async {
        let mut changes = handle.changes();
        loop {
            let runs = handle
                .runs(filter.clone(), Page::first(1_000))
                .await
                .unwrap();
            if runs.len() >= count {
                return runs;
            }
            let _ = changes.recv().await;
        }
    };
    let runs = tokio::time::timeout(PATIENCE, wait).await.unwrap();
    let mut inputs = Vec::new();
    for run in runs.iter().rev() {
        assert_eq!(run.trigger, "event");
        let run = handle.run(run.id).await.unwrap().unwrap();
        inputs.push(serde_json::from_slice(&run.input).unwrap());
    }
    inputs
}

const SAY: &str = "- say: { set: { x: '${ $workflow.input[0] }' } }";

#[tokio::test]
async fn an_event_starts_a_run_with_the_list_of_them_as_input() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    handle
        .publish(vec![event(0, "t.a", json!("before"))])
        .await
        .unwrap();
    deploy(
        &handle,
        "whole",
        SAY,
        "on: { one: { with: { type: t.a } } }",
    )
    .await;
    deploy(
        &handle,
        "data",
        SAY,
        "on: { one: { with: { type: t.a } } }, read: data",
    )
    .await;
    deploy(
        &handle,
        "pair",
        SAY,
        "on: { all: [{ with: { type: t.a }, correlate: { k: { from: .data } } }, { with: { type: t.b }, correlate: { k: { from: .data } } }] }, read: data",
    )
    .await;
    handle
        .publish(vec![event(1, "t.a", json!(7))])
        .await
        .unwrap();
    assert_eq!(inputs(&handle, "data", 1).await, [json!([7])]);
    assert_eq!(inputs(&handle, "whole", 1).await[0][0]["data"], json!(7));
    // Half of a pair outlives the agent.
    handle.drain(Duration::ZERO).await;
    drop(handle);
    let handle = open(folder.path()).await;
    handle
        .publish(vec![event(2, "t.b", json!(8)), event(3, "t.b", json!(7))])
        .await
        .unwrap();
    assert_eq!(inputs(&handle, "pair", 1).await, [json!([7, 7])]);
    assert_eq!(inputs(&handle, "data", 1).await.len(), 1, "each event once");
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn events_of_a_time_without_the_workflow_start_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let on = "on: { one: { with: { type: t.a } } }, read: data";
    deploy(&handle, "gone", SAY, on).await;
    handle
        .publish(vec![event(1, "t.a", json!(1))])
        .await
        .unwrap();
    inputs(&handle, "gone", 1).await;
    handle.undeploy(&id("gone")).await.unwrap();
    handle
        .publish(vec![event(2, "t.a", json!(2))])
        .await
        .unwrap();
    deploy(&handle, "gone", SAY, on).await;
    handle
        .publish(vec![event(3, "t.a", json!(3))])
        .await
        .unwrap();
    assert_eq!(inputs(&handle, "gone", 2).await, [json!([1]), json!([3])]);
    handle.drain(Duration::ZERO).await;
}

/// More events than runs may be in flight: what can't start waits in the log, more is refused, and every
/// event that was acknowledged starts one run, over restarts.
#[tokio::test]
async fn a_storm_is_held_back_and_nothing_of_it_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let few = |folder: &std::path::Path| Options {
        in_flight_max: 4,
        events_waiting_max: 60,
        ..options(folder)
    };
    let mut handle = Handle::open(few(folder.path())).await.unwrap();
    let tasks = "- l: { listen: { to: { one: { with: { type: t.never } } } } }";
    deploy(
        &handle,
        "storm",
        tasks,
        "on: { one: { with: { type: t.a } } }, read: data",
    )
    .await;
    let (mut number, mut acknowledged) = (0, BTreeSet::new());
    loop {
        number += 1;
        match handle
            .publish(vec![event(number, "t.a", json!(number))])
            .await
        {
            Ok(()) => drop(acknowledged.insert(number)),
            Err(Error::TooManyEvents { .. }) => break,
            Err(error) => panic!("{error}"),
        }
        assert!(number < 1_000, "it is refused at some point");
    }
    handle.drain(Duration::ZERO).await;
    drop(handle);
    handle = Handle::open(few(folder.path())).await.unwrap();
    let filter = RunFilter {
        name: Some("storm".to_owned()),
        ..RunFilter::default()
    };
    let storm = async {
        loop {
            let runs = handle
                .runs(filter.clone(), Page::first(1_000))
                .await
                .unwrap();
            if runs.len() == acknowledged.len() && runs.iter().all(|run| run.status.is_terminal()) {
                return;
            }
            for run in runs.iter().filter(|run| !run.status.is_terminal()) {
                // It may have ended since it was listed.
                let _ = handle.cancel(run.id, false).await;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, storm).await.unwrap();
    let mut seen = BTreeSet::new();
    for input in inputs(&handle, "storm", acknowledged.len()).await {
        assert!(seen.insert(input[0].as_u64().unwrap()), "{input} twice");
    }
    assert_eq!(seen, acknowledged);
    handle.drain(Duration::ZERO).await;
}
