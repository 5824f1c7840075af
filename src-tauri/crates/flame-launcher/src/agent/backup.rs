//! Copies of a stopped agent's database, made and put back by the agent's own program.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use flame_errors::Code;
use tokio::process::Command;

use super::error::Failure;

/// A copy of many gigabytes takes minutes, not an hour.
const TIME_MAX: Duration = Duration::from_secs(1_800);

/// Writes a copy of the database in `data_dir` to `file`, which must not exist. No agent may use the
/// folder meanwhile.
pub async fn backup(program: &Path, data_dir: &Path, file: &Path) -> Result<(), Failure> {
    let mut command = Command::new(program);
    command.arg("backup").arg("--data-dir").arg(data_dir);
    run(command.arg(file), "the backup was not made").await
}

/// Puts the last backup in the place of the database in `data_dir`; what was there is kept beside it.
/// No agent may use the folder meanwhile.
pub async fn restore(program: &Path, data_dir: &Path) -> Result<(), Failure> {
    let mut command = Command::new(program);
    command.arg("restore").arg("--data-dir").arg(data_dir);
    run(&mut command, "the backup was not put in place").await
}

async fn run(command: &mut Command, undone: &str) -> Result<(), Failure> {
    let failed = |detail: String| Failure::new(Code::StorageFailed, format!("{undone}: {detail}"));
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(TIME_MAX, output)
        .await
        .map_err(|_| failed(format!("it took longer than {} s", TIME_MAX.as_secs())))?
        .map_err(|error| {
            let program = Path::new(command.as_std().get_program());
            let detail = format!("{} can't be started: {error}", program.display());
            Failure::new(Code::AgentMissing, detail)
        })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(failed(
        said.trim()
            .lines()
            .last()
            .unwrap_or("it said nothing")
            .to_owned(),
    ))
}
