//! Others that do a part of the same, started beside ours under the same load.
//!
//! Their programs lie in a folder that `cargo xtask bench engine --peers` fills; each keeps what it
//! keeps in its default configuration, in a folder that goes with it.

mod node_red;
mod restate;

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use tempfile::TempDir;

use crate::load::Connection;
use crate::server::Server;

/// A peer is given as long to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the peers' programs are.
#[derive(Debug)]
pub struct Peers {
    folder: PathBuf,
}

/// A peer at work; dropping it ends it and removes what it kept.
pub struct Peer {
    pub server: Server,
    _processes: Vec<Process>,
    _folder: TempDir,
}

/// A process that ends when it is dropped.
struct Process(Child);

impl Peers {
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// A plain axum server that does the same transform and keeps nothing: what HTTP itself allows here.
    pub async fn ceiling(&self) -> Result<Peer> {
        let folder = TempDir::with_prefix("mastra-peer-")?;
        let address = free_address()?;
        let process = start(
            Command::new(self.program("ceiling")).arg(address.to_string()),
            folder.path(),
        )?;
        until_open(address).await?;
        Ok(Peer {
            server: Server {
                address,
                processes: vec![process.0.id()],
            },
            _processes: vec![process],
            _folder: folder,
        })
    }

    /// A program of ours that plays a part for a peer.
    fn program(&self, name: &str) -> PathBuf {
        self.folder.join("release").join(name)
    }

    fn package(&self, path: &str) -> PathBuf {
        self.folder.join("node_modules").join(path)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(command: &mut Command, folder: &Path) -> Result<Process> {
    let log = std::fs::File::create(folder.join("log"))?;
    let child = command
        .current_dir(folder)
        // Restate leaves a folder for each of its partitions there.
        .env("TMPDIR", folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .with_context(|| format!("{} can't be started", command.get_program().display()))?;
    Ok(Process(child))
}

/// Free when asked; nobody else takes ports while a bench runs.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

async fn until_open(address: SocketAddr) -> Result<()> {
    let begin = Instant::now();
    while Connection::open(address).await.is_err() {
        if begin.elapsed() > PATIENCE {
            bail!("nothing listens on {address} after {PATIENCE:?}");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Sends a request until it succeeds: a peer that listens need not be ready.
async fn until_done(address: SocketAddr, method: &str, path: &str, body: &Bytes) -> Result<()> {
    let begin = Instant::now();
    let headers = [("content-type", "application/json")];
    loop {
        let sent = async {
            Connection::open(address)
                .await?
                .send(method, path, &headers, body.clone())
                .await
        };
        match sent.await {
            Ok(_) => return Ok(()),
            Err(error) if begin.elapsed() > PATIENCE => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}
