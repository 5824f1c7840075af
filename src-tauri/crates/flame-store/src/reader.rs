//! Everything that is read. One call, one short read transaction: a long one would keep the log growing.

use std::fmt::Write as _;

use flame_types::{RunId, RunStatus, Timestamp, json};
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use crate::blob;
use crate::operation::{
    Child, DeadLetter, DeadLetterState, Definition, DefinitionKey, Feed, JournalBatch, Schedule,
    Subscription,
};
use crate::row::{self, Id, Run, RunSummary};

/// Rows one page holds at most.
const PAGE_MAX: usize = 1_000;
/// Journal bytes one page holds at most, beyond its first batch.
const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A part of a list. `after` is the last item of the page before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page<C> {
    pub after: Option<C>,
    /// At least 1; capped at 1,000.
    pub limit: usize,
}

impl<C> Page<C> {
    /// The first page of this many items.
    pub const fn first(limit: usize) -> Self {
        Self { after: None, limit }
    }

    /// The page behind an item.
    pub const fn after(cursor: C, limit: usize) -> Self {
        Self {
            after: Some(cursor),
            limit,
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.limit.clamp(1, PAGE_MAX)
    }

    fn limit(&self) -> i64 {
        i64::try_from(self.rows()).unwrap_or(1)
    }
}

/// Which runs a list shows; empty fields match all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunFilter {
    pub statuses: Vec<RunStatus>,
    pub namespace: Option<String>,
    pub name: Option<String>,
    pub version: Option<String>,
    pub trigger: Option<String>,
    pub replay_of: Option<RunId>,
    /// Runs that a task of this run started.
    pub parent: Option<RunId>,
    pub created_from: Option<Timestamp>,
    pub created_before: Option<Timestamp>,
    pub ended_from: Option<Timestamp>,
    pub ended_before: Option<Timestamp>,
    /// In the id, subject, workflow or error, without regard to case.
    pub text: Option<String>,
}

/// An event as it stands in the log.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    /// Grows with every event; gaps are possible.
    pub sequence: u64,
    pub run: Option<RunId>,
    pub time: Timestamp,
    /// The CloudEvent as JSON.
    pub body: Vec<u8>,
}

type Outcome<T> = rusqlite::Result<T>;

pub(crate) fn run(connection: &Connection, id: RunId) -> Outcome<Option<Run>> {
    connection
        .prepare_cached(&format!(
            "SELECT {}, output, input FROM runs WHERE id = ?1",
            row::SUMMARY_COLUMNS
        ))?
        .query_row([id.as_uuid().as_bytes()], |row| {
            // The row is still being read, so what it refers to is of the same moment.
            let mut run = row::run(row)?;
            run.input = blob::get(connection, row::INPUT, run.input)?;
            let output = run.output.take();
            run.output = output
                .map(|output| blob::get(connection, row::OUTPUT, output))
                .transpose()?;
            Ok(run)
        })
        .optional()
}

/// Newest first.
pub(crate) fn runs(
    connection: &Connection,
    filter: &RunFilter,
    page: Page<RunId>,
) -> Outcome<Vec<RunSummary>> {
    let mut query = Query::new(&format!("SELECT {} FROM runs", row::SUMMARY_COLUMNS));
    narrow(&mut query, filter, page.after);
    query.rows(connection, "id DESC", page.limit(), row::summary)
}

