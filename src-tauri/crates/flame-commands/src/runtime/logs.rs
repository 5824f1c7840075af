//! The agent's log, native or out of its container.

use std::sync::Arc;

use flame_ipc::{ErrorView, LogLine, RuntimeLogs, RuntimeMode, Whole};

use crate::app::App;
use crate::execute::Execute;
use crate::failure::OrView;

/// Lines that are read of a container's log.
const CONTAINER_LINES: u32 = 2_000;

impl Execute for RuntimeLogs {
    async fn execute(self, app: Arc<App>) -> Result<Vec<LogLine>, ErrorView> {
        let after = self.after.map_or(0, Whole::get);
        if app.runtime.mode() == RuntimeMode::Podman {
            let lines = app.runtime.container.logs(CONTAINER_LINES).await?;
            // A container's log has no numbers: they count from its oldest line that is read.
            return Ok(lines
                .into_iter()
                .zip(1_u64..)
                .filter(|(_, seq)| *seq > after)
                .map(|(line, seq)| view(flame_launcher::agent::LogLine::parse(seq, &line.text)))
                .collect());
        }
        let launcher = Arc::clone(&app.runtime.launcher);
        let lines = tokio::task::spawn_blocking(move || launcher.logs(after))
            .await
            .or_view()?;
        Ok(lines.into_iter().map(view).collect())
    }
}

fn view(line: flame_launcher::agent::LogLine) -> LogLine {
    LogLine {
        seq: Whole::new(line.seq),
        at: line.at.map(Into::into),
        level: line.level,
        message: line.message,
    }
}
