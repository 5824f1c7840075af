//! Byte offsets to lines and columns, and places inside a scalar to places in the text.

use super::{Position, Span};

/// Bytes between two places whose number of characters is kept.
const BLOCK_BYTES: usize = 256;

/// Where each line of a text begins, and how many characters come before each block of bytes: a
/// document may be one long line.
#[derive(Debug)]
pub(crate) struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
    characters: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        let bytes = text.as_bytes();
        let mut starts = vec![0];
        let mut characters = Vec::with_capacity(bytes.len() / BLOCK_BYTES + 1);
        let mut count = 0;
        for (at, byte) in bytes.iter().enumerate() {
            if at % BLOCK_BYTES == 0 {
                characters.push(count);
            }
            count += usize::from(is_character_start(*byte));
            // A lone carriage return ends a line in YAML too.
            let lone_return = *byte == b'\r' && bytes.get(at + 1) != Some(&b'\n');
            if *byte == b'\n' || lone_return {
                starts.push(at + 1);
            }
        }
        Self {
            text,
            starts,
            characters,
        }
    }

    /// Characters before a byte offset.
    fn characters_before(&self, offset: usize) -> usize {
        let block = offset / BLOCK_BYTES;
        let Some(before) = self.characters.get(block) else {
            // Only the end of a text can lie past its last block.
            return self.text.chars().count();
        };
        let inside = &self.text.as_bytes()[block * BLOCK_BYTES..offset];
        before
            + inside
                .iter()
                .filter(|byte| is_character_start(**byte))
                .count()
    }

    /// The position of a byte offset, which is taken back to the start of its character.
    pub(crate) fn position(&self, offset: usize) -> Position {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts[line - 1];
        let column = self.characters_before(offset) - self.characters_before(start) + 1;
        Position {
            line: number(line),
            column: number(column),
        }
    }

    /// The position of a byte of a line; both count from 1.
    pub(crate) fn position_in_line(&self, line: usize, byte: usize) -> Position {
        let start = self.starts.get(line.saturating_sub(1)).copied();
        self.position(start.unwrap_or(self.text.len()) + byte.saturating_sub(1))
    }

    /// The byte offset of a position; the end of its line where the column is past it.
    pub(crate) fn offset(&self, position: Position) -> usize {
        let Some(start) = self
            .starts
            .get(position.line.saturating_sub(1) as usize)
            .copied()
        else {
            return self.text.len();
        };
        let end = self
            .starts
            .get(position.line as usize)
            .copied()
            .unwrap_or(self.text.len());
        self.text[start..end]
            .char_indices()
            .nth(position.column.saturating_sub(1) as usize)
            .map_or(end, |(at, _)| start + at)
    }

    /// Where byte `offset` of a scalar's value stands in the text of the scalar.
    ///
    /// Values differ from their text by quotes, escapes and folded lines, so both are walked side by
    /// side: an escape is one step, and white space of either side is passed over.
    pub(crate) fn inside(&self, span: Span, value: &str, offset: usize) -> Position {
        let from = self.offset(span.start);
        let to = self.offset(span.end).max(from);
        let raw = &self.text[from..to];
        let mut walk = Walk::new(raw);
        for (at, wanted) in value.char_indices() {
            if at >= offset {
                walk.skip_blank();
                break;
            }
            if !wanted.is_whitespace() {
                walk.advance_past(wanted);
            }
        }
        self.position(from + walk.at)
    }
}

/// A cursor over the raw text of a scalar.
struct Walk<'r> {
    raw: &'r str,
    at: usize,
    escapes: bool,
}

impl<'r> Walk<'r> {
    fn new(raw: &'r str) -> Self {
        let at = match raw.as_bytes().first() {
            Some(b'"' | b'\'') => 1,
            // The header line of a block scalar is not content.
            Some(b'|' | b'>') => raw.find('\n').map_or(raw.len(), |end| end + 1),
            _ => 0,
        };
        Self {
            raw,
            at,
            escapes: raw.starts_with('"'),
        }
    }

    fn skip_blank(&mut self) {
        let rest = &self.raw[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    fn advance_past(&mut self, wanted: char) {
        while let Some(next) = self.raw[self.at..].chars().next() {
            if self.escapes && next == '\\' {
                let (length, decoded) = escape(&self.raw[self.at..]);
                self.at += length;
                if decoded.is_none_or(|decoded| decoded == wanted) {
                    return;
                }
            } else {
                self.at += next.len_utf8();
                if next == wanted {
                    return;
                }
            }
        }
    }
}

/// Bytes that an escape takes, and the character it stands for where that is plain to see.
fn escape(raw: &str) -> (usize, Option<char>) {
    let Some(letter) = raw[1..].chars().next() else {
        return (raw.len(), None);
    };
    match letter {
        'x' => (raw.len().min(4), None),
        'u' => (raw.len().min(6), None),
        'U' => (raw.len().min(10), None),
        'n' => (2, Some('\n')),
        't' => (2, Some('\t')),
        'r' => (2, Some('\r')),
        other => (1 + other.len_utf8(), Some(other)),
    }
}

const fn is_character_start(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}

fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line and column of `needle` inside the value that `raw` (YAML) stands for.
    fn find(raw: &str, value: &str, needle: &str) -> (u32, u32) {
        let lines = Lines::new(raw);
        let span = Span {
            start: Position::START,
            end: lines.position(raw.len()),
        };
        let position = lines.inside(span, value, value.find(needle).unwrap());
        (position.line, position.column)
    }

    #[test]
    fn places_inside_scalars_are_those_of_the_text() {
        assert_eq!(find("${ .a + }", "${ .a + }", "+"), (1, 7));
        assert_eq!(find("'it''s ${ . }'", "it's ${ . }", "${"), (1, 8));
        assert_eq!(
            find(r#""a\n\"b\" ${ . }""#, "a\n\"b\" ${ . }", "${"),
            (1, 11)
        );
        assert_eq!(
            find("|\n  one\n  two ${ . }\n", "one\ntwo ${ . }\n", "${"),
            (3, 7)
        );
        assert_eq!(find(">-\n  one\n  two\n", "one two", "two"), (3, 3));
        assert_eq!(find("ä ö ${ . }", "ä ö ${ . }", "${"), (1, 5));
    }

    #[test]
    fn offsets_and_positions_are_each_others_inverse() {
        let long = "äb".repeat(BLOCK_BYTES);
        for text in ["", "ab\r\ncä\n\nd", long.as_str()] {
            let lines = Lines::new(text);
            for (offset, _) in text.char_indices().chain([(text.len(), ' ')]) {
                assert_eq!(lines.offset(lines.position(offset)), offset);
            }
        }
    }
}
