//! Writing a batch: whole where that goes, else around the rows that the sink refuses.

use std::iter;
use std::ops::Range;
use std::time::Duration;

use flame_connector::{Fault, FaultKind, Folders, Invocation, Record, Sink};
use flame_dsl::Pipeline;
use flame_types::IdempotencyKey;

use super::error::Error;
use crate::runtime::Connections;

/// Tries of a write whose fault may pass by itself.
const TRIES_MAX: u32 = 4;
/// Before the second try; four times as long before each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Opens the sink that a pipeline names.
pub(super) async fn open_sink(
    connections: &Connections,
    pipeline: &Pipeline,
) -> Result<Box<dyn Sink>, Error> {
    let kind = &pipeline.sink.connector;
    let Some(connector) = connections.connectors().get(kind) else {
        return Err(Error::Sink(Fault::configuration(format!(
            "There is no connector {kind:?}. This agent has {}.",
            connections.connectors().kinds()
        ))));
    };
    let entry = match &pipeline.sink.connection {
        None => None,
        Some(name) => {
            let unknown = || Error::Sink(Fault::connection_unknown(name));
            Some(connections.get(name).ok_or_else(unknown)?.connection)
        }
    };
    let folders: &Folders = connections.folders();
    let key = IdempotencyKey::new(&format!("{}/{}", pipeline.namespace, pipeline.name));
    let invocation = Invocation {
        key: &key,
        connection: entry.as_deref(),
        deadline: None,
        folders,
    };
    connector
        .sink("upsert", &pipeline.sink.arguments(), invocation)
        .await
        .map_err(Error::Sink)
}

/// Writes every record that the sink takes, and gives the others with the reason, by index. Fails
/// where the sink takes nothing, whichever records they are.
pub(super) async fn write_around(
    sink: &mut dyn Sink,
    records: &[Record],
) -> Result<Vec<(usize, Fault)>, Fault> {
    let mut refused = Vec::new();
    // Ranges that are still to be written, the first on top. Each fault splits one into smaller
    // ones, so there are never more than there are records.
    let mut waiting: Vec<Range<usize>> = iter::once(0..records.len()).collect();
    while let Some(range) = waiting.pop() {
        if range.is_empty() {
            continue;
        }
        let fault = match write(sink, &records[range.clone()]).await {
            Ok(()) => continue,
            Err(fault) if fault.kind == FaultKind::Validation => fault,
            Err(fault) => return Err(fault),
        };
        let blamed = match fault.record {
            Some(index) if index < range.len() => Some(range.start + index),
            _ if range.len() == 1 => Some(range.start),
            _ => None,
        };
        match blamed {
            Some(index) => {
                refused.push((index, fault));
                waiting.push(index + 1..range.end);
                waiting.push(range.start..index);
            }
            None => {
                let middle = range.start + range.len() / 2;
                waiting.push(middle..range.end);
                waiting.push(range.start..middle);
            }
        }
    }
    Ok(refused)
}

/// One write, tried again where that may help.
async fn write(sink: &mut dyn Sink, records: &[Record]) -> Result<(), Fault> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..TRIES_MAX {
        match sink.write(records).await {
            Err(fault) if fault.retryable => tokio::time::sleep(pause).await,
            outcome => return outcome,
        }
        pause *= 4;
    }
    sink.write(records).await
}
