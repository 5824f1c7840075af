//! The key that makes an outside effect happen once.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Run + task reference + iteration path + visit, as visible ASCII so that it fits an HTTP header.
///
/// The same after a crash and in every retry of a `try`; another in a replay, whose run id differs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Takes a text; bytes outside visible ASCII are percent-encoded.
    pub fn new(text: &str) -> Self {
        let mut key = String::with_capacity(text.len());
        for byte in text.bytes() {
            if byte.is_ascii_graphic() && byte != b'%' {
                key.push(char::from(byte));
            } else {
                key.push('%');
                for half in [byte >> 4, byte & 15] {
                    key.push(char::from_digit(u32::from(half), 16).unwrap_or('0'));
                }
            }
        }
        Self(key)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_header_safe_and_injective() {
        let key = IdempotencyKey::new("r/do/0/prüfe order%\n");
        assert!(key.as_str().bytes().all(|b| b.is_ascii_graphic()), "{key}");
        assert_ne!(IdempotencyKey::new("a%20b"), IdempotencyKey::new("a b"));
    }
}
