//! The columns of a table: read, made and widened.

use std::collections::HashMap;

use flame_connector::{Fault, Record, quote_identifier};
use rusqlite::Connection;
use serde_json::Value;

use crate::config::Target;
use crate::error;

/// Columns that a table may get out of records; a record with more is a mistake.
const COLUMNS_MAX: usize = 512;

/// What a column takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    /// Numbers, or text that reads as one.
    Numbers,
    Text,
    Anything,
}

impl Holds {
    /// By the declared type, after SQLite's rules of affinity; dates stay open, as they come as
    /// text and as numbers.
    fn of(declared: &str) -> Self {
        let declared = declared.to_ascii_uppercase();
        let has = |words: &[&str]| words.iter().any(|word| declared.contains(word));
        if has(&["INT", "REAL", "FLOA", "DOUB", "NUMERIC", "DECIMAL", "BOOL"]) {
            Self::Numbers
        } else if has(&["CHAR", "CLOB", "TEXT"]) {
            Self::Text
        } else {
            Self::Anything
        }
    }
}

/// A table as it is inside the current transaction.
pub(crate) struct Table<'c> {
    connection: &'c Connection,
    database: &'c str,
    quoted: String,
    name: &'c str,
    /// By lower-case name: SQLite's names know no case.
    columns: HashMap<String, Holds>,
}

impl<'c> Table<'c> {
    /// The target's table; made from the records where it is missing and may be made.
    pub(crate) fn open(
        connection: &'c Connection,
        database: &'c str,
        target: &'c Target,
        records: &[Record],
    ) -> Result<Self, Fault> {
        let name = target.upsert.table.as_str();
        let mut table = Self {
            connection,
            database,
            quoted: quote_identifier("table", name)?,
            name,
            columns: HashMap::new(),
        };
        table
            .read()
            .map_err(|error| error::fault(database, error))?;
        if !table.columns.is_empty() {
            return Ok(table);
        }
        if !target.create {
            return Err(Fault::configuration(format!(
                "{database} has no table {name:?}, and `create` is false. Make the table, or \
                 leave `create` out."
            )));
        }
        table.create(&target.upsert.key, records)?;
        Ok(table)
    }

    /// The table's name as SQL.
    pub(crate) fn quoted(&self) -> &str {
        &self.quoted
    }

    /// What a column takes, or `None` where there is no such column.
    pub(crate) fn holds(&self, column: &str) -> Option<Holds> {
        self.columns.get(&column.to_ascii_lowercase()).copied()
    }

    fn read(&mut self) -> Result<(), rusqlite::Error> {
        let mut statement = self
            .connection
            .prepare_cached("select name, type from pragma_table_xinfo(?1)")?;
        let mut rows = statement.query([self.name])?;
        while let Some(row) = rows.next()? {
            let (column, declared): (String, String) = (row.get(0)?, row.get(1)?);
            self.columns
                .insert(column.to_ascii_lowercase(), Holds::of(&declared));
        }
        Ok(())
    }

    fn create(&mut self, key: &[String], records: &[Record]) -> Result<(), Fault> {
        let mut columns: Vec<(&str, &'static str)> = Vec::new();
        for name in records.iter().flat_map(Record::keys) {
            if !columns
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(name))
            {
                columns.push((name, declared_type(records, name)));
                self.refuse_too_many(columns.len())?;
            }
        }
        let mut parts = Vec::with_capacity(columns.len() + 1);
        for (name, declared) in &columns {
            let not_null = if key.iter().any(|column| column == name) {
                " NOT NULL"
            } else {
                ""
            };
            parts.push(format!(
                "{} {declared}{not_null}",
                quote_identifier("column", name)?
            ));
        }
        let key = quote_all(key)?;
        parts.push(format!("PRIMARY KEY ({key})"));
        let sql = format!("CREATE TABLE {} ({})", self.quoted, parts.join(", "));
        self.connection
            .execute(&sql, [])
            .map_err(|error| error::fault(self.database, error))?;
        for (name, declared) in columns {
            self.columns
                .insert(name.to_ascii_lowercase(), Holds::of(declared));
        }
        Ok(())
    }

    /// Adds a column for a value.
    pub(crate) fn add(&mut self, column: &str, records: &[Record]) -> Result<Holds, Fault> {
        self.refuse_too_many(self.columns.len() + 1)?;
        let declared = declared_type(records, column);
        let quoted = quote_identifier("column", column)?;
        let sql = format!("ALTER TABLE {} ADD COLUMN {quoted} {declared}", self.quoted);
        self.connection
            .execute(&sql, [])
            .map_err(|error| error::fault(self.database, error))?;
        self.columns
            .insert(column.to_ascii_lowercase(), Holds::of(declared));
        Ok(Holds::of(declared))
    }

    fn refuse_too_many(&self, columns: usize) -> Result<(), Fault> {
        if columns <= COLUMNS_MAX {
            return Ok(());
        }
        Err(Fault::validation(format!(
            "The records need more than {COLUMNS_MAX} columns in {:?}. Write fewer fields.",
            self.name
        )))
    }
}

/// Column names as SQL, joined by commas.
pub(crate) fn quote_all(columns: &[String]) -> Result<String, Fault> {
    let quoted: Result<Vec<String>, Fault> = columns
        .iter()
        .map(|column| quote_identifier("column", column))
        .collect();
    Ok(quoted?.join(", "))
}

/// The type of the first value that is not null; a column that is null so far takes anything.
fn declared_type(records: &[Record], column: &str) -> &'static str {
    let first = records
        .iter()
        .filter_map(|record| record.get(column))
        .find(|value| !value.is_null());
    match first {
        None | Some(Value::Null) => "",
        Some(Value::Bool(_)) => "BOOLEAN",
        Some(Value::Number(number)) if number.is_f64() => "REAL",
        Some(Value::Number(_)) => "INTEGER",
        Some(Value::String(_) | Value::Array(_) | Value::Object(_)) => "TEXT",
    }
}
