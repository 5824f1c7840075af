//! More than fits: too many runs, a disk without space, loops without end.

use std::time::Duration;

use flame_agent::runtime::{Error, Handle, Options, StartRequest};
use flame_types::RunStatus;
use serde_json::json;

use super::{PATIENCE, deploy, open, options, output, run, start, until};

#[tokio::test]
async fn one_run_too_many_is_refused_until_another_ends() {
    let folder = tempfile::tempdir().unwrap();
    let limited = Options {
        in_flight_max: 3,
        rest_least: Duration::MAX,
        ..options(folder.path())
    };
    let handle = Handle::open(limited).await.unwrap();
    let workflow = deploy(&handle, "sleep", "- sleep:\n    wait: { hours: 1 }").await;
    let first = start(&handle, &workflow, json!({})).await;
    for _ in 0..2 {
        start(&handle, &workflow, json!({})).await;
    }
    let error = handle
        .start(StartRequest::new(workflow.clone(), json!({})))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::TooManyRequests {
                in_flight: 3,
                limit: 3
            }
        ),
        "{error}"
    );
    handle.cancel(first, false).await.unwrap();
    start(&handle, &workflow, json!({})).await;
    handle.drain(Duration::ZERO).await;
}

/// One thread, and a run that never ends on it: others get their turn, and it can be cancelled.
#[tokio::test]
async fn an_endless_loop_starves_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let single = Options {
        shards: Some(1),
        ..options(folder.path())
    };
    let handle = Handle::open(single).await.unwrap();
    let spin = deploy(
        &handle,
        "spin",
        "- spin:\n    set: { n: '${ (.n // 0) + 1 }' }\n    then: spin",
    )
    .await;
    let spinning = start(&handle, &spin, json!({})).await;
    let quick = deploy(&handle, "quick", "- say:\n    set: { x: 1 }").await;
    for _ in 0..5 {
        assert_eq!(
            output(&run(&handle, &quick, json!({})).await),
            json!({"x": 1})
        );
    }
    assert_eq!(
        handle.cancel(spinning, false).await.unwrap().summary.status,
        RunStatus::Cancelled
    );
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn nothing_starts_after_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let workflow = deploy(&handle, "quick", "- say:\n    set: { x: 1 }").await;
    handle.quiesce(PATIENCE).await;
    assert!(!handle.is_accepting());
    let error = handle
        .start(StartRequest::new(workflow.clone(), json!({})))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::ShuttingDown), "{error}");
    assert!(
        handle.deployed(&workflow).await.unwrap().is_some(),
        "reading goes on"
    );
    handle.drain(Duration::ZERO).await;
}

/// While the disk is full new runs are refused and those in flight neither end nor fault; when there
/// is space they go on by themselves.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_holds_runs_until_there_is_space() {
    use tokio::io::AsyncWriteExt;

    let Some(mount) = crate::tmpfs::Tmpfs::small() else {
        return;
    };
    let (go, wait) = tokio::sync::watch::channel(false);
    let server = crate::server::Server::start(move |_, _, mut stream| {
        let mut wait = wait.clone();
        async move {
            let _ = wait.wait_for(|go| *go).await;
            let _ = stream
                .write_all(&crate::server::json("200 OK", "\"done\""))
                .await;
        }
    })
    .await;
    let handle = open(&mount.path().join("data")).await;
    let ask = deploy(
        &handle,
        "ask",
        &format!(
            "- ask:\n    call: http\n    with: {{ method: get, endpoint: '{}' }}",
            server.url("/")
        ),
    )
    .await;
    let asking = start(&handle, &ask, json!({})).await;
    server.until(1).await;
    let fat = deploy(
        &handle,
        "fat",
        "- say:\n    set: { text: '${ [range(20000)] | tojson }' }",
    )
    .await;
    // No room for anything more: the file system is full, then the database's own slack.
    let ballast = mount.fill(0);
    let refused = loop {
        match handle
            .start(StartRequest::new(fat.clone(), json!({})))
            .await
        {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(refused.code(), flame_errors::Code::StorageFull, "{refused}");
    go.send(true).unwrap();
    until_held(&handle).await;
    let held = handle.run(asking).await.unwrap().unwrap();
    assert_eq!(
        held.summary.status,
        RunStatus::Running,
        "nothing ends falsely"
    );
    std::fs::remove_file(&ballast).unwrap();
    let ended = until(&handle, asking, RunStatus::Completed).await;
    assert_eq!(output(&ended), json!("done"));
    output(&run(&handle, &fat, json!({})).await);
    assert_eq!(handle.load().held, 0);
    handle.drain(Duration::ZERO).await;
}

#[cfg(target_os = "linux")]
async fn until_held(handle: &Handle) {
    let held = async {
        while handle.load().held == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, held)
        .await
        .expect("the run waits for the store");
}

#[tokio::test]
async fn data_that_could_not_be_read_again_is_refused_where_it_comes_in() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
    let echo = deploy(&handle, "echo", "- say: { set: { got: '${ .deep }' } }").await;
    let ended = run(&handle, &echo, json!({ "deep": nested(98) })).await;
    assert_eq!(output(&ended), json!({ "got": nested(98) }));
    let request = StartRequest::new(echo.clone(), json!({ "deep": nested(100) }));
    let error = handle.start(request).await.unwrap_err();
    assert!(matches!(error, Error::InputInvalid { .. }), "{error}");
    let server =
        crate::server::Server::saying(crate::server::json("200 OK", &nested(110).to_string()))
            .await;
    let tasks = format!(
        "- ask: {{ call: http, with: {{ method: get, endpoint: '{}' }} }}",
        server.url("/")
    );
    let ask = deploy(&handle, "ask", &tasks).await;
    let faulted = run(&handle, &ask, json!({})).await;
    let detail = super::error(&faulted)["detail"].to_string();
    assert!(detail.contains("100 levels"), "{detail}");
    handle.drain(Duration::ZERO).await;
}

/// Its error is larger than the store takes: the run ends with another one, and says so to whoever waits,
/// now and after a restart.
#[tokio::test]
async fn a_run_that_the_store_refuses_for_good_faults() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let tasks = "
- nap: { wait: { milliseconds: 1 } }
- burst:
    raise:
      error:
        type: https://serverlessworkflow.io/spec/1.0.0/errors/runtime
        status: 500
        title: '${ \"x\" * 20000000 }'
        detail: '${ \"y\" * 20000000 }'";
    let burst = deploy(&handle, "burst", tasks).await;
    let faulted = run(&handle, &burst, json!({})).await;
    assert_eq!(faulted.summary.status, RunStatus::Faulted);
    let error = super::error(&faulted);
    assert_eq!(error["title"], "The run's data can't be kept");
    let detail = error["detail"].as_str().unwrap();
    assert!(
        detail.contains("error has 40000") && detail.contains("limit is 33554432"),
        "{detail}"
    );
    handle.drain(Duration::ZERO).await;
    drop(handle);
    let handle = open(folder.path()).await;
    handle.recovered().await;
    assert_eq!(handle.load().in_flight, 0);
    let again = handle.retry(faulted.summary.id).await.unwrap().summary.id;
    until(&handle, again, RunStatus::Faulted).await;
    handle.drain(Duration::ZERO).await;
}
