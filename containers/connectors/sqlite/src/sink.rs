//! The sink of a pipeline: each batch is one commit.

use flame_connector::{Fault, Invocation, Record, Sink};
use futures::future::BoxFuture;
use serde_json::Value;

use crate::config::{DatabaseFile, Target, UpsertArguments};
use crate::database::Databases;
use crate::operations::refuse_unknown;

/// An upsert that takes many batches.
pub(crate) struct UpsertSink {
    databases: Databases,
    file: DatabaseFile,
    target: Target,
}

/// Checks the arguments; the file is opened by the first batch.
pub(crate) fn open(
    databases: &Databases,
    operation: &str,
    arguments: &Value,
    invocation: Invocation<'_>,
) -> Result<UpsertSink, Fault> {
    refuse_unknown(operation)?;
    let (target, file, read) = UpsertArguments::read(arguments, &invocation)?;
    read.refuse_records()?;
    Ok(UpsertSink {
        databases: databases.clone(),
        file,
        target,
    })
}

impl Sink for UpsertSink {
    fn write<'a>(&'a mut self, records: &'a [Record]) -> BoxFuture<'a, Result<(), Fault>> {
        // The writer's thread outlives this borrow, so it gets its own copy of the batch.
        let (file, target) = (self.file.clone(), self.target.clone());
        Box::pin(self.databases.write(file, target, records.to_vec()))
    }
}
