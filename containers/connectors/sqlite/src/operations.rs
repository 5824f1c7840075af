//! The operations: `upsert`.

use flame_connector::{Fault, Invocation, OperationSpec};
use serde_json::{Value, json};

use crate::config::UpsertArguments;
use crate::database::Databases;

/// What this connector can do.
pub(crate) fn specs() -> Vec<OperationSpec> {
    vec![OperationSpec {
        name: "upsert",
        version: "1.0.0",
        description: "Writes rows into a SQLite table; a row with the same key is replaced.",
        arguments: json!({
            "type": "object",
            "required": ["table", "key"],
            "additionalProperties": false,
            "properties": {
                "database": {
                    "type": "string",
                    "description": "Database file in the workspace's databases folder, such as \
                                    orders.db. It is made when missing."
                },
                "connection": {
                    "type": "string",
                    "description": "Name of a SQLite connection, instead of `database`."
                },
                "table": { "type": "string" },
                "key": {
                    "type": "array",
                    "minItems": 1,
                    "items": { "type": "string" },
                    "description": "Columns that tell one row from another."
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
    databases: &Databases,
    operation: &str,
    arguments: &Value,
    invocation: Invocation<'_>,
) -> Result<Value, Fault> {
    refuse_unknown(operation)?;
    let (target, file, read) = UpsertArguments::read(arguments, &invocation)?;
    let records = read.into_records()?;
    let rows = records.len();
    let answer = json!({ "database": file.name, "table": target.upsert.table, "rows": rows });
    databases.write(file, target, records).await?;
    Ok(answer)
}

pub(crate) fn refuse_unknown(operation: &str) -> Result<(), Fault> {
    if operation == "upsert" {
        return Ok(());
    }
    Err(Fault::configuration(format!(
        "There is no operation sqlite.{operation}."
    )))
}
