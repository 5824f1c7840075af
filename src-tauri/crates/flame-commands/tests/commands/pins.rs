//! Outputs that are pinned for tests: kept over a restart, used by a test run, taken away.

use flame_errors::Code;
use flame_ipc::*;

use crate::stage::{Stage, folder};

const TEXT: &str = "document: {dsl: 1.0.3, namespace: test, name: sum, version: 1.0.0, title: Sum}
do:
  - first: {set: {one: '${ .one }', digits: 12345678901234567890}}
  - second: {set: {sum: '${ .one + 1 }'}}
";

async fn ended(stage: &Stage, id: &str) -> RunDetail {
    loop {
        let detail = stage.run(RunGet { id: id.to_owned() }).await.unwrap();
        if detail.summary.ended_at.is_some() {
            return detail;
        }
        tokio::task::yield_now().await;
    }
}

fn list() -> PinsList {
    PinsList {
        workflow: "test/sum".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_outlives_the_app_and_a_test_uses_it_instead_of_the_task() {
    let folder = folder();
    let stage = Stage::open(folder.path()).await;
    let create = DocumentCreate {
        kind: DocumentKind::Workflow,
        text: TEXT.to_owned(),
    };
    let document = stage.run(create).await.unwrap();
    let start = RunStart {
        document_id: document.id.clone(),
        input: "{\"one\": 1}".to_owned(),
    };
    let run = stage.run(start).await.unwrap();
    let detail = ended(&stage, &run.id).await;
    let add = |task: &str| PinAdd {
        run: run.id.clone(),
        task: task.to_owned(),
    };
    let pinned = stage.run(add(&detail.tasks[0].key)).await.unwrap();
    assert_eq!(pinned.len(), 1);
    assert_eq!(
        (pinned[0].task.as_str(), pinned[0].known),
        ("/do/0/first", true)
    );
    let error = stage.run(add("/do/9/none#0#1")).await.unwrap_err();
    assert!(error.is(Code::NotFound), "{error}");
    stage.close().await;

    let stage = Stage::open(folder.path()).await;
    assert_eq!(stage.run(list()).await.unwrap(), pinned);
    let test = |pins: &[&str]| DocumentTest {
        document_id: document.id.clone(),
        input: "{\"one\": 41}".to_owned(),
        pins: pins.iter().map(|&task| task.to_owned()).collect(),
    };
    let with = stage.run(test(&["/do/0/first"])).await.unwrap();
    assert!(with.test);
    let with = ended(&stage, &with.id).await;
    assert_eq!(with.tasks[0].note.as_deref(), Some("given by the test"));
    assert_eq!(with.output, Some(serde_json::json!({"sum": 2}).into()));
    let without = stage.run(test(&[])).await.unwrap();
    let without = ended(&stage, &without.id).await;
    assert_eq!(without.output, Some(serde_json::json!({"sum": 42}).into()));
    let error = stage.run(test(&["/do/1/second"])).await.unwrap_err();
    assert_eq!(error.value.as_deref(), Some("/do/1/second"), "{error}");

    let save = DocumentSave {
        id: document.id.clone(),
        text: TEXT.replace("first:", "begin:"),
        base_revision: document.revision,
    };
    stage.run(save).await.unwrap();
    let moved = stage.run(list()).await.unwrap();
    assert!(!moved[0].known, "its task has another name now");
    let remove = PinRemove {
        workflow: "test/sum".to_owned(),
        task: "/do/0/first".to_owned(),
    };
    assert_eq!(stage.run(remove).await.unwrap(), []);
    assert_eq!(stage.run(list()).await.unwrap(), []);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pins_of_a_workflow_without_a_document_are_refused_by_its_name() {
    let folder = folder();
    let stage = Stage::open(folder.path()).await;
    let error = stage.run(list()).await.unwrap_err();
    assert!(error.is(Code::NotFound), "{error}");
    assert_eq!(error.value.as_deref(), Some("test/sum"));
    stage.close().await;
}
