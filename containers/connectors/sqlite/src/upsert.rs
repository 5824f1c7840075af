//! Writing records: `INSERT .. ON CONFLICT DO UPDATE`, so that writing twice is writing once.

use flame_connector::{Fault, Record};
use rusqlite::types::{ToSqlOutput, Value as Sql, ValueRef};
use rusqlite::{Connection, ToSql, params_from_iter};
use serde_json::Value;

use crate::config::Target;
use crate::error;
use crate::table::{Holds, Table, quote_all};

/// Writes the records inside the caller's savepoint.
pub(crate) fn write(
    connection: &Connection,
    database: &str,
    target: &Target,
    records: &[Record],
) -> Result<(), Fault> {
    for (at, record) in records.iter().enumerate() {
        target.upsert.validate_record(at, record)?;
    }
    let mut table = Table::open(connection, database, target, records)?;
    let mut shape: Option<Shape> = None;
    for (at, record) in records.iter().enumerate() {
        let current = match shape.take() {
            Some(same) if same.fits(record) => same,
            _ => Shape::of(&mut table, target, records, record).map_err(|f| blame(f, at))?,
        };
        insert(connection, database, &current, record).map_err(|fault| blame(fault, at))?;
        shape = Some(current);
    }
    Ok(())
}

/// A fault of the record's own making names the record.
fn blame(fault: Fault, at: usize) -> Fault {
    if fault.kind == flame_connector::FaultKind::Validation {
        fault.at_record(at)
    } else {
        fault
    }
}

/// The statement for records with the same columns in the same order.
struct Shape {
    columns: Vec<String>,
    holds: Vec<Holds>,
    sql: String,
}

impl Shape {
    fn fits(&self, record: &Record) -> bool {
        self.columns.len() == record.len() && self.columns.iter().eq(record.keys())
    }

    fn of(
        table: &mut Table<'_>,
        target: &Target,
        records: &[Record],
        record: &Record,
    ) -> Result<Self, Fault> {
        let columns: Vec<String> = record.keys().cloned().collect();
        let mut holds = Vec::with_capacity(columns.len());
        for (at, column) in columns.iter().enumerate() {
            if columns[..at]
                .iter()
                .any(|other| other.eq_ignore_ascii_case(column))
            {
                return Err(Fault::validation(format!(
                    "The record has {column:?} twice: SQLite's column names know no case."
                )));
            }
            holds.push(match table.holds(column) {
                Some(holds) => holds,
                None if target.create => table.add(column, records)?,
                None => {
                    return Err(Fault::configuration(format!(
                        "Table {:?} has no column {column:?}, and `create` is false.",
                        target.upsert.table
                    )));
                }
            });
        }
        let sql = statement(table.quoted(), &target.upsert.key, &columns)?;
        Ok(Self {
            columns,
            holds,
            sql,
        })
    }
}

fn statement(table: &str, key: &[String], columns: &[String]) -> Result<String, Fault> {
    let places: Vec<String> = (1..=columns.len())
        .map(|place| format!("?{place}"))
        .collect();
    let rest: Vec<String> = columns
        .iter()
        .filter(|name| !key.contains(name))
        .cloned()
        .collect();
    let mut updates = Vec::with_capacity(rest.len());
    for column in &rest {
        let quoted = quote_all(std::slice::from_ref(column))?;
        updates.push(format!("{quoted} = excluded.{quoted}"));
    }
    let action = if updates.is_empty() {
        "NOTHING".to_owned()
    } else {
        format!("UPDATE SET {}", updates.join(", "))
    };
    Ok(format!(
        "INSERT INTO {table} ({}) VALUES ({}) ON CONFLICT ({}) DO {action}",
        quote_all(columns)?,
        places.join(", "),
        quote_all(key)?
    ))
}

fn insert(
    connection: &Connection,
    database: &str,
    shape: &Shape,
    record: &Record,
) -> Result<(), Fault> {
    let mut bound = Vec::with_capacity(record.len());
    for ((column, value), holds) in record.iter().zip(&shape.holds) {
        bound.push(Bound::of(column, value, *holds)?);
    }
    let failed = |error| {
        let fault = error::fault(database, error);
        if fault.detail.contains("ON CONFLICT clause does not match") {
            return Fault::configuration(
                "The table has no primary key or unique index on exactly the columns of `key`. \
                 Make one with CREATE UNIQUE INDEX, or correct `key`.",
            );
        }
        fault
    };
    let mut statement = connection.prepare_cached(&shape.sql).map_err(failed)?;
    statement.execute(params_from_iter(bound)).map_err(failed)?;
    Ok(())
}

/// A JSON value as SQLite takes it; text is borrowed.
struct Bound<'v>(ToSqlOutput<'v>);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match &self.0 {
            ToSqlOutput::Borrowed(value) => ToSqlOutput::Borrowed(*value),
            ToSqlOutput::Owned(value) => ToSqlOutput::Borrowed(ValueRef::from(value)),
            other => other.clone(),
        })
    }
}

impl<'v> Bound<'v> {
    fn of(column: &str, value: &'v Value, holds: Holds) -> Result<Self, Fault> {
        let mismatch = |found: &str| {
            Err(Fault::validation(format!(
                "Column {column:?} holds numbers, and the record has {found}."
            )))
        };
        let numbers = holds == Holds::Numbers;
        Ok(Self(match value {
            Value::Null => ToSqlOutput::Owned(Sql::Null),
            Value::Bool(flag) if holds == Holds::Text => {
                ToSqlOutput::Borrowed(ValueRef::Text(if *flag { b"true" } else { b"false" }))
            }
            Value::Bool(flag) => ToSqlOutput::Owned(Sql::Integer(i64::from(*flag))),
            Value::Number(number) => ToSqlOutput::Owned(match (number.as_i64(), number.as_f64()) {
                (Some(integer), _) => Sql::Integer(integer),
                (None, Some(real)) if number.is_f64() => Sql::Real(real),
                _ => {
                    return Err(Fault::validation(format!(
                        "Column {column:?}: {number} is beyond SQLite's 64-bit integers."
                    )));
                }
            }),
            Value::String(text) if numbers && text.trim().parse::<f64>().is_err() => {
                return mismatch(&format!("the text {:?}", shortened(text)));
            }
            Value::String(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Value::Array(_) if numbers => return mismatch("an array"),
            Value::Object(_) if numbers => return mismatch("an object"),
            Value::Array(_) | Value::Object(_) => ToSqlOutput::Owned(Sql::Text(value.to_string())),
        }))
    }
}

/// Enough of a text to recognise it.
fn shortened(text: &str) -> String {
    const SHOWN_MAX: usize = 60;
    let mut short: String = text.chars().take(SHOWN_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
