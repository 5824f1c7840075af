//! The only writer to stdout and stderr.

use std::io::{ErrorKind, IsTerminal as _, Write as _};

use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

/// A word on stdout.
pub(super) fn print(text: &str) {
    // A word that nobody can read changes nothing about the work.
    let _ = deliver(text);
}

/// A result, on stdout. Whoever reads may have gone (`| head`) and the work is done all the same; a disk
/// that takes no more has lost it.
pub(super) fn deliver(text: &str) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(format!("stdout can't be written: {error}"))
        }
        _ => Ok(()),
    }
}

/// A word to the person, on stderr.
pub(super) fn say(text: &str) {
    // As above.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// What went wrong, on stderr.
pub(super) fn complain(text: &str) {
    say(&format!("error: {text}"));
}

/// Logs go to stderr, so that stdout holds results alone. Who serves others does not wait for whoever reads the log: lines
/// that find no room are left out. What is given back writes the last lines when it is dropped.
pub(super) fn start_log(filter: &str, is_serving: bool) -> Result<Option<WorkerGuard>, String> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| format!("{filter:?} is not a log filter: {error}; try --log info"))?;
    let (writer, guard) = if is_serving {
        let (writer, guard) = tracing_appender::non_blocking(std::io::stderr());
        (BoxMakeWriter::new(writer), Some(guard))
    } else {
        (BoxMakeWriter::new(std::io::stderr), None)
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(std::io::stderr().is_terminal() && colours_wanted())
        .try_init()
        .map_err(|error| format!("the log can't be started: {error}"))?;
    Ok(guard)
}

/// <https://no-color.org>: any text in this variable says no.
fn colours_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|text| text.is_empty())
}
