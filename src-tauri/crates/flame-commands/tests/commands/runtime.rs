//! The agent: started with the app, restarted, missing; the app on bad ground.

use std::net::TcpStream;
use std::path::{Path, PathBuf};

use flame_commands::Session;
use flame_errors::Code;
use flame_ipc::*;
use flame_testkit::Effects;

use crate::podman::run_orders;
use crate::stage::{AppProcess, Stage, folder, options};

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

/// Whether the agent outlives the app from now on.
pub(crate) async fn keep_running(stage: &Stage, keep: bool) {
    let patch = SettingsPatch {
        keep_running: Some(keep),
        ..SettingsPatch::default()
    };
    stage.run(SettingsSet { patch }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_shall_stay_is_the_next_apps_too() {
    let folder = folder();
    let pid = || agent_note(folder.path())["pid"].as_u64().unwrap();
    let is_there = |pid: u64| Path::new(&format!("/proc/{pid}")).exists();
    let stage = Stage::open(folder.path()).await;
    keep_running(&stage, true).await;
    run_orders(&stage).await;
    let (kept, before) = (pid(), stage.run(RuntimeStatusGet {}).await.unwrap());
    stage.close().await;
    assert!(is_there(kept), "it outlives the app");

    let stage = Stage::open(folder.path()).await;
    run_orders(&stage).await;
    let after = stage.run(RuntimeStatusGet {}).await.unwrap();
    assert_eq!((pid(), &after.address), (kept, &before.address));
    assert_eq!(after.ready_ms, None, "nothing was started");
    keep_running(&stage, false).await;
    stage.close().await;
    assert!(
        !is_there(kept),
        "it ends with an app that does not want it to stay"
    );
}

/// What the launcher has written down of the agent that runs.
pub(crate) fn agent_note(folder: &Path) -> serde_json::Value {
    let note = std::fs::read(options(folder).runtime_dir.join("agent.json")).unwrap();
    serde_json::from_slice(&note).unwrap()
}

/// The agent of an app that was killed ends by itself, but not before the calls that it has under way: until then
/// it has the data folder, and answers nobody any more.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_app_waits_for_the_agent_of_one_that_was_killed() {
    let folder = folder();
    let partner = Effects::start().await.unwrap();
    partner.hold();
    let stage = Stage::open(folder.path()).await;
    // The call is made in the life of the next app.
    let text = format!(
        "document: {{dsl: 1.0.3, namespace: test, name: slow, version: 1.0.0}}\n\
         do:\n  - later: {{wait: {{seconds: 1}}}}\n  - ask: {{call: http, with: {{method: get, endpoint: '{}'}}}}\n",
        partner.url()
    );
    let kind = DocumentKind::Workflow;
    let slow = stage.run(DocumentCreate { kind, text }).await.unwrap();
    let start = RunStart {
        document_id: slow.id,
        input: "{}".to_owned(),
    };
    stage.run(start).await.unwrap();
    stage.close().await;
    let before = partner.count();
    let app = AppProcess::start(folder.path());
    partner.reached(before + 1).await;
    let note = agent_note(folder.path());
    app.kill();
    let address = note["listening"].as_str().unwrap();
    let address = address.strip_prefix("http://").unwrap();
    let hung_up = || TcpStream::connect(address).is_err().then_some(());
    flame_testkit::until("the agent to hang up", hung_up).await;

    let stage = Stage::open(folder.path()).await;
    let waits = stage.event(|event| match event {
        Event::RuntimeChanged(status) => status.error.map(|error| (status.phase, error)),
        _ => None,
    });
    let (phase, error) = waits.await;
    assert!(error.is(Code::StorageLocked), "{error}");
    assert_eq!(phase, RuntimePhase::Starting);
    partner.release();
    let status = settled(&stage).await;
    assert_eq!((status.phase, status.restarts), (RuntimePhase::Ready, 0));
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

    let file = options(folder.path()).data_dir.join("workspace.db");
    let newer = with_version(&file, 9_999);
    let error = Stage::try_open(options(folder.path())).await.err().unwrap();
    assert!(
        error.is(Code::StorageNewer) && error.hint.is_some(),
        "{error}"
    );
    assert_eq!(std::fs::read(&file).unwrap(), newer, "the file is kept");
}

/// Writes `user_version` into the header of an SQLite file; gives the whole file.
fn with_version(file: &Path, version: u32) -> Vec<u8> {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[60..64].copy_from_slice(&version.to_be_bytes());
    std::fs::write(file, &bytes).unwrap();
    bytes
}

/// The state that the agent comes to, ready or not.
pub(crate) async fn settled(stage: &Stage) -> RuntimeStatus {
    stage
        .event(|event| match event {
            Event::RuntimeChanged(status)
                if matches!(status.phase, RuntimePhase::Failed | RuntimePhase::Ready) =>
            {
                Some(status)
            }
            _ => None,
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agents_folder_of_a_newer_version_stops_the_agent_and_nothing_else() {
    let folder = folder();
    let stage = Stage::open(folder.path()).await;
    settled(&stage).await;
    stage.close().await;
    let file = agent_database(folder.path());
    let newer = with_version(&file, 9_999);
    let stage = Stage::open(folder.path()).await;
    let error = settled(&stage).await.error.unwrap();
    assert!(error.is(Code::StorageNewer), "{error}");
    assert_eq!(stage.run(DocumentsList {}).await.unwrap().len(), 3);
    stage.close().await;
    assert_eq!(std::fs::read(&file).unwrap(), newer, "the file is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_database_is_told_kept_and_replaced_by_the_last_backup() {
    let folder = folder();
    let stage = Stage::open(folder.path()).await;
    settled(&stage).await;
    stage.close().await;
    let file = agent_database(folder.path());
    let damaged = b"not a database, but long enough to look like one";
    std::fs::write(&file, damaged).unwrap();

    let stage = Stage::open(folder.path()).await;
    let error = settled(&stage).await.error.unwrap();
    assert!(error.is(Code::StorageCorrupt), "{error}");
    let hint = error.hint.clone().unwrap_or_default();
    assert!(hint.contains("Open Doctor"), "{error}");
    let check = check(&stage, "agent").await;
    assert_eq!(
        check.repair.as_deref(),
        Some("Put the last backup in place")
    );
    let command = check.command.unwrap();
    assert!(
        command.contains("restore --data-dir") && command.contains("flame-agent"),
        "{command}"
    );
    assert_eq!(std::fs::read(&file).unwrap(), damaged, "the file is kept");

    let repair = DoctorRepair {
        id: "agent".to_owned(),
    };
    let check = named(stage.run(repair).await.unwrap(), "agent");
    assert_eq!((check.state, check.repair), (CheckState::Ok, None));
    assert_eq!(kept(file.parent().unwrap(), damaged), 1, "and stays beside");
    stage.close().await;
}

/// The one finding of a doctor whose workspace is shut.
async fn only_finding(session: &Session) -> DoctorCheckView {
    let mut checks = session.run(DoctorCheck {}).await.unwrap().checks;
    assert_eq!(checks.len(), 1, "{checks:?}");
    checks.remove(0)
}

fn repair_workspace() -> DoctorRepair {
    DoctorRepair {
        id: "workspace".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_workspace_is_told_kept_and_replaced_by_the_last_backup() {
    let folder = folder();
    // The second start makes the first backup.
    for _ in 0..2 {
        Stage::open(folder.path()).await.close().await;
    }
    let data = options(folder.path()).data_dir;
    let damaged = b"not a database, but long enough to look like one";
    std::fs::write(data.join("workspace.db"), damaged).unwrap();

    let session = Stage::session(options(folder.path()));
    session.open().await.unwrap_err();
    let error = session.run(DocumentsList {}).await.unwrap_err();
    assert!(error.is(Code::StorageCorrupt), "{error}");
    let check = only_finding(&session).await;
    assert_eq!(check.code.as_deref(), Some(Code::StorageCorrupt.as_str()));
    assert_eq!(check.state, CheckState::Broken);
    assert_eq!(
        check.repair.as_deref(),
        Some("Put the last backup in place")
    );
    assert_eq!(std::fs::read(data.join("workspace.db")).unwrap(), damaged);
    let other = DoctorRepair {
        id: "agent".to_owned(),
    };
    assert!(session.run(other).await.is_err(), "only what is broken");
    let info = session.run(AppInfo {}).await.unwrap();
    assert_eq!(info.data_folder, data.display().to_string());
    assert_eq!(
        info.backups_folder,
        data.join("backups").display().to_string()
    );
    assert_eq!(info.logs_folder, data.join("logs").display().to_string());
    assert_eq!((info.workspace_name, info.output_folder), (None, None));
    for which in [Folder::Data, Folder::Inbox, Folder::Backups, Folder::Logs] {
        session.run(OpenFolder { folder: which }).await.unwrap();
    }
    let output = OpenFolder {
        folder: Folder::Output,
    };
    let error = session.run(output).await.unwrap_err();
    assert!(error.is(Code::StorageCorrupt), "{error}");
    session.run(PodmanStatusGet {}).await.unwrap();

    let report = session.run(repair_workspace()).await.unwrap();
    assert_eq!(named(report, "workspace").state, CheckState::Ok);
    assert_eq!(session.run(DocumentsList {}).await.unwrap().len(), 3);
    assert_eq!(kept(&data, damaged), 1, "the damaged file stays beside");
    session.app_now().unwrap().close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_in_use_opens_by_the_doctor_once_it_is_free() {
    let folder = folder();
    let first = Stage::open(folder.path()).await;
    let session = Stage::session(options(folder.path()));
    session.open().await.unwrap_err();
    let check = only_finding(&session).await;
    assert_eq!(check.code.as_deref(), Some(Code::StorageLocked.as_str()));
    assert_eq!(check.repair.as_deref(), Some("Try again"));
    let refused = session.run(repair_workspace()).await.unwrap_err();
    assert!(refused.is(Code::StorageLocked), "{refused}");
    first.close().await;
    let report = session.run(repair_workspace()).await.unwrap();
    assert_eq!(named(report, "workspace").state, CheckState::Ok);
    session.app_now().unwrap().close().await;
}

fn agent_database(folder: &Path) -> PathBuf {
    options(folder).data_dir.join("agent/agent.db")
}

/// What the doctor finds now.
pub(crate) async fn check(stage: &Stage, id: &str) -> DoctorCheckView {
    named(stage.run(DoctorCheck {}).await.unwrap(), id)
}

fn named(report: DoctorReport, id: &str) -> DoctorCheckView {
    let mut checks = report.checks.into_iter();
    checks.find(|check| check.id == id).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_told_and_taken_back_once_it_is_free() {
    let folder = folder();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    let mut wished = options(folder.path());
    wished.agent_port = Some(port);
    let stage = Stage::try_open(wished).await.unwrap();
    settled(&stage).await;
    let found = check(&stage, "port").await;
    assert_eq!(found.state, CheckState::Warning, "{found:?}");
    assert_eq!(found.code.as_deref(), Some(Code::PortTaken.as_str()));
    assert!(found.detail.contains(&port.to_string()), "{}", found.detail);
    let command = format!("ss -ltnp 'sport = :{port}'");
    assert_eq!(found.command, Some(command));
    assert!(found.repair.is_some());

    drop(other);
    let repair = DoctorRepair {
        id: "port".to_owned(),
    };
    let found = named(stage.run(repair).await.unwrap(), "port");
    assert_eq!((found.state, found.code), (CheckState::Ok, None));
    assert_eq!(found.detail, format!("http://127.0.0.1:{port}"));
    stage.close().await;
}

/// How many files below a folder hold these bytes.
fn kept(folder: &Path, bytes: &[u8]) -> usize {
    let entries = std::fs::read_dir(folder).unwrap();
    let found = entries.map(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => kept(&path, bytes),
            false => usize::from(std::fs::read(&path).unwrap() == bytes),
        }
    });
    found.sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn help_is_there_for_every_task_and_code_and_an_example_becomes_a_workflow() {
    let folder = folder();
    let stage = Stage::open(folder.path()).await;
    let pages = stage.run(HelpPages {}).await.unwrap();
    let ids: Vec<&str> = pages.iter().map(|page| page.id.as_str()).collect();
    for keyword in flame_dsl::help_pages().iter().map(|page| page.keyword) {
        assert!(ids.contains(&keyword), "{keyword}");
    }
    for code in Code::ALL {
        let id = code.as_str().to_owned();
        let page = stage.run(HelpPage { id }).await.unwrap();
        assert!(page.markdown.contains("What to do"));
        assert!(pages.contains(&page), "{code}");
    }
    let id = "MD-999".to_owned();
    let error = stage.run(HelpPage { id }).await.unwrap_err();
    assert!(error.is(Code::NotFound), "{error}");

    let tasks = pages.iter().filter(|page| page.kind == HelpKind::Task);
    for page in tasks {
        let text = page
            .example
            .clone()
            .expect("a page on a task has an example");
        let kind = DocumentKind::Workflow;
        let made = stage.run(DocumentCreate { kind, text }).await.unwrap();
        assert_eq!(made.problems.get(), 0, "{}", page.id);
        assert!(!page.title.starts_with(&page.id), "{}", page.title);
    }
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_open_and_what_is_not_there_is_said() {
    let folder = folder();
    let stage = Stage::open(folder.path()).await;
    let all = [
        Folder::Data,
        Folder::Inbox,
        Folder::Output,
        Folder::Backups,
        Folder::Logs,
    ];
    for which in all {
        stage.run(OpenFolder { folder: which }).await.unwrap();
    }
    let data = options(folder.path()).data_dir;
    let expected = ["", "inbox", "agent/files", "backups", "logs"].map(|name| data.join(name));
    assert_eq!(stage.opened(), expected);
    let error = stage.run(RuntimeSwitchCancel {}).await.unwrap_err();
    assert!(error.is(Code::RunNotInState), "{error}");
    assert_eq!(stage.run(ContainerGet {}).await.unwrap(), None);
    stage.close().await;
}
