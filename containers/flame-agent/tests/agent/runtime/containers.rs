//! Containers that tasks wait for, seen by a worker: what it is ordered, over crashes of either side.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use flame_agent::runtime::{
    ContainerJob, ContainerOrder, ContainerOrders, ContainerOutcome, Handle, Options,
};
use flame_errors::Code;
use flame_types::RunStatus;
use serde_json::{Value, json};

use super::{PATIENCE, deploy, error, output, run, start, until};

const CONTAINER: &str = "- box: { run: { container: { image: img, command: 'echo \"$1\"', arguments: [a], \
                         stdin: in, environment: { N: 1 }, ports: { 8080: 80 }, volumes: { out: /out }, \
                         pullPolicy: never, lifetime: { cleanup: eventually, after: PT1M } }, return: all } }";

async fn impatient(folder: &Path) -> Handle {
    let options = Options {
        connection_patience: Duration::ZERO,
        ..super::options(folder)
    };
    Handle::open(options).await.unwrap()
}

async fn next(orders: &mut ContainerOrders) -> ContainerOrder {
    let order = tokio::time::timeout(PATIENCE, orders.next()).await;
    order.expect("an order comes").expect("the agent lives")
}

async fn job(orders: &mut ContainerOrders) -> Arc<ContainerJob> {
    match next(orders).await {
        ContainerOrder::Run(job) => job,
        ContainerOrder::End(id) => panic!("{id:?} is to end"),
    }
}

fn ended(stdout: &str) -> ContainerOutcome {
    ContainerOutcome::Ended {
        code: 0,
        stdout: stdout.to_owned(),
        stderr: String::new(),
    }
}

#[tokio::test]
async fn a_worker_is_told_everything_that_the_document_says() {
    let folder = tempfile::tempdir().unwrap();
    let handle = impatient(folder.path()).await;
    let workflow = deploy(&handle, "box", CONTAINER).await;
    let mut orders = handle.container_orders();
    let id = start(&handle, &workflow, json!({})).await;
    let job = job(&mut orders).await;
    assert_eq!(
        (job.run, &*job.task, job.awaits, job.network),
        (id, "/do/0/box", true, true)
    );
    assert_eq!(job.container.image, "img");
    assert_eq!(job.entrypoint, ["sh", "-c", "echo \"$1\"", "sh"]);
    assert_eq!(
        (&*job.arguments, job.stdin.as_deref()),
        (&["a".to_owned()][..], Some("in"))
    );
    let key = &job.environment[0];
    assert!(
        key.0 == "IDEMPOTENCY_KEY" && key.1.starts_with(&id.to_string()),
        "{key:?}"
    );
    assert_eq!(job.environment[1], ("N".to_owned(), "1".to_owned()));
    assert_eq!(job.container.ports, [(8080, 80)]);
    assert_eq!(
        job.container.volumes,
        [("out".to_owned(), "/out".to_owned())]
    );
    assert_eq!(job.container.remove_after, Some(Duration::from_secs(60)));
    assert!(handle.tell_container(job.id.as_str(), ended("a\n")).await);
    let run = until(&handle, id, RunStatus::Completed).await;
    assert_eq!(
        output(&run),
        json!({"code": 0, "stdout": "a", "stderr": ""})
    );
    assert!(!handle.tell_container(job.id.as_str(), ended("again")).await);
}

/// What a worker may forget is on disk: the agent orders a container again until then, by the same id.
#[tokio::test]
async fn a_container_is_ordered_again_until_its_outcome_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let handle = impatient(folder.path()).await;
    let retried = "- box: { try: [ { in: { run: { container: { image: img } } } } ], catch: { retry: \
                   { limit: { attempt: { count: 1 } } } } }";
    let workflow = deploy(&handle, "box", retried).await;
    let mut orders = handle.container_orders();
    let id = start(&handle, &workflow, json!({})).await;
    let first = job(&mut orders).await;
    drop(orders);
    let mut orders = handle.container_orders();
    assert_eq!(
        job(&mut orders).await.id,
        first.id,
        "the worker went and came back"
    );
    handle.drain(Duration::ZERO).await;
    drop((handle, orders));

    let handle = super::open(folder.path()).await;
    let mut orders = handle.container_orders();
    let again = job(&mut orders).await;
    assert_eq!(
        (&again.id, &again.environment),
        (&first.id, &first.environment)
    );
    let failed = ContainerOutcome::Ended {
        code: 1,
        stdout: String::new(),
        stderr: "no".to_owned(),
    };
    assert!(handle.tell_container(again.id.as_str(), failed).await);
    let second = job(&mut orders).await;
    assert_ne!(second.id, first.id, "another attempt is another container");
    assert_eq!(second.environment, first.environment, "of the same effect");
    assert!(
        handle
            .tell_container(second.id.as_str(), ended("done"))
            .await
    );
    assert_eq!(
        output(&until(&handle, id, RunStatus::Completed).await),
        "done"
    );
}

