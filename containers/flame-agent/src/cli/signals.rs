//! What asks a command to end.

/// Waits for SIGTERM or Ctrl-C; gives its name.
#[cfg(unix)]
pub(super) async fn stop() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return interrupted().await;
    };
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        name = interrupted() => name,
    }
}

#[cfg(not(unix))]
pub(super) async fn stop() -> &'static str {
    interrupted().await
}

async fn interrupted() -> &'static str {
    if tokio::signal::ctrl_c().await.is_err() {
        // Without a handler the system's own ends the process.
        std::future::pending::<()>().await;
    }
    "Ctrl-C"
}
