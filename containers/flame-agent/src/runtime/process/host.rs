//! The agent's process runner: the one place of the agent that starts processes on this machine.
//!
//! A process gets a fresh folder, no environment but what its task names and `PATH`, and a process group
//! of its own, which is killed as a whole when the process has ended, its time is over or nobody waits
//! for it any more.

use std::process::Stdio;
use std::time::Duration;

use flame_engine::{Error, StandardError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use super::{Ended, Given, timed_out, too_much_output};

/// What to start.
#[derive(Debug)]
pub(super) enum Program<'p> {
    Shell(&'p str),
    Python(&'p str),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) time: Duration,
    /// Of standard output and standard error, each.
    pub(super) output_bytes: usize,
}

/// Runs a program to its end.
pub(super) async fn run(
    program: &Program<'_>,
    given: &Given,
    limits: Limits,
) -> Result<Ended, Error> {
    let failed = |what: &str, error: &std::io::Error| {
        StandardError::Runtime.with("The process can't be run", format!("{what}: {error}"))
    };
    let folder = tempfile::Builder::new()
        .prefix("flame-process-")
        .tempdir()
        .map_err(|error| failed("its folder can't be made", &error))?;
    let mut command = match program {
        Program::Shell(text) => {
            let mut command = Command::new("sh");
            command.args(["-c", text, "sh"]);
            command
        }
        Program::Python(code) => {
            let script = folder.path().join("script.py");
            tokio::fs::write(&script, code)
                .await
                .map_err(|error| failed("its script can't be written", &error))?;
            let mut command = Command::new("python3");
            command.arg(script);
            command
        }
    };
    command
        .args(&given.arguments)
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .envs(given.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    let name = command
        .as_std()
        .get_program()
        .to_string_lossy()
        .into_owned();
    let mut child = command
        .spawn()
        .map_err(|error| failed(&format!("{name:?} can't be started"), &error))?;
    let group = Group::of(&child);
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let text = given.stdin.clone().unwrap_or_default();
    let feed = async {
        if let Some(mut stdin) = stdin {
            // A process may end without reading all of it.
            let _ = stdin.write_all(text.as_bytes()).await;
        }
    };
    let wait = async {
        let status = child.wait().await;
        // Whatever it left running would keep its output open.
        drop(group);
        status
    };
    let whole = async {
        let reads = async {
            tokio::try_join!(
                read(stdout, limits.output_bytes),
                read(stderr, limits.output_bytes)
            )
        };
        let end = async { tokio::join!(feed, wait).1 };
        tokio::pin!(reads, end);
        // Too much output ends the process; its end does not cut off its output.
        let ((stdout, stderr), status) = tokio::select! {
            output = &mut reads => (output?, end.await),
            status = &mut end => (reads.await?, status),
        };
        let status = status.map_err(|error| failed("its end can't be waited for", &error))?;
        Ok(Ended {
            code: code(status),
            stdout,
            stderr,
        })
    };
    match tokio::time::timeout(limits.time, whole).await {
        Ok(outcome) => outcome,
        Err(_) => Err(timed_out("the process", limits.time)),
    }
}

/// Its exit code, or as a shell says it 128 and the signal that ended it.
fn code(status: std::process::ExitStatus) -> i64 {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt as _;
        if let Some(signal) = status.signal() {
            return i64::from(128 + signal);
        }
    }
    status.code().map_or(-1, i64::from)
}

async fn read(from: Option<impl AsyncRead + Unpin>, bytes_max: usize) -> Result<String, Error> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX);
        let mut from = from.take(limit.saturating_add(1));
        from.read_to_end(&mut bytes).await.map_err(|error| {
            StandardError::Runtime.with("The process's output can't be read", error.to_string())
        })?;
    }
    if bytes.len() > bytes_max {
        return Err(too_much_output(bytes_max));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The processes that a task has started, killed when this is dropped.
struct Group {
    #[cfg(unix)]
    leader: Option<rustix::process::Pid>,
}

impl Group {
    #[cfg(unix)]
    fn of(child: &tokio::process::Child) -> Self {
        let pid = child.id().and_then(|id| i32::try_from(id).ok());
        Self {
            leader: pid.and_then(rustix::process::Pid::from_raw),
        }
    }

    /// There are no process groups: the process itself ends when its handle is dropped.
    #[cfg(not(unix))]
    fn of(_child: &tokio::process::Child) -> Self {
        Self {}
    }
}

#[cfg(unix)]
impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.leader {
            // An error means that all of them have ended.
            let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
        }
    }
}