/// The conditions of a filter, behind the last run of the page before.
pub(crate) fn narrow(query: &mut Query, filter: &RunFilter, after: Option<RunId>) {
    query.any_of(
        "status",
        filter.statuses.iter().map(|status| status.as_str()),
    );
    query.equals("namespace", filter.namespace.clone());
    query.equals("name", filter.name.clone());
    query.equals("version", filter.version.clone());
    query.equals("started_by", filter.trigger.clone());
    query.equals(
        "replay_of",
        filter
            .replay_of
            .map(|run| run.as_uuid().as_bytes().to_vec()),
    );
    if let Some(parent) = filter.parent {
        query.condition(
            "id IN (SELECT run FROM children WHERE parent = ?)",
            [Sql::Blob(parent.as_uuid().as_bytes().to_vec())],
        );
    }
    query.compare(
        "created >=",
        filter.created_from.map(Timestamp::as_microsecond),
    );
    query.compare(
        "created <",
        filter.created_before.map(Timestamp::as_microsecond),
    );
    query.compare("ended >=", filter.ended_from.map(Timestamp::as_microsecond));
    query.compare(
        "ended <",
        filter.ended_before.map(Timestamp::as_microsecond),
    );
    query.compare("id <", after.map(|run| run.as_uuid().as_bytes().to_vec()));
    if let Some(text) = &filter.text {
        query.condition(
            "instr(lower(concat_ws(' ', lower(hex(id)), subject, namespace || '/' || name || '/' || \
             version, error)), ?) > 0",
            [Sql::Text(needle(text))],
        );
    }
}

/// Runs that have not ended, oldest first; what a start has to take up again.
pub(crate) fn live_runs(connection: &Connection, page: Page<RunId>) -> Outcome<Vec<RunSummary>> {
    let mut query = Query::new(&format!("SELECT {} FROM runs", row::SUMMARY_COLUMNS));
    let live = RunStatus::ALL
        .into_iter()
        .filter(|status| !status.is_terminal());
    query.any_of("status", live.map(RunStatus::as_str));
    query.compare(
        "id >",
        page.after.map(|run| run.as_uuid().as_bytes().to_vec()),
    );
    query.rows(connection, "id", page.limit(), row::summary)
}

/// Runs that have not ended and that another run's task waits for, oldest first.
pub(crate) fn awaited_children(connection: &Connection, page: Page<RunId>) -> Outcome<Vec<Child>> {
    let mut query = Query::new(
        "SELECT children.run, children.parent, children.task, children.awaited FROM children \
         JOIN runs ON runs.id = children.run",
    );
    let live = RunStatus::ALL
        .into_iter()
        .filter(|status| !status.is_terminal());
    query.any_of("status", live.map(RunStatus::as_str));
    query.condition("children.awaited", []);
    query.compare(
        "children.run >",
        page.after.map(|run| run.as_uuid().as_bytes().to_vec()),
    );
    query.rows(connection, "children.run", page.limit(), |row| {
        Ok(Child {
            run: row::run_id(row, 0)?,
            parent: row::run_id(row, 1)?,
            task: row.get(2)?,
            awaited: row.get(3)?,
        })
    })
}

pub(crate) fn workflow_run_counts(
    connection: &Connection,
) -> Outcome<Vec<(DefinitionKey, RunStatus, u64)>> {
    let mut statement = connection.prepare_cached(
        "SELECT namespace, name, version, status, COUNT(*) FROM runs \
         GROUP BY namespace, name, version, status",
    )?;
    let rows = statement.query_map([], |row| {
        let key = DefinitionKey {
            kind: "workflow".to_owned(),
            namespace: row.get(0)?,
            name: row.get(1)?,
            version: row.get(2)?,
        };
        Ok((key, row.get::<_, String>(3)?, row::count(row, 4)?))
    })?;
    let mut counts = Vec::new();
    for row in rows {
        let (key, name, count) = row?;
        counts.extend(RunStatus::from_name(&name).map(|status| (key, status, count)));
    }
    Ok(counts)
}

pub(crate) fn run_counts(connection: &Connection) -> Outcome<Vec<(RunStatus, u64)>> {
    let mut statement =
        connection.prepare_cached("SELECT status, COUNT(*) FROM runs GROUP BY status")?;
    let rows = statement.query_map([], |row| {
        Ok((row.get::<_, String>(0)?, row::count(row, 1)?))
    })?;
    let mut counts = Vec::new();
    for row in rows {
        let (name, count) = row?;
        counts.extend(RunStatus::from_name(&name).map(|status| (status, count)));
    }
    Ok(counts)
}

