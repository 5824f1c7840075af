//! `run` on a disk without space: full when it starts, and full while a run is under way.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::command::agent;
use crate::harness::Served;
use crate::runtime::{PATIENCE, document};
use crate::server::{Server, json as answer};
use crate::tmpfs::Tmpfs;

/// Numbers that have no place in the slack of a database.
const LARGE: u64 = 300_000;

#[test]
fn a_disk_that_is_full_at_the_start_stops_the_command() {
    let Some(mount) = Tmpfs::small() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("workflow.yaml");
    std::fs::write(&file, document("hello", "- say: { set: { x: 1 } }")).unwrap();
    let place = |name: &str| mount.path().join(name);
    std::fs::create_dir(place("temporary")).unwrap();
    let run = |data: Option<&Path>| -> Output {
        let mut run = agent();
        run.arg("run").arg(&file).env("TMPDIR", place("temporary"));
        if let Some(data) = data {
            run.arg("--data-dir").arg(data);
        }
        run.output().unwrap()
    };
    let (used, new) = (place("used"), place("new"));
    assert_eq!(run(Some(&used)).status.code(), Some(0));

    let ballast = mount.fill(0);
    for data in [Some(used.as_path()), Some(&new), None] {
        let output = run(data);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{data:?}: {told}");
        assert_eq!(output.stdout, b"", "{data:?}");
        let named = data.unwrap_or(mount.path()).display().to_string();
        assert!(
            told.starts_with("error: MD-301: the disk that holds") && told.contains(&named),
            "{told}"
        );
        assert!(
            told.ends_with("is full; free some space, then give the command again\n"),
            "{told}"
        );
        assert_eq!(told.lines().count(), 1, "{told}");
    }
    let left = std::fs::read_dir(place("temporary")).unwrap().count();
    assert_eq!(left, 0, "a temporary folder goes");

    std::fs::remove_file(ballast).unwrap();
    for data in [Some(used.as_path()), Some(&new), None] {
        let output = run(data);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), told.as_str()), (Some(0), ""));
    }
}

/// A run whose call is answered once the disk is full, and that says so.
struct Stage {
    mount: Tmpfs,
    ballast: PathBuf,
    server: Server,
    run: Child,
    said: Receiver<String>,
    _folder: tempfile::TempDir,
}

impl Stage {
    /// `None` where no small disk can be had.
    async fn set(keeps_data: bool) -> Option<Self> {
        let mount = Tmpfs::small()?;
        let (go, wait) = tokio::sync::watch::channel(false);
        let server = Server::start(move |_, _, mut stream| {
            let mut wait = wait.clone();
            async move {
                // Its sender has sent before it goes.
                let _ = wait.wait_for(|go| *go).await;
                // The agent may be gone.
                let _ = stream
                    .write_all(&answer("200 OK", &large().to_string()))
                    .await;
            }
        })
        .await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("workflow.yaml");
        let tasks = format!(
            "- ask: {{ call: http, with: {{ method: post, endpoint: '{}' }} }}\n\
             - count: {{ set: {{ count: '${{ length }}' }} }}",
            server.url("/")
        );
        std::fs::write(&file, document("ask", &tasks)).unwrap();
        let mut run = agent();
        run.arg("run").arg(file).env("TMPDIR", mount.path());
        if keeps_data {
            run.arg("--data-dir").arg(mount.path().join("data"));
        }
        let (run, said) = listened_to(&mut run);
        let mut stage = Self {
            ballast: PathBuf::new(),
            mount,
            server,
            run,
            said,
            _folder: folder,
        };
        stage.server.until(1).await;
        stage.ballast = stage.mount.fill(0);
        go.send(true).unwrap();
        let held = stage.next_line();
        assert!(
            held.starts_with("note: the run is held: MD-301: the disk that holds"),
            "{held}"
        );
        assert!(held.contains("is full; free some space"), "{held}");
        let database = stage.mount.path().display().to_string();
        assert!(held.contains(&database), "{held}");
        assert!(stage.run.try_wait().unwrap().is_none(), "it waits");
        Some(stage)
    }

