//! Connector: files in the workspace's output folder.
//!
//! Deliberately absent: any path outside that folder, and appending, which a second attempt could
//! not tell from a first.

mod check;
mod config;
mod operations;
mod write;

use flame_connector::{Check, Connection, Connector, ConnectorSpec, Fault, Folders, Invocation};
use futures::future::BoxFuture;
use serde_json::Value;

/// The connector; it holds nothing.
pub struct File {
    spec: ConnectorSpec,
}

impl File {
    pub fn new() -> Self {
        Self {
            spec: ConnectorSpec {
                kind: config::KIND,
                title: "Files",
                summary: "Files in the workspace's output folder.",
                operations: operations::specs(),
                connection: None,
            },
        }
    }
}

impl Default for File {
    fn default() -> Self {
        Self::new()
    }
}

impl Connector for File {
    fn spec(&self) -> &ConnectorSpec {
        &self.spec
    }

    fn check<'a>(
        &'a self,
        _connection: &'a Connection,
        folders: &'a Folders,
    ) -> BoxFuture<'a, Check> {
        Box::pin(check::run(folders))
    }

    fn invoke<'a>(
        &'a self,
        operation: &'a str,
        arguments: &'a Value,
        invocation: Invocation<'a>,
    ) -> BoxFuture<'a, Result<Value, Fault>> {
        Box::pin(operations::invoke(operation, arguments, invocation))
    }
}

#[cfg(test)]
mod tests;
