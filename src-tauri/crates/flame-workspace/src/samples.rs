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
pub const SAMPLES: &[Sample] = &[
    Sample {
        kind: DocumentKind::Workflow,
        name: "samples/orders",
        body: include_str!("../samples/orders.yaml"),
        input: Some(include_str!("../samples/orders.input.json")),
    },
    Sample {
        kind: DocumentKind::Pipeline,
        name: "samples/folder-to-table",
        body: include_str!("../samples/folder-to-table.yaml"),
        input: None,
    },
    Sample {
        kind: DocumentKind::Workflow,
        name: "samples/every-morning",
        body: include_str!("../samples/every-morning.yaml"),
        input: None,
    },
];

/// A file to drop into the folder that `samples/folder-to-table` watches; one of its rows is bad.
pub const CUSTOMERS: &str = include_str!("../samples/customers.csv");
