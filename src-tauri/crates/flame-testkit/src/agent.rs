//! The real agent as a child process in a folder of the test's.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A serving agent. Dropping it kills it; the data folder stays with the test.
#[derive(Debug)]
pub struct Agent {
    child: Child,
    /// Such as `http://127.0.0.1:41234`.
    pub url: String,
    pub token: String,
    data_dir: PathBuf,
    /// What it leaves there when it is killed goes with this value.
    _temporary: TempDir,
}

impl Agent {
    /// Starts `flame-agent serve` on a free port and waits until it is ready.
    ///
    /// What it logs goes to `agent.log` in the data folder.
    pub fn start(program: &Path, data_dir: &Path, arguments: &[&str]) -> Result<Self, String> {
        Self::start_with(program, data_dir, arguments, &[])
    }

    /// The same, with these variables beside those of the test.
    pub fn start_with(
        program: &Path,
        data_dir: &Path,
        arguments: &[&str],
        environment: &[(&str, OsString)],
    ) -> Result<Self, String> {
        std::fs::create_dir_all(data_dir).map_err(|error| error.to_string())?;
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(data_dir.join("agent.log"))
            .map_err(|error| error.to_string())?;
        let temporary = tempfile::tempdir().map_err(|error| error.to_string())?;
        let mut child = Command::new(program)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data_dir)
            .args(arguments)
            .env("TMPDIR", temporary.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("{} can't be started: {error}", program.display()))?;
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or("stdout is piped")?;
        BufReader::new(stdout)
            .read_line(&mut line)
            .map_err(|error| error.to_string())?;
        let url = serde_json::from_str::<Value>(&line)
            .ok()
            .and_then(|ready| Some(ready["listening"].as_str()?.to_owned()));
        let Some(url) = url else {
            let status = child.wait().map_err(|error| error.to_string())?;
            let log = std::fs::read_to_string(data_dir.join("agent.log")).unwrap_or_default();
            return Err(format!(
                "the agent ended with {status} instead of serving; it said:\n{log}"
            ));
        };
        let token = std::fs::read_to_string(data_dir.join("token"))
            .map_err(|error| format!("no token file: {error}"))?
            .trim()
            .to_owned();
        Ok(Self {
            child,
            url,
            token,
            data_dir: data_dir.to_owned(),
            _temporary: temporary,
        })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// What the agent logged so far, over all its lives in this folder.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.data_dir.join("agent.log")).unwrap_or_default()
    }

    /// `kill -9`, and waits for the end.
    pub fn kill(mut self) {
        self.end();
    }

    /// SIGTERM, without waiting for what it does.
    pub fn terminate(&self) -> std::io::Result<()> {
        let pid = i32::try_from(self.child.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        let pid = pid.ok_or(std::io::ErrorKind::InvalidData)?;
        Ok(rustix::process::kill_process(
            pid,
            rustix::process::Signal::TERM,
        )?)
    }

    /// SIGTERM, and gives how it ended.
    pub fn stop(mut self) -> std::io::Result<ExitStatus> {
        self.terminate()?;
        self.child.wait()
    }

    fn end(&mut self) {
        // Both fail only where the child has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.end();
    }
}
