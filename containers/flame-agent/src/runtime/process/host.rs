//! The agent's process runner: the one place of the agent that starts processes on this machine.
//!
//! A process gets a fresh folder, no environment but what its task names and `PATH`, and a process group
//! of its own, which is killed as a whole when the process has ended, its time is over, nobody waits
//! for it any more or the agent is gone.

use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flame_engine::{Error, StandardError};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

use super::group::Group;
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
    let folder = folder()?;
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
    command.args(&given.arguments);
    let (mut child, group) = start(command, &given.environment, folder.path())?;
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

fn failed(what: &str, error: &std::io::Error) -> Error {
    StandardError::Runtime.with("The process can't be run", format!("{what}: {error}"))
}

/// A fresh folder for a process, gone with this value.
fn folder() -> Result<TempDir, Error> {
    tempfile::Builder::new()
        .prefix("flame-process-")
        .tempdir()
        .map_err(|error| failed("its folder can't be made", &error))
}

/// Starts a process with nothing of the agent's own.
fn start(
    mut command: Command,
    environment: &[(String, String)],
    folder: &Path,
) -> Result<(Child, Group), Error> {
    command
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .current_dir(folder)
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
    let child = command
        .spawn()
        .map_err(|error| failed(&format!("{name:?} can't be started"), &error))?;
    let group = Group::of(&child);
    Ok((child, group))
}

/// A program that is talked to line by line while it runs. Dropping it ends it and all that it has started.
pub(super) struct Conversation {
    // First, so that it is dropped before the child that leads it is waited for.
    _group: Group,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    errors: Arc<Mutex<String>>,
    reading: JoinHandle<()>,
    line_bytes_max: usize,
    _folder: TempDir,
}

impl Conversation {
    pub(super) fn begin(
        command: &str,
        arguments: &[String],
        environment: &[(String, String)],
        line_bytes_max: usize,
    ) -> Result<Self, Error> {
        let folder = folder()?;
        let mut program = Command::new(command);
        program.args(arguments);
        let (mut child, group) = start(program, environment, folder.path())?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(StandardError::Runtime
                .with("The process can't be run", "its input and output have gone"));
        };
        let errors = Arc::new(Mutex::new(String::new()));
        let reading = tokio::spawn(keep_end(stderr, Arc::clone(&errors)));
        Ok(Self {
            child,
            stdin: Some(stdin),
            stdout: BufReader::new(stdout),
            errors,
            reading,
            line_bytes_max,
            _group: group,
            _folder: folder,
        })
    }

    /// Says a line. That nobody hears it shows in the next line that does not come.
    pub(super) async fn say(&mut self, line: &str) {
        if let Some(stdin) = &mut self.stdin {
            let said = stdin.write_all(format!("{line}\n").as_bytes()).await;
            let heard = match said {
                Ok(()) => stdin.flush().await,
                Err(error) => Err(error),
            };
            if heard.is_err() {
                self.stdin = None;
            }
        }
    }

    /// The next line, or `None` where there are no more.
    pub(super) async fn hear(&mut self) -> Result<Option<String>, Error> {
        let mut line = Vec::new();
        let limit = u64::try_from(self.line_bytes_max).unwrap_or(u64::MAX);
        let mut limited = (&mut self.stdout).take(limit.saturating_add(1));
        let read = limited.read_until(b'\n', &mut line).await;
        read.map_err(|error| failed("its output can't be read", &error))?;
        if line.len() > self.line_bytes_max {
            return Err(too_much_output(self.line_bytes_max));
        }
        Ok((!line.is_empty()).then(|| String::from_utf8_lossy(&line).into_owned()))
    }

    /// Closes its input and waits for its end, up to a while.
    pub(super) async fn end(&mut self) {
        self.stdin = None;
        // Whatever is left of it then is killed.
        let _ = tokio::time::timeout(GRACE, self.child.wait()).await;
    }

    /// The last that it wrote to its standard error; asked of a program that says no more.
    pub(super) async fn errors(&mut self) -> String {
        // A process that it has left behind may still hold the pipe.
        let _ = tokio::time::timeout(GRACE, &mut self.reading).await;
        let errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        errors.trim().to_owned()
    }
}

/// For a program that is to end by itself.
const GRACE: Duration = Duration::from_secs(2);
/// Of what a program writes to its standard error.
const ERRORS_BYTES_MAX: usize = 500;

async fn keep_end(mut stderr: ChildStderr, errors: Arc<Mutex<String>>) {
    let mut bytes = [0; 1024];
    while let Ok(count @ 1..) = stderr.read(&mut bytes).await {
        let mut errors = errors.lock().unwrap_or_else(PoisonError::into_inner);
        errors.push_str(&String::from_utf8_lossy(&bytes[..count]));
        let surplus = errors.len().saturating_sub(ERRORS_BYTES_MAX);
        let cut = errors.ceil_char_boundary(surplus);
        errors.drain(..cut);
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
