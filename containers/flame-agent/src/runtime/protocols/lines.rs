//! Lines and server-sent events out of bytes that come in parts.

/// Whole lines, without their ends.
#[derive(Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    /// Where the line begins that is not whole yet, and how far it was searched for its end.
    line: usize,
    searched: usize,
}

impl Lines {
    /// Takes a part; gives how many bytes wait for their line's end.
    pub(super) fn push(&mut self, part: &[u8]) -> usize {
        self.bytes.extend_from_slice(part);
        self.bytes.len()
    }

    pub(super) fn take(&mut self) -> Option<String> {
        let rest = &self.bytes[self.searched..];
        let Some(found) = rest.iter().position(|byte| *byte == b'\n') else {
            self.bytes.drain(..self.line);
            self.line = 0;
            self.searched = self.bytes.len();
            return None;
        };
        let end = self.searched + found;
        let line = String::from_utf8_lossy(&self.bytes[self.line..end]);
        let line = line.trim_end_matches('\r').to_owned();
        (self.line, self.searched) = (end + 1, end + 1);
        Some(line)
    }
}

/// The data of whole events; their names count for nothing here.
#[derive(Default)]
pub(super) struct Events {
    lines: Lines,
    data: String,
    id: Option<String>,
}

impl Events {
    /// Takes a part; gives how many bytes wait for their event's end.
    pub(super) fn push(&mut self, part: &[u8]) -> usize {
        self.lines.push(part) + self.data.len()
    }

    pub(super) fn take(&mut self) -> Option<String> {
        while let Some(line) = self.lines.take() {
            if let Some(data) = line.strip_prefix("data:") {
                if !self.data.is_empty() {
                    self.data.push('\n');
                }
                self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
            } else if let Some(id) = line.strip_prefix("id:") {
                self.id = Some(id.strip_prefix(' ').unwrap_or(id).to_owned());
            } else if line.is_empty() && !self.data.is_empty() {
                return Some(std::mem::take(&mut self.data));
            }
        }
        None
    }

    /// The id of the event that was taken last, or of the last one before it that had one.
    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_deref().filter(|id| !id.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_out_whole_however_they_are_cut() {
        let text =
            ": hello\r\nevent: message\r\ndata: {\"a\":\r\ndata: 1}\r\n\r\nid: 7\n\ndata:2\n\n";
        for step in 1..text.len() {
            let mut events = Events::default();
            let mut found = Vec::new();
            for part in text.as_bytes().chunks(step) {
                events.push(part);
                while let Some(data) = events.take() {
                    found.push((data, events.id().map(str::to_owned)));
                }
            }
            let expected = [("{\"a\":\n1}", None), ("2", Some("7"))];
            let expected = expected.map(|(data, id)| (data.to_owned(), id.map(str::to_owned)));
            assert_eq!(found, expected, "{step}");
        }
    }
}