#[tokio::test]
async fn a_worker_ends_what_nobody_waits_for() {
    let folder = tempfile::tempdir().unwrap();
    let handle = impatient(folder.path()).await;
    let mut orders = handle.container_orders();
    let workflow = deploy(
        &handle,
        "cancelled",
        "- box: { run: { container: { image: img } } }",
    )
    .await;
    let id = start(&handle, &workflow, json!({})).await;
    let first = job(&mut orders).await;
    handle.cancel(id, false).await.unwrap();
    let ContainerOrder::End(ended_id) = next(&mut orders).await else {
        panic!("it is to end");
    };
    assert_eq!(ended_id, first.id);
    assert!(
        !handle
            .tell_container(first.id.as_str(), ended("late"))
            .await
    );

    let timed = "- box: { run: { container: { image: img } }, timeout: { after: PT0.05S } }";
    let workflow = deploy(&handle, "timed", timed).await;
    let timed_out = run(&handle, &workflow, json!({})).await;
    assert_eq!(error(&timed_out)["status"], 408);
    let second = job(&mut orders).await;
    assert!(second.timeout <= Duration::from_millis(50));
    let ContainerOrder::End(ended_id) = next(&mut orders).await else {
        panic!("it is to end");
    };
    assert_eq!(ended_id, second.id);
}

#[tokio::test]
async fn a_start_is_enough_where_the_end_is_not_awaited() {
    let folder = tempfile::tempdir().unwrap();
    let handle = impatient(folder.path()).await;
    let mut orders = handle.container_orders();
    let workflow = deploy(
        &handle,
        "box",
        "- box: { run: { container: { image: img }, await: false } }",
    )
    .await;
    let id = start(&handle, &workflow, json!({"a": 1})).await;
    let job = job(&mut orders).await;
    assert!(!job.awaits);
    assert!(handle.tell_container(job.id.as_str(), ended("")).await);
    assert_eq!(
        output(&until(&handle, id, RunStatus::Completed).await),
        json!({"a": 1})
    );
}

/// Without leave for this machine they have a container without network, of an image that is there.
#[tokio::test]
async fn scripts_and_shells_run_in_containers_where_somebody_runs_them() {
    let folder = tempfile::tempdir().unwrap();
    let handle = impatient(folder.path()).await;
    let mut orders = handle.container_orders();
    for (what, image, entrypoint) in [
        (
            "script: { language: python, code: print(1) }",
            "docker.io/library/python:3-slim",
            &["python3", "-c", "print(1)"][..],
        ),
        (
            "shell: { command: echo 1 }",
            "docker.io/library/busybox:stable",
            &["sh", "-c", "echo 1", "sh"][..],
        ),
    ] {
        let workflow = deploy(&handle, "boxed", &format!("- r: {{ run: {{ {what} }} }}")).await;
        let id = start(&handle, &workflow, json!({})).await;
        let job = job(&mut orders).await;
        assert_eq!((job.container.image.as_str(), job.network), (image, false));
        assert_eq!(job.entrypoint, entrypoint);
        assert_eq!(job.container.pull, flame_dsl::PullPolicy::Never);
        let missing = ContainerOutcome::Fault {
            code: Some(Code::ContainerImage),
            title: Code::ContainerImage.title().to_owned(),
            detail: "fetch it".to_owned(),
        };
        assert!(handle.tell_container(job.id.as_str(), missing).await);
        let fault = error(&until(&handle, id, RunStatus::Faulted).await);
        assert_eq!(fault["detail"], "MD-608: fetch it");
        assert_eq!(fault["title"], Code::ContainerImage.title());
        let standard: Value =
            "https://serverlessworkflow.io/spec/1.0.0/errors/configuration".into();
        assert_eq!(fault["type"], standard);
    }
}

#[tokio::test]
async fn more_than_a_worker_can_be_told_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let handle = impatient(folder.path()).await;
    let _orders = handle.container_orders();
    let tasks = "- box: { run: { container: { image: img, stdin: '${ .text }' } } }";
    let workflow = deploy(&handle, "box", tasks).await;
    let text = "x".repeat(4 * 1024 * 1024);
    let fault = error(&run(&handle, &workflow, json!({ "text": text })).await);
    assert!(
        fault["detail"].as_str().unwrap().contains("4194304"),
        "{fault}"
    );
}
