//! Connector: SQLite databases, named by file in the workspace's folder or by a connection.
//!
//! Deliberately absent: the agent's own store, which is another file that this connector never opens.

mod check;
mod config;
mod database;
mod error;
mod operations;
mod rows;
mod sink;
mod table;
mod upsert;

use flame_connector::{
    Check, Connection, Connector, ConnectorSpec, Fault, Folders, Invocation, Sink,
};
use futures::future::BoxFuture;
use serde_json::Value;

use database::Databases;
pub use rows::rows;

/// The connector; one value holds the open databases of the whole agent, by their files, so a changed
/// connection leaves nothing to forget.
pub struct Sqlite {
    spec: ConnectorSpec,
    databases: Databases,
}

impl Sqlite {
    /// A connector with nothing open.
    pub fn new() -> Self {
        Self {
            spec: ConnectorSpec {
                kind: config::KIND,
                title: "SQLite",
                summary: "Databases in one file: on this machine, nothing to set up.",
                operations: operations::specs(),
                connection: Some(config::connection_spec()),
            },
            databases: Databases::default(),
        }
    }
}

impl Default for Sqlite {
    fn default() -> Self {
        Self::new()
    }
}

impl Connector for Sqlite {
    fn spec(&self) -> &ConnectorSpec {
        &self.spec
    }

    fn check<'a>(
        &'a self,
        connection: &'a Connection,
        folders: &'a Folders,
    ) -> BoxFuture<'a, Check> {
        Box::pin(check::run(connection, folders))
    }

    fn invoke<'a>(
        &'a self,
        operation: &'a str,
        arguments: &'a Value,
        invocation: Invocation<'a>,
    ) -> BoxFuture<'a, Result<Value, Fault>> {
        Box::pin(operations::invoke(
            &self.databases,
            operation,
            arguments,
            invocation,
        ))
    }

    fn sink<'a>(
        &'a self,
        operation: &'a str,
        arguments: &'a Value,
        invocation: Invocation<'a>,
    ) -> BoxFuture<'a, Result<Box<dyn Sink>, Fault>> {
        Box::pin(async move {
            let sink = sink::open(&self.databases, operation, arguments, invocation)?;
            Ok(Box::new(sink) as Box<dyn Sink>)
        })
    }
}

#[cfg(test)]
mod tests;
