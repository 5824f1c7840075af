//! The operations: `upsert`.

use std::time::Duration;

use flame_connector::{Fault, Invocation, OperationSpec, Record};
use serde_json::{Value, json};

use crate::config::{Target, UpsertArguments};
use crate::session::{Endpoint, Pools};
use crate::{error, upsert};

/// How long one call or batch may take where the document sets no shorter time.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// What this connector can do.
pub(crate) fn specs() -> Vec<OperationSpec> {
    vec![OperationSpec {
        name: "upsert",
        version: "1.0.0",
        description: "Writes rows into a PostgreSQL table; a row with the same key is replaced.",
        arguments: json!({
            "type": "object",
            "required": ["connection", "table", "key"],
            "additionalProperties": false,
            "properties": {
                "connection": {
                    "type": "string",
                    "description": "Name of a PostgreSQL connection."
                },
                "table": { "type": "string", "description": "`table` or `schema.table`." },
                "key": {
                    "type": "array",
                    "minItems": 1,
                    "items": { "type": "string" },
                    "description": "Columns that tell one row from another; the table needs a \
                                    unique index on them."
                },
                "record": { "type": "object", "description": "The row, by column name." },
                "records": {
                    "type": "array",
                    "items": { "type": "object" },
                    "description": "Several rows, instead of `record`."
                },
                "create": {
                    "type": "boolean",
                    "default": true,
                    "description": "Makes a missing table or column, typed by the first record."
                }
            }
        }),
        streams: true,
    }]
}

/// Makes one call.
pub(crate) async fn invoke(
    pools: &Pools,
    operation: &str,
    arguments: &Value,
    invocation: Invocation<'_>,
) -> Result<Value, Fault> {
    refuse_unknown(operation)?;
    let (target, connection, read) = UpsertArguments::read(arguments, &invocation)?;
    let records = read.into_records()?;
    let answer = json!({ "table": target.upsert.table, "rows": records.len() });
    let endpoint = pools.endpoint(connection)?;
    write(
        &endpoint,
        &target,
        &records,
        invocation.remaining(CALL_TIMEOUT),
    )
    .await?;
    Ok(answer)
}

/// Writes all records or none within `longest`.
pub(crate) async fn write(
    endpoint: &Endpoint,
    target: &Target,
    records: &[Record],
    longest: Duration,
) -> Result<(), Fault> {
    if records.is_empty() {
        return Ok(());
    }
    for (at, record) in records.iter().enumerate() {
        target.upsert.validate_record(at, record)?;
    }
    let mut lease = endpoint.lease(longest).await?;
    let written = tokio::time::timeout(longest, upsert::write(lease.session(), target, records));
    let Ok(outcome) = written.await else {
        return Err(Fault::timeout(format!(
            "{} did not take {} rows within {} s.",
            endpoint.settings.host,
            records.len(),
            longest.as_secs()
        )));
    };
    lease.settle();
    outcome.map_err(|failure| match failure {
        upsert::Failure::Refused(fault) => fault,
        upsert::Failure::Session(error) => error::fault(&endpoint.settings, &error),
    })
}

pub(crate) fn refuse_unknown(operation: &str) -> Result<(), Fault> {
    if operation == "upsert" {
        return Ok(());
    }
    Err(Fault::configuration(format!(
        "There is no operation postgres.{operation}."
    )))
}
