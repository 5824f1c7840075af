//! A server under load: where it listens and which processes it is, and what the figures stand beside.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

/// What is measured, ours or a peer's.
#[derive(Debug, Clone)]
pub struct Server {
    pub address: SocketAddr,
    /// All that do its work.
    pub processes: Vec<u32>,
}

/// The kernel counts a process's time in hundredths of a second, whatever its own clock does.
const TICK: Duration = Duration::from_millis(10);

impl Server {
    /// Resident and peak memory in KiB, of all its processes.
    pub fn memory(&self) -> Result<(u64, u64)> {
        let mut sum = (0, 0);
        for process in &self.processes {
            let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
            let field = |name: &str| {
                status
                    .lines()
                    .find_map(|line| line.strip_prefix(name))
                    .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
                    .with_context(|| format!("no {name} in the process status"))
            };
            sum = (sum.0 + field("VmRSS:")?, sum.1 + field("VmHWM:")?);
        }
        Ok(sum)
    }

    /// Processor time so far, of all threads.
    pub fn processor(&self) -> Result<Duration> {
        let mut sum = Duration::ZERO;
        for process in &self.processes {
            let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
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
            sum += TICK * (next()? + next()?);
        }
        Ok(sum)
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
