//! The agent: started with the app, restarted, missing; the app on bad ground.

use flame_errors::Code;
use flame_ipc::*;

use crate::stage::{Stage, folder, options};

#[tokio::test(flavor = "multi_thread")]
async fn durability_is_a_setting_that_the_agent_follows() {
    let folder = folder();
    let stage = Stage::open(folder.path()).await;
    stage
        .run(EventsList {
            kind: None,
            after: None,
            limit: 1,
        })
        .await
        .unwrap();
    let status = stage.run(RuntimeStatusGet {}).await.unwrap();
    assert_eq!(
        (status.mode, status.phase),
        (RuntimeMode::Native, RuntimePhase::Ready)
    );
    assert_eq!(status.durability, Some(DurabilityView::Full));
    assert!(status.address.is_some() && status.ready_ms.is_some());
    assert!(status.disk_free_bytes.is_some_and(|bytes| bytes.get() > 0));

    let patch = SettingsPatch {
        durability: Some(DurabilityView::Normal),
        theme: Some(Theme::Dark),
        ..SettingsPatch::default()
    };
    stage.run(SettingsSet { patch }).await.unwrap();
    stage.run(RuntimeRestart {}).await.unwrap();
    let status = stage.run(RuntimeStatusGet {}).await.unwrap();
    assert_eq!(status.durability, Some(DurabilityView::Normal));
    assert!(
        !stage
            .run(RuntimeLogs { after: None })
            .await
            .unwrap()
            .is_empty()
    );
    stage.close().await;
    let stage = Stage::open(folder.path()).await;
    assert_eq!(stage.run(SettingsGet {}).await.unwrap().theme, Theme::Dark);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_agent_the_workspace_is_still_there() {
    let folder = folder();
    let mut bare = options(folder.path());
    bare.agent_program = folder.path().join("no-such-agent");
    let stage = Stage::try_open(bare).await.unwrap();
    let failed = stage
        .event(|event| match event {
            Event::RuntimeChanged(status) if status.phase == RuntimePhase::Failed => Some(status),
            _ => None,
        })
        .await;
    assert!(failed.error.unwrap().is(Code::AgentMissing));
    let documents = stage.run(DocumentsList {}).await.unwrap();
    assert_eq!(documents.len(), 3);
    let start = RunStart {
        document_id: documents[0].id.clone(),
        input: "{}".to_owned(),
    };
    let error = stage.run(start).await.unwrap_err();
    assert!(
        error.is(Code::AgentMissing) && error.hint.is_some(),
        "{error}"
    );
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_app_and_a_newer_folder_are_refused() {
    let folder = folder();
    let stage = Stage::open(folder.path()).await;
    let error = Stage::try_open(options(folder.path())).await.err().unwrap();
    assert!(
        error.is(Code::StorageLocked) && error.hint.is_some(),
        "{error}"
    );
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn help_pages_are_there_for_every_code_and_folders_open() {
    let folder = folder();
    let stage = Stage::open(folder.path()).await;
    for code in Code::ALL {
        let page = stage
            .run(HelpPage {
                code: code.as_str().to_owned(),
            })
            .await
            .unwrap();
        assert!(page.markdown.contains("What to do"));
    }
    let error = stage
        .run(HelpPage {
            code: "MD-999".to_owned(),
        })
        .await
        .unwrap_err();
    assert!(error.is(Code::NotFound), "{error}");
    for which in [Folder::Data, Folder::Inbox, Folder::Output, Folder::Logs] {
        stage.run(OpenFolder { folder: which }).await.unwrap();
    }
    let error = stage.run(RuntimeSwitchCancel {}).await.unwrap_err();
    assert!(error.is(Code::RunNotInState), "{error}");
    assert_eq!(stage.run(ContainerGet {}).await.unwrap(), None);
    stage.close().await;
}
