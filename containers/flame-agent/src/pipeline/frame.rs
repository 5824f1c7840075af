//! Cuts a stream of bytes into records, and knows the byte and line at which each ends.
//!
//! What comes out depends on the bytes alone, never on how they were cut into pieces. The fields
//! within a record are `csv_core`'s; this follows its rules of where a record ends: a quote counts
//! only at the start of a field, and a line break within quotes belongs to the field.

use memchr::{memchr, memchr_iter, memchr3};

/// Longest record. More is a quote that was never closed, or no table at all.
pub(super) const RECORD_BYTES_MAX: usize = 1024 * 1024;

/// Bytes that were cut off before the buffer is moved up.
const CONSUMED_BYTES_MAX: usize = 256 * 1024;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// How records are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// By line breaks outside of quotes.
    Csv { delimiter: u8 },
    /// By line feeds.
    Lines,
}

/// Where a reader stands: at the first byte of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) offset: u64,
    /// From 1.
    pub(super) line: u64,
}

/// One record without its line break. Blank lines are none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame<'b> {
    pub(super) bytes: &'b [u8],
    /// Line at which it begins.
    pub(super) line: u64,
    /// A quote opens in it that nothing closes; the record is the line up to its end.
    pub(super) unclosed: bool,
}

/// Why a stream can't be cut into records at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("the line is longer than 1 MiB; is this a file of rows?")]
    LineTooLong,
    #[error("the file is UTF-16; save it as UTF-8")]
    Utf16,
}

/// The scanner's place within a CSV record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    FieldStart,
    Unquoted,
    Quoted,
    /// After a quote within quotes: the end of them, or half of a doubled one.
    QuoteInQuoted,
    /// After a carriage return: the record has ended before it, whatever follows.
    CarriageReturn,
}

/// Takes pieces of bytes and gives records.
#[derive(Debug)]
pub(super) struct Framer {
    framing: Framing,
    buffer: Vec<u8>,
    /// Where the current record begins in the buffer.
    start: usize,
    /// Up to where the current record was looked at.
    scanned: usize,
    state: State,
    place: Place,
    /// The byte-order mark was looked for.
    marked: bool,
}

/// A record's end, as places in the buffer.
struct End {
    /// Behind the last byte of the record.
    content: usize,
    /// Behind its line break.
    next: usize,
    unclosed: bool,
}

impl Framer {
    pub(super) fn new(framing: Framing, place: Place) -> Self {
        Self {
            framing,
            buffer: Vec::new(),
            start: 0,
            scanned: 0,
            state: State::FieldStart,
            marked: place.offset > 0,
            place,
        }
    }

