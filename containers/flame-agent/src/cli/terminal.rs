//! The only writer to stdout and stderr.

use std::io::{IsTerminal as _, Write as _};

use tracing_subscriber::EnvFilter;

/// A result, on stdout.
pub(super) fn print(text: &str) {
    // Whoever reads may have gone (`| head`); the work is done all the same.
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
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

/// Logs go to stderr, so that stdout holds results alone.
pub(super) fn start_log(filter: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| format!("{filter:?} is not a log filter: {error}; try --log info"))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init()
        .map_err(|error| format!("the log can't be started: {error}"))
}
