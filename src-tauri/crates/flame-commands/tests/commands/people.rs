//! Tasks that wait for a person: listed, answered, refused with the place of what does not fit.

use flame_errors::Code;
use flame_ipc::*;

use crate::stage::{Stage, folder};

const TEXT: &str = "document: {dsl: 1.0.3, namespace: test, name: ask, version: 1.0.0, title: Ask}
do:
  - approve:
      listen: {to: {one: {with: {type: io.mastra.approval.v1}}}}
      metadata: {mastra.io/person: {title: 'Ship ${ .id }?', assignee: ada}}
";

/// The open tasks, once there is one.
async fn open(stage: &Stage) -> Vec<PersonTask> {
    loop {
        let tasks = stage.run(TasksList {}).await.unwrap();
        if !tasks.is_empty() {
            return tasks;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_listed_refuses_what_does_not_fit_and_takes_one_answer() {
    let folder = folder();
    let stage = Stage::open(folder.path()).await;
    assert_eq!(stage.run(TasksList {}).await.unwrap(), []);
    let create = DocumentCreate {
        kind: DocumentKind::Workflow,
        text: TEXT.to_owned(),
    };
    let document = stage.run(create).await.unwrap();
    let start = RunStart {
        document_id: document.id,
        input: "{\"id\": 7}".to_owned(),
    };
    let run = stage.run(start).await.unwrap();
    let task = open(&stage).await.remove(0);
    assert_eq!(
        (task.title.as_str(), task.workflow.as_str(), task.kind),
        ("Ship 7?", "Ask", PersonTaskKind::Approval)
    );
    assert_eq!(
        (&task.run, task.assignee.as_deref()),
        (&run.id, Some("ada"))
    );
    let detail = stage.run(RunGet { id: run.id.clone() }).await.unwrap();
    assert_eq!(
        (detail.tasks[0].status, detail.tasks[0].note.as_deref()),
        (RunStatusView::Waiting, Some("waits for a person"))
    );

    let answer = |data: &str| TaskAnswer {
        run: run.id.clone(),
        task: task.task.clone(),
        data: data.to_owned(),
    };
    let refused = stage.run(answer("{\"comment\": 7}")).await.unwrap();
    let places: Vec<_> = refused
        .misfits
        .iter()
        .map(|misfit| (misfit.pointer.as_str(), misfit.message.as_str()))
        .collect();
    assert_eq!(refused.run, None);
    assert!(
        places.contains(&("/approved", "\"approved\" is a required property")),
        "{places:?}"
    );
    assert!(
        places.contains(&("/comment", "7 is not of type \"string\"")),
        "{places:?}"
    );
    let error = stage.run(answer("{")).await.unwrap_err();
    assert!(error.is(Code::BodyInvalid), "{error}");
    let taken = stage.run(answer("{\"approved\": true}")).await.unwrap();
    assert_eq!(taken.run.map(|run| run.id), Some(run.id.clone()));
    assert_eq!(stage.run(TasksList {}).await.unwrap(), []);
    let error = stage.run(answer("{\"approved\": true}")).await.unwrap_err();
    assert!(error.is(Code::RunNotInState), "{error}");
    stage.close().await;
}
