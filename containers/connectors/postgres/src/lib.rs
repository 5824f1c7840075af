//! Connector: PostgreSQL databases, through connections that hold host, user and password.
//!
//! Deliberately absent: reading (the next operations bring it) and change data capture.

mod check;
mod config;
mod error;
mod operations;
mod session;
mod sink;
mod tls;
mod upsert;

use flame_connector::{
    Check, Connection, Connector, ConnectorSpec, Fault, Folders, Invocation, Sink,
};
use futures::future::BoxFuture;
use serde_json::Value;

use session::Pools;

/// The connector; one value holds the pools of the whole agent.
pub struct Postgres {
    spec: ConnectorSpec,
    pools: Pools,
}

impl Postgres {
    /// A connector with no session open.
    pub fn new() -> Self {
        Self {
            spec: ConnectorSpec {
                kind: config::KIND,
                title: "PostgreSQL",
                summary: "A PostgreSQL server: on this machine, in the office or in a cloud.",
                operations: operations::specs(),
                connection: Some(config::connection_spec()),
            },
            pools: Pools::default(),
        }
    }
}

impl Default for Postgres {
    fn default() -> Self {
        Self::new()
    }
}

impl Connector for Postgres {
    fn spec(&self) -> &ConnectorSpec {
        &self.spec
    }

    fn check<'a>(
        &'a self,
        connection: &'a Connection,
        _folders: &'a Folders,
    ) -> BoxFuture<'a, Check> {
        Box::pin(check::run(connection))
    }

    fn invoke<'a>(
        &'a self,
        operation: &'a str,
        arguments: &'a Value,
        invocation: Invocation<'a>,
    ) -> BoxFuture<'a, Result<Value, Fault>> {
        Box::pin(operations::invoke(
            &self.pools,
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
            let sink = sink::open(&self.pools, operation, arguments, invocation)?;
            Ok(Box::new(sink) as Box<dyn Sink>)
        })
    }

    fn forget<'a>(&'a self, connection: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move { self.pools.forget(connection) })
    }
}

#[cfg(test)]
mod tests;
