//! One operation as SQL.

use std::borrow::Cow;
use std::path::Path;

use flame_types::{RunId, RunStatus, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use crate::blob::{self, Place};
use crate::file::translate;
use crate::operation::{
    AppendedEvent, Commit, DeadLetter, Definition, Feed, IdempotencyClaim, JournalBatch, NewRun,
    Operation, RunState, Schedule, Subscription,
};
use crate::{DefinitionKey, Error, retention, row, snapshot};

/// What a commit may hold in one value.
const PAYLOAD_BYTES_MAX: usize = 32 * 1024 * 1024;
/// What it may hold in the records of one run, each with several values.
const BATCH_BYTES_MAX: usize = 8 * PAYLOAD_BYTES_MAX;
/// What a run's records may have, with its input and output, to stand in its row.
const OPENING_BYTES_MAX: usize = 16 * 1024;

/// Applies all operations of a commit; the caller rolls back when it fails.
pub(crate) fn apply(connection: &Connection, path: &Path, commit: &Commit) -> Result<(), Error> {
    let applier = Applier { connection, path };
    let mut operations = commit.operations.as_slice();
    while let [operation, rest @ ..] = operations {
        operations = rest;
        match (operation, rest) {
            (Operation::CreateRun(run), [Operation::Append(batch), rest @ ..])
                if is_opening(run, batch) =>
            {
                applier.create_run(run, Some(batch))?;
                operations = rest;
            }
            _ => applier.operation(operation)?,
        }
    }
    Ok(())
}

/// Whether the first records of a run are its last and small, so that they stand in its row.
fn is_opening(run: &NewRun, batch: &JournalBatch) -> bool {
    let output = run.state.output.as_ref().map_or(0, |output| output.len());
    run.state.status.is_terminal()
        && batch.run == run.id
        && batch.first == 0
        && batch.count > 0
        && batch.records.len() + run.input.len() + output <= OPENING_BYTES_MAX
}

/// Whether a refused commit is in the database already.
///
/// A commit whose outcome was unknown (the disk failed while it was written) may come again: where its
/// journal batch is there byte for byte, all of the commit is.
pub(crate) fn is_applied(
    connection: &Connection,
    path: &Path,
    commit: &Commit,
) -> Result<bool, Error> {
    Applier { connection, path }.is_applied(commit)
}

struct Applier<'c> {
    connection: &'c Connection,
    path: &'c Path,
}

