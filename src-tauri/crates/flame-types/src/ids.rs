//! Typed ids: a run, and the three parts that name one version of a workflow.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Why a text is not an id. Carries the value so that the message can show it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not a {kind}: {expected}")]
pub struct InvalidId {
    pub kind: &'static str,
    pub value: String,
    pub expected: &'static str,
}

/// One execution of a workflow. UUIDv7, so ids sort by creation time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(Uuid);

impl RunId {
    /// Wraps an id that the caller made; the clock and the randomness are the caller's.
    pub const fn new(id: Uuid) -> Self {
        Self(id)
    }

    /// An id of that moment, in milliseconds since 1970, with these bits for randomness.
    pub const fn made_at(milliseconds: u64, random: [u8; 10]) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(milliseconds, &random).into_uuid())
    }

    pub const fn as_uuid(&self) -> &Uuid {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for RunId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Uuid::parse_str(text).map(Self).map_err(|_| InvalidId {
            kind: "run id",
            value: text.to_owned(),
            expected: "a UUID such as 0192d3a4-7c1e-7e6b-9a51-3f2b8c1d4e5f",
        })
    }
}

/// Declares a string id whose text was checked once.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $expected:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(value: String) -> Result<Self, InvalidId> {
                if $check(&value) {
                    Ok(Self(value))
                } else {
                    Err(InvalidId { kind: $kind, value, expected: $expected })
                }
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// `document.namespace`: 1 to 63 letters, digits and inner hyphens (DSL 1.0.3).
    Namespace,
    "namespace",
    "1 to 63 letters, digits or hyphens, a letter or digit first and last",
    is_label
);
text_id!(
    /// `document.name`: the same form as a namespace (DSL 1.0.3).
    WorkflowName,
    "workflow name",
    "1 to 63 letters, digits or hyphens, a letter or digit first and last",
    is_label
);
text_id!(
    /// `document.version`: a semantic version 2.0.
    Version,
    "version",
    "a semantic version such as 1.0.0",
    is_semantic_version
);

text_id!(
    /// SHA-256 of a program that a workflow names, with what it is called with; 64 lower-case hex digits.
    ProgramDigest,
    "program digest",
    "64 hex digits in lower case",
    is_sha256
);

/// One version of one workflow; `Display` gives `namespace/name/version`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WorkflowId {
    pub namespace: Namespace,
    pub name: WorkflowName,
    pub version: Version,
}

impl fmt::Display for WorkflowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.namespace, self.name, self.version)
    }
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=63).contains(&bytes.len())
        && bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || *b == b'-')
        && bytes[0] != b'-'
        && bytes[bytes.len() - 1] != b'-'
}

fn is_semantic_version(text: &str) -> bool {
    if text.len() > 128 {
        return false;
    }
    let (rest, build) = split_once_or_whole(text, '+');
    let (core, pre) = split_once_or_whole(rest, '-');
    let numbers: Vec<&str> = core.split('.').collect();
    numbers.len() == 3
        && numbers.iter().all(|n| is_number(n))
        && pre.is_none_or(|p| {
            p.split('.').all(|i| {
                is_identifier(i) && (!i.bytes().all(|b| b.is_ascii_digit()) || is_number(i))
            })
        })
        && build.is_none_or(|b| b.split('.').all(is_identifier))
}

fn split_once_or_whole(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at)
        .map_or((text, None), |(head, tail)| (head, Some(tail)))
}

fn is_number(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_digit())
        && (text.len() == 1 || !text.starts_with('0'))
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_follow_the_schema_pattern() {
        for good in ["a", "a-b", "A9", &"x".repeat(63)] {
            assert!(good.parse::<Namespace>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "a_b", "a/b", "..", &"x".repeat(64), "ä"] {
            assert!(bad.parse::<Namespace>().is_err(), "{bad}");
        }
    }

    #[test]
    fn digests_are_64_hex_digits_in_lower_case() {
        assert!("0f".repeat(32).parse::<ProgramDigest>().is_ok());
        for bad in [
            "",
            "0f",
            &"0F".repeat(32),
            &"0g".repeat(32),
            &"0f".repeat(33),
        ] {
            assert!(bad.parse::<ProgramDigest>().is_err(), "{bad}");
        }
    }

    #[test]
    fn versions_follow_semver() {
        for good in ["0.0.0", "1.2.3", "1.0.0-rc.1+build.5", "1.0.0-0a"] {
            assert!(good.parse::<Version>().is_ok(), "{good}");
        }
        for bad in [
            "1", "1.0", "01.0.0", "1.0.0-", "1.0.0-01", "1.0.0+", "1.0.0/..", "v1.0.0",
        ] {
            assert!(bad.parse::<Version>().is_err(), "{bad}");
        }
    }
}
