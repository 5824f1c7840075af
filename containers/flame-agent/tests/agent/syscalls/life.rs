//! An agent that runs under `strace`.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

use flame_agent_api::SecretText;
use flame_agent_client::AgentClient;
use serde_json::Value;

use crate::harness::program;

pub(super) struct Traced {
    strace: Child,
    /// The agent ends when this is closed, also where the test panics.
    stdin: Option<ChildStdin>,
    /// `None` where it died before it could say.
    pub(super) url: Option<String>,
}

impl Traced {
    pub(super) fn start(folder: &Path, log: &Path, options: &[&str]) -> Self {
        Self::start_as("full", folder, log, options)
    }

    /// In another mode of durability.
    pub(super) fn start_as(durability: &str, folder: &Path, log: &Path, options: &[&str]) -> Self {
        let mut strace = Command::new("strace")
            .args(["-f", "-qq", "-o"])
            .arg(log)
            .args(options)
            .arg("--")
            .arg(program())
            .args(["serve", "--exit-on-stdin-close", "--log", "warn"])
            .args(["--durability", durability, "--data-dir"])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = strace.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let ready = serde_json::from_str::<Value>(&line).ok();
        Self {
            stdin: strace.stdin.take(),
            strace,
            url: ready.and_then(|ready| Some(ready["listening"].as_str()?.to_owned())),
        }
    }

    pub(super) fn client(&self, folder: &Path) -> Option<AgentClient> {
        let token = std::fs::read_to_string(folder.join("token")).ok()?;
        let secret = SecretText::new(token.trim().to_owned());
        Some(AgentClient::new(self.url.as_deref()?, secret).unwrap())
    }

    /// Ends the agent where it lives, and waits until all is written down. `strace` ends as the agent did.
    pub(super) fn end(mut self) -> ExitStatus {
        drop(self.stdin.take());
        self.strace.wait().unwrap()
    }
}
