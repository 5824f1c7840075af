//! One process of the agent: spawn, its one line on stdout, and its end.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use flame_errors::Code;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};

use super::error::Failure;
use super::record::Listening;

/// The agent says that it is ready well within this, also after a long recovery.
const READY_MAX: Duration = Duration::from_secs(60);
const LINE_BYTES_MAX: u64 = 16 * 1024;
const POLL: Duration = Duration::from_millis(25);

/// A running agent: our child, or one that an earlier start of the app left running.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) listening: Listening,
    child: Option<Child>,
    /// Closing it ends the agent, unless it was told to stay.
    stdin: Option<ChildStdin>,
}

impl Process {
    /// Starts the program and waits for its line.
    pub(crate) async fn spawn(
        program: &Path,
        arguments: &[String],
        log: File,
    ) -> Result<Self, Failure> {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log);
        // A Ctrl-C in the terminal is for the app, which then ends the agent in its own order.
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn().map_err(|error| {
            Failure::new(
                Code::AgentMissing,
                format!("{} can't be started: {error}", program.display()),
            )
        })?;
        let stdin = child.stdin.take();
        match tokio::time::timeout(READY_MAX, first_line(&mut child)).await {
            Ok(Ok(listening)) => Ok(Self {
                listening,
                child: Some(child),
                stdin,
            }),
            Ok(Err(failure)) => {
                let _ = child.kill().await;
                Err(failure)
            }
            Err(_) => {
                let _ = child.kill().await;
                let detail = format!("it was not ready after {} s", READY_MAX.as_secs());
                Err(Failure::new(Code::AgentDown, detail))
            }
        }
    }

    /// An agent that runs already and is not our child.
    pub(crate) const fn found(listening: Listening) -> Self {
        Self {
            listening,
            child: None,
            stdin: None,
        }
    }

    /// Tells the agent whether it outlives us. Does nothing for one that is not our child: it stays.
    pub(crate) async fn keep(&mut self, keep: bool) {
        if let Some(stdin) = &mut self.stdin {
            let word: &[u8] = if keep { b"keep\n" } else { b"follow\n" };
            if let Err(error) = stdin.write_all(word).await {
                tracing::warn!(%error, "the agent does not read its stdin");
            }
        }
    }

    /// Waits until the process has ended; says how.
    pub(crate) async fn ended(&mut self) -> String {
        match &mut self.child {
            Some(child) => match child.wait().await {
                Ok(status) => status.to_string(),
                Err(error) => format!("it can't be waited for: {error}"),
            },
            None => {
                while signal::exists(self.listening.pid) {
                    tokio::time::sleep(POLL * 10).await;
                }
                "it ended".to_owned()
            }
        }
    }

    /// Asks it to end, and ends it when it does not within `grace`.
    pub(crate) async fn stop(&mut self, grace: Duration) {
        signal::terminate(self.listening.pid);
        if tokio::time::timeout(grace, self.ended()).await.is_ok() {
            return;
        }
        tracing::warn!(
            pid = self.listening.pid,
            "the agent did not end in time and is killed"
        );
        signal::kill(self.listening.pid);
        if tokio::time::timeout(grace, self.ended()).await.is_err() {
            tracing::error!(pid = self.listening.pid, "the agent can't be killed");
        }
    }

    /// Lets it run on after us.
    pub(crate) async fn leave(mut self) {
        self.keep(true).await;
        if let Some(mut stdin) = self.stdin.take() {
            let _ = stdin.shutdown().await;
        }
    }
}

async fn first_line(child: &mut Child) -> Result<Listening, Failure> {
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        let mut reader = BufReader::new(stdout.take(LINE_BYTES_MAX));
        reader.read_line(&mut line).await.map_err(|error| {
            Failure::new(
                Code::AgentDown,
                format!("its first line can't be read: {error}"),
            )
        })?;
    }
    if line.trim().is_empty() {
        let status = child
            .wait()
            .await
            .map_or_else(|error| error.to_string(), |s| s.to_string());
        return Err(Failure::new(
            Code::AgentDown,
            format!("it ended before it was ready: {status}"),
        ));
    }
    serde_json::from_str(&line).map_err(|_| {
        let shown: String = line.trim().chars().take(200).collect();
        Failure::new(
            Code::AgentDown,
            format!("its first line is not what an agent says: {shown}"),
        )
    })
}

#[cfg(unix)]
mod signal {
    //! Signals to one process, by its number.

    use rustix::process::{Pid, Signal, kill_process, test_kill_process};

    fn pid(number: u32) -> Option<Pid> {
        Pid::from_raw(i32::try_from(number).ok()?)
    }

    pub(super) fn exists(number: u32) -> bool {
        pid(number).is_some_and(|pid| test_kill_process(pid).is_ok())
    }

    pub(super) fn terminate(number: u32) {
        send(number, Signal::TERM);
    }

    pub(super) fn kill(number: u32) {
        send(number, Signal::KILL);
    }

    fn send(number: u32, signal: Signal) {
        if let Some(pid) = pid(number)
            && let Err(error) = kill_process(pid, signal)
        {
            tracing::debug!(number, %error, "the signal found nobody");
        }
    }
}
