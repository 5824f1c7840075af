//! What the agent's process uses, and the task that follows its state.

use std::time::Instant;

use flame_podman::Stats;
use tokio::task::JoinHandle;

/// Ticks of the kernel's CPU clock as `/proc` shows them; the same on every Linux.
#[cfg(target_os = "linux")]
const TICKS_PER_SECOND: f64 = 100.0;

#[derive(Debug, Default)]
pub(super) struct Usage {
    pub(super) cpu_percent: Option<f64>,
    pub(super) memory_bytes: Option<u64>,
    /// The most that it could take: the container's limit, else what this machine has.
    pub(super) memory_limit_bytes: Option<u64>,
    last: Option<(u32, Instant, f64)>,
    follower: Option<JoinHandle<()>>,
}

impl Usage {
    /// One follower at a time.
    pub(super) fn follow(&mut self, follower: JoinHandle<()>) {
        self.end();
        self.follower = Some(follower);
    }

    pub(super) fn end(&mut self) {
        if let Some(before) = self.follower.take() {
            before.abort();
        }
    }

    /// Reads the process; the share of CPU is of the time since the last call.
    pub(super) fn measure(&mut self, pid: Option<u32>) {
        let now = Instant::now();
        let used = pid.and_then(|pid| Some((pid, cpu_seconds(pid)?)));
        self.cpu_percent = match (used, self.last) {
            (Some((pid, seconds)), Some((known, since, before))) if pid == known => {
                let span = now.duration_since(since).as_secs_f64();
                (span > 0.0).then(|| ((seconds - before) / span * 100.0).max(0.0).round())
            }
            _ => None,
        };
        self.last = used.map(|(pid, seconds)| (pid, now, seconds));
        self.memory_bytes = pid.and_then(memory_bytes);
        self.memory_limit_bytes = machine_memory_bytes();
    }

    /// What Podman measured.
    pub(super) fn take(&mut self, stats: Option<Stats>) {
        self.cpu_percent = stats.map(|stats| stats.cpu_percent.round());
        self.memory_bytes = stats.map(|stats| stats.memory_bytes);
        self.memory_limit_bytes = stats.and_then(|stats| stats.memory_limit_bytes);
        self.last = None;
    }
}

#[cfg(target_os = "linux")]
fn cpu_seconds(pid: u32) -> Option<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, spaces too.
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
}

#[cfg(target_os = "linux")]
fn memory_bytes(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    kib(text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?)
}

#[cfg(target_os = "linux")]
fn machine_memory_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    kib(text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?)
}

/// Bytes of what the kernel writes as "812 kB".
#[cfg(target_os = "linux")]
fn kib(text: &str) -> Option<u64> {
    let kib: u64 = text.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(not(target_os = "linux"))]
fn cpu_seconds(_pid: u32) -> Option<f64> {
    None
}

#[cfg(not(target_os = "linux"))]
fn memory_bytes(_pid: u32) -> Option<u64> {
    None
}

#[cfg(not(target_os = "linux"))]
fn machine_memory_bytes() -> Option<u64> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_there_is_measured_and_another_is_not() {
        let mut usage = Usage::default();
        usage.measure(Some(std::process::id()));
        assert!(usage.memory_bytes.is_some_and(|bytes| bytes > 0));
        assert!(usage.memory_bytes < usage.memory_limit_bytes);
        assert_eq!(usage.cpu_percent, None, "a share needs two looks");
        usage.measure(Some(std::process::id()));
        assert!(usage.cpu_percent.is_some());
        usage.measure(None);
        assert_eq!((usage.memory_bytes, usage.cpu_percent), (None, None));
    }
}
