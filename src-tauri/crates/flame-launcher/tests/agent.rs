//! The launcher against a real process that behaves, or misbehaves, as an agent.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use flame_errors::Code;
use flame_launcher::agent::{AgentState, Launcher, Options, Phase, RestartBudget};
use flame_types::Durability;
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::watch;

/// The example beside this test's binary.
fn stand_in() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test
        .parent()
        .unwrap()
        .parent()
        .unwrap()
        .join("examples/stand_in_agent");
    assert!(program.is_file(), "{} was not built", program.display());
    program
}

fn options(folder: &Path) -> Options {
    let mut options = Options::new(
        stand_in(),
        folder.join("data"),
        folder.join("run"),
        folder.join("logs/agent.log"),
    );
    options.budget = RestartBudget::new(2, Duration::from_secs(600));
    options.health_every = Duration::from_millis(50);
    options
}

async fn reach(
    mut state: watch::Receiver<AgentState>,
    wanted: impl Fn(&AgentState) -> bool,
) -> AgentState {
    let found = tokio::time::timeout(Duration::from_secs(60), state.wait_for(|s| wanted(s))).await;
    found
        .expect("the state is reached")
        .expect("the supervisor lives")
        .clone()
}

async fn is_ready(launcher: &Launcher) -> AgentState {
    reach(launcher.state(), |state| state.phase == Phase::Ready).await
}

fn exists(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// The names of the files in a folder.
fn left_in(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).unwrap();
    files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// Waits for a process that is not our child.
async fn gone(pid: u32) {
    let ended = async {
        while exists(pid) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), ended)
        .await
        .expect("the process ends");
}

#[tokio::test]
async fn a_started_agent_is_ready_with_a_fresh_private_token_and_ends_with_the_app() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let launcher = Launcher::new(options(folder.path()));
    assert_eq!(launcher.state().borrow().phase, Phase::Stopped);
    launcher.start().await;
    let first = is_ready(&launcher).await;
    let endpoint = first.endpoint.unwrap();
    assert!(
        endpoint.base.starts_with("http://127.0.0.1:"),
        "{}",
        endpoint.base
    );
    let token_file = folder.path().join("run/token");
    assert_eq!(
        token_file.metadata().unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(
        folder
            .path()
            .join("run")
            .metadata()
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o700
    );
    assert_eq!(
        std::fs::read_to_string(&token_file).unwrap(),
        endpoint.token.expose()
    );

    launcher.set_durability(Durability::Normal).await;
    launcher.restart().await;
    let second = is_ready(&launcher).await;
    assert_ne!(
        second.endpoint.unwrap().token,
        endpoint.token,
        "a token is made at every launch"
    );
    assert_eq!(
        second.restarts, 0,
        "an ordered restart is none of the budget's"
    );
    let starts = std::fs::read_to_string(folder.path().join("data/starts")).unwrap();
    let modes: Vec<_> = starts
        .lines()
        .map(|line| line.contains("--durability normal"))
        .collect();
    assert_eq!(modes, [false, true]);

    let pid = second.pid.unwrap();
    launcher.close().await;
    assert!(!exists(pid));
    assert_eq!(left_in(&folder.path().join("run")), [""; 0]);
}

#[tokio::test]
async fn a_killed_agent_comes_back_and_its_log_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let launcher = Launcher::new(options(folder.path()));
    launcher.start().await;
    let first = is_ready(&launcher).await.pid.unwrap();
    signal(first, Signal::KILL);
    let again = reach(launcher.state(), |state| {
        state.phase == Phase::Ready && state.pid != Some(first)
    });
    assert_eq!(again.await.restarts, 1);
    let ready = launcher
        .logs(0)
        .iter()
        .filter(|line| line.message == "ready")
        .count();
    assert_eq!(ready, 2);
    launcher.close().await;
}

#[tokio::test]
async fn an_agent_that_hangs_is_ended_and_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut impatient = options(folder.path());
    // A stopped process obeys no SIGTERM.
    impatient.grace = Duration::from_millis(100);
    let launcher = Launcher::new(impatient);
    launcher.start().await;
    let first = is_ready(&launcher).await.pid.unwrap();
    signal(first, Signal::STOP);
    let lost = reach(launcher.state(), |state| state.failure.is_some());
    let failure = lost.await.failure.unwrap();
    assert_eq!(failure.code, Code::AgentDown);
    assert!(
        failure.detail.contains("did not answer 5 times"),
        "{}",
        failure.detail
    );
    assert!(!exists(first), "it is ended before another one starts");
    let again = is_ready(&launcher).await;
    assert_ne!(again.pid, Some(first));
    assert_eq!(again.restarts, 1);
    launcher.close().await;
}

#[tokio::test]
async fn an_agent_that_ends_too_often_is_left_alone_and_the_reason_is_told() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    std::fs::write(folder.path().join("data/behaviour"), "crash").unwrap();
    let launcher = Launcher::new(options(folder.path()));
    launcher.start().await;
    let failed = reach(launcher.state(), |state| state.phase == Phase::Failed).await;
    let failure = failed.failure.unwrap();
    assert_eq!(failure.code, Code::AgentRestarting);
    assert!(
        failure.detail.contains("this agent crashes at once"),
        "{}",
        failure.detail
    );
    let starts = std::fs::read_to_string(folder.path().join("data/starts")).unwrap();
    assert_eq!(starts.lines().count(), 3, "one start and two restarts");

    std::fs::remove_file(folder.path().join("data/behaviour")).unwrap();
    launcher.start().await;
    assert_eq!(is_ready(&launcher).await.failure, None);
    launcher.close().await;
}

