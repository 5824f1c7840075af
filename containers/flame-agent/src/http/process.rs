//! What the system says about this process and its disk.

use std::path::Path;

use flame_agent_api::MemoryStatus;

/// Memory of this process; zeros where the system does not say.
pub(super) fn memory() -> MemoryStatus {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    MemoryStatus {
        rss_bytes: kibibytes(&status, "VmRSS:") * 1024,
        rss_peak_bytes: kibibytes(&status, "VmHWM:") * 1024,
    }
}

fn kibibytes(status: &str, name: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

/// Free bytes of the file system that holds a folder; 0 where the system does not say.
pub(super) fn free_bytes(folder: &Path) -> u64 {
    rustix::fs::statvfs(folder).map_or(0, |system| system.f_bavail.saturating_mul(system.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::{free_bytes, kibibytes};

    #[test]
    fn numbers_come_out_of_the_status_file() {
        let status = "Name:\tx\nVmHWM:\t  123 kB\nVmRSS:\t 45 kB\n";
        assert_eq!(
            (kibibytes(status, "VmHWM:"), kibibytes(status, "VmRSS:")),
            (123, 45)
        );
        assert_eq!(kibibytes("", "VmRSS:"), 0);
    }

    #[test]
    fn a_folder_that_is_there_has_a_file_system() {
        let folder = tempfile::tempdir().unwrap();
        assert!(free_bytes(folder.path()) > 0);
        assert_eq!(free_bytes(&folder.path().join("none")), 0);
    }
}