    fn next_line(&self) -> String {
        let line = self.said.recv_timeout(PATIENCE);
        line.expect("the command says something")
    }

    /// Waits for the end; gives how it came, what else was said and what was printed.
    fn end(mut self) -> (ExitStatus, Vec<String>, Vec<u8>, Self) {
        let mut printed = Vec::new();
        let mut stdout = self.run.stdout.take().unwrap();
        std::io::copy(&mut stdout, &mut printed).unwrap();
        let status = self.run.wait().unwrap();
        let said = self.said.iter().collect();
        (status, said, printed, self)
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.run.id()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Both fail only where it has ended.
        let _ = self.run.kill();
        let _ = self.run.wait();
    }
}

fn large() -> Value {
    (0..LARGE).collect()
}

/// Starts a command; what it says on stderr comes line by line.
fn listened_to(command: &mut Command) -> (Child, Receiver<String>) {
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let (sender, said) = channel();
    std::thread::spawn(move || {
        for line in stderr.lines() {
            // The test may be over.
            let _ = sender.send(line.unwrap());
        }
    });
    (child, said)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_finds_no_space_says_so_and_goes_on_when_there_is_some() {
    let Some(stage) = Stage::set(true).await else {
        return;
    };
    std::fs::remove_file(&stage.ballast).unwrap();
    let (status, said, printed, stage) = stage.end();
    assert_eq!(
        said,
        ["note: the run goes on: it can be written again"],
        "each is said once"
    );
    assert_eq!(status.code(), Some(0));
    let output: Value = serde_json::from_slice(&printed).unwrap();
    assert_eq!(output, json!({ "count": LARGE }));
    assert_eq!(stage.server.asked().len(), 1, "the call was made once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_a_run_that_is_held_and_its_folder_goes_on() {
    for (signal, name) in [(Signal::TERM, "SIGTERM"), (Signal::INT, "Ctrl-C")] {
        let Some(stage) = Stage::set(true).await else {
            return;
        };
        stage.signal(signal);
        let (status, said, printed, stage) = stage.end();
        let data = stage.mount.path().join("data");
        let told = format!(
            "error: {name} came while the run was held; nothing is lost, the next `flame-agent run` or \
             `flame-agent serve` with --data-dir {} goes on with it",
            data.display()
        );
        assert_eq!(
            (status.code(), said, printed),
            (Some(3), vec![told], Vec::new())
        );

        std::fs::remove_file(&stage.ballast).unwrap();
        let mut agent = Served::start_in(&data, &[]);
        let list = agent.get("/api/v1/runs").await;
        let path = format!("/api/v1/runs/{}", list["items"][0]["id"].as_str().unwrap());
        let ended = loop {
            let run = agent.get(&path).await;
            if run["status"] != "running" {
                break run;
            }
        };
        assert_eq!(ended["status"], "completed", "{ended}");
        assert_eq!(ended["output"], json!({ "count": LARGE }));
        let asked = stage.server.asked();
        let keys: Vec<_> = asked
            .iter()
            .map(|asked| asked.header("idempotency-key").unwrap())
            .collect();
        assert_eq!(keys.len(), 2, "the answer was not on disk");
        assert_eq!(keys[0], keys[1]);
        assert_eq!(agent.stop(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_a_run_that_is_held_and_has_no_folder() {
    let Some(stage) = Stage::set(false).await else {
        return;
    };
    stage.signal(Signal::TERM);
    let (status, said, printed, stage) = stage.end();
    assert_eq!((status.code(), printed), (Some(3), Vec::new()));
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("while the run was held, and the run went with its temporary folder"),
        "{said:?}"
    );
    let left: Vec<_> = std::fs::read_dir(stage.mount.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(left, std::slice::from_ref(&stage.ballast));
}
