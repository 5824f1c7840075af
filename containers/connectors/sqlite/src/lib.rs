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
    Check, Connection, ConnectionSpec, Connector, Fault, Folders, Invocation, OperationSpec, Sink,
};
use futures::future::BoxFuture;
use serde_json::Value;

use database::Databases;
pub use rows::rows;

/// The connector; one value holds the open databases of the whole agent.
pub struct Sqlite {
    operations: Vec<OperationSpec>,
    connection: ConnectionSpec,
    databases: Databases,
}

impl Sqlite {
    /// A connector with nothing open.
    pub fn new() -> Self {
        Self {
            operations: operations::specs(),
            connection: config::connection_spec(),
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
    fn kind(&self) -> &'static str {
        config::KIND
    }

    fn title(&self) -> &'static str {
        "SQLite"
    }

    fn summary(&self) -> &'static str {
        "Databases in one file: on this machine, nothing to set up."
    }

    fn operations(&self) -> &[OperationSpec] {
        &self.operations
    }

    fn connection(&self) -> Option<&ConnectionSpec> {
        Some(&self.connection)
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

    fn forget<'a>(&'a self, _connection: &'a str) -> BoxFuture<'a, ()> {
        // A database is held by its file, which is resolved anew on every call.
        Box::pin(async {})
    }
}

#[cfg(test)]
mod tests;