impl Applier<'_> {
    fn operation(&self, operation: &Operation) -> Result<(), Error> {
        match operation {
            Operation::CreateRun(run) => self.create_run(run, None),
            Operation::Append(batch) => self.append(batch),
            Operation::UpdateRun { id, state, reopen } => self.update_run(*id, state, *reopen),
            Operation::ClaimKey(claim) => self.claim_key(claim),
            Operation::PutDefinition(definition) => self.put_definition(definition),
            Operation::DeleteDefinition(key) => self.delete_definition(key),
            Operation::AppendEvent(event) => self.append_event(event),
            Operation::OpenListener { run, frame } => self.execute(
                "INSERT INTO listeners (run, frame, since) VALUES (?1, ?2, \
                 COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0))",
                params![id(*run), integer(*frame)],
            ),
            Operation::CloseListener { run, frame } => self.execute(
                "DELETE FROM listeners WHERE run = ?1 AND frame = ?2",
                params![id(*run), integer(*frame)],
            ),
            Operation::AddDeadLetter(letter) => self.add_dead_letter(letter),
            Operation::UpdateDeadLetter {
                letter,
                expected_revision,
            } => self.update_dead_letter(letter, *expected_revision),
            Operation::DeleteDeadLetter {
                id,
                expected_revision,
            } => self.delete_dead_letter(*id, *expected_revision),
            Operation::AdvanceFeed {
                feed,
                expected_offset,
            } => self.advance_feed(feed, *expected_offset),
            Operation::DeleteFeed { pipeline, source } => self.execute(
                "DELETE FROM feeds WHERE pipeline = ?1 AND source = ?2",
                params![pipeline, source],
            ),
            Operation::PutSnapshot(snapshot) => {
                limit_to(BATCH_BYTES_MAX, "snapshot", snapshot.state.len())?;
                self.done(snapshot::put(self.connection, snapshot))
            }
            Operation::Compact { run, keep } => {
                self.done(snapshot::compact(self.connection, *run, *keep))
            }
            Operation::DeleteRun { id } => self.done(retention::delete(self.connection, *id)),
            Operation::Clear => self.done(retention::clear(self.connection)),
            Operation::Shrink { pages } => self.done(retention::shrink(self.connection, *pages)),
            Operation::PutSubscription(subscription) => self.put_subscription(subscription),
            Operation::DeleteSubscription(key) => self.delete_subscription(key),
            Operation::PutSchedule(schedule) => self.put_schedule(schedule),
            Operation::DeleteSchedule(key) => self.delete_schedule(key),
            Operation::AddChild(child) => self.execute(
                "INSERT INTO children (run, parent, task, awaited) VALUES (?1, ?2, ?3, ?4)",
                params![id(child.run), id(child.parent), child.task, child.awaited],
            ),
        }
    }

    fn is_applied(&self, commit: &Commit) -> Result<bool, Error> {
        let Some(batch) = commit
            .operations
            .iter()
            .find_map(|operation| match operation {
                Operation::Append(batch) => Some(batch),
                _ => None,
            })
        else {
            return Ok(false);
        };
        let stored: Option<Vec<u8>> = self
            .connection
            .prepare_cached(
                "SELECT records FROM journal WHERE run = ?1 AND first = ?2 UNION ALL \
                 SELECT opening FROM runs WHERE id = ?1 AND ?2 = 0 AND opening IS NOT NULL",
            )
            .and_then(|mut statement| {
                statement
                    .query_row(params![id(batch.run), integer(batch.first)], |row| {
                        row.get(0)
                    })
                    .optional()
            })
            .map_err(|error| self.translate(&error))?;
        let Some(stored) = stored else {
            return Ok(false);
        };
        let place = Place::Batch(batch.first);
        Ok(match blob::as_stored(place, &batch.records) {
            Some(spilled) => stored == spilled,
            None => stored == batch.records,
        })
    }

    fn create_run(&self, run: &NewRun, opening: Option<&JournalBatch>) -> Result<(), Error> {
        limit("input", run.input.len())?;
        let state = &run.state;
        limit_state(state)?;
        let input = self.spill(run.id, Place::Input, &run.input)?;
        let output = self.output(run.id, state)?;
        let inserted = self.changes(
            "INSERT INTO runs (id, namespace, name, version, hash, started_by, subject, replay_of, replay_task, created, status, \
             task, updated, ended, wakes, error, output, input, opening_count, opening) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20) \
             ON CONFLICT (id) DO NOTHING",
            params![
                id(run.id),
                run.workflow.namespace.as_str(),
                run.workflow.name.as_str(),
                run.workflow.version.as_str(),
                run.hash,
                run.trigger,
                run.subject,
                run.replay_of.as_ref().map(|(run, _)| run.as_uuid().as_bytes().as_slice()),
                run.replay_of.as_ref().map(|(_, task)| task),
                run.created.as_microsecond(),
                state.status.as_str(),
                state.task,
                state.updated.as_microsecond(),
                state.ended.map(Timestamp::as_microsecond),
                state.wakes.map(Timestamp::as_microsecond),
                state.error,
                output,
                input,
                opening.map(|batch| batch.count),
                opening.map(|batch| &batch.records),
            ],
        )?;
        if inserted == 0 {
            Err(Error::RunExists { run: run.id })
        } else {
            Ok(())
        }
    }

    fn append(&self, batch: &JournalBatch) -> Result<(), Error> {
        limit_to(BATCH_BYTES_MAX, "journal batch", batch.records.len())?;
        let records = self.spill(batch.run, Place::Batch(batch.first), &batch.records)?;
        let appended = self.changes(
            "INSERT INTO journal (run, first, count, records) SELECT ?1, ?2, ?3, ?4 WHERE ?3 > 0 AND ?2 = \
             COALESCE((SELECT first + count FROM journal WHERE run = ?1 ORDER BY first DESC LIMIT 1), \
             (SELECT opening_count FROM runs WHERE id = ?1), 0)",
            params![id(batch.run), integer(batch.first), batch.count, records],
        )?;
        if appended > 0 {
            return Ok(());
        }
        Err(Error::Sequence {
            run: batch.run,
            expected: batch.first,
            found: self.journal_end(batch.run)?,
        })
    }

    fn output<'s>(&self, run: RunId, state: &'s RunState) -> Result<Option<Cow<'s, [u8]>>, Error> {
        let output = state.output.as_deref();
        output
            .map(|output| self.spill(run, Place::Output, output))
            .transpose()
    }

    /// What stands for a payload in its column.
    fn spill<'p>(
        &self,
        run: RunId,
        place: Place,
        payload: &'p [u8],
    ) -> Result<Cow<'p, [u8]>, Error> {
        let spilled = blob::put(self.connection, run, place, payload)
            .map_err(|error| self.translate(&error))?;
        Ok(spilled.map_or(Cow::Borrowed(payload), Cow::Owned))
    }

    fn journal_end(&self, run: RunId) -> Result<u64, Error> {
        self.connection
            .prepare_cached(
                "SELECT COALESCE((SELECT first + count FROM journal WHERE run = ?1 ORDER BY first DESC LIMIT 1), \
                 (SELECT opening_count FROM runs WHERE id = ?1), 0)",
            )
            .and_then(|mut statement| statement.query_row(params![id(run)], |row| row::count(row, 0)))
            .map_err(|error| self.translate(&error))
    }

    fn update_run(&self, run: RunId, state: &RunState, reopen: bool) -> Result<(), Error> {
        limit_state(state)?;
        let output = self.output(run, state)?;
        let changed = self.changes(
            "UPDATE runs SET status = ?2, task = ?3, updated = ?4, ended = ?5, wakes = ?6, error = ?7, \
             output = ?8 \
             WHERE id = ?1 AND (?9 OR status NOT IN ('cancelled', 'faulted', 'completed'))",
            params![
                id(run),
                state.status.as_str(),
                state.task,
                state.updated.as_microsecond(),
                state.ended.map(Timestamp::as_microsecond),
                state.wakes.map(Timestamp::as_microsecond),
                state.error,
                output,
                reopen,
            ],
        )?;
        if changed > 0 {
            return Ok(());
        }
        let status: Option<String> = self
            .connection
            .query_row(
                "SELECT status FROM runs WHERE id = ?1",
                params![id(run)],
                |row| row.get(0),
            )
            .optional()
            .map_err(|error| self.translate(&error))?;
        match status.as_deref().and_then(RunStatus::from_name) {
            Some(status) => Err(Error::Terminal { run, status }),
            None => Err(Error::RunUnknown { run }),
        }
    }

    fn claim_key(&self, claim: &IdempotencyClaim) -> Result<(), Error> {
        let inserted = self.changes(
            "INSERT INTO idempotency (scope, key, body_hash, run, created) VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT (scope, key) DO NOTHING",
            params![
                claim.scope,
                claim.key,
                claim.body_hash.as_slice(),
                id(claim.run),
                claim.created.as_microsecond()
            ],
        )?;
        if inserted > 0 {
            return Ok(());
        }
        let held = crate::reader::idempotency(self.connection, &claim.scope, &claim.key)
            .map_err(|error| self.translate(&error))?;
        match held {
            Some((run, body_hash)) => Err(Error::KeyTaken {
                key: claim.key.clone(),
                run,
                same_body: body_hash == claim.body_hash,
            }),
            None => Err(Error::Unreadable {
                what: "idempotency key",
                detail: claim.key.as_str().into(),
            }),
        }
    }

    fn put_definition(&self, definition: &Definition) -> Result<(), Error> {
        limit("definition", definition.body.len())?;
        let key = &definition.key;
        self.execute(
            "INSERT INTO definition_texts (kind, hash, content_type, body) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (kind, hash) DO UPDATE SET content_type = excluded.content_type, body = excluded.body",
            params![key.kind, definition.hash, definition.content_type, definition.body],
        )?;
        self.execute(
            "INSERT INTO definitions (kind, namespace, name, version, hash, updated, detail) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
             ON CONFLICT (kind, namespace, name, version) \
             DO UPDATE SET hash = excluded.hash, updated = excluded.updated, detail = excluded.detail",
            params![
                key.kind,
                key.namespace,
                key.name,
                key.version,
                definition.hash,
                definition.updated.as_microsecond(),
                definition.detail.to_string(),
            ],
        )
    }

    fn delete_definition(&self, key: &DefinitionKey) -> Result<(), Error> {
        self.execute(
            "DELETE FROM definitions WHERE kind = ?1 AND namespace = ?2 AND name = ?3 AND version = ?4",
            params![key.kind, key.namespace, key.name, key.version],
        )?;
        self.delete_subscription(key)?;
        self.delete_schedule(key)
    }

    fn append_event(&self, event: &AppendedEvent) -> Result<(), Error> {
        limit("event", event.body.len())?;
        self.execute(
            "INSERT INTO events (run, type, source, time, body, id) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
             ON CONFLICT DO NOTHING",
            params![
                event
                    .run
                    .as_ref()
                    .map(|run| run.as_uuid().as_bytes().as_slice()),
                event.kind,
                event.source,
                event.time.as_microsecond(),
                event.body,
                event.id,
            ],
        )
    }

    fn add_dead_letter(&self, letter: &DeadLetter) -> Result<(), Error> {
        limit(
            "dead letter",
            letter.payload.len().max(letter.original.len()),
        )?;
        self.execute(
            "INSERT INTO dead_letters (origin, content_type, error, detail, state, attempts, revision, \
             created, updated, payload, original) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            params![
                letter.origin,
                letter.content_type,
                letter.error.to_string(),
                letter.detail.to_string(),
                letter.state.as_str(),
                letter.attempts,
                integer(letter.revision),
                letter.created.as_microsecond(),
                letter.updated.as_microsecond(),
                letter.payload,
                letter.original,
            ],
        )
    }

    fn delete_dead_letter(&self, id: u64, expected: u64) -> Result<(), Error> {
        let changed = self.changes(
            "DELETE FROM dead_letters WHERE id = ?1 AND revision = ?2",
            params![integer(id), integer(expected)],
        )?;
        if changed > 0 {
            return Ok(());
        }
        let stays: bool = self
            .connection
            .query_row(
                "SELECT EXISTS (SELECT 1 FROM dead_letters WHERE id = ?1)",
                [integer(id)],
                |row| row.get(0),
            )
            .map_err(|error| self.translate(&error))?;
        if stays {
            Err(Error::DeadLetterChanged { id })
        } else {
            Ok(())
        }
    }

    fn update_dead_letter(&self, letter: &DeadLetter, expected: u64) -> Result<(), Error> {
        limit("dead letter", letter.payload.len())?;
        let changed = self.changes(
            "UPDATE dead_letters SET content_type = ?2, error = ?3, detail = ?4, state = ?5, attempts = ?6, \
             revision = ?7, updated = ?8, payload = ?9 WHERE id = ?1 AND revision = ?10",
            params![
                integer(letter.id),
                letter.content_type,
                letter.error.to_string(),
                letter.detail.to_string(),
                letter.state.as_str(),
                letter.attempts,
                integer(letter.revision),
                letter.updated.as_microsecond(),
                letter.payload,
                integer(expected),
            ],
        )?;
        if changed == 0 {
            Err(Error::DeadLetterChanged { id: letter.id })
        } else {
            Ok(())
        }
    }

    fn advance_feed(&self, feed: &Feed, expected: u64) -> Result<(), Error> {
        let found: Option<i64> = self
            .connection
            .prepare_cached("SELECT offset FROM feeds WHERE pipeline = ?1 AND source = ?2")
            .and_then(|mut statement| {
                statement
                    .query_row(params![feed.pipeline, feed.source], |row| row.get(0))
                    .optional()
            })
            .map_err(|error| self.translate(&error))?;
        let found = found.map_or(0, |found| u64::try_from(found).unwrap_or(0));
        if found != expected {
            return Err(Error::FeedOffset {
                pipeline: feed.pipeline.clone(),
                source_name: feed.source.clone(),
                expected,
                found,
            });
        }
        self.execute(
            "INSERT INTO feeds (pipeline, source, offset, records, dead, complete, detail, updated) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
             ON CONFLICT (pipeline, source) DO UPDATE SET offset = excluded.offset, \
             records = excluded.records, dead = excluded.dead, complete = excluded.complete, \
             detail = excluded.detail, updated = excluded.updated",
            params![
                feed.pipeline,
                feed.source,
                integer(feed.offset),
                integer(feed.records),
                integer(feed.dead),
                feed.complete,
                feed.detail.to_string(),
                feed.updated.as_microsecond(),
            ],
        )
    }

    fn put_schedule(&self, schedule: &Schedule) -> Result<(), Error> {
        let key = &schedule.workflow;
        self.execute(
            "INSERT INTO schedules (kind, namespace, name, version, next, last) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
             ON CONFLICT (kind, namespace, name, version) \
             DO UPDATE SET next = excluded.next, last = excluded.last",
            params![
                key.kind,
                key.namespace,
                key.name,
                key.version,
                schedule.next.as_microsecond(),
                schedule.last.map(Timestamp::as_microsecond),
            ],
        )
    }

    fn put_subscription(&self, subscription: &Subscription) -> Result<(), Error> {
        let key = &subscription.workflow;
        let state = subscription.state.to_string();
        limit("subscription", state.len())?;
        self.execute(
            "INSERT INTO subscriptions (namespace, name, version, position, state) VALUES (?1, ?2, ?3, \
             COALESCE(?4, (SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0), ?5) \
             ON CONFLICT (namespace, name, version) \
             DO UPDATE SET position = excluded.position, state = excluded.state",
            params![
                key.namespace,
                key.name,
                key.version,
                subscription.position.map(integer),
                state,
            ],
        )
    }

    fn delete_subscription(&self, key: &DefinitionKey) -> Result<(), Error> {
        self.execute(
            "DELETE FROM subscriptions WHERE namespace = ?1 AND name = ?2 AND version = ?3",
            params![key.namespace, key.name, key.version],
        )
    }

    fn delete_schedule(&self, key: &DefinitionKey) -> Result<(), Error> {
        self.execute(
            "DELETE FROM schedules WHERE kind = ?1 AND namespace = ?2 AND name = ?3 AND version = ?4",
            params![key.kind, key.namespace, key.name, key.version],
        )
    }

    fn done(&self, outcome: rusqlite::Result<()>) -> Result<(), Error> {
        outcome.map_err(|error| self.translate(&error))
    }

    fn execute(&self, sql: &str, values: impl rusqlite::Params) -> Result<(), Error> {
        self.changes(sql, values).map(|_| ())
    }

    fn changes(&self, sql: &str, values: impl rusqlite::Params) -> Result<usize, Error> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(values))
            .map_err(|error| self.translate(&error))
    }

    fn translate(&self, error: &rusqlite::Error) -> Error {
        translate("write", self.path, error)
    }
}

fn id(run: RunId) -> [u8; 16] {
    *run.as_uuid().as_bytes()
}

/// SQLite's integers are signed; counts and offsets stay far below their end.
fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn limit(what: &'static str, bytes: usize) -> Result<(), Error> {
    limit_to(PAYLOAD_BYTES_MAX, what, bytes)
}

fn limit_to(limit: usize, what: &'static str, bytes: usize) -> Result<(), Error> {
    if bytes > limit {
        return Err(Error::TooLarge { what, bytes, limit });
    }
    Ok(())
}

fn limit_state(state: &RunState) -> Result<(), Error> {
    limit("output", state.output.as_ref().map_or(0, Vec::len))?;
    limit("error", state.error.as_ref().map_or(0, Vec::len))
}
