//! The agent moves into a container and back, with its runs and its tables, in a Podman of this test.
//!
//! Wants root, Podman and a static agent; says so and passes over the test where one is missing.

use std::path::{Path, PathBuf};

use flame_commands::Options;
use flame_errors::Code;
use flame_ipc::*;
use flame_testkit::Podman;

use crate::connections::postgres;
use crate::runtime::{check, keep_running, settled};
use crate::stage::{Stage, folder, options, without_programs};

/// The static agent that `cargo xtask images` builds.
fn static_agent() -> Option<PathBuf> {
    let named = std::env::var_os("MASTRA_STATIC_AGENT").map(PathBuf::from);
    let built = std::env::current_exe().ok().and_then(|test| {
        let target = test.ancestors().nth(3)?.to_path_buf();
        Some(target.join("x86_64-unknown-linux-gnu/release/flame-agent"))
    });
    named.or(built).filter(|path| path.is_file())
}

/// A Podman of this test, and the options of an app in that folder which moves into it.
pub(crate) fn real(folder: &Path) -> Option<(Podman, Options)> {
    let Some(program) = static_agent() else {
        flame_testkit::skipped("no static agent; `cargo xtask images` builds it");
        return None;
    };
    let podman = match Podman::start() {
        Ok(podman) => podman,
        Err(reason) => {
            flame_testkit::skipped(reason);
            return None;
        }
    };
    let options = Options {
        static_agent_programs: vec![program],
        podman: Some(podman.socket().display().to_string()),
        ..options(folder)
    };
    Some((podman, options))
}

/// Moves and waits for the end of the move.
pub(crate) async fn switch(stage: &Stage, mode: RuntimeMode) -> SwitchProgress {
    stage.run(RuntimeSwitch { mode }).await.unwrap();
    stage
        .event(|event| match event {
            Event::SwitchMoved(progress) if progress.done => Some(progress),
            _ => None,
        })
        .await
}

pub(crate) async fn run_orders(stage: &Stage) {
    let all = stage.run(DocumentsList {}).await.unwrap();
    let sample = all
        .into_iter()
        .find(|document| document.name == "orders")
        .unwrap();
    let input = stage
        .run(DocumentSampleInput {
            id: sample.id.clone(),
        })
        .await
        .unwrap();
    let start = RunStart {
        document_id: sample.id,
        input: input.text,
    };
    let run = stage.run(start).await.unwrap();
    let ended = stage
        .event(move |event| match event {
            Event::RunsChanged(changed) => changed
                .runs
                .into_iter()
                .find(|other| other.id == run.id && other.ended_at.is_some()),
            _ => None,
        })
        .await;
    assert_eq!(ended.status, RunStatusView::Completed, "{:?}", ended.error);
}

