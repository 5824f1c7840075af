//! What asks a command to end.

use std::future::Future;

/// Listens for SIGTERM and Ctrl-C from this call on, not only once somebody waits; the future gives the
/// name of the one that came.
#[cfg(unix)]
pub(super) fn listen() -> std::io::Result<impl Future<Output = &'static str> + Send> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "Ctrl-C",
        }
    })
}

#[cfg(windows)]
pub(super) fn listen() -> std::io::Result<impl Future<Output = &'static str> + Send> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        let _ = interrupt.recv().await;
        "Ctrl-C"
    })
}
