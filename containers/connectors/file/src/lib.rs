//! Connector: files in the workspace's output folder.
//!
//! Deliberately absent: any path outside that folder, and appending, which a second attempt could
//! not tell from a first.

mod check;
mod config;
mod operations;
mod write;

use flame_connector::{
    Check, Connection, ConnectionSpec, Connector, Fault, Folders, Invocation, OperationSpec, Sink,
};
use futures::future::BoxFuture;
use serde_json::Value;

/// The connector; it holds nothing.
pub struct File {
    operations: Vec<OperationSpec>,
}

impl File {
    pub fn new() -> Self {
        Self {
            operations: operations::specs(),
        }
    }
}

impl Default for File {
    fn default() -> Self {
        Self::new()
    }
}

impl Connector for File {
    fn kind(&self) -> &'static str {
        config::KIND
    }

    fn title(&self) -> &'static str {
        "Files"
    }

    fn summary(&self) -> &'static str {
        "Files in the workspace's output folder."
    }

    fn operations(&self) -> &[OperationSpec] {
        &self.operations
    }

    fn connection(&self) -> Option<&ConnectionSpec> {
        None
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

    fn sink<'a>(
        &'a self,
        operation: &'a str,
        _arguments: &'a Value,
        _invocation: Invocation<'a>,
    ) -> BoxFuture<'a, Result<Box<dyn Sink>, Fault>> {
        Box::pin(async move {
            Err(Fault::configuration(format!(
                "file.{operation} takes no stream of records. Use sqlite.upsert or postgres.upsert \
                 as the sink."
            )))
        })
    }

    fn forget<'a>(&'a self, _connection: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }
}

#[cfg(test)]
mod tests;
