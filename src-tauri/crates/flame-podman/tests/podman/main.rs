//! The agent's container against a real Podman: made, verified, filled, emptied, removed.
//!
//! Wants root, Podman and a static program; says so and passes over the test where one is missing.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod jobs;

use std::io::BufRead;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use flame_podman::{
    AgentContainer, AgentImage, Error, Limits, Locator, OwnService, Program, Spec, diagnose,
};
use flame_testkit::Podman;
use notify::{RecursiveMode, Watcher as _};
use tokio::io::AsyncBufReadExt as _;

/// Of the length that the agent asks for.
const TOKEN: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// The static agent that `cargo xtask images` builds.
fn program() -> Option<PathBuf> {
    let named = std::env::var_os("MASTRA_STATIC_AGENT").map(PathBuf::from);
    let built = std::env::current_exe().ok().and_then(|test| {
        let target = test.ancestors().nth(3)?.to_path_buf();
        Some(target.join("x86_64-unknown-linux-gnu/release/flame-agent"))
    });
    named.or(built).filter(|path| path.is_file())
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|l| l.local_addr())
        .expect("a free port")
}

fn spec(publish: SocketAddr) -> Spec {
    Spec {
        workspace: format!("t{}", publish.port()),
        publish,
        durability: "full".into(),
        limits: Limits::default(),
        drain: Duration::from_secs(10),
    }
}

/// Podman, the static program and a locator that finds only this Podman; `None` where one is missing.
fn real() -> Option<(Podman, Program, Locator)> {
    let Some(path) = program() else {
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
    let program = Program::read(&path).expect("the program can be read");
    let locator = Locator {
        setting: Some(podman.socket().display().to_string()),
        ..Locator::from_environment(None)
    };
    Some((podman, program, locator))
}

/// Waits for the line in which the agent says that it is ready.
async fn ready(podman: &Podman, container: &str) {
    let mut follow = tokio::process::Command::from(podman.command());
    let mut follow = follow
        .args(["logs", "--follow", container])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = tokio::io::BufReader::new(follow.stdout.take().unwrap()).lines();
    let said = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains("\"listening\"") {
                return;
            }
        }
        panic!("the agent ended without a word");
    };
    tokio::time::timeout(Duration::from_secs(30), said)
        .await
        .expect("the agent becomes ready");
}

