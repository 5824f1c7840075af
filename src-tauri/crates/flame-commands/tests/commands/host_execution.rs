//! What a workflow may run on this computer: refused, allowed for what was shown, over a restart, taken back.

use flame_commands::Options;
use flame_errors::Code;
use flame_ipc::*;

use crate::stage::{Stage, folder, options};

const TEXT: &str = "document: {dsl: 1.0.3, namespace: test, name: greet, version: 1.0.0}
do:
  - greet: {run: {shell: {command: echo hello}}}
";

/// On a machine where no Podman can be reached.
async fn open(folder: &std::path::Path) -> Stage {
    let socket = folder.join("no.sock").display().to_string();
    let options = Options {
        podman: Some(socket),
        ..options(folder)
    };
    Stage::try_open(options).await.unwrap()
}

async fn create(stage: &Stage, text: &str) -> DocumentSummary {
    let create = DocumentCreate {
        kind: DocumentKind::Workflow,
        text: text.to_owned(),
    };
    stage.run(create).await.unwrap()
}

async fn get(stage: &Stage, id: &str) -> HostExecution {
    let get = HostExecutionGet {
        document_id: id.to_owned(),
    };
    stage.run(get).await.unwrap()
}

fn allow(id: &str, seen: &HostExecution) -> HostExecutionAllow {
    HostExecutionAllow {
        document_id: id.to_owned(),
        programs: seen
            .programs
            .iter()
            .map(|program| program.digest.clone())
            .collect(),
    }
}

fn forbid() -> HostExecutionForbid {
    HostExecutionForbid {
        workflow: "test/greet".to_owned(),
    }
}

/// Runs it to its end; the code of its fault, if it has one.
async fn code(stage: &Stage, id: &str) -> Option<String> {
    let start = RunStart {
        document_id: id.to_owned(),
        input: "{}".to_owned(),
    };
    let run = stage.run(start).await.unwrap().id;
    let ended = stage
        .event(move |event| match event {
            Event::RunsChanged(changed) => changed
                .runs
                .into_iter()
                .find(|other| other.id == run && other.ended_at.is_some()),
            _ => None,
        })
        .await;
    match ended.error {
        Some(error) => Some(error.code.unwrap_or(error.kind)),
        None => {
            assert_eq!(ended.status, RunStatusView::Completed);
            None
        }
    }
}

const OFF: Option<&str> = Some("MD-407");

#[tokio::test(flavor = "multi_thread")]
async fn what_was_shown_may_run_until_it_is_taken_back_also_after_the_app_was_closed() {
    let folder = folder();
    let stage = open(folder.path()).await;
    let document = create(&stage, TEXT).await;
    let id = document.id.clone();
    let before = get(&stage, &id).await;
    assert_eq!(before.workflow, "test/greet");
    assert_eq!((before.allowed, before.changed), (false, false));
    let program = &before.programs[0];
    assert_eq!(
        (program.kind, program.text.as_str(), program.task.as_str()),
        (HostProgramKind::Shell, "echo hello", "/do/0/greet")
    );
    assert_eq!(code(&stage, &id).await.as_deref(), OFF);

    let after = stage.run(allow(&id, &before)).await.unwrap();
    assert!(after.allowed && after.programs[0].allowed);
    assert_eq!(code(&stage, &id).await, None);
    stage.close().await;

    let stage = open(folder.path()).await;
    assert_eq!(
        code(&stage, &id).await,
        None,
        "the agent was told at its start"
    );
    let listed = stage.run(HostPermissionsList {}).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].workflow, "test/greet");
    assert_eq!(listed[0].document_id.as_deref(), Some(id.as_str()));

    assert_eq!(stage.run(forbid()).await.unwrap(), []);
    assert!(!get(&stage, &id).await.allowed);
    assert_eq!(code(&stage, &id).await.as_deref(), OFF);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_commands_are_asked_about_anew_and_nothing_unseen_is_allowed() {
    let folder = folder();
    let stage = open(folder.path()).await;
    let document = create(&stage, TEXT).await;
    let seen = get(&stage, &document.id).await;
    stage.run(allow(&document.id, &seen)).await.unwrap();
    let save = |text: String, base_revision| DocumentSave {
        id: document.id.clone(),
        text,
        base_revision,
    };
    let titled = TEXT.replace("1.0.0}", "1.1.0, title: Greet}");
    let saved = stage.run(save(titled, document.revision)).await.unwrap();
    assert!(get(&stage, &document.id).await.allowed, "it runs the same");

    let other = TEXT.replace("echo hello", "echo other");
    stage.run(save(other, saved.revision)).await.unwrap();
    let changed = get(&stage, &document.id).await;
    assert_eq!((changed.allowed, changed.changed), (false, true));
    assert_eq!(code(&stage, &document.id).await.as_deref(), OFF);
    let error = stage.run(allow(&document.id, &seen)).await.unwrap_err();
    assert!(error.is(Code::DocumentConflict), "{error}");
    stage.run(allow(&document.id, &changed)).await.unwrap();
    assert_eq!(code(&stage, &document.id).await, None);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_comes_with_no_document_and_goes_with_its_own() {
    let folder = folder();
    let stage = open(folder.path()).await;
    let first = create(&stage, TEXT).await;
    let seen = get(&stage, &first.id).await;
    stage.run(allow(&first.id, &seen)).await.unwrap();
    let copy = stage
        .run(DocumentDuplicate {
            id: first.id.clone(),
        })
        .await
        .unwrap();
    assert!(!get(&stage, &copy.id).await.allowed, "another name");
    let undo = stage
        .run(DocumentDelete {
            id: first.id.clone(),
        })
        .await
        .unwrap();
    assert_eq!(stage.run(HostPermissionsList {}).await.unwrap(), []);
    let again = create(&stage, TEXT).await;
    assert!(!get(&stage, &again.id).await.allowed);
    let restore = DocumentRestore {
        undo_token: undo.undo_token,
    };
    stage.run(restore).await.unwrap();
    assert!(!get(&stage, &first.id).await.allowed);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_nothing_on_this_computer_has_nothing_to_allow() {
    let folder = folder();
    let stage = open(folder.path()).await;
    for text in [
        TEXT.replace(
            "run: {shell: {command: echo hello}}",
            "set: {run: {shell: {command: ls}}}",
        ),
        TEXT.replace(
            "shell: {command: echo hello}",
            "script: {language: js, code: '1'}",
        ),
        TEXT.replace("command:", "comand:"),
    ] {
        let document = create(&stage, &text).await;
        let found = get(&stage, &document.id).await;
        assert_eq!(found.programs, [], "{text}");
        stage.run(allow(&document.id, &found)).await.unwrap_err();
    }
    assert_eq!(stage.run(HostPermissionsList {}).await.unwrap(), []);
    stage.close().await;
}