#[tokio::test]
async fn a_refusal_that_time_does_not_heal_is_told_at_once_with_its_code() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    std::fs::write(folder.path().join("data/behaviour"), "newer").unwrap();
    let launcher = Launcher::new(options(folder.path()));
    launcher.start().await;
    let failed = reach(launcher.state(), |state| state.phase == Phase::Failed).await;
    assert_eq!(failed.failure.unwrap().code, Code::StorageNewer);
    assert_eq!(failed.restarts, 0);
    launcher.close().await;
}

/// The agent of an app that was killed ends by itself, and not at once.
#[tokio::test]
async fn a_data_folder_that_another_agent_has_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    std::fs::write(folder.path().join("data/behaviour"), "locked").unwrap();
    let mut patient = options(folder.path());
    patient.budget = RestartBudget::new(0, Duration::from_secs(600));
    let launcher = Launcher::new(patient.clone());
    launcher.start().await;
    let waits = reach(launcher.state(), |state| {
        state.phase == Phase::Starting && state.failure.is_some()
    });
    assert_eq!(waits.await.failure.unwrap().code, Code::StorageLocked);
    std::fs::remove_file(folder.path().join("data/behaviour")).unwrap();
    assert_eq!(is_ready(&launcher).await.restarts, 0);
    launcher.close().await;

    std::fs::write(folder.path().join("data/behaviour"), "locked").unwrap();
    patient.release = Duration::ZERO;
    let launcher = Launcher::new(patient);
    launcher.start().await;
    let failed = reach(launcher.state(), |state| state.phase == Phase::Failed).await;
    assert_eq!(failed.failure.unwrap().code, Code::StorageLocked);
    launcher.close().await;
}

#[tokio::test]
async fn a_missing_program_and_a_foreign_one_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let mut missing = options(folder.path());
    missing.program = folder.path().join("no-such-agent");
    let launcher = Launcher::new(missing);
    launcher.start().await;
    let failed = reach(launcher.state(), |state| state.phase == Phase::Failed).await;
    let failure = failed.failure.unwrap();
    assert_eq!(failure.code, Code::AgentMissing);
    assert!(
        failure.detail.contains("no-such-agent"),
        "{}",
        failure.detail
    );
    launcher.close().await;
    assert_eq!(left_in(&folder.path().join("run")), [""; 0]);

    std::fs::create_dir_all(folder.path().join("data")).unwrap();
    std::fs::write(folder.path().join("data/behaviour"), "babble").unwrap();
    let launcher = Launcher::new(options(folder.path()));
    launcher.start().await;
    let failed = reach(launcher.state(), |state| state.phase == Phase::Failed).await;
    assert!(failed.failure.unwrap().detail.contains("hello"));
    launcher.close().await;
}

#[tokio::test]
async fn an_agent_that_shall_stay_is_found_again_and_can_be_stopped_later() {
    let folder = tempfile::tempdir().unwrap();
    let mut stays = options(folder.path());
    stays.keep_running = true;
    let launcher = Launcher::new(stays.clone());
    launcher.start().await;
    let first = is_ready(&launcher).await;
    let pid = first.pid.unwrap();
    launcher.close().await;
    assert!(exists(pid), "it outlives the app");

    let launcher = Launcher::new(stays);
    launcher.start().await;
    let found = is_ready(&launcher).await;
    assert_eq!(found.pid, Some(pid));
    assert_eq!(found.endpoint, first.endpoint);
    assert_eq!(found.ready_ms, None);
    launcher.keep_running(false).await;
    launcher.close().await;
    gone(pid).await;
    assert_eq!(left_in(&folder.path().join("run")), [""; 0]);
}

#[test]
fn the_agent_ends_when_the_app_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let app = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let (launcher, pid) = app.block_on(async {
        let launcher = Launcher::new(options(folder.path()));
        launcher.start().await;
        let pid = is_ready(&launcher).await.pid.unwrap();
        (launcher, pid)
    });
    // As after a SIGKILL: the supervisor is gone without a word, and with it its end of the pipe.
    app.shutdown_background();
    let test = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    test.block_on(gone(pid));
    drop(launcher);
}

#[tokio::test]
async fn a_taken_port_is_told_and_another_one_used() {
    let folder = tempfile::tempdir().unwrap();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    let mut wished = options(folder.path());
    wished.port = Some(port);
    let launcher = Launcher::new(wished);
    launcher.start().await;
    let ready = is_ready(&launcher).await;
    assert_eq!(ready.port_taken, Some(port));
    assert!(!ready.endpoint.unwrap().base.ends_with(&format!(":{port}")));
    drop(other);
    launcher.restart().await;
    let ready = reach(launcher.state(), |state| {
        state.phase == Phase::Ready && state.port_taken.is_none()
    });
    assert!(
        ready
            .await
            .endpoint
            .unwrap()
            .base
            .ends_with(&format!(":{port}"))
    );
    launcher.close().await;
}
