//! Reads the rows of a table, for showing what a workflow wrote. Writes nothing and makes no file.

use std::path::Path;

use flame_connector::{Fault, Record, quote_identifier};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use crate::error;

/// The first rows of a table, at most `rows_max`, each as column names and values.
///
/// Bytes are shown as their length, since JSON has no bytes.
pub fn rows(database: &Path, table: &str, rows_max: usize) -> Result<Vec<Record>, Fault> {
    let name = database.display().to_string();
    let failed = |error| error::fault(&name, error);
    let quoted = quote_identifier("table", table)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags).map_err(failed)?;
    let mut statement = connection
        .prepare(&format!("SELECT * FROM {quoted} LIMIT {rows_max}"))
        .map_err(failed)?;
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let rows = statement
        .query_map([], |row| {
            let value =
                |(index, column): (usize, &String)| Ok((column.clone(), json(row.get_ref(index)?)));
            columns
                .iter()
                .enumerate()
                .map(value)
                .collect::<rusqlite::Result<Record>>()
        })
        .map_err(failed)?;
    rows.collect::<rusqlite::Result<Vec<Record>>>()
        .map_err(failed)
}

fn json(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
        ValueRef::Blob(bytes) => format!("{} bytes", bytes.len()).into(),
    }
}