/// Seen from outside: its user's alone, and in no environment.
fn the_token_is_a_private_file(podman: &Podman, container: &str) {
    let mut command = podman.command();
    let asked = command.args(["inspect", "--format", "{{.State.Pid}}", container]);
    let pid = String::from_utf8(asked.output().unwrap().stdout).unwrap();
    let process = Path::new("/proc").join(pid.trim());
    let file = process.join("root/secrets/token");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), TOKEN);
    let metadata = file.metadata().unwrap();
    let owner = (metadata.uid(), metadata.gid());
    assert_eq!((metadata.mode() & 0o7777, owner), (0o400, (65532, 65532)));
    let environment = std::fs::read_to_string(process.join("environ")).unwrap();
    assert!(!environment.contains(TOKEN), "{environment}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_runs_locked_down_and_its_data_goes_in_and_out() {
    let Some((podman, program, locator)) = real() else {
        return;
    };
    let found = diagnose(&locator).await;
    assert_eq!(found.code, None, "{}", found.detail);
    let place = locator.locate().await.expect("Podman answers");

    let image = AgentImage::ensure(&place, &program)
        .await
        .expect("the image is built");
    assert!(image.built);
    let again = AgentImage::ensure(&place, &program)
        .await
        .expect("the image is found");
    assert_eq!((again.built, &again.id), (false, &image.id));

    let address = free_address();
    let agent = AgentContainer::new(&place, spec(address));
    agent
        .create(&image, TOKEN)
        .await
        .expect("the container is made");
    let folder = tempfile::tempdir().unwrap();
    let handed = folder.path().join("note");
    std::fs::write(&handed, b"kept").unwrap();
    let files = folder.path().join("files");
    std::fs::create_dir_all(files.join("prices/2026")).unwrap();
    std::fs::write(files.join("prices/2026/monday.json"), b"deep").unwrap();
    for (from, name) in [(&handed, "note"), (&files, "files")] {
        agent
            .import(from, name)
            .await
            .expect("data goes in before the start");
    }

    let verified = agent
        .start()
        .await
        .expect("it starts with every protection");
    for protection in [
        "no new privileges",
        "a bounded /tmp in memory",
        "a token that only its user reads",
    ] {
        let is_verified = verified.iter().any(|what| what == protection);
        assert!(is_verified, "{protection}: {verified:?}");
    }
    the_token_is_a_private_file(&podman, &agent.spec().container());
    ready(&podman, &agent.spec().container()).await;
    let state = agent.state().await.unwrap().expect("it is there");
    assert_eq!(state.status, "running");
    let stats = agent.stats().await.unwrap().expect("it runs");
    assert!(stats.memory_bytes > 0 && stats.pids > 0, "{stats:?}");

    agent.stop().await.expect("it drains");
    let state = agent.state().await.unwrap().expect("it is there, stopped");
    assert_eq!((state.status.as_str(), state.exit_code), ("exited", 0));
    assert!(
        agent
            .stats()
            .await
            .unwrap()
            .is_none_or(|stats| stats.pids == 0)
    );
    let out = tempfile::tempdir().unwrap();
    assert!(agent.export("", out.path()).await.expect("data comes out"));
    assert_eq!(std::fs::read(out.path().join("note")).unwrap(), b"kept");
    let deep = out.path().join("files/prices/2026/monday.json");
    assert_eq!(std::fs::read(deep).unwrap(), b"deep");

    let shown = podman
        .command()
        .args(["secret", "ls", "--format", "{{.Name}}"])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&shown.stdout).contains(&agent.spec().secret()));
    agent.remove().await.expect("all of it goes");
    for list in [["ps", "-aq"], ["volume", "-q"], ["secret", "-q"]] {
        let mut command = podman.command();
        command.arg(list[0]);
        if list[0] != "ps" {
            command.arg("ls");
        }
        let output = command.arg(list[1]).output().unwrap();
        assert!(
            output.status.success() && output.stdout.is_empty(),
            "{list:?}: {output:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_ours_is_left_alone() {
    let Some((podman, program, locator)) = real() else {
        return;
    };
    let place = locator.locate().await.expect("Podman answers");
    let image = AgentImage::ensure(&place, &program)
        .await
        .expect("the image is built");
    let agent = AgentContainer::new(&place, spec(free_address()));
    let name = agent.spec().container();
    let made = podman
        .command()
        .args(["create", "--name", &name, &image.id])
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );

    let refused = agent
        .create(&image, "token")
        .await
        .expect_err("the name is taken");
    assert!(matches!(refused, Error::NotOurs { .. }), "{refused}");
    assert!(agent.remove().await.is_err());
    let there = podman
        .command()
        .args(["container", "exists", &name])
        .status()
        .unwrap();
    assert!(there.success(), "the stranger's container stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_arrives_as_it_was_given() {
    let Some((podman, _, locator)) = real() else {
        return;
    };
    let place = locator.locate().await.expect("Podman answers");
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("flame-agent");
    std::fs::write(&empty, b"not a program").unwrap();
    let program = Program::read(&empty).unwrap();
    let image = AgentImage::ensure(&place, &program)
        .await
        .expect("an image of anything");
    let agent = AgentContainer::new(&place, spec(free_address()));
    agent
        .create(&image, "plain \"token\"")
        .await
        .expect("the container is made");
    // The file driver keeps values base64-encoded under the secret's id.
    let store = podman
        .storage()
        .join("graph/secrets/filedriver/secretsdata.json");
    let data = std::fs::read_to_string(&store).expect("the secret store can be read");
    assert!(
        data.contains("cGxhaW4gInRva2VuIg=="),
        "stored otherwise: {data}"
    );
    agent.start().await.expect_err("a text file does not start");
    agent.remove().await.expect("all of it goes");
}

/// Where the service of `holds_a_service` is to be.
const SERVICE_DIR: &str = "MASTRA_TEST_SERVICE_DIR";
const SAID: &str = "service at ";

#[tokio::test]
#[ignore = "run by `our_service_ends_with_an_app_that_is_killed`, which kills it"]
async fn holds_a_service() {
    let folder = std::env::var_os(SERVICE_DIR).expect("a folder for the service");
    let service = OwnService::start(Path::new("podman"), Some(Path::new(&folder)))
        .await
        .expect("the service starts");
    println!("\n{SAID}{}", service.socket().display());
    std::future::pending().await
}

#[tokio::test]
async fn our_service_ends_with_an_app_that_is_killed() {
    let podman = match Podman::start() {
        Ok(podman) => podman,
        Err(reason) => {
            flame_testkit::skipped(reason);
            return;
        }
    };
    let folder = tempfile::tempdir_in("/run").unwrap();
    let mut app = Command::new(std::env::current_exe().unwrap());
    app.args(["--exact", "holds_a_service", "--ignored", "--nocapture"])
        .env(SERVICE_DIR, folder.path())
        .stdout(Stdio::piped());
    let configuration = podman.command();
    app.envs(
        configuration
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    let mut app = app.spawn().unwrap();
    // Open as long as the app lives, which would end over a closed one.
    let mut lines = std::io::BufReader::new(app.stdout.take().unwrap()).lines();
    let socket = lines
        .by_ref()
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix(SAID).map(PathBuf::from))
        .expect("the app says where its service is");
    // Longer than an idle service lasts.
    let early = tokio::time::timeout(Duration::from_secs(8), gone(&socket)).await;
    assert!(early.is_err(), "the service lasts while its app lives");
    app.kill().unwrap();
    app.wait().unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(60), gone(&socket)).await;
    assert!(ended.is_ok(), "nobody listens when the app is gone");
}

/// Waits until nobody listens any more: a service that ends removes its socket.
async fn gone(socket: &Path) {
    let (changed, mut changes) = tokio::sync::mpsc::unbounded_channel();
    let mut watcher = notify::recommended_watcher(move |_| {
        // The test may have seen enough.
        let _ = changed.send(());
    })
    .unwrap();
    let folder = socket.parent().unwrap();
    watcher.watch(folder, RecursiveMode::NonRecursive).unwrap();
    while socket.exists() {
        changes.recv().await;
    }
}
