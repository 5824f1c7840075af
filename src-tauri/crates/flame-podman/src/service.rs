//! A Podman API service of our own, where none answers. It ends with the app, however the app ends.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::process::{Child, Command};

use crate::Error;

/// It was ready in 46 ms when measured; this is for a machine under load.
const READY_TIMEOUT: Duration = Duration::from_secs(10);

/// Seconds without a connection after which the service ends by itself.
const IDLE_SECONDS: u32 = 5;

/// A `podman system service` child. Dropping it ends the service; containers run on.
#[derive(Debug)]
pub struct OwnService {
    _child: Child,
    socket: PathBuf,
    /// The stream of events, asked for and never read: while it lasts the service is not idle. The
    /// kernel closes it when this process is killed.
    _held: UnixStream,
}

impl OwnService {
    /// Starts the service on a socket below the runtime folder that only this user can reach.
    pub async fn start(program: &Path, runtime_dir: Option<&Path>) -> Result<Self, Error> {
        let parent = runtime_dir.map_or_else(std::env::temp_dir, Path::to_path_buf);
        let folder = parent.join(format!("mastra-podman-{}", std::process::id()));
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(Error::io(format!("making the folder {}", folder.display())))?;
        let socket = folder.join("podman.sock");
        let mut child = Command::new(program)
            .args(["system", "service"])
            .arg(format!("--time={IDLE_SECONDS}"))
            .arg(format!("unix://{}", socket.display()))
            .env_remove("CONTAINER_HOST")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(Error::io(format!("starting {}", program.display())))?;
        let mut held = tokio::select! {
            held = until_reachable(&socket) => held?,
            ended = child.wait() => {
                let reason = ended.map_or_else(|e| e.to_string(), |status| status.to_string());
                return Err(Error::NotRunning { socket, reason: format!("its service ended: {reason}") });
            }
        };
        held.write_all(b"GET /v4.3.1/libpod/events?stream=true HTTP/1.1\r\nHost: podman\r\n\r\n")
            .await
            .map_err(Error::io(format!("speaking to {}", socket.display())))?;
        Ok(Self {
            _child: child,
            socket,
            _held: held,
        })
    }

    pub fn socket(&self) -> &Path {
        &self.socket
    }
}

impl Drop for OwnService {
    fn drop(&mut self) {
        if let Some(folder) = self.socket.parent() {
            // A folder that stays behind is empty and harmless.
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

/// A connection to whoever listens at the socket.
pub(crate) async fn reachable(socket: &Path) -> Result<UnixStream, Error> {
    match UnixStream::connect(socket).await {
        Ok(stream) => Ok(stream),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            Err(Error::Permission {
                socket: socket.to_owned(),
            })
        }
        Err(error) => Err(Error::NotRunning {
            socket: socket.to_owned(),
            reason: error.to_string(),
        }),
    }
}

async fn until_reachable(socket: &Path) -> Result<UnixStream, Error> {
    let wait = async {
        loop {
            match reachable(socket).await {
                Ok(stream) => return stream,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    tokio::time::timeout(READY_TIMEOUT, wait)
        .await
        .map_err(|_| Error::NotRunning {
            socket: socket.to_owned(),
            reason: format!(
                "its service was not ready after {} s",
                READY_TIMEOUT.as_secs()
            ),
        })
}