/// Batches from the one that holds `from`, up to a few megabytes.
pub(crate) fn journal(
    connection: &Connection,
    run: RunId,
    from: u64,
) -> Outcome<Vec<JournalBatch>> {
    let mut statement = connection.prepare_cached(
        "SELECT 0 AS first, opening_count, opening FROM runs WHERE id = ?1 AND opening_count > ?2 \
         UNION ALL SELECT first, count, records FROM journal WHERE run = ?1 AND first >= \
         COALESCE((SELECT MAX(first) FROM journal WHERE run = ?1 AND first <= ?2), 0) ORDER BY first",
    )?;
    let from = i64::try_from(from).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![run.as_uuid().as_bytes(), from])?;
    let (mut batches, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let (first, count): (u64, u32) = (row::count(row, 0)?, row.get(1)?);
        // The batch before `from` may end there: it has nothing that was asked for.
        if i64::try_from(first).unwrap_or(0) + i64::from(count) <= from {
            continue;
        }
        let records = blob::get(connection, 2, row.get(2)?)?;
        bytes += records.len();
        batches.push(JournalBatch {
            run,
            first,
            count,
            records,
        });
        if bytes >= PAGE_BYTES_MAX || batches.len() >= PAGE_MAX {
            break;
        }
    }
    Ok(batches)
}

pub(crate) fn idempotency(
    connection: &Connection,
    scope: &str,
    key: &str,
) -> Outcome<Option<(RunId, [u8; 32])>> {
    connection
        .prepare_cached("SELECT run, body_hash FROM idempotency WHERE scope = ?1 AND key = ?2")?
        .query_row([scope, key], |row| Ok((row::run_id(row, 0)?, row.get(1)?)))
        .optional()
}

pub(crate) fn definition(
    connection: &Connection,
    key: &DefinitionKey,
) -> Outcome<Option<Definition>> {
    connection
        .prepare_cached(&format!(
            "SELECT {} FROM definitions JOIN definition_texts USING (kind, hash) \
             WHERE kind = ?1 AND namespace = ?2 AND name = ?3 AND version = ?4",
            row::DEFINITION_COLUMNS
        ))?
        .query_row(
            [&key.kind, &key.namespace, &key.name, &key.version],
            row::definition,
        )
        .optional()
}

/// All definitions of a kind with their texts, by address; `after` is the address before the page.
pub(crate) fn definitions(
    connection: &Connection,
    kind: &str,
    page: Page<DefinitionKey>,
) -> Outcome<Vec<Definition>> {
    let mut query = Query::new(&format!(
        "SELECT {} FROM definitions JOIN definition_texts USING (kind, hash)",
        row::DEFINITION_COLUMNS
    ));
    query.equals("kind", Some(kind.to_owned()));
    if let Some(after) = &page.after {
        query.condition(
            "(namespace, name, version) > (?, ?, ?)",
            [&after.namespace, &after.name, &after.version].map(|part| Sql::Text(part.clone())),
        );
    }
    query.rows(
        connection,
        "namespace, name, version",
        page.limit(),
        row::definition,
    )
}