    /// Behind the last record that was given.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.start > CONSUMED_BYTES_MAX {
            self.buffer.drain(..self.start);
            self.scanned -= self.start;
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next record, or `None` until more is pushed. `last` says that nothing more comes.
    pub(super) fn next(&mut self, last: bool) -> Result<Option<Frame<'_>>, Unreadable> {
        if !self.marked && !self.skip_mark(last)? {
            return Ok(None);
        }
        loop {
            let Some(end) = self.find_end(last)? else {
                return Ok(None);
            };
            let (from, line) = (self.start, self.place.line);
            self.advance(&end);
            if end.content > from {
                let bytes = &self.buffer[from..end.content];
                return Ok(Some(Frame {
                    bytes,
                    line,
                    unclosed: end.unclosed,
                }));
            }
        }
    }

    /// Leaves out a byte-order mark; false where there are too few bytes to tell.
    fn skip_mark(&mut self, last: bool) -> Result<bool, Unreadable> {
        if self.buffer.starts_with(b"\xFF\xFE") || self.buffer.starts_with(b"\xFE\xFF") {
            return Err(Unreadable::Utf16);
        }
        if self.buffer.len() < BOM.len() && !last {
            return Ok(false);
        }
        self.marked = true;
        if self.buffer.starts_with(BOM) {
            self.start = BOM.len();
            self.scanned = self.start;
            self.place.offset += BOM.len() as u64;
        }
        Ok(true)
    }

    fn advance(&mut self, end: &End) {
        let record = &self.buffer[self.start..end.next];
        let feeds = memchr_iter(b'\n', record).count();
        let alone = usize::from(record.ends_with(b"\r"));
        self.place.line += (feeds + alone) as u64;
        self.place.offset += (end.next - self.start) as u64;
        self.start = end.next;
        self.scanned = end.next;
        self.state = State::FieldStart;
    }

    fn find_end(&mut self, last: bool) -> Result<Option<End>, Unreadable> {
        while self.scanned < self.buffer.len() {
            if self.scanned - self.start >= RECORD_BYTES_MAX {
                return self.first_line().map(Some).ok_or(Unreadable::LineTooLong);
            }
            let run = self.run();
            if run > 0 {
                self.scanned += run;
                continue;
            }
            let end = match self.framing {
                Framing::Lines => self.step_line(),
                Framing::Csv { delimiter } => self.step_csv(delimiter),
            };
            if end.is_some() {
                return Ok(end);
            }
        }
        Ok(if last { self.rest() } else { None })
    }

    /// How many bytes from here on change nothing: most of a file is such, and need not be looked at one by one.
    fn run(&self) -> usize {
        let end = self.buffer.len().min(self.start + RECORD_BYTES_MAX);
        let rest = &self.buffer[self.scanned..end];
        let next = match (self.framing, self.state) {
            (Framing::Lines, _) => memchr(b'\n', rest),
            (Framing::Csv { .. }, State::Quoted) => memchr(b'"', rest),
            (Framing::Csv { delimiter }, State::Unquoted) => memchr3(delimiter, b'\n', b'\r', rest),
            (Framing::Csv { .. }, _) => Some(0),
        };
        next.unwrap_or(rest.len())
    }

    fn step_line(&mut self) -> Option<End> {
        let at = self.scanned;
        self.scanned += 1;
        if self.buffer[at] != b'\n' {
            return None;
        }
        let content = match self.buffer[self.start..at].last() {
            Some(b'\r') => at - 1,
            _ => at,
        };
        Some(End {
            content,
            next: at + 1,
            unclosed: false,
        })
    }

    fn step_csv(&mut self, delimiter: u8) -> Option<End> {
        let at = self.scanned;
        let byte = self.buffer[at];
        if self.state == State::CarriageReturn {
            let next = if byte == b'\n' { at + 1 } else { at };
            return Some(End {
                content: at - 1,
                next,
                unclosed: false,
            });
        }
        self.scanned += 1;
        self.state = match (self.state, byte) {
            (State::Quoted, b'"') => State::QuoteInQuoted,
            (State::Quoted, _) | (State::FieldStart | State::QuoteInQuoted, b'"') => State::Quoted,
            (_, b'\n') => {
                return Some(End {
                    content: at,
                    next: at + 1,
                    unclosed: false,
                });
            }
            (_, b'\r') => State::CarriageReturn,
            (_, other) if other == delimiter => State::FieldStart,
            _ => State::Unquoted,
        };
        None
    }

    /// What is left when nothing more comes.
    fn rest(&mut self) -> Option<End> {
        let end = self.buffer.len();
        if self.start == end {
            return None;
        }
        match self.state {
            State::CarriageReturn => Some(End {
                content: end - 1,
                next: end,
                unclosed: false,
            }),
            // An open quote swallowed the rest: only its line is bad, the others are read anew.
            State::Quoted => Some(self.first_line().unwrap_or(End {
                content: end,
                next: end,
                unclosed: true,
            })),
            _ => Some(End {
                content: end,
                next: end,
                unclosed: false,
            }),
        }
    }

    /// The record's first line, where it has several.
    fn first_line(&self) -> Option<End> {
        let record = &self.buffer[self.start..self.scanned];
        let at = self.start
            + record
                .iter()
                .position(|byte| matches!(byte, b'\n' | b'\r'))?;
        let pair = self.buffer[at..self.scanned].starts_with(b"\r\n");
        Some(End {
            content: at,
            next: at + if pair { 2 } else { 1 },
            unclosed: true,
        })
    }
}
