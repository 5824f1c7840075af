//! Documents: saved with their revision, broken or not, deployed, copied, deleted, brought back.

use flame_errors::Code;
use flame_ipc::*;

use crate::stage::{Stage, folder};

const HELLO: &str = "document: {dsl: 1.0.3, namespace: test, name: hello, version: 1.0.0}\n\
                     do:\n  - greet: {set: {said: hello}} # keep me\n";

async fn create(stage: &Stage, text: &str) -> DocumentSummary {
    let create = DocumentCreate {
        kind: DocumentKind::Workflow,
        text: text.to_owned(),
    };
    stage.run(create).await.unwrap()
}

fn save(document: &DocumentSummary, text: &str) -> DocumentSave {
    DocumentSave {
        id: document.id.clone(),
        text: text.to_owned(),
        base_revision: document.revision,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_save_from_an_old_revision_is_a_conflict_and_loses_nothing() {
    let folder = folder();
    let stage = Stage::open(folder.path()).await;
    let first = create(&stage, HELLO).await;
    let second = stage
        .run(save(&first, &HELLO.replace("said", "says")))
        .await
        .unwrap();
    let error = stage.run(save(&first, "lost")).await.unwrap_err();
    assert!(
        error.is(Code::DocumentConflict) && error.kept.is_some(),
        "{error}"
    );
    let text = stage
        .run(DocumentGet {
            id: first.id.clone(),
        })
        .await
        .unwrap();
    assert_eq!(text.summary.revision, second.revision);
    assert!(text.text.contains("says"));
    let history = stage
        .run(DocumentHistory {
            id: first.id.clone(),
        })
        .await
        .unwrap();
    assert_eq!(history.len(), 2);
    let revision = DocumentRevisionGet {
        id: first.id,
        revision: first.revision,
    };
    assert_eq!(stage.run(revision).await.unwrap(), HELLO);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_text_is_saved_but_not_deployed() {
    let folder = folder();
    let stage = Stage::open(folder.path()).await;
    let document = create(&stage, HELLO).await;
    stage
        .run(DocumentDeploy {
            id: document.id.clone(),
        })
        .await
        .unwrap();
    let broken = stage
        .run(save(&document, &HELLO.replace("do:", "doo:")))
        .await
        .unwrap();
    assert!(broken.problems.get() > 0 && broken.changed);
    assert_eq!(broken.name, "hello", "its name is still known");
    let error = stage
        .run(DocumentDeploy {
            id: document.id.clone(),
        })
        .await
        .unwrap_err();
    assert!(
        error.is(Code::DefinitionInvalid) && error.kept.is_some(),
        "{error}"
    );
    let validate = Validate {
        kind: DocumentKind::Workflow,
        text: HELLO.replace("do:", "doo:"),
    };
    let problems = stage.run(validate).await.unwrap();
    assert!(
        problems
            .iter()
            .any(|problem| problem.line >= 1 && !problem.message.is_empty())
    );
    let text = "a: [".to_owned();
    let validate = Validate {
        kind: DocumentKind::Pipeline,
        text,
    };
    assert!(!stage.run(validate).await.unwrap().is_empty());
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_is_deployed_beside_runs_on_the_older() {
    let folder = folder();
    let stage = Stage::open(folder.path()).await;
    let waits = HELLO.replace("{set: {said: hello}}", "{wait: {hours: 1}}");
    let document = create(&stage, &waits).await;
    let start = RunStart {
        document_id: document.id.clone(),
        input: "{}".to_owned(),
    };
    let run = stage.run(start).await.unwrap();
    let saved = stage
        .run(save(&document, &waits.replace("1.0.0}", "1.1.0}")))
        .await
        .unwrap();
    assert!(saved.changed);
    let deployed = stage
        .run(DocumentDeploy {
            id: document.id.clone(),
        })
        .await
        .unwrap();
    assert_eq!(
        (deployed.version.as_str(), deployed.runs_on_older.get()),
        ("1.1.0", 1)
    );

    let delete = || DocumentDelete {
        id: document.id.clone(),
    };
    let error = stage.run(delete()).await.unwrap_err();
    assert!(error.is(Code::WorkflowInUse), "{error}");
    stage
        .run(RunCancel {
            id: run.id,
            compensate: false,
        })
        .await
        .unwrap();
    let undo = stage.run(delete()).await.unwrap();
    let gone = stage
        .run(DocumentGet {
            id: document.id.clone(),
        })
        .await
        .unwrap_err();
    assert!(gone.is(Code::NotFound), "{gone}");
    let back = stage
        .run(DocumentRestore {
            undo_token: undo.undo_token,
        })
        .await
        .unwrap();
    assert!(!back.changed, "it is deployed again as it was");
    let start = RunStart {
        document_id: document.id.clone(),
        input: "{}".to_owned(),
    };
    assert_eq!(stage.run(start).await.unwrap().version, "1.1.0");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_has_a_free_name_and_the_same_text_and_a_twin_is_not_deployed() {
    let folder = folder();
    let stage = Stage::open(folder.path()).await;
    let document = create(&stage, HELLO).await;
    stage
        .run(DocumentDeploy {
            id: document.id.clone(),
        })
        .await
        .unwrap();
    let copy = stage
        .run(DocumentDuplicate {
            id: document.id.clone(),
        })
        .await
        .unwrap();
    assert_eq!(copy.name, "hello-copy");
    let text = stage
        .run(DocumentGet {
            id: copy.id.clone(),
        })
        .await
        .unwrap()
        .text;
    assert!(text.contains("# keep me"));
    let second = stage
        .run(DocumentDuplicate {
            id: document.id.clone(),
        })
        .await
        .unwrap();
    assert_eq!(second.name, "hello-copy-2");
    let twin = create(&stage, HELLO).await;
    let error = stage.run(DocumentDeploy { id: twin.id }).await.unwrap_err();
    assert_eq!(error.value.as_deref(), Some("test/hello"), "{error}");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_there_after_a_restart_and_templates_can_be_deployed() {
    let folder = folder();
    let stage = Stage::open(folder.path()).await;
    for template in stage.run(TemplatesList {}).await.unwrap() {
        let create = DocumentCreate {
            kind: template.kind,
            text: template.text,
        };
        let document = stage.run(create).await.unwrap();
        let deployed = stage.run(DocumentDeploy { id: document.id }).await;
        assert!(deployed.is_ok(), "{}: {deployed:?}", template.id);
    }
    let before = stage.run(DocumentsList {}).await.unwrap();
    stage.close().await;
    // As if the agent's own folder was lost: it is given everything again.
    std::fs::remove_dir_all(folder.path().join("data/agent")).unwrap();
    let stage = Stage::open(folder.path()).await;
    assert!(!stage.run(AppInfo {}).await.unwrap().first_start);
    let after = stage.run(DocumentsList {}).await.unwrap();
    let names = |all: &[DocumentSummary]| -> Vec<_> {
        all.iter()
            .map(|document| (document.name.clone(), document.deployed_version.clone()))
            .collect()
    };
    assert_eq!(names(&after), names(&before));
    let blank = after
        .iter()
        .find(|document| document.name == "new-workflow")
        .unwrap();
    let start = RunStart {
        document_id: blank.id.clone(),
        input: "{}".to_owned(),
    };
    stage.run(start).await.unwrap();
    stage.close().await;
}
