//! A consistent copy of a stopped agent's database, made by the agent's own program.

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
    let failed = |detail: String| {
        Failure::new(
            Code::StorageFailed,
            format!("the backup was not made: {detail}"),
        )
    };
    let output = Command::new(program)
        .arg("backup")
        .arg("--data-dir")
        .arg(data_dir)
        .arg(file)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(TIME_MAX, output)
        .await
        .map_err(|_| failed(format!("it took longer than {} s", TIME_MAX.as_secs())))?
        .map_err(|error| {
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
