//! Writing records: one statement for all that have the same columns, typed by the server.
//!
//! The rows travel as one JSON parameter and `json_populate_recordset` turns them into the table's
//! own row type, so that every column type the server knows is taken the way the server takes it.

use std::collections::HashMap;

use deadpool_postgres::{Object, Transaction};
use flame_connector::{Fault, Record, quote_identifier};
use serde_json::Value;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::config::Target;

/// Tries of one batch: a table is made in between, then its columns.
const TRIES_MAX: u32 = 3;

/// Why records were not written.
pub(crate) enum Failure {
    /// Found before asking the server.
    Refused(Fault),
    Session(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Session(error)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Refused(fault)
    }
}

/// Writes all records or none, and makes what is missing where the target allows it.
pub(crate) async fn write(
    session: &mut Object,
    target: &Target,
    records: &[Record],
) -> Result<(), Failure> {
    let mut tries = 1;
    loop {
        let error = match write_once(session, target, records).await {
            Err(Failure::Session(error)) if target.create && tries < TRIES_MAX => error,
            outcome => return outcome,
        };
        match error.code() {
            Some(code) if *code == SqlState::UNDEFINED_TABLE => {
                make(session, target, &create_table(target, records)?).await?;
            }
            Some(code) if *code == SqlState::UNDEFINED_COLUMN => {
                make(session, target, &add_columns(target, records)?).await?;
            }
            _ => return Err(error.into()),
        }
        tries += 1;
    }
}

async fn write_once(
    session: &mut Object,
    target: &Target,
    records: &[Record],
) -> Result<(), Failure> {
    let groups = groups(target, records);
    let transaction = session.transaction().await?;
    for group in &groups {
        let sql = statement(target, &group[0].keys().collect::<Vec<_>>())?;
        insert(&transaction, &sql, group).await?;
    }
    transaction.commit().await?;
    Ok(())
}

async fn insert(
    transaction: &Transaction<'_>,
    sql: &str,
    group: &[&Record],
) -> Result<(), Failure> {
    let statement = transaction.prepare_cached(sql).await?;
    let rows = serde_json::to_string(group)
        .map_err(|error| Fault::runtime(format!("The rows are not JSON: {error}.")))?;
    transaction.execute(&statement, &[&rows]).await?;
    Ok(())
}

/// Consecutive records with the same columns and no key twice: one statement can't touch a row
/// twice, and of two records with one key the later must win.
fn groups<'r>(target: &Target, records: &'r [Record]) -> Vec<Vec<&'r Record>> {
    let mut groups: Vec<Vec<&'r Record>> = Vec::new();
    // Place of each key in the last group.
    let mut places: HashMap<String, usize> = HashMap::with_capacity(records.len());
    for record in records {
        let key = key_text(target, record);
        let joins = groups
            .last()
            .is_some_and(|group| group[0].keys().eq(record.keys()));
        match groups.last_mut().filter(|_| joins) {
            Some(group) => match places.get(&key) {
                // Same columns: the earlier record would be overwritten whole.
                Some(place) => group[*place] = record,
                None => {
                    places.insert(key, group.len());
                    group.push(record);
                }
            },
            None => {
                places.clear();
                places.insert(key, 0);
                groups.push(vec![record]);
            }
        }
    }
    groups
}

/// The key's values in a form in which equal keys are equal: `7` and `"7"` name one row.
fn key_text(target: &Target, record: &Record) -> String {
    let mut text = String::new();
    for column in &target.upsert.key {
        match record.get(column) {
            Some(Value::String(value)) => text.push_str(value),
            Some(value) => text.push_str(&value.to_string()),
            None => {}
        }
        text.push('\0');
    }
    text
}

fn statement(target: &Target, columns: &[&String]) -> Result<String, Fault> {
    let quoted = quote_all(columns.iter().copied())?;
    let mut updates = Vec::with_capacity(columns.len());
    for column in columns
        .iter()
        .filter(|column| !target.upsert.key.contains(column))
    {
        let name = quote_identifier("column", column)?;
        updates.push(format!("{name} = excluded.{name}"));
    }
    let action = if updates.is_empty() {
        "NOTHING".to_owned()
    } else {
        format!("UPDATE SET {}", updates.join(", "))
    };
    let (table, key) = (&target.quoted, quote_all(&target.upsert.key)?);
    Ok(format!(
        "INSERT INTO {table} ({quoted}) SELECT {quoted} \
         FROM json_populate_recordset(NULL::{table}, $1::text::json) \
         ON CONFLICT ({key}) DO {action}"
    ))
}

fn create_table(target: &Target, records: &[Record]) -> Result<String, Fault> {
    let mut parts = Vec::new();
    for (column, declared) in columns(records) {
        parts.push(format!(
            "{} {declared}",
            quote_identifier("column", column)?
        ));
    }
    let key = quote_all(&target.upsert.key)?;
    let table = &target.quoted;
    Ok(format!(
        "CREATE TABLE IF NOT EXISTS {table} ({}, PRIMARY KEY ({key}))",
        parts.join(", ")
    ))
}

fn add_columns(target: &Target, records: &[Record]) -> Result<String, Fault> {
    let mut parts = Vec::new();
    for (column, declared) in columns(records) {
        let name = quote_identifier("column", column)?;
        parts.push(format!("ADD COLUMN IF NOT EXISTS {name} {declared}"));
    }
    Ok(format!(
        "ALTER TABLE {} {}",
        target.quoted,
        parts.join(", ")
    ))
}

/// Runs a definition under a lock of its own: of two that make one table, the second finds it.
async fn make(session: &mut Object, target: &Target, sql: &str) -> Result<(), Failure> {
    let transaction = session.transaction().await?;
    transaction
        .execute(
            "SELECT pg_advisory_xact_lock(hashtext($1))",
            &[&target.quoted],
        )
        .await?;
    transaction.batch_execute(sql).await?;
    transaction.commit().await?;
    Ok(())
}

/// Every column of the records, with the type of its first value that is not null.
fn columns(records: &[Record]) -> Vec<(&String, &'static str)> {
    let mut columns: Vec<(&String, Option<&'static str>)> = Vec::new();
    let mut places: HashMap<&String, usize> = HashMap::new();
    for (name, value) in records.iter().flatten() {
        let place = *places.entry(name).or_insert_with(|| {
            columns.push((name, None));
            columns.len() - 1
        });
        let declared = &mut columns[place].1;
        *declared = declared.or_else(|| declared_type(value));
    }
    columns
        .into_iter()
        .map(|(name, declared)| (name, declared.unwrap_or("text")))
        .collect()
}

/// Numbers are `numeric`: the next record may have a fraction, or more digits.
fn declared_type(value: &Value) -> Option<&'static str> {
    match value {
        Value::Null => None,
        Value::Bool(_) => Some("boolean"),
        Value::Number(_) => Some("numeric"),
        Value::String(_) => Some("text"),
        Value::Array(_) | Value::Object(_) => Some("jsonb"),
    }
}

fn quote_all<'c>(columns: impl IntoIterator<Item = &'c String>) -> Result<String, Fault> {
    let quoted: Result<Vec<String>, Fault> = columns
        .into_iter()
        .map(|column| quote_identifier("column", column))
        .collect();
    Ok(quoted?.join(", "))
}
