//! Deployed workflows: addresses, webhook paths, and runs that are pinned to what they began with.

use std::time::Duration;

use flame_agent::runtime::Error;
use flame_types::RunStatus;
use proptest::prelude::*;
use serde_json::json;

use super::{deploy, document, id, open, output, start, until};
use crate::server::{Server, json};
use tokio::io::AsyncWriteExt;

const SET: &str = "- say:\n    set: { says: one }";

#[tokio::test]
async fn a_definition_survives_a_restart_and_goes_when_it_is_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let text = document("hello", SET);
    let (_, new) = handle
        .deploy(&text, "application/yaml", Some(&id("hello")))
        .await
        .unwrap();
    assert!(new);
    let (_, new) = handle
        .deploy(&text, "application/yaml", None)
        .await
        .unwrap();
    assert!(!new, "the address is taken already");
    handle.drain(Duration::ZERO).await;
    drop(handle);
    let handle = open(folder.path()).await;
    let deployed = handle.deployed(&id("hello")).await.unwrap().unwrap();
    assert_eq!(
        (&*deployed.text, deployed.content_type.as_str()),
        (text.as_str(), "application/yaml")
    );
    assert!(handle.undeploy(&id("hello")).await.unwrap());
    assert!(!handle.undeploy(&id("hello")).await.unwrap());
    let request = flame_agent::runtime::StartRequest::new(id("hello"), json!({}));
    let error = handle.start(request).await.unwrap_err();
    assert!(matches!(error, Error::WorkflowUnknown { .. }), "{error}");
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn the_path_and_the_document_must_agree() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let text = document("hello", SET);
    let error = handle
        .deploy(&text, "application/yaml", Some(&id("other")))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::PathMismatch { .. }), "{error}");
    let error = handle
        .deploy("do: [", "application/yaml", None)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::DefinitionInvalid { .. }), "{error}");
    assert_eq!(handle.deployed_list().await.unwrap().len(), 0);
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn a_webhook_path_has_one_holder() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let hooked = |name: &str| {
        format!(
            "document:\n  dsl: '1.0.3'\n  namespace: test\n  name: {name}\n  version: 1.0.0\n  metadata:\n    mastra.io/webhook: {{ path: orders }}\ndo:\n  {}\n",
            SET.replace('\n', "\n  ")
        )
    };
    handle
        .deploy(&hooked("first"), "application/yaml", None)
        .await
        .unwrap();
    let error = handle
        .deploy(&hooked("second"), "application/yaml", None)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::HookConflict { .. }), "{error}");
    assert_eq!(
        handle.hook("orders").await.unwrap().unwrap().id,
        id("first")
    );
    // The holder may change, and gives the path back when it goes.
    handle
        .deploy(&hooked("first"), "application/yaml", None)
        .await
        .unwrap();
    handle.undeploy(&id("first")).await.unwrap();
    handle
        .deploy(&hooked("second"), "application/yaml", None)
        .await
        .unwrap();
    handle.drain(Duration::ZERO).await;
}

#[derive(Debug, Clone)]
enum Step {
    /// The definition is replaced.
    Put,
    Start,
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![3 => Just(Step::Put), 3 => Just(Step::Start), 1 => Just(Step::Restart)];
    prop::collection::vec(step, 4..16)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is put and however often the agent starts anew: what a run does is what stood there when it began.
    #[test]
    fn runs_are_pinned_through_any_puts_and_restarts(steps in steps()) {
        let reactor = tokio::runtime::Runtime::new().unwrap();
        reactor.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let mut handle = open(folder.path()).await;
            let tasks = |says: usize| format!(
                "- ask:\n    listen: {{ to: {{ one: {{ with: {{ type: test.go }} }} }} }}\n- say:\n    set: {{ says: {says} }}"
            );
            let workflow = deploy(&handle, "pinned", &tasks(0)).await;
            let (mut says, mut runs) = (0, Vec::new());
            for step in steps {
                match step {
                    Step::Put => {
                        says += 1;
                        deploy(&handle, "pinned", &tasks(says)).await;
                    }
                    Step::Start => runs.push((start(&handle, &workflow, json!({})).await, says)),
                    Step::Restart => {
                        handle.drain(Duration::ZERO).await;
                        drop(handle);
                        handle = open(folder.path()).await;
                    }
                }
            }
            let go = json!({"specversion": "1.0", "id": "1", "source": "/test", "type": "test.go"});
            handle.publish(vec![go]).await.unwrap();
            for (run, says) in runs {
                let ended = until(&handle, run, RunStatus::Completed).await;
                assert_eq!(output(&ended), json!({"says": says}));
            }
            handle.drain(Duration::ZERO).await;
        });
    }
}

/// A run keeps to the definition it began with, also over a restart after that was replaced.
#[tokio::test]
async fn a_run_is_pinned_to_its_definition() {
    let folder = tempfile::tempdir().unwrap();
    let (go, wait) = tokio::sync::watch::channel(false);
    let server = Server::start(move |_, _, mut stream| {
        let mut wait = wait.clone();
        async move {
            let _ = wait.wait_for(|go| *go).await;
            let _ = stream.write_all(&json("200 OK", "{}")).await;
        }
    })
    .await;
    let tasks = |says: &str| {
        format!(
            "- ask:\n    call: http\n    with: {{ method: get, endpoint: '{}' }}\n- say:\n    set: {{ says: {says} }}",
            server.url("/")
        )
    };
    let handle = open(folder.path()).await;
    let workflow = deploy(&handle, "pinned", &tasks("one")).await;
    let run = start(&handle, &workflow, json!({})).await;
    deploy(&handle, "pinned", &tasks("two")).await;
    let error = handle.undeploy(&workflow).await.unwrap_err();
    assert!(
        matches!(error, Error::WorkflowInUse { runs: 1, .. }),
        "{error}"
    );
    handle.drain(Duration::ZERO).await;
    drop(handle);
    let handle = open(folder.path()).await;
    go.send(true).unwrap();
    let ended = until(&handle, run, RunStatus::Completed).await;
    assert_eq!(output(&ended), json!({"says": "one"}));
    let newer = super::run(&handle, &workflow, json!({})).await;
    assert_eq!(output(&newer), json!({"says": "two"}));
    handle.drain(Duration::ZERO).await;
}
