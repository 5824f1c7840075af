//! The agent's log: a file that it writes itself, read on demand into a ring of lines.
//!
//! The agent keeps writing when the app is gone, so its stderr is the file and not a pipe.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flame_types::{Timestamp, json};

/// Lines that are kept in memory.
const LINES_MAX: usize = 2_000;
/// Above this the file is rotated; one older file is kept.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// A longer line is cut.
const LINE_BYTES_MAX: usize = 4 * 1024;
/// At most this much is read when the app finds a log.
const BACKLOG_BYTES_MAX: u64 = 256 * 1024;

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Grows by one a line, from 1 when the app starts.
    pub seq: u64,
    pub at: Option<Timestamp>,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
    pub message: String,
}

impl LogLine {
    /// Reads a line as the agent writes it, JSON or text; anything else is a message.
    pub fn parse(seq: u64, line: &str) -> Self {
        parse(seq, line)
    }
}

#[derive(Debug)]
pub(crate) struct LogBook {
    path: PathBuf,
    /// Where the next read starts.
    offset: u64,
    /// A line whose end was not written yet.
    partial: Vec<u8>,
    lines: VecDeque<LogLine>,
    seq: u64,
}

impl LogBook {
    pub(crate) fn new(path: PathBuf) -> Self {
        let bytes = path.metadata().map_or(0, |file| file.len());
        let offset = bytes.saturating_sub(BACKLOG_BYTES_MAX);
        Self {
            path,
            offset,
            partial: Vec::new(),
            lines: VecDeque::new(),
            seq: 0,
        }
    }

    /// The file for the agent's stderr, rotated first when it is large.
    pub(crate) fn open_for_agent(&mut self) -> io::Result<File> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        self.rotate_when_large()?;
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.path)
    }

    /// Copies a large file aside and empties it; the agent goes on appending to the same file.
    pub(crate) fn rotate_when_large(&mut self) -> io::Result<()> {
        match self.path.metadata() {
            Ok(file) if file.len() > FILE_BYTES_MAX => {}
            _ => return Ok(()),
        }
        self.read_new();
        std::fs::copy(&self.path, self.path.with_extension("log.1"))?;
        OpenOptions::new()
            .write(true)
            .open(&self.path)?
            .set_len(0)?;
        self.offset = 0;
        Ok(())
    }

    /// Lines after that number, oldest first.
    pub(crate) fn after(&mut self, seq: u64) -> Vec<LogLine> {
        self.read_new();
        self.lines
            .iter()
            .filter(|line| line.seq > seq)
            .cloned()
            .collect()
    }

    /// The newest line that is not empty.
    pub(crate) fn last_message(&mut self) -> Option<String> {
        self.read_new();
        self.lines.back().map(|line| line.message.clone())
    }

    fn read_new(&mut self) {
        match read_from(&self.path, self.offset) {
            Ok(bytes) => {
                self.offset += bytes.len() as u64;
                self.take(&bytes);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "the agent's log can't be read");
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte != b'\n' {
                if self.partial.len() < LINE_BYTES_MAX {
                    self.partial.push(byte);
                }
                continue;
            }
            let text = String::from_utf8_lossy(&self.partial).trim_end().to_owned();
            self.partial.clear();
            if text.is_empty() {
                continue;
            }
            self.seq += 1;
            self.lines.push_back(parse(self.seq, &text));
            if self.lines.len() > LINES_MAX {
                self.lines.pop_front();
            }
        }
    }
}

fn read_from(path: &Path, offset: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(offset))?;
    file.take(FILE_BYTES_MAX * 2).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Understands JSON lines and `MOMENT LEVEL text`; anything else is a message.
fn parse(seq: u64, line: &str) -> LogLine {
    parse_json(seq, line)
        .or_else(|| parse_text(seq, line))
        .unwrap_or_else(|| LogLine {
            seq,
            at: None,
            level: "info".to_owned(),
            message: line.to_owned(),
        })
}

fn parse_json(seq: u64, line: &str) -> Option<LogLine> {
    let value: serde_json::Value = json::from_str(line).ok()?;
    let message = value
        .pointer("/fields/message")
        .or_else(|| value.get("message"))?
        .as_str()?;
    Some(LogLine {
        seq,
        at: value
            .get("timestamp")
            .and_then(|at| at.as_str())
            .and_then(|at| at.parse().ok()),
        level: value
            .get("level")
            .and_then(|level| level.as_str())
            .unwrap_or("info")
            .to_lowercase(),
        message: message.to_owned(),
    })
}

fn parse_text(seq: u64, line: &str) -> Option<LogLine> {
    let (moment, rest) = line.split_once(char::is_whitespace)?;
    let at: Timestamp = moment.parse().ok()?;
    let (level, message) = rest.trim_start().split_once(char::is_whitespace)?;
    let level = level.to_lowercase();
    ["error", "warn", "info", "debug", "trace"]
        .contains(&level.as_str())
        .then(|| LogLine {
            seq,
            at: Some(at),
            level,
            message: message.trim().to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn book(folder: &Path) -> LogBook {
        LogBook::new(folder.join("logs/agent.log"))
    }

    #[test]
    fn lines_are_understood_in_both_forms_and_otherwise_kept() {
        let json = parse(
            1,
            r#"{"timestamp":"2026-01-02T03:04:05Z","level":"WARN","fields":{"message":"disk"}}"#,
        );
        assert_eq!(
            (json.level.as_str(), json.message.as_str()),
            ("warn", "disk")
        );
        let text = parse(2, "2026-01-02T03:04:05.123456Z  INFO flame_agent: ready");
        assert_eq!(
            (text.level.as_str(), text.message.as_str()),
            ("info", "flame_agent: ready")
        );
        assert!(json.at.is_some() && text.at.is_some());
        assert_eq!(parse(3, "{broken").message, "{broken");
    }

    #[test]
    fn a_line_without_its_end_waits_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut book = book(folder.path());
        let mut file = book.open_for_agent().unwrap();
        file.write_all(b"one\ntw").unwrap();
        assert_eq!(book.after(0).len(), 1);
        file.write_all(b"o\n").unwrap();
        let new = book.after(1);
        assert_eq!(
            (new.len(), new[0].message.as_str(), new[0].seq),
            (1, "two", 2)
        );
    }

    #[test]
    fn the_ring_and_the_file_stay_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let mut book = book(folder.path());
        let mut file = book.open_for_agent().unwrap();
        let line = format!("{}\n", "x".repeat(10_000));
        for _ in 0..1_000 {
            file.write_all(line.as_bytes()).unwrap();
        }
        book.rotate_when_large().unwrap();
        assert_eq!(book.path.metadata().unwrap().len(), 0);
        file.write_all(b"after\n").unwrap();
        let lines = book.after(0);
        assert_eq!(lines.last().unwrap().message, "after");
        assert!(
            lines
                .iter()
                .all(|line| line.message.len() <= LINE_BYTES_MAX)
        );
        for number in 0..LINES_MAX + 10 {
            writeln!(file, "{number}").unwrap();
        }
        assert_eq!(book.after(0).len(), LINES_MAX);
    }
}
