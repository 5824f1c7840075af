//! A real agent in a folder of its own, and what the figures stand beside.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use serde_json::Value;
use tempfile::TempDir;

use crate::load::Connection;

pub struct Agent {
    child: Child,
    pub folder: TempDir,
    pub address: SocketAddr,
    pub token: String,
    /// From the start of the process to its line on stdout.
    pub ready_after: Duration,
}

impl Agent {
    pub fn start(program: &Path, durability: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let begin = Instant::now();
        let mut child = Command::new(program)
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--durability",
                durability,
                "--data-dir",
            ])
            .arg(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{} can't be started", program.display()))?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("stdout is piped")?).read_line(&mut line)?;
        let ready_after = begin.elapsed();
        let ready: Value = serde_json::from_str(&line)
            .with_context(|| format!("the agent said {line:?} instead of where it listens"))?;
        let url = ready["listening"]
            .as_str()
            .context("no address in the agent's line")?;
        let address = url.trim_start_matches("http://").parse()?;
        let token = std::fs::read_to_string(folder.path().join("token"))?
            .trim()
            .to_owned();
        Ok(Self {
            child,
            folder,
            address,
            token,
            ready_after,
        })
    }

    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    /// Puts a YAML document where `path` says.
    pub async fn put(&self, path: &str, document: String) -> Result<()> {
        let bearer = self.bearer();
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/yaml"),
        ];
        Connection::open(self.address)
            .await?
            .send("PUT", path, &headers, document.into())
            .await?;
        Ok(())
    }

    /// Puts a JSON body where `path` says.
    pub async fn put_json(&self, path: &str, body: &Value) -> Result<()> {
        let bearer = self.bearer();
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        let body = Bytes::from(serde_json::to_vec(body)?);
        Connection::open(self.address)
            .await?
            .send("PUT", path, &headers, body)
            .await?;
        Ok(())
    }

    /// Resident and peak memory in KiB.
    pub fn memory(&self) -> Result<(u64, u64)> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let field = |name: &str| {
            status
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
                .with_context(|| format!("no {name} in the process status"))
        };
        Ok((field("VmRSS:")?, field("VmHWM:")?))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // The folder goes with it, so there is nothing to drain; both calls fail only on a dead child.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Cores and memory, for the head of the table.
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total_kib: u64 = memory
        .lines()
        .find_map(|line| {
            line.strip_prefix("MemTotal:")?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
        .unwrap_or(0);
    format!(
        "{cores} cores, {} GiB, {}",
        total_kib / (1024 * 1024),
        std::env::consts::OS
    )
}

/// The commit that was built, with a mark where the tree differs from it.
pub fn commit() -> String {
    let git = |arguments: &[&str]| {
        Command::new("git")
            .args(arguments)
            .output()
            .ok()
            .map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned())
    };
    let commit = git(&["rev-parse", "--short", "HEAD"]).unwrap_or_default();
    let dirty = git(&["status", "--porcelain"]).is_some_and(|text| !text.is_empty());
    if dirty {
        format!("{commit} with changes")
    } else {
        commit
    }
}
