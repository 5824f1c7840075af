//! The documents that a new workspace starts with.

use crate::document::DocumentKind;

/// A document that comes with the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    pub kind: DocumentKind,
    /// `namespace/name` of a workflow or pipeline, the name of a connection.
    pub name: &'static str,
    pub body: &'static str,
    /// JSON to run it with.
    pub input: Option<&'static str>,
}

/// Connections first, as the others refer to them.
pub const SAMPLES: &[Sample] = &[];