/// The text of a definition, also after it was replaced: content type and body.
pub(crate) fn definition_text(
    connection: &Connection,
    kind: &str,
    hash: &str,
) -> Outcome<Option<(String, Vec<u8>)>> {
    connection
        .prepare_cached(
            "SELECT content_type, body FROM definition_texts WHERE kind = ?1 AND hash = ?2",
        )?
        .query_row([kind, hash], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

/// Oldest first.
pub(crate) fn events(
    connection: &Connection,
    run: Option<RunId>,
    kind: Option<String>,
    page: Page<u64>,
) -> Outcome<Vec<StoredEvent>> {
    let mut query = Query::new("SELECT sequence, run, time, body FROM events");
    query.equals("run", run.map(|run| run.as_uuid().as_bytes().to_vec()));
    query.equals("type", kind);
    query.compare(
        "sequence >",
        page.after
            .map(|after| i64::try_from(after).unwrap_or(i64::MAX)),
    );
    query.rows(connection, "sequence", page.limit(), event)
}

/// The sequence of the last event that was ever added; 0 where there was none.
pub(crate) fn events_end(connection: &Connection) -> Outcome<u64> {
    let end = connection
        .prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'events'")?
        .query_row([], |row| row::count(row, 0))
        .optional()?;
    Ok(end.unwrap_or(0))
}

/// Oldest first, of these types or of all, up to `bytes_max` beyond the first one.
pub(crate) fn events_after(
    connection: &Connection,
    after: u64,
    types: Option<&[String]>,
    limit: usize,
    bytes_max: usize,
) -> Outcome<Vec<StoredEvent>> {
    let mut query = Query::new("SELECT sequence, run, time, body FROM events");
    if let Some(types) = types {
        query.any_of("type", types.iter().map(String::as_str));
    }
    query.compare("sequence >", Some(i64::try_from(after).unwrap_or(i64::MAX)));
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut bytes = 0;
    query.rows_until(connection, "sequence", limit, event, |event| {
        bytes += event.body.len();
        bytes >= bytes_max
    })
}

fn event(row: &rusqlite::Row<'_>) -> Outcome<StoredEvent> {
    Ok(StoredEvent {
        sequence: row::count(row, 0)?,
        run: row.get::<_, Option<Id>>(1)?.map(|id| RunId::new(id.0)),
        time: row::instant(row, 2)?,
        body: row.get(3)?,
    })
}

/// Where the log ended when these task executions began to listen, in their order.
pub(crate) fn listeners(
    connection: &Connection,
    wanted: &[(RunId, u64)],
) -> Outcome<Vec<Option<u64>>> {
    let mut statement =
        connection.prepare_cached("SELECT since FROM listeners WHERE run = ?1 AND frame = ?2")?;
    wanted
        .iter()
        .map(|(run, frame)| {
            let frame = i64::try_from(*frame).unwrap_or(i64::MAX);
            statement
                .query_row(params![run.as_uuid().as_bytes(), frame], |row| {
                    row::count(row, 0)
                })
                .optional()
        })
        .collect()
}

pub(crate) fn subscriptions(connection: &Connection) -> Outcome<Vec<Subscription>> {
    connection
        .prepare_cached("SELECT namespace, name, version, position, state FROM subscriptions")?
        .query_map([], |row| {
            let state: String = row.get(4)?;
            Ok(Subscription {
                workflow: DefinitionKey {
                    kind: "workflow".to_owned(),
                    namespace: row.get(0)?,
                    name: row.get(1)?,
                    version: row.get(2)?,
                },
                position: Some(row::count(row, 3)?),
                state: json::from_str(&state).unwrap_or_default(),
            })
        })?
        .collect()
}

/// Newest first.
pub(crate) fn dead_letters(
    connection: &Connection,
    state: Option<DeadLetterState>,
    origin: Option<String>,
    page: Page<u64>,
) -> Outcome<Vec<DeadLetter>> {
    let mut query = Query::new(&format!(
        "SELECT {} FROM dead_letters",
        row::DEAD_LETTER_COLUMNS
    ));
    query.equals("state", state.map(|state| state.as_str().to_owned()));
    query.equals("origin", origin);
    query.compare(
        "id <",
        page.after.map(|id| i64::try_from(id).unwrap_or(i64::MAX)),
    );
    query.rows(connection, "id DESC", page.limit(), row::dead_letter)
}

pub(crate) fn dead_letter(connection: &Connection, id: u64) -> Outcome<Option<DeadLetter>> {
    connection
        .prepare_cached(&format!(
            "SELECT {} FROM dead_letters WHERE id = ?1",
            row::DEAD_LETTER_COLUMNS
        ))?
        .query_row([i64::try_from(id).unwrap_or(i64::MAX)], row::dead_letter)
        .optional()
}

/// How many there are, by origin and state.
pub(crate) fn dead_letter_counts(
    connection: &Connection,
) -> Outcome<Vec<(String, DeadLetterState, u64)>> {
    let mut statement = connection.prepare_cached(
        "SELECT origin, state, COUNT(*) FROM dead_letters GROUP BY origin, state",
    )?;
    let rows = statement.query_map([], |row| {
        Ok((row.get(0)?, row.get::<_, String>(1)?, row::count(row, 2)?))
    })?;
    let mut counts = Vec::new();
    for row in rows {
        let (origin, name, count) = row?;
        counts.extend(DeadLetterState::from_name(&name).map(|state| (origin, state, count)));
    }
    Ok(counts)
}

pub(crate) fn feed(connection: &Connection, pipeline: &str, source: &str) -> Outcome<Option<Feed>> {
    connection
        .prepare_cached(&format!(
            "SELECT {} FROM feeds WHERE pipeline = ?1 AND source = ?2",
            row::FEED_COLUMNS
        ))?
        .query_row([pipeline, source], row::feed)
        .optional()
}

/// Latest change first.
pub(crate) fn feeds(
    connection: &Connection,
    pipeline: Option<String>,
    limit: usize,
) -> Outcome<Vec<Feed>> {
    let mut query = Query::new(&format!("SELECT {} FROM feeds", row::FEED_COLUMNS));
    query.equals("pipeline", pipeline);
    query.rows(
        connection,
        "updated DESC",
        Page::<u64>::first(limit).limit(),
        row::feed,
    )
}

pub(crate) fn schedules(connection: &Connection) -> Outcome<Vec<Schedule>> {
    connection
        .prepare_cached("SELECT kind, namespace, name, version, next, last FROM schedules")?
        .query_map([], row::schedule)?
        .collect()
}

/// What is looked for, in the form of the searched text; an id is stored without its hyphens.
fn needle(text: &str) -> String {
    let text = text.trim().to_lowercase();
    if text.len() >= 8
        && text
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
    {
        text.replace('-', "")
    } else {
        text
    }
}

/// A select whose conditions depend on what was asked for.
pub(crate) struct Query {
    sql: String,
    values: Vec<Sql>,
}

impl Query {
    pub(crate) fn new(select: &str) -> Self {
        Self {
            sql: format!("{select} WHERE true"),
            values: Vec::new(),
        }
    }

    fn condition(&mut self, condition: &str, values: impl IntoIterator<Item = Sql>) {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
        self.values.extend(values);
    }

    fn compare<T: Into<Sql>>(&mut self, left: &str, value: Option<T>) {
        if let Some(value) = value {
            self.condition(&format!("{left} ?"), [value.into()]);
        }
    }

    fn equals<T: Into<Sql>>(&mut self, column: &str, value: Option<T>) {
        self.compare(&format!("{column} ="), value);
    }

    fn any_of<'t>(&mut self, column: &str, values: impl Iterator<Item = &'t str>) {
        let values: Vec<Sql> = values.map(|value| Sql::Text(value.to_owned())).collect();
        if !values.is_empty() {
            let marks = vec!["?"; values.len()].join(", ");
            self.condition(&format!("{column} IN ({marks})"), values);
        }
    }

    /// The statement and its values, all rows in this order.
    pub(crate) fn ordered(self, order: &str) -> (String, Vec<Sql>) {
        (format!("{} ORDER BY {order}", self.sql), self.values)
    }

    fn rows<T>(
        self,
        connection: &Connection,
        order: &str,
        limit: i64,
        read: impl FnMut(&rusqlite::Row<'_>) -> Outcome<T>,
    ) -> Outcome<Vec<T>> {
        self.rows_until(connection, order, limit, read, |_| false)
    }

    /// Reads no further than the first row that is `enough`.
    fn rows_until<T>(
        mut self,
        connection: &Connection,
        order: &str,
        limit: i64,
        mut read: impl FnMut(&rusqlite::Row<'_>) -> Outcome<T>,
        mut enough: impl FnMut(&T) -> bool,
    ) -> Outcome<Vec<T>> {
        // Writing to a `String` can't fail.
        let _ = write!(self.sql, " ORDER BY {order} LIMIT {limit}");
        let mut statement = connection.prepare_cached(&self.sql)?;
        let mut rows = statement.query(params_from_iter(self.values))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let value = read(row)?;
            let last = enough(&value);
            found.push(value);
            if last {
                break;
            }
        }
        Ok(found)
    }
}
