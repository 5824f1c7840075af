//! What asks a command to end.

use std::future::Future;

/// Listens for SIGTERM, Ctrl-C and the end of the terminal from this call on, not only once somebody waits;
/// the future gives the name of the one that came.
#[cfg(unix)]
pub(super) fn listen() -> std::io::Result<impl Future<Output = &'static str> + Send> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // Whoever started it with nohup wants it to outlive the terminal.
    let mut hangup = match is_hangup_ignored() {
        true => None,
        false => Some(signal(SignalKind::hangup())?),
    };
    Ok(async move {
        let hung_up = async {
            match &mut hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = hung_up => "SIGHUP",
            _ = interrupt.recv() => "Ctrl-C",
        }
    })
}

/// As it was when the process began, where the system says so (Linux).
#[cfg(unix)]
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // The first bit is the first signal, which SIGHUP is.
    ignored.is_some_and(|mask| mask & 1 == 1)
}

#[cfg(windows)]
pub(super) fn listen() -> std::io::Result<impl Future<Output = &'static str> + Send> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        let _ = interrupt.recv().await;
        "Ctrl-C"
    })
}
