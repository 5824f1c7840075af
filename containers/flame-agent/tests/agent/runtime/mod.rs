//! The runtime in this process: what happens to runs, over restarts and with servers that misbehave.

mod authentication;
mod calls;
mod containers;
mod definitions;
mod durable;
mod events;
mod externals;
mod lifecycle;
mod long;
mod observers;
mod pressure;
mod processes;
mod protocols;
mod retention;
mod schedules;
mod secrets;
mod subflows;
mod triggers;

use std::path::Path;
use std::time::Duration;

use flame_agent::runtime::{CurrentTask, Error, Handle, Options, StartRequest};
use flame_store::Run;
use flame_types::{Durability, RunId, RunStatus, WorkflowId};
use serde_json::Value;

/// Longer than any test takes; a wait that runs out fails the test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn options(folder: &Path) -> Options {
    Options {
        durability: Durability::Normal,
        shards: Some(2),
        // Every run that waits leaves memory.
        rest_least: Duration::ZERO,
        ..Options::new(folder)
    }
}

pub(crate) async fn open(folder: &Path) -> Handle {
    Handle::open(options(folder)).await.unwrap()
}

/// A workflow `test/<name>/1.0.0` with these tasks, which are lines below `do:`.
pub(crate) fn document(name: &str, tasks: &str) -> String {
    let tasks: String = tasks
        .trim_matches('\n')
        .lines()
        .map(|line| format!("  {line}\n"))
        .collect();
    format!(
        "document: {{ dsl: '1.0.3', namespace: test, name: {name}, version: 1.0.0 }}\ndo:\n{tasks}"
    )
}

pub(crate) fn id(name: &str) -> WorkflowId {
    WorkflowId {
        namespace: "test".parse().unwrap(),
        name: name.parse().unwrap(),
        version: "1.0.0".parse().unwrap(),
    }
}

pub(crate) async fn deploy(handle: &Handle, name: &str, tasks: &str) -> WorkflowId {
    let text = document(name, tasks);
    match handle.deploy(&text, "application/yaml", None).await {
        Ok((deployed, _)) => deployed.workflow.id.clone(),
        Err(Error::DefinitionInvalid { problems }) => {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            panic!("{}\n{text}", problems.join("\n"))
        }
        Err(error) => panic!("{error}"),
    }
}

/// Starts a run and waits for its end.
pub(crate) async fn run(handle: &Handle, workflow: &WorkflowId, input: Value) -> Run {
    let request = StartRequest::new(workflow.clone(), input);
    let run = handle.start_and_wait(request, PATIENCE).await.unwrap().run;
    assert!(run.summary.status.is_terminal(), "{run:?}");
    run
}

pub(crate) async fn start(handle: &Handle, workflow: &WorkflowId, input: Value) -> RunId {
    handle
        .start(StartRequest::new(workflow.clone(), input))
        .await
        .unwrap()
        .run
        .summary
        .id
}

/// The tasks that a run is at.
pub(crate) async fn tasks_of(handle: &Handle, run: RunId) -> Vec<CurrentTask> {
    let run = handle.run(run).await.unwrap().unwrap();
    handle.inspect(&run).await.unwrap().tasks
}

pub(crate) fn output(run: &Run) -> Value {
    assert_eq!(run.summary.status, RunStatus::Completed, "{:?}", error(run));
    serde_json::from_slice(run.output.as_deref().unwrap()).unwrap()
}

/// The DSL error object of a faulted run, or null.
pub(crate) fn error(run: &Run) -> Value {
    run.summary
        .error
        .as_deref()
        .map_or(Value::Null, |error| serde_json::from_slice(error).unwrap())
}

/// Waits until a run has a status; told by the runtime, not by a clock.
pub(crate) async fn until(handle: &Handle, run: RunId, status: RunStatus) -> Run {
    let mut changes = handle.changes();
    let wait = async {
        loop {
            let held = handle.run(run).await.unwrap().unwrap();
            if held.summary.status == status {
                return held;
            }
            // Being told that some were missed is as good as being told.
            let _ = changes.recv().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait)
        .await
        .expect("the run gets there")
}
