//! A real agent in a folder of its own, and what the figures stand beside.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use serde_json::Value;
use tempfile::TempDir;

use crate::load::Connection;

/// A serving agent; dropping it ends it and removes its folder.
pub struct Agent {
    process: flame_testkit::Agent,
    pub address: SocketAddr,
    /// From the start of the process to its line on stdout.
    pub ready_after: Duration,
    /// After the process, so that it goes when nobody writes into it any more.
    _folder: TempDir,
}

impl Agent {
    pub fn start(program: &Path, durability: &str) -> Result<Self> {
        let folder = TempDir::with_prefix("mastra-bench-")?;
        let begin = Instant::now();
        let arguments = ["--durability", durability];
        let process = flame_testkit::Agent::start(program, folder.path(), &arguments)
            .map_err(anyhow::Error::msg)?;
        let ready_after = begin.elapsed();
        let address = process.url.trim_start_matches("http://").parse()?;
        Ok(Self {
            process,
            address,
            ready_after,
            _folder: folder,
        })
    }

    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.process.token)
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
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.pid()))?;
        let field = |name: &str| {
            status
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
                .with_context(|| format!("no {name} in the process status"))
        };
        Ok((field("VmRSS:")?, field("VmHWM:")?))
    }

    /// Processor time so far, of all its threads.
    pub fn processor(&self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.pid()))?;
        // The program's name stands in brackets and may hold spaces; user and system time are the
        // 12th and 13th fields behind it.
        let (_, fields) = stat
            .rsplit_once(')')
            .context("no name in the process's stat")?;
        let mut times = fields.split_whitespace().skip(11);
        let mut next = || -> Result<u32> {
            Ok(times
                .next()
                .context("too few fields in the process's stat")?
                .parse()?)
        };
        Ok(TICK * (next()? + next()?))
    }
}

/// The kernel counts a process's time in hundredths of a second, whatever its own clock does.
const TICK: Duration = Duration::from_millis(10);

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
        let out = Command::new("git").args(arguments).output().ok()?;
        let text = String::from_utf8_lossy(&out.stdout).trim().to_owned();
        out.status.success().then_some(text)
    };
    let Some(commit) = git(&["rev-parse", "--short", "HEAD"]) else {
        return "unknown".to_owned();
    };
    let dirty = git(&["status", "--porcelain"]).is_some_and(|text| !text.is_empty());
    if dirty {
        format!("{commit} with changes")
    } else {
        commit
    }
}
