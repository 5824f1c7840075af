//! A document and the values around it.

use std::fmt;
use std::str::FromStr;

use flame_types::{InvalidId, Timestamp};
use uuid::Uuid;

/// Names a document for good, through every rename.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentId(Uuid);

impl DocumentId {
    /// Wraps an id that the caller made.
    pub const fn new(id: Uuid) -> Self {
        Self(id)
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for DocumentId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Uuid::parse_str(text).map(Self).map_err(|_| InvalidId {
            kind: "document id",
            value: text.to_owned(),
            expected: "a UUID such as 0192d3a4-7c1e-7e6b-9a51-3f2b8c1d4e5f",
        })
    }
}

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DocumentKind {
    Workflow,
    Pipeline,
    Connection,
}

impl DocumentKind {
    pub const ALL: [Self; 3] = [Self::Workflow, Self::Pipeline, Self::Connection];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Workflow => "workflow",
            Self::Pipeline => "pipeline",
            Self::Connection => "connection",
        }
    }

    /// The kind of that name, or `None`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A live document as it was last saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    pub id: DocumentId,
    pub kind: DocumentKind,
    /// `namespace/name` of a workflow or pipeline, the name of a connection; empty while the text
    /// does not say.
    pub name: String,
    /// Grows by one with every save, delete and restore; from 1.
    pub revision: u64,
    /// YAML or JSON, as the person wrote it.
    pub body: String,
    /// Came with the app.
    pub sample: bool,
    pub updated: Timestamp,
}

/// A document that does not exist yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDocument<'a> {
    pub id: DocumentId,
    pub kind: DocumentKind,
    pub name: &'a str,
    pub body: &'a str,
    pub sample: bool,
}

/// An earlier save.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastRevision {
    pub revision: u64,
    pub saved: Timestamp,
    pub body_bytes: u64,
}

/// Undoes one delete; worthless after any later change of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UndoToken {
    pub document: DocumentId,
    pub revision: u64,
}

impl fmt::Display for UndoToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.document, self.revision)
    }
}

impl FromStr for UndoToken {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.split_once(':')
            .and_then(|(document, revision)| {
                Some(Self {
                    document: document.parse().ok()?,
                    revision: revision.parse().ok()?,
                })
            })
            .ok_or_else(|| InvalidId {
                kind: "undo token",
                value: text.to_owned(),
                expected: "what the delete gave back",
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_undo_token_survives_the_trip_through_text() {
        let token = UndoToken {
            document: DocumentId::new(Uuid::from_u128(7)),
            revision: 3,
        };
        assert_eq!(token.to_string().parse::<UndoToken>(), Ok(token));
        for bad in [
            "",
            ":",
            "x:1",
            &format!("{}:", token.document),
            &token.document.to_string(),
        ] {
            assert!(bad.parse::<UndoToken>().is_err(), "{bad}");
        }
    }
}