async fn runs(stage: &Stage) -> usize {
    let list = RunsList {
        statuses: vec![RunStatusView::Completed],
        workflow: None,
        text: None,
        since: None,
        cursor: None,
        limit: 50,
    };
    stage.run(list).await.unwrap().items.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_and_tables_move_into_the_container_and_back() {
    let folder = folder();
    let Some((podman, mut options)) = real(folder.path()) else {
        return;
    };
    options.agent_port = Some(free_port());
    let stage = Stage::try_open(options.clone()).await.unwrap();
    run_orders(&stage).await;
    let address = address(&stage).await;
    stage.run(postgres(None)).await.unwrap();

    let moved = switch(&stage, RuntimeMode::Podman).await;
    assert_eq!(moved.error, None);
    assert!(
        moved.steps.iter().all(|step| step.status == StepStatus::Ok),
        "{moved:?}"
    );
    assert_eq!(runs(&stage).await, 1, "the history came along");
    run_orders(&stage).await;
    assert_eq!(runs(&stage).await, 2);
    let status = stage.run(RuntimeStatusGet {}).await.unwrap();
    assert_eq!(
        (status.mode, status.phase),
        (RuntimeMode::Podman, RuntimePhase::Ready)
    );
    let container = stage.run(ContainerGet {}).await.unwrap().unwrap();
    assert_eq!(container.status, "running");
    assert!(!container.hardening.is_empty() && container.memory_limit_bytes.is_some());
    assert_eq!(
        status.address.unwrap(),
        address,
        "webhooks stay where they are"
    );
    let own_machine = check(&stage, "own-machine").await;
    assert!(
        own_machine.detail.starts_with("orders-db:"),
        "{own_machine:?}"
    );
    let lines = stage.run(RuntimeLogs { after: None }).await.unwrap();
    assert!(!lines.is_empty() && lines.is_sorted_by(|one, next| one.seq < next.seq));
    let known = lines[lines.len() / 2].seq;
    let after = Some(known);
    let later = stage.run(RuntimeLogs { after }).await.unwrap();
    let expected = &lines[lines.len() / 2 + 1..];
    assert!(
        !expected.is_empty() && later.starts_with(expected),
        "only what is new"
    );
    let native = folder.path().join("data/agent");
    assert!(
        !native.join("agent.db").exists(),
        "never two sides own the runs"
    );

    // The app is closed and opened again: the container goes on from its volume.
    stage.close().await;
    let stage = Stage::try_open(options.clone()).await.unwrap();
    assert_eq!(runs(&stage).await, 2);

    let moved = switch(&stage, RuntimeMode::Native).await;
    assert_eq!(moved.error, None);
    assert_eq!(runs(&stage).await, 2);
    assert!(native.join("databases").is_dir(), "the tables came back");
    run_orders(&stage).await;
    let status = stage.run(RuntimeStatusGet {}).await.unwrap();
    assert_eq!(status.address.unwrap(), address);
    assert_nothing_left(&podman);
    stage.close().await;
}

/// One that nobody else is given: below those that the system hands out.
fn free_port() -> u16 {
    let first = 12_000 + u16::try_from(std::process::id() % 1_000).unwrap() * 10;
    let is_free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    (first..first + 10).find(is_free).unwrap()
}

async fn address(stage: &Stage) -> String {
    let status = stage.run(RuntimeStatusGet {}).await.unwrap();
    status.address.unwrap()
}

/// What Podman says to that.
fn said(podman: &Podman, arguments: &[&str]) -> String {
    let output = podman.command().args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn assert_nothing_left(podman: &Podman) {
    assert_eq!(said(podman, &["ps", "--all", "--quiet"]), "", "containers");
    assert_eq!(said(podman, &["volume", "ls", "--quiet"]), "", "volumes");
    assert_eq!(said(podman, &["secret", "ls", "--quiet"]), "", "secrets");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_agent_did_before_its_start_failed_is_brought_back() {
    let folder = folder();
    let Some((podman, mut options)) = real(folder.path()) else {
        return;
    };
    // Works for a moment, then ends without ever having answered.
    let source = folder.path().join("brief.c");
    let text = r#"
        #include <stdio.h>
        #include <sys/stat.h>
        int main(void) {
            mkdir("/data/files", 0700);
            FILE *made = fopen("/data/files/made.txt", "w");
            if (!made) return 4;
            fputs("in the container", made);
            fclose(made);
            fputs("error: MD-303: it is made to end\n", stderr);
            return 3;
        }"#;
    std::fs::write(&source, text).unwrap();
    let program = folder.path().join("brief");
    let built = std::process::Command::new("cc")
        .arg("-static")
        .arg(&source)
        .arg("-o")
        .arg(&program)
        .status();
    assert!(built.unwrap().success());
    options.static_agent_programs = vec![program];
    let stage = Stage::try_open(options).await.unwrap();
    run_orders(&stage).await;
    let moved = switch(&stage, RuntimeMode::Podman).await;
    let error = moved.error.unwrap();
    assert!(error.detail.contains("it is made to end"), "{error}");
    assert!(error.kept.unwrap().contains("goes on natively"));
    let last = moved.steps.last().unwrap();
    assert_eq!(last.status, StepStatus::Failed, "{:?}", moved.steps);
    let made = folder.path().join("data/agent/files/made.txt");
    assert_eq!(std::fs::read_to_string(made).unwrap(), "in the container");
    assert_nothing_left(&podman);
    run_orders(&stage).await;
    assert_eq!(runs(&stage).await, 2);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_is_cancelled_leaves_nothing_in_podman() {
    let folder = folder();
    let Some((podman, options)) = real(folder.path()) else {
        return;
    };
    let stage = Stage::try_open(options).await.unwrap();
    run_orders(&stage).await;
    // While the image is looked for, and while the container is made.
    for step in [1, 2] {
        let mode = RuntimeMode::Podman;
        stage.run(RuntimeSwitch { mode }).await.unwrap();
        let reached = |event| match event {
            Event::SwitchMoved(progress) => {
                Some(progress).filter(|progress| progress.steps[step].status == StepStatus::Running)
            }
            _ => None,
        };
        assert!(stage.event(reached).await.cancellable);
        stage.run(RuntimeSwitchCancel {}).await.unwrap();
        let ended = |event| match event {
            Event::SwitchMoved(progress) => Some(progress).filter(|progress| progress.done),
            _ => None,
        };
        let error = stage.event(ended).await.error.unwrap();
        assert!(error.kept.unwrap().contains("nothing was moved"));
        assert_nothing_left(&podman);
    }
    run_orders(&stage).await;
    assert_eq!(runs(&stage).await, 2, "the agent never stopped");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_database_in_the_container_is_replaced_by_the_last_backup() {
    let folder = folder();
    let Some((podman, options)) = real(folder.path()) else {
        return;
    };
    let stage = Stage::try_open(options.clone()).await.unwrap();
    run_orders(&stage).await;
    assert_eq!(switch(&stage, RuntimeMode::Podman).await.error, None);
    // An orderly end makes a backup.
    stage.close().await;
    let volume = said(&podman, &["volume", "ls", "--quiet"]);
    let inspect = ["volume", "inspect", "--format", "{{.Mountpoint}}", &volume];
    let data = PathBuf::from(said(&podman, &inspect));
    let damaged = b"not a database, but long enough to look like one";
    std::fs::write(data.join("agent.db"), damaged).unwrap();

    let stage = Stage::try_open(options).await.unwrap();
    let error = settled(&stage).await.error.unwrap();
    assert!(error.is(Code::StorageCorrupt), "{error}");
    let found = check(&stage, "agent").await;
    assert_eq!(
        found.repair.as_deref(),
        Some("Put the last backup in place")
    );
    let repair = DoctorRepair {
        id: "agent".to_owned(),
    };
    stage.run(repair).await.unwrap();
    assert_eq!(check(&stage, "agent").await.state, CheckState::Ok);
    assert_eq!(runs(&stage).await, 1, "the history is the backup's");
    run_orders(&stage).await;
    let kept = std::fs::read_dir(&data).unwrap().any(|entry| {
        let damaged_folder = entry.unwrap().path();
        std::fs::read(damaged_folder.join("agent.db")).is_ok_and(|bytes| bytes == damaged)
    });
    assert!(kept, "the damaged file stays beside");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_shall_stay_is_the_next_apps_too_and_verified_anew() {
    let folder = folder();
    let Some((podman, options)) = real(folder.path()) else {
        return;
    };
    let stage = Stage::try_open(options.clone()).await.unwrap();
    let moved = switch(&stage, RuntimeMode::Podman).await;
    assert_eq!(moved.error, None);
    keep_running(&stage, true).await;
    run_orders(&stage).await;
    let container = stage.run(ContainerGet {}).await.unwrap().unwrap();
    stage.close().await;
    let running = || {
        let mut command = podman.command();
        let listed = command.args(["ps", "--quiet", "--no-trunc"]).output();
        String::from_utf8(listed.unwrap().stdout).unwrap()
    };
    assert_eq!(running().trim(), container.id, "it outlives the app");

    let stage = Stage::try_open(options).await.unwrap();
    run_orders(&stage).await;
    assert_eq!(runs(&stage).await, 2);
    let found = stage.run(ContainerGet {}).await.unwrap().unwrap();
    assert_eq!(found.id, container.id);
    assert_eq!(found.started_at, container.started_at);
    assert!(!found.hardening.is_empty());
    assert_eq!(found.hardening, container.hardening);
    keep_running(&stage, false).await;
    stage.close().await;
    assert_eq!(
        running(),
        "",
        "it ends with an app that does not want it to stay"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_image_nothing_moves_until_its_program_is_built() {
    let Some(program) = static_agent() else {
        flame_testkit::skipped("no static agent; `cargo xtask images` builds it");
        return;
    };
    let podman = match Podman::start() {
        Ok(podman) => podman,
        Err(reason) => {
            flame_testkit::skipped(reason);
            return;
        }
    };
    let folder = folder();
    let socket = podman.socket().display().to_string();
    let place = folder.path().join("flame-agent-static");
    let stage = Stage::try_open(Options {
        static_agent_programs: vec![folder.path().join("nowhere"), place.clone()],
        podman: Some(socket),
        ..options(folder.path())
    })
    .await
    .unwrap();
    run_orders(&stage).await;
    let moved = switch(&stage, RuntimeMode::Podman).await;
    let error = moved.error.unwrap();
    assert!(
        error.is(Code::PodmanImage) && error.hint.is_some(),
        "{error}"
    );
    assert_eq!(runs(&stage).await, 1, "native goes on");
    let status = stage.run(PodmanStatusGet {}).await.unwrap();
    assert_eq!(status.state, PodmanState::Ready, "{status:?}");

    std::fs::copy(program, place).unwrap();
    let moved = switch(&stage, RuntimeMode::Podman).await;
    assert_eq!(moved.error, None, "the open app finds it");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_podman_native_goes_on_and_the_doctor_says_why() {
    let folder = folder();
    let socket = folder.path().join("no.sock").display().to_string();
    let stage = Stage::try_open(Options {
        podman: Some(socket),
        ..options(folder.path())
    })
    .await
    .unwrap();
    run_orders(&stage).await;
    let moved = switch(&stage, RuntimeMode::Podman).await;
    let error = moved.error.unwrap();
    assert!(error.is(Code::PodmanNotRunning), "{error}");
    assert!(error.detail.contains("no.sock"), "{error}");
    assert_eq!(runs(&stage).await, 1);
    let status = stage.run(PodmanStatusGet {}).await.unwrap();
    assert_eq!(status.state, PodmanState::NotRunning);
    assert!(status.error.unwrap().is(Code::PodmanNotRunning));
    let command = status.command.unwrap();
    assert!(command.starts_with("systemctl ") && command.ends_with("enable --now podman.socket"));
    let check = check(&stage, "podman").await;
    assert_eq!(check.state, CheckState::Warning, "native works without it");
    assert_eq!(check.code.as_deref(), Some(Code::PodmanNotRunning.as_str()));
    assert_eq!(check.title, Code::PodmanNotRunning.title());
    assert!(check.detail.contains("no.sock"), "{}", check.detail);
    assert_eq!(check.command, Some(command));
    stage.close().await;
}

#[test]
fn a_machine_without_podman_is_no_fault() {
    if Path::new("/run/podman/podman.sock").exists() {
        flame_testkit::tell("skipped: this machine has a Podman service of its own");
        return;
    }
    without_programs("podman::inside_without_podman");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs inside an environment without programs"]
async fn inside_without_podman() {
    let folder = folder();
    let stage = Stage::open(folder.path()).await;
    let check = check(&stage, "podman").await;
    assert_eq!(check.state, CheckState::Ok, "{check:?}");
    assert_eq!(check.code.as_deref(), Some(Code::PodmanMissing.as_str()));
    let command = check.command.unwrap();
    assert!(
        command.ends_with("apt-get install --yes podman"),
        "{command}"
    );
    let status = stage.run(PodmanStatusGet {}).await.unwrap();
    assert_eq!(status.state, PodmanState::Missing);
    assert_eq!(status.command, Some(command));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_open_app_runs_the_containers_of_its_agent() {
    let podman = match Podman::start() {
        Ok(podman) => podman,
        Err(reason) => {
            flame_testkit::skipped(reason);
            return;
        }
    };
    let folder = folder();
    let options = Options {
        podman: Some(podman.socket().display().to_string()),
        ..options(folder.path())
    };
    let stage = Stage::try_open(options).await.unwrap();
    let text = format!(
        "document: {{ dsl: '1.0.3', namespace: test, name: box, version: 1.0.0 }}\ndo:\n  - box:\n      run: \
         {{ container: {{ image: {}, command: 'echo \"$WHO\"', environment: {{ WHO: '${{ .who }}' }} }} }}\n",
        podman.shell_image()
    );
    let create = DocumentCreate {
        kind: DocumentKind::Workflow,
        text,
    };
    let id = stage.run(create).await.unwrap().id;
    let deploy = DocumentDeploy { id: id.clone() };
    stage.run(deploy).await.unwrap();
    let start = RunStart {
        document_id: id,
        input: r#"{"who": "app"}"#.to_owned(),
    };
    let run = stage.run(start).await.unwrap();
    let of_run = run.id.clone();
    let ended = stage
        .event(move |event| match event {
            Event::RunsChanged(changed) => changed
                .runs
                .into_iter()
                .find(|other| other.id == of_run && other.ended_at.is_some()),
            _ => None,
        })
        .await;
    assert_eq!(ended.status, RunStatusView::Completed, "{:?}", ended.error);
    let detail = stage.run(RunGet { id: run.id }).await.unwrap();
    assert!(format!("{:?}", detail.output).contains("app"), "{detail:?}");
    stage.close().await;
}
