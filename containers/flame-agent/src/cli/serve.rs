//! `serve`: the HTTP API until somebody asks it to end.

use std::future::Future;
use std::io::{BufRead, Read as _};
use std::path::Path;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::arguments::Serve;
use super::{Exit, signals, stopped, terminal};
use crate::http::{AllowLists, Listener, Server, ServerOptions, Token};
use crate::runtime::Handle;

/// In the data folder: the line of stdout, for `health`.
pub(super) const LISTENING_FILE: &str = "listening.json";
/// How long calls that are under way may go on.
const PATIENCE: Duration = Duration::from_secs(8);
/// A line on stdin is one word.
const LINE_BYTES_MAX: u64 = 256;

pub(super) async fn serve(arguments: Serve) -> Exit {
    match try_serve(&arguments).await {
        Ok(()) => Exit::Done,
        Err(detail) => {
            terminal::complain(&detail);
            Exit::Stopped
        }
    }
}

async fn try_serve(arguments: &Serve) -> Result<(), String> {
    let server_error = |error: crate::http::Error| format!("{}: {error}", error.code());
    // The address first: a taken port leaves the data folder alone.
    let listener = Listener::bind(arguments.listen)
        .await
        .map_err(server_error)?;
    let lists = AllowLists::new(
        listener.address(),
        &arguments.allow_host,
        &arguments.allow_origin,
    )
    .map_err(server_error)?;
    let given = arguments
        .token_file
        .as_deref()
        .map(Token::read)
        .transpose()
        .map_err(server_error)?;
    let runtime = Handle::open(arguments.options()).await.map_err(stopped)?;
    let token = match given {
        Some(token) => token,
        // Only now is the folder this process's alone.
        None => Token::make(&arguments.data_dir).map_err(server_error)?,
    };
    let server = Server::new(
        listener,
        ServerOptions {
            token,
            lists,
            runtime: runtime.clone(),
        },
    );
    // Before anybody is told where the agent is, so that its first signal finds an ear.
    let asked = asked_to_stop(arguments.exit_on_stdin_close)?;
    announce(&arguments.data_dir, &server);
    let (stop, stopping) = watch::channel(false);
    tokio::spawn(async move {
        let reason = asked.await;
        tracing::info!(reason, "The agent stops");
        // An error means that the server has ended by itself.
        let _ = stop.send(true);
    });
    let quiet = async {
        until(stopping).await;
        runtime.quiesce(PATIENCE).await;
    };
    // Refused for work first, closed to callers after.
    tokio::join!(server.serve(runtime.stopping()), quiet);
    runtime.drain(Duration::ZERO).await;
    // The address is nobody's from now on; a file that stays misleads no more than a dead process.
    let _ = std::fs::remove_file(arguments.data_dir.join(LISTENING_FILE));
    Ok(())
}

/// The line on stdout that says where the agent is, and the same in the data folder.
fn announce(data_folder: &Path, server: &Server) {
    let line = serde_json::to_string(&server.listening()).unwrap_or_default();
    let file = data_folder.join(LISTENING_FILE);
    if let Err(error) = std::fs::write(&file, &line) {
        tracing::warn!(file = %file.display(), %error, "The agent's address could not be written down");
    }
    terminal::print(&line);
}

async fn until(mut stopping: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is a reason to stop too.
    let _ = stopping.wait_for(|stop| *stop).await;
}

/// Listens from this call on; the future gives the reason.
fn asked_to_stop(watch_stdin: bool) -> Result<impl Future<Output = &'static str> + Send, String> {
    let signal =
        signals::listen().map_err(|error| format!("signals can't be listened for: {error}"))?;
    Ok(async move {
        tokio::select! {
            signal = signal => signal,
            () = stdin_closed(), if watch_stdin => "stdin was closed",
        }
    })
}

/// Waits for the end of stdin; for ever where `keep` was the last word: whoever started the agent wants
/// it to stay.
async fn stdin_closed() {
    let (ended, end) = oneshot::channel();
    // A read of stdin can't be stopped, so it has a thread that nobody waits for.
    let reader = std::thread::Builder::new()
        .name("stdin".to_owned())
        .spawn(move || {
            if !keeps(std::io::stdin().lock()) {
                // An error means that the agent stops already.
                let _ = ended.send(());
            }
        });
    if reader.is_err() || end.await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Reads to the end; whether `keep` was the last word.
fn keeps(mut from: impl BufRead) -> bool {
    let mut keep = false;
    loop {
        let mut line = String::new();
        match from.by_ref().take(LINE_BYTES_MAX).read_line(&mut line) {
            Ok(0) | Err(_) => return keep,
            Ok(_) => match line.trim() {
                "keep" => keep = true,
                "follow" => keep = false,
                word => tracing::warn!(word, "stdin takes `keep` or `follow`"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::keeps;

    #[test]
    fn the_last_word_on_stdin_counts() {
        for (text, expected) in [
            ("", false),
            ("keep\n", true),
            ("keep\nfollow\n", false),
            ("follow\nkeep", true),
            ("hello\nkeep\n\n", true),
        ] {
            assert_eq!(keeps(text.as_bytes()), expected, "{text:?}");
        }
    }
}
