//! The agent's log, native or out of its container.

use std::sync::Arc;

use flame_ipc::{ErrorView, LogLine, RuntimeLogs, RuntimeMode, Whole};
use flame_podman::LogLine as LineOfContainer;
use flame_types::Timestamp;

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
            return Ok(numbered(lines)
                .filter(|(seq, _)| *seq > after)
                .map(|(seq, text)| view(flame_launcher::agent::LogLine::parse(seq, &text)))
                .collect());
        }
        let launcher = Arc::clone(&app.runtime.launcher);
        let lines = tokio::task::spawn_blocking(move || launcher.logs(after))
            .await
            .or_view()?;
        Ok(lines.into_iter().map(view).collect())
    }
}

/// Lines of one microsecond that have numbers of their own.
const AT_ONCE: u64 = 4;

/// A container's log has no numbers. The microsecond of a line makes one that stays however far back is
/// read; up to four lines of the same one follow each other in it.
fn numbered(lines: Vec<LineOfContainer>) -> impl Iterator<Item = (u64, String)> {
    let mut last = 0;
    lines.into_iter().map(move |line| {
        let micros = line.at.map_or(0, Timestamp::as_microsecond);
        last = (u64::try_from(micros).unwrap_or(0) * AT_ONCE).max(last + 1);
        (last, line.text)
    })
}

fn view(line: flame_launcher::agent::LogLine) -> LogLine {
    LogLine {
        seq: Whole::new(line.seq),
        at: line.at.map(Into::into),
        level: line.level,
        message: line.message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_keeps_its_number_however_many_are_read_before_it() {
        let line = |micros: i64| LineOfContainer {
            error_stream: true,
            at: Some(Timestamp::from_microsecond(micros).unwrap()),
            text: format!("at {micros}"),
        };
        let all = [5, 7, 7, 8, 20].map(line);
        let numbers = |lines: &[LineOfContainer]| -> Vec<u64> {
            numbered(lines.to_vec()).map(|(seq, _)| seq).collect()
        };
        assert_eq!(numbers(&all), [20, 28, 29, 32, 80]);
        for begin in 1..all.len() {
            let seen = numbers(&all[..begin]);
            let after = *seen.last().unwrap();
            // However far back is read, as long as the last known line is still there.
            for tail in 0..begin {
                let new: Vec<u64> = numbers(&all[tail..])
                    .into_iter()
                    .filter(|number| *number > after)
                    .collect();
                assert_eq!(new, numbers(&all)[begin..], "{begin} {tail}");
            }
        }
    }
}
