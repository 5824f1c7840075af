//! What a container wrote, out of the frames in which Podman tells it, within a bound.

use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::Error;

/// Stream, three empty bytes, length.
const HEAD_BYTES: usize = 8;

/// Both outputs of a container.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

/// Takes frames that are cut anywhere.
#[derive(Debug)]
pub(crate) struct Reader {
    output: Output,
    head: Vec<u8>,
    /// Of the frame that is being read.
    left: usize,
    bytes_max: usize,
}

impl Reader {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            output: Output::default(),
            head: Vec::with_capacity(HEAD_BYTES),
            left: 0,
            bytes_max,
        }
    }

    /// Reads to the end, or until one of the two is longer than it may be.
    pub(crate) async fn read(mut self, mut body: Incoming) -> Result<Output, Error> {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(Error::transport("reading what the container wrote"))?;
            if let Ok(bytes) = frame.into_data() {
                self.feed(&bytes)?;
            }
        }
        Ok(self.output)
    }

    fn feed(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            if self.left == 0 {
                let (head, rest) = bytes.split_at(bytes.len().min(HEAD_BYTES - self.head.len()));
                self.head.extend_from_slice(head);
                bytes = rest;
                if let [stream, _, _, _, a, b, c, d] = self.head[..] {
                    self.left = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(0);
                    self.head = match self.left {
                        0 => Vec::with_capacity(HEAD_BYTES),
                        _ => vec![stream],
                    };
                }
                continue;
            }
            let (text, rest) = bytes.split_at(bytes.len().min(self.left));
            let output = match self.head[0] {
                2 => &mut self.output.stderr,
                _ => &mut self.output.stdout,
            };
            output.extend_from_slice(text);
            if output.len() > self.bytes_max {
                return Err(Error::OutputTooLarge {
                    bytes_max: self.bytes_max,
                });
            }
            self.left -= text.len();
            if self.left == 0 {
                self.head.clear();
            }
            bytes = rest;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Output, Reader};
    use crate::Error;

    fn frame(stream: u8, text: &str) -> Vec<u8> {
        let length = u32::try_from(text.len()).unwrap().to_be_bytes();
        [&[stream, 0, 0, 0], &length[..], text.as_bytes()].concat()
    }

    #[test]
    fn frames_may_be_cut_anywhere() {
        let all = [
            frame(1, "one\n"),
            frame(2, "error\n"),
            frame(1, ""),
            frame(1, "two"),
        ]
        .concat();
        for size in 1..all.len() {
            let mut reader = Reader::new(7);
            for piece in all.chunks(size) {
                reader.feed(piece).unwrap();
            }
            let expected = Output {
                stdout: b"one\ntwo".to_vec(),
                stderr: b"error\n".to_vec(),
            };
            assert_eq!(reader.output, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn more_than_the_bound_is_an_error() {
        let mut reader = Reader::new(3);
        reader.feed(&frame(1, "abc")).unwrap();
        reader.feed(&frame(2, "abc")).unwrap();
        let error = reader.feed(&frame(1, "d")).unwrap_err();
        assert!(matches!(error, Error::OutputTooLarge { bytes_max: 3 }));
    }
}
