//! `serve`: how it begins, who may share its folder and port, how it ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::command::agent;

fn serve(folder: &Path) -> Command {
    let mut command = agent();
    command.args(["serve", "--data-dir"]).arg(folder);
    command
}

struct Serving {
    child: Child,
    line: Value,
}

impl Serving {
    fn start(command: &mut Command) -> Self {
        Self::start_with(command, Stdio::null())
    }

    fn start_with(command: &mut Command, stderr: Stdio) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        Self {
            child,
            line: serde_json::from_str(&line).unwrap(),
        }
    }

    fn url(&self) -> &str {
        self.line["listening"].as_str().unwrap()
    }

    fn terminate(&self) {
        self.signal(rustix::process::Signal::TERM);
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    fn code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn refused(output: &Output, word: &str) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains(word), "{text}");
    assert_eq!(output.stdout, b"", "nothing is promised on stdout");
}

#[test]
fn it_says_where_it_is_and_ends_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut serving = Serving::start(&mut serve(folder.path()));
    assert!(serving.url().starts_with("http://127.0.0.1:"));
    assert_eq!(serving.line["pid"], serving.child.id());
    let health = |arguments: &[&str]| {
        agent()
            .arg("health")
            .args(arguments)
            .output()
            .unwrap()
            .status
            .code()
    };
    let data = folder.path().to_str().unwrap();
    assert_eq!(health(&["--url", serving.url()]), Some(0));
    assert_eq!(health(&["--data-dir", data, "--ready"]), Some(0));
    serving.terminate();
    assert_eq!(serving.code(), Some(0));
    assert_eq!(health(&["--url", serving.url()]), Some(1));
    assert_eq!(health(&["--data-dir", data]), Some(1));
    for wrong in ["127.0.0.1:7410", "https://127.0.0.1:7410", ""] {
        assert_eq!(
            health(&["--url", wrong]),
            Some(3),
            "{wrong:?} is no address"
        );
    }
    let mut rest = String::new();
    serving
        .child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut rest)
        .unwrap();
    assert_eq!(rest, "", "one line on stdout, no more");
}

/// As beside a launcher that hangs: the pipe is full after 64 KB.
#[test]
fn a_log_that_nobody_reads_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = serve(folder.path());
    let mut serving = Serving::start_with(command.args(["--log", "trace"]), Stdio::piped());
    let address = serving.url().trim_start_matches("http://").to_owned();
    let request =
        format!("GET /health/live HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    for _ in 0..500 {
        let mut stream = TcpStream::connect(&address).unwrap();
        let patience = Some(Duration::from_secs(60));
        stream.set_read_timeout(patience).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    }
    serving.terminate();
    assert_eq!(serving.code(), Some(0));
    let mut log = Vec::new();
    let mut stderr = serving.child.stderr.take().unwrap();
    stderr.read_to_end(&mut log).unwrap();
    // A line that finds no room in a page of the pipe begins the next: it is full a little before 64 KB.
    let bytes = log.len();
    assert!(bytes > 56 * 1024, "the pipe was never full: {bytes} bytes");
}

#[test]
fn a_folder_and_a_port_have_one_agent() {
    let folder = tempfile::tempdir().unwrap();
    let mut serving = Serving::start(&mut serve(folder.path()));
    refused(&serve(folder.path()).output().unwrap(), "MD-304");
    let other = tempfile::tempdir().unwrap();
    let address = serving.url().trim_start_matches("http://");
    refused(
        &serve(other.path())
            .args(["--listen", address])
            .output()
            .unwrap(),
        "MD-306",
    );
    assert!(
        !other.path().join("agent.db").exists(),
        "a taken port leaves the folder alone"
    );
    // `kill -9` gives the folder back.
    serving.child.kill().unwrap();
    serving.child.wait().unwrap();
    let mut again = Serving::start(&mut serve(folder.path()));
    again.terminate();
    assert_eq!(again.code(), Some(0));
}

#[test]
fn a_folder_of_a_newer_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = Serving::start(&mut serve(folder.path()));
    first.terminate();
    assert_eq!(first.code(), Some(0));
    let file = folder.path().join("agent.db");
    let mut bytes = std::fs::read(&file).unwrap();
    // `user_version` in the header of an SQLite file.
    bytes[60..64].copy_from_slice(&9_999_u32.to_be_bytes());
    std::fs::write(&file, &bytes).unwrap();
    refused(&serve(folder.path()).output().unwrap(), "MD-303");
    assert_eq!(std::fs::read(&file).unwrap(), bytes);
}

#[test]
fn it_follows_whoever_started_it_unless_told_to_stay() {
    for (word, stays) in [("", false), ("keep\n", true), ("keep\nfollow\n", false)] {
        let folder = tempfile::tempdir().unwrap();
        let mut serving = Serving::start(
            serve(folder.path())
                .arg("--exit-on-stdin-close")
                .stdin(Stdio::piped()),
        );
        serving
            .child
            .stdin
            .take()
            .unwrap()
            .write_all(word.as_bytes())
            .unwrap();
        if stays {
            let mut asked = agent();
            asked.args(["health", "--url", serving.url()]);
            assert!(asked.status().unwrap().success(), "{word:?}");
            serving.terminate();
        }
        assert_eq!(serving.code(), Some(0), "{word:?}");
    }
}

/// The signals of a process of which `/proc` says this, as a mask.
#[cfg(target_os = "linux")]
fn signals(process: u32, which: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix(which));
    u64::from_str_radix(mask.unwrap().trim(), 16).unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn the_end_of_its_terminal_ends_it_in_order_unless_it_was_begun_with_nohup() {
    for (how, ends) in [
        ("--default-signal=HUP", true),
        ("--ignore-signal=HUP", false),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let plain = serve(folder.path());
        let mut command = Command::new("env");
        command
            .arg(how)
            .arg(plain.get_program())
            .args(plain.get_args());
        let mut serving = Serving::start(&mut command);
        serving.signal(rustix::process::Signal::HUP);
        if !ends {
            assert_eq!(signals(serving.child.id(), "SigIgn:") & 1, 1);
            let mut asked = agent();
            asked.args(["health", "--url", serving.url()]);
            assert!(asked.status().unwrap().success());
            serving.terminate();
        }
        assert_eq!(serving.code(), Some(0), "{how}");
    }
}
