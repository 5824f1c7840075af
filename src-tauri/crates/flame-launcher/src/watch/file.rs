//! One file: whether it rests, whether somebody writes it, and what its content is called.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::SystemTime;

use sha2::{Digest, Sha256};

/// Bytes at either end of a file that its fingerprint covers.
const FINGERPRINT_BYTES: u64 = 4 * 1024;

/// What changes when the content does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) bytes: u64,
    pub(crate) modified: SystemTime,
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            bytes: metadata.len(),
            modified: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
        }
    }
}

/// `device-inode-fingerprint`. The fingerprint covers length, time of change, head and tail: a file
/// that is continued or overwritten is another content and is read from its start; a pipeline's key
/// makes the rows that were there before the same rows again.
pub(crate) fn identity(path: &Path) -> io::Result<(String, Stamp)> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    let stamp = Stamp::of(&metadata);
    let mut hash = Sha256::new();
    hash.update(stamp.bytes.to_le_bytes());
    let modified = stamp
        .modified
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    hash.update(modified.as_nanos().to_le_bytes());
    for start in [0, stamp.bytes.saturating_sub(FINGERPRINT_BYTES)] {
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(start))?;
        (&mut file)
            .take(FINGERPRINT_BYTES)
            .read_to_end(&mut bytes)?;
        hash.update(&bytes);
    }
    let digest = hash.finalize();
    let short: String = digest[..12]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let (device, inode) = place(&metadata);
    Ok((format!("{device:x}-{inode:x}-{short}"), stamp))
}

/// Whether the last byte ends a line. A file that stops inside a line is given more time.
pub(crate) fn ends_with_newline(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last[0] == b'\n')
}

#[cfg(unix)]
fn place(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

/// Whether a process of this user has the file open for writing: a slow copy that pauses.
#[cfg(target_os = "linux")]
pub(crate) fn has_writer(metadata: &Metadata) -> bool {
    let wanted = place(metadata);
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return false;
    };
    processes.flatten().any(|process| {
        let is_process = process
            .file_name()
            .to_str()
            .is_some_and(|name| name.bytes().all(|b| b.is_ascii_digit()));
        is_process && process_writes(&process.path(), wanted)
    })
}

/// Elsewhere the quiet time alone decides.
#[cfg(not(target_os = "linux"))]
pub(crate) fn has_writer(_metadata: &Metadata) -> bool {
    false
}

#[cfg(target_os = "linux")]
fn process_writes(process: &Path, wanted: (u64, u64)) -> bool {
    // Another user's process can't be looked into; the quiet time has to do for it.
    let Ok(handles) = std::fs::read_dir(process.join("fd")) else {
        return false;
    };
    handles.flatten().any(|handle| {
        std::fs::metadata(handle.path()).is_ok_and(|metadata| place(&metadata) == wanted)
            && is_writable(&process.join("fdinfo").join(handle.file_name()))
    })
}

/// Reads the access mode out of `flags`, an octal number whose two lowest bits are not 0 for writers.
#[cfg(target_os = "linux")]
fn is_writable(info: &Path) -> bool {
    let Ok(text) = std::fs::read_to_string(info) else {
        return false;
    };
    text.lines()
        .find_map(|line| line.strip_prefix("flags:"))
        .and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok())
        .is_some_and(|flags| flags & 3 != 0)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn an_identity_is_the_contents_and_the_same_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, "id\n1\n").unwrap();
        let first = identity(&path).unwrap();
        assert_eq!(identity(&path).unwrap(), first);
        let moved = folder.path().join("b.csv");
        std::fs::rename(&path, &moved).unwrap();
        assert_eq!(
            identity(&moved).unwrap(),
            first,
            "a rename is no new content"
        );
        std::fs::write(&moved, "id\n2\n").unwrap();
        assert_ne!(
            identity(&moved).unwrap().0,
            first.0,
            "same length, other content"
        );
    }

    #[test]
    fn a_writer_is_seen_until_it_closes() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"half").unwrap();
        let metadata = file.path().metadata().unwrap();
        assert!(has_writer(&metadata));
        let path = file.into_temp_path();
        assert!(!has_writer(&metadata), "closed");
        let reader = File::open(&path).unwrap();
        assert!(!has_writer(&metadata), "a reader is no writer");
        drop(reader);
    }

    #[test]
    fn a_file_that_stops_inside_a_line_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        for (text, whole) in [("", true), ("a\n", true), ("a", false), ("a\nb", false)] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(ends_with_newline(&path).unwrap(), whole, "{text:?}");
        }
    }
}
