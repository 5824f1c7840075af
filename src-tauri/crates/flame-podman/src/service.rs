//! A Podman API service of our own, where none answers. It ends with the app.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::process::{Child, Command};

use crate::Error;

/// It was ready in 46 ms when measured; this is for a machine under load.
const READY_TIMEOUT: Duration = Duration::from_secs(10);

/// A `podman system service` child. Dropping it ends the service; containers run on.
#[derive(Debug)]
pub struct OwnService {
    _child: Child,
    socket: PathBuf,
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
            .args(["system", "service", "--time=0"])
            .arg(format!("unix://{}", socket.display()))
            .env_remove("CONTAINER_HOST")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(Error::io(format!("starting {}", program.display())))?;
        tokio::select! {
            ready = until_reachable(&socket) => ready?,
            ended = child.wait() => {
                let reason = ended.map_or_else(|e| e.to_string(), |status| status.to_string());
                return Err(Error::NotRunning { socket, reason: format!("its service ended: {reason}") });
            }
        }
        Ok(Self {
            _child: child,
            socket,
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

/// Whether somebody listens at the socket.
pub(crate) async fn reachable(socket: &Path) -> Result<(), Error> {
    match UnixStream::connect(socket).await {
        Ok(_) => Ok(()),
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

async fn until_reachable(socket: &Path) -> Result<(), Error> {
    let wait = async {
        while reachable(socket).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
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
