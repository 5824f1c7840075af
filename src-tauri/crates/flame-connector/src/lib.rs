//! What a connector is: its operations, its sink for streams of records, its check and its faults.
//!
//! Deliberately absent: any system's protocol (that is a connector's own crate), the list of
//! connectors (the agent composes it) and retrying (the document decides that with `try`).

pub mod arguments;
mod check;
mod connection;
mod fault;
mod identifier;
mod operation;

use futures::future::BoxFuture;
use serde_json::{Map, Value};

pub use check::{Check, Step};
pub use connection::{Connection, Folders, Invocation};
pub use fault::{Fault, FaultKind};
pub use identifier::quote_identifier;
pub use operation::{ConnectionSpec, ConnectorSpec, OperationSpec};

/// One record of a stream: column name to value, in the order of the source.
pub type Record = Map<String, Value>;

/// Code that speaks to one kind of system.
///
/// One value serves every connection of its kind and lives as long as the agent; pools and open
/// files are its own affair. Futures are dropped to cancel: an implementation leaves nothing half
/// done that a later call with the same idempotency key could not repair.
pub trait Connector: Send + Sync {
    /// What it says of itself.
    fn spec(&self) -> &ConnectorSpec;

    /// Tries a connection step by step, and stops at the first step that fails.
    fn check<'a>(
        &'a self,
        connection: &'a Connection,
        folders: &'a Folders,
    ) -> BoxFuture<'a, Check>;

    /// Makes one call. `operation` is the word after the dot; the version was matched by the caller.
    fn invoke<'a>(
        &'a self,
        operation: &'a str,
        arguments: &'a Value,
        invocation: Invocation<'a>,
    ) -> BoxFuture<'a, Result<Value, Fault>>;

    /// Opens a sink for many records. `operation` names the one whose arguments these are, without
    /// its records. Fails with a configuration fault where the operation takes no stream, as every
    /// operation does unless the connector says otherwise.
    fn sink<'a>(
        &'a self,
        operation: &'a str,
        _arguments: &'a Value,
        _invocation: Invocation<'a>,
    ) -> BoxFuture<'a, Result<Box<dyn Sink>, Fault>> {
        let fault = Fault::configuration(format!(
            "{}.{operation} takes no stream of records. Name a sink that does, such as the upsert of a \
             database.",
            self.spec().kind
        ));
        Box::pin(std::future::ready(Err(fault)))
    }

    /// Forgets what is held for a connection (pools, open files), after it was changed or deleted.
    fn forget<'a>(&'a self, _connection: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Takes batches of records. Writing the same batch twice leaves what writing it once leaves.
pub trait Sink: Send {
    /// Writes all records or none, and is durable when it returns.
    ///
    /// A fault of kind [`FaultKind::Validation`] means that a record of this batch can't be taken,
    /// now or later; [`Fault::record`] says which where the other side told. Any other kind means
    /// that the records may be fine.
    fn write<'a>(&'a mut self, records: &'a [Record]) -> BoxFuture<'a, Result<(), Fault>>;
}

/// Finds an operation by name and version; the fault names what there is instead.
pub fn operation<'c>(
    connector: &'c dyn Connector,
    name: &str,
    version: &str,
) -> Result<&'c OperationSpec, Fault> {
    let ConnectorSpec {
        kind, operations, ..
    } = connector.spec();
    operations
        .iter()
        .find(|spec| spec.name == name && spec.version == version)
        .ok_or_else(|| {
            let known: Vec<String> = operations
                .iter()
                .map(|spec| format!("{kind}.{}:{}", spec.name, spec.version))
                .collect();
            Fault::configuration(format!(
                "There is no operation {kind}.{name}:{version}. This agent has {}.",
                known.join(", ")
            ))
        })
}
