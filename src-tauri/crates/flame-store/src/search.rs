//! Runs found by what stands in their input and output: newest first, read one by one.
//!
//! Deliberately absent: an index (any field may be asked for) and large payloads: what is over 64 KiB is
//! not looked into. A scan is bounded by rows, found and read, and by time; it says where it goes on.

use std::time::{Duration, Instant};

use flame_types::{RunId, json};
use rusqlite::{Connection, OptionalExtension, params_from_iter};
use serde_json::Value;

use crate::reader::{Page, Query, RunFilter, narrow};
use crate::row::{self, RunSummary};

/// The largest input or output that is looked into.
const PAYLOAD_BYTES_MAX: usize = 64 * 1024;
/// Longest time of one scan; a reader that stays longer keeps the log growing.
const SCAN_TIME_MAX: Duration = Duration::from_secs(1);

/// Which payload a condition is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    Input,
    Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// A text that has the value's text in it, in any case.
    Contains,
}

/// What a field must be for a run to be found. A field that is absent fulfils nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldCondition {
    pub payload: Payload,
    /// JSON pointer; empty for the payload itself.
    pub pointer: String,
    pub comparison: Comparison,
    /// Any of these; for `NotEqual` none of them.
    pub values: Vec<Value>,
}

/// What a scan found, and the run behind which it goes on, where it has not seen all.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    pub runs: Vec<RunSummary>,
    pub next: Option<RunId>,
}

pub(crate) fn search(
    connection: &Connection,
    filter: &RunFilter,
    conditions: &[FieldCondition],
    page: Page<RunId>,
) -> rusqlite::Result<Found> {
    let of = |column: &str| {
        format!("CASE WHEN length({column}) <= {PAYLOAD_BYTES_MAX} THEN {column} END")
    };
    let mut query = Query::new(&format!(
        "SELECT id, {}, {} FROM runs",
        of("input"),
        of("output")
    ));
    narrow(&mut query, filter, page.after);
    let (sql, values) = query.ordered("id DESC");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let begun = Instant::now();
    let mut found = Found {
        runs: Vec::new(),
        next: None,
    };
    let mut last = None;
    while let Some(row) = rows.next()? {
        if found.runs.len() >= page.rows() || begun.elapsed() >= SCAN_TIME_MAX {
            found.next = last;
            break;
        }
        let id = row::run_id(row, 0)?;
        last = Some(id);
        let payload = |column| -> rusqlite::Result<Option<Value>> {
            let bytes: Option<Vec<u8>> = row.get(column)?;
            // What is no JSON has no fields.
            Ok(bytes.and_then(|bytes| json::from_slice(&bytes).ok()))
        };
        let (input, output) = (payload(1)?, payload(2)?);
        let fulfilled = conditions.iter().all(|condition| {
            let payload = match condition.payload {
                Payload::Input => &input,
                Payload::Output => &output,
            };
            let field = payload
                .as_ref()
                .and_then(|payload| payload.pointer(&condition.pointer));
            field.is_some_and(|field| condition.holds(field))
        });
        if fulfilled {
            found.runs.extend(summary(connection, id)?);
        }
    }
    Ok(found)
}

fn summary(connection: &Connection, id: RunId) -> rusqlite::Result<Option<RunSummary>> {
    connection
        .prepare_cached(&format!(
            "SELECT {} FROM runs WHERE id = ?1",
            row::SUMMARY_COLUMNS
        ))?
        .query_row([id.as_uuid().as_bytes()], row::summary)
        .optional()
}

impl FieldCondition {
    fn holds(&self, field: &Value) -> bool {
        let any =
            |holds: fn(&Value, &Value) -> bool| self.values.iter().any(|value| holds(field, value));
        match self.comparison {
            Comparison::Equal => any(equal),
            Comparison::NotEqual => !any(equal),
            Comparison::Less => any(below),
            Comparison::LessOrEqual => {
                any(|field, value| below(field, value) || equal(field, value))
            }
            Comparison::Greater => any(|field, value| below(value, field)),
            Comparison::GreaterOrEqual => {
                any(|field, value| below(value, field) || equal(field, value))
            }
            Comparison::Contains => any(contains),
        }
    }
}

/// Numbers are equal by what they are worth: 42 and 42.0.
fn equal(left: &Value, right: &Value) -> bool {
    left == right
        || matches!((left.as_f64(), right.as_f64()), (Some(left), Some(right)) if left == right)
}

/// Numbers by size, texts by their characters; anything else has no order.
fn below(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64() < right.as_f64(),
        (Value::String(left), Value::String(right)) => left < right,
        _ => false,
    }
}

fn contains(field: &Value, value: &Value) -> bool {
    match (field, value) {
        (Value::String(field), Value::String(value)) => {
            field.to_lowercase().contains(&value.to_lowercase())
        }
        _ => false,
    }
}
