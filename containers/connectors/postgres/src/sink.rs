//! The sink of a pipeline: each batch is one transaction.

use flame_connector::{Fault, Invocation, Record, Sink};
use futures::future::BoxFuture;
use serde_json::Value;

use crate::config::{Target, UpsertArguments};
use crate::operations::{self, CALL_TIMEOUT};
use crate::session::{Endpoint, Pools};

/// An upsert that takes many batches.
pub(crate) struct UpsertSink {
    endpoint: Endpoint,
    target: Target,
}

/// Checks the arguments; the first batch opens the session.
pub(crate) fn open(
    pools: &Pools,
    operation: &str,
    arguments: &Value,
    invocation: Invocation<'_>,
) -> Result<UpsertSink, Fault> {
    operations::refuse_unknown(operation)?;
    let (target, connection, read) = UpsertArguments::read(arguments, &invocation)?;
    read.refuse_records()?;
    Ok(UpsertSink {
        endpoint: pools.endpoint(connection)?,
        target,
    })
}

impl Sink for UpsertSink {
    fn write<'a>(&'a mut self, records: &'a [Record]) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(operations::write(
            &self.endpoint,
            &self.target,
            records,
            CALL_TIMEOUT,
        ))
    }
}
