//! Rows as they are read: what a run looks like from outside, and how columns become values.

use flame_types::{RunId, RunStatus, Timestamp, WorkflowId};
use rusqlite::Row;
use rusqlite::types::{FromSql, FromSqlError, Type, ValueRef};
use uuid::Uuid;

use crate::operation::{DeadLetter, DeadLetterState, Definition, DefinitionKey, Feed, Schedule};

/// What lists show of a run; no payloads.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSummary {
    pub id: RunId,
    pub workflow: WorkflowId,
    pub hash: String,
    pub trigger: String,
    /// What the run is about, for people.
    pub subject: Option<String>,
    /// The run that this one replays, and the task it starts at.
    pub replay_of: Option<(RunId, String)>,
    /// The run whose task started this one, and that task.
    pub parent: Option<(RunId, String)>,
    pub created: Timestamp,
    pub status: RunStatus,
    pub task: Option<String>,
    pub updated: Timestamp,
    pub ended: Option<Timestamp>,
    pub wakes: Option<Timestamp>,
    /// The DSL error object as JSON, of a faulted run.
    pub error: Option<Vec<u8>>,
    /// How many records the journal has.
    pub records: u64,
}

/// A run with its payloads, each JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    pub summary: RunSummary,
    pub input: Vec<u8>,
    pub output: Option<Vec<u8>>,
}

pub(crate) const SUMMARY_COLUMNS: &str = "id, namespace, name, version, hash, started_by, subject, \
    replay_of, replay_task, created, status, task, updated, ended, wakes, error, \
    COALESCE((SELECT first + count FROM journal WHERE run = runs.id ORDER BY first DESC LIMIT 1), opening_count, 0), \
    (SELECT parent FROM children WHERE run = runs.id), \
    (SELECT children.task FROM children WHERE run = runs.id)";

pub(crate) fn summary(row: &Row<'_>) -> rusqlite::Result<RunSummary> {
    Ok(RunSummary {
        id: run_id(row, 0)?,
        workflow: workflow(row, 1)?,
        hash: row.get(4)?,
        trigger: row.get(5)?,
        subject: row.get(6)?,
        replay_of: row
            .get::<_, Option<Id>>(7)?
            .map(|run| Ok::<_, rusqlite::Error>((RunId::new(run.0), row.get(8)?)))
            .transpose()?,
        parent: row
            .get::<_, Option<Id>>(17)?
            .map(|run| Ok::<_, rusqlite::Error>((RunId::new(run.0), row.get(18)?)))
            .transpose()?,
        created: instant(row, 9)?,
        status: named(row, 10, RunStatus::from_name)?,
        task: row.get(11)?,
        updated: instant(row, 12)?,
        ended: optional_instant(row, 13)?,
        wakes: optional_instant(row, 14)?,
        error: row.get(15)?,
        records: count(row, 16)?,
    })
}

/// Columns behind those of a summary.
pub(crate) const OUTPUT: usize = 19;
pub(crate) const INPUT: usize = 20;

/// Payloads as they are stored, so without their large values.
pub(crate) fn run(row: &Row<'_>) -> rusqlite::Result<Run> {
    Ok(Run {
        summary: summary(row)?,
        output: row.get(OUTPUT)?,
        input: row.get(INPUT)?,
    })
}

pub(crate) const DEFINITION_COLUMNS: &str =
    "kind, namespace, name, version, hash, updated, detail, content_type, body";

pub(crate) fn definition(row: &Row<'_>) -> rusqlite::Result<Definition> {
    Ok(Definition {
        key: key(row)?,
        hash: row.get(4)?,
        updated: instant(row, 5)?,
        detail: json(row, 6)?,
        content_type: row.get(7)?,
        body: row.get(8)?,
    })
}

pub(crate) fn schedule(row: &Row<'_>) -> rusqlite::Result<Schedule> {
    Ok(Schedule {
        workflow: key(row)?,
        next: instant(row, 4)?,
        last: optional_instant(row, 5)?,
    })
}

