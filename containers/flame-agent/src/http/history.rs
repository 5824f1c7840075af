//! A run's journal in the words of the wire, and its lifecycle events.
//!
//! Records leave out what the fold knows (names, data that flows on), so reading starts at the last snapshot
//! before the page that is asked for; the place reached is kept for the next.

use std::collections::VecDeque;
use std::sync::Arc;

use flame_agent_api::{EventPage, EventView, ExtensionView, JournalEntry};
use flame_dsl::Workflow;
use flame_engine::{Entry, LifecycleEvents, Timeline};
use flame_errors::Code;
use flame_store::Snapshot;
use flame_types::RunId;
use serde_json::Value;

use super::failure::Failure;
use super::view;
use crate::runtime::Handle;

/// Records read from the store at once.
const RECORDS: usize = 500;

/// Reads one run's journal forward.
pub(super) struct History {
    run: RunId,
    timeline: Timeline,
    /// Sequence of the last record that was read.
    read: u64,
    /// Read and not yet asked for.
    ready: VecDeque<JournalEntry>,
    /// Entries at the beginning that are not kept any more.
    compacted: u64,
}

impl History {
    /// `after` is the sequence behind which entries will be asked for.
    pub(super) async fn open(runtime: &Handle, run: RunId, after: u64) -> Result<Self, Failure> {
        let (workflow, snapshot, compacted) = base(runtime, run, after).await?;
        let (timeline, read) = match snapshot {
            None => (Timeline::new(workflow), 0),
            Some(snapshot) => {
                let restored = Timeline::restore(Arc::clone(&workflow), &snapshot.state);
                match restored {
                    Ok(timeline) => (timeline, snapshot.sequence),
                    // The journal from its beginning does as well.
                    Err(_) if compacted == 0 => (Timeline::new(workflow), 0),
                    Err(error) => return Err(corrupt(run, error)),
                }
            }
        };
        Ok(Self {
            run,
            timeline,
            read,
            ready: VecDeque::new(),
            compacted,
        })
    }

    /// Entries at the beginning that are not kept any more.
    pub(super) const fn compacted(&self) -> u64 {
        self.compacted
    }

    /// Up to `limit` entries after a sequence, which never goes back.
    pub(super) async fn after(
        &mut self,
        runtime: &Handle,
        after: u64,
        limit: usize,
    ) -> Result<Vec<JournalEntry>, Failure> {
        loop {
            while self
                .ready
                .front()
                .is_some_and(|entry| entry.sequence <= after)
            {
                self.ready.pop_front();
            }
            if self.ready.len() >= limit || !self.read_on(runtime, after).await? {
                break;
            }
        }
        let count = limit.min(self.ready.len());
        Ok(self.ready.drain(..count).collect())
    }

    /// Reads records; false where the journal ends for now.
    async fn read_on(&mut self, runtime: &Handle, after: u64) -> Result<bool, Failure> {
        let records = runtime.journal(self.run, self.read, RECORDS).await?;
        if let Some(first) = records.first()
            && first.sequence != self.read + 1
        {
            // What was to come next was compacted since.
            *self = Self::open(runtime, self.run, first.sequence - 1).await?;
            return Ok(true);
        }
        for held in &records {
            let entry = self
                .timeline
                .push(&held.record)
                .map_err(|error| corrupt(self.run, error))?;
            self.read = held.sequence;
            if held.sequence > after {
                self.ready.push_back(journal_entry(held.sequence, entry)?);
            }
        }
        Ok(!records.is_empty())
    }
}

/// The lifecycle events of up to `limit` records behind a sequence.
pub(super) async fn lifecycle(
    runtime: &Handle,
    run: RunId,
    after: u64,
    limit: usize,
) -> Result<EventPage, Failure> {
    let (workflow, snapshot, compacted) = base(runtime, run, after).await?;
    let (mut events, mut read) = match snapshot {
        None => (LifecycleEvents::new(run, workflow), 0),
        Some(snapshot) => {
            match LifecycleEvents::restore(run, Arc::clone(&workflow), &snapshot.state) {
                Ok(events) => (events, snapshot.sequence),
                // The journal from its beginning does as well.
                Err(_) if compacted == 0 => (LifecycleEvents::new(run, workflow), 0),
                Err(error) => return Err(corrupt(run, error)),
            }
        }
    };
    let end = after.max(compacted).saturating_add(limit as u64);
    let mut items = Vec::new();
    let mut next = None;
    'pages: loop {
        let records = runtime.journal(run, read, RECORDS).await?;
        if records.is_empty() {
            break;
        }
        for held in records {
            if held.sequence > end {
                next = Some(end);
                break 'pages;
            }
            let made = events
                .push(&held.record)
                .map_err(|error| corrupt(run, error))?;
            read = held.sequence;
            if read > after {
                items.extend(made.into_iter().map(|event| EventView {
                    offset: read,
                    run: Some(run),
                    event,
                }));
            }
        }
    }
    Ok(EventPage { items, next })
}

/// The definition of a run, the last snapshot before a place of its journal, and what is not kept of that.
async fn base(
    runtime: &Handle,
    run: RunId,
    after: u64,
) -> Result<(Arc<Workflow>, Option<Snapshot>, u64), Failure> {
    let found = runtime.run(run).await?;
    let found = found.ok_or_else(|| Failure::not_found(format_args!("run {run}")))?;
    let hash = &found.summary.hash;
    let workflow = runtime.pinned(hash).await?.ok_or_else(|| {
        let detail = format!("the definition {hash} that run {run} is pinned to is missing");
        Failure::new(Code::StorageCorrupt, detail)
    })?;
    let store = runtime.store();
    let compacted = store.journal_start(run).await?;
    let snapshot = store.snapshot(run, after.max(compacted)).await?;
    Ok((workflow, snapshot, compacted))
}

fn corrupt(run: RunId, error: impl std::fmt::Display) -> Failure {
    Failure::new(Code::StorageCorrupt, format!("run {run}: {error}"))
}

fn journal_entry(sequence: u64, entry: Entry) -> Result<JournalEntry, Failure> {
    let kind = serde_json::from_value(Value::from(entry.kind)).map_err(|_| {
        Failure::new(
            Code::Internal,
            format!("the journal has a record {:?}", entry.kind),
        )
    })?;
    let value = |value: Option<Arc<Value>>| value.map(|value| (*value).clone());
    let task = entry.task;
    Ok(JournalEntry {
        sequence,
        at: entry.at,
        kind,
        task: task.as_ref().map(|task| task.reference.to_string()),
        name: task.as_ref().map(|task| task.name.to_string()),
        task_kind: task.as_ref().map(|task| task.task_kind.to_owned()),
        execution: task
            .as_ref()
            .and_then(|task| task.execution)
            .map(|frame| frame.0),
        parent: task
            .as_ref()
            .and_then(|task| task.parent)
            .map(|frame| frame.0),
        iteration: task
            .iter()
            .flat_map(|task| &task.iteration)
            .map(|at| *at as u64)
            .collect(),
        visit: task.as_ref().map(|task| u64::from(task.visit) + 1),
        attempt: task.as_ref().map(|task| u64::from(task.attempt)),
        compensation: task.as_ref().and_then(|task| task.compensation),
        input: value(entry.input),
        output: value(entry.output),
        context: value(entry.context),
        error: entry.error.as_ref().map(view::run_error),
        due: entry.due,
        extension: entry.extension.map(|extension| ExtensionView {
            name: extension.name.to_string(),
            place: extension.place().to_owned(),
        }),
        key: entry.idempotency_key,
        then: entry.then,
    })
}