pub(crate) const FEED_COLUMNS: &str =
    "pipeline, source, offset, records, dead, complete, detail, updated";

pub(crate) fn feed(row: &Row<'_>) -> rusqlite::Result<Feed> {
    Ok(Feed {
        pipeline: row.get(0)?,
        source: row.get(1)?,
        offset: count(row, 2)?,
        records: count(row, 3)?,
        dead: count(row, 4)?,
        complete: row.get(5)?,
        detail: json(row, 6)?,
        updated: instant(row, 7)?,
    })
}

pub(crate) const DEAD_LETTER_COLUMNS: &str = "id, origin, content_type, error, detail, state, attempts, \
    revision, created, updated, payload, original";

pub(crate) fn dead_letter(row: &Row<'_>) -> rusqlite::Result<DeadLetter> {
    Ok(DeadLetter {
        id: count(row, 0)?,
        origin: row.get(1)?,
        content_type: row.get(2)?,
        error: json(row, 3)?,
        detail: json(row, 4)?,
        state: named(row, 5, DeadLetterState::from_name)?,
        attempts: row.get(6)?,
        revision: count(row, 7)?,
        created: instant(row, 8)?,
        updated: instant(row, 9)?,
        payload: row.get(10)?,
        original: row.get(11)?,
    })
}

/// Three columns from this one on.
pub(crate) fn workflow(row: &Row<'_>, column: usize) -> rusqlite::Result<WorkflowId> {
    Ok(WorkflowId {
        namespace: parsed(row, column)?,
        name: parsed(row, column + 1)?,
        version: parsed(row, column + 2)?,
    })
}

/// A 16-byte id column.
pub(crate) struct Id(pub(crate) Uuid);

impl FromSql for Id {
    fn column_result(value: ValueRef<'_>) -> Result<Self, FromSqlError> {
        let bytes = value.as_blob()?;
        Uuid::from_slice(bytes)
            .map(Self)
            .map_err(|error| FromSqlError::Other(Box::new(error)))
    }
}

pub(crate) fn run_id(row: &Row<'_>, column: usize) -> rusqlite::Result<RunId> {
    Ok(RunId::new(row.get::<_, Id>(column)?.0))
}

pub(crate) fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|error| unreadable(column, Type::Integer, error))
}

pub(crate) fn instant(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    to_instant(column, row.get(column)?)
}

fn optional_instant(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    row.get::<_, Option<i64>>(column)?
        .map(|value| to_instant(column, value))
        .transpose()
}

fn to_instant(column: usize, microseconds: i64) -> rusqlite::Result<Timestamp> {
    Timestamp::from_microsecond(microseconds)
        .map_err(|error| unreadable(column, Type::Integer, error))
}

fn key(row: &Row<'_>) -> rusqlite::Result<DefinitionKey> {
    Ok(DefinitionKey {
        kind: row.get(0)?,
        namespace: row.get(1)?,
        name: row.get(2)?,
        version: row.get(3)?,
    })
}

fn json(row: &Row<'_>, column: usize) -> rusqlite::Result<serde_json::Value> {
    let text: String = row.get(column)?;
    flame_types::json::from_str(&text).map_err(|error| unreadable(column, Type::Text, error))
}

fn parsed<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: std::str::FromStr<Err = flame_types::InvalidId>,
{
    let text: String = row.get(column)?;
    text.parse()
        .map_err(|error| unreadable(column, Type::Text, error))
}

fn named<T>(
    row: &Row<'_>,
    column: usize,
    from_name: impl Fn(&str) -> Option<T>,
) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    from_name(&text).ok_or_else(|| {
        unreadable(
            column,
            Type::Text,
            std::io::Error::other(format!("{text:?} is unknown")),
        )
    })
}

fn unreadable(
    column: usize,
    kind: Type,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, kind, Box::new(error))
}
