//! Deletes runs that have ended and are not kept, beside the work and a little at a time.
//!
//! How many days and runs a workflow keeps stands in its document, else on the agent's command line.
//! A clock that went ahead makes no run old: age goes by the time that is believed. Deliberately absent: events
//! and dead letters, which stay.

use std::sync::Arc;
use std::time::{Duration, Instant};

use flame_dsl::Retention;
use flame_store::{Commit, Expiry, Operation, Page, RunFilter};
use flame_types::{Timestamp, WorkflowId};
use jiff::SignedDuration;

use super::Error;
use super::clock::Believed;
use super::shared::{Shared, now, stopping};

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(600);
/// Runs that one commit deletes.
const RUNS_PER_COMMIT: usize = 50;
/// Pages of 4 KiB that one commit takes out of the file.
const PAGES_PER_COMMIT: u32 = 500;
/// A request that comes again within this time gets the answer of the first.
const KEYS_LAST: SignedDuration = SignedDuration::from_hours(24);

/// Looks now and then, until the runtime stops.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut believed = None;
    while shared.is_accepting() {
        match look(&shared, &mut believed).await {
            Ok(0) => {}
            Ok(runs) => tracing::info!(runs, "Ended runs were deleted"),
            Err(error) => tracing::warn!(%error, "Ended runs could not be deleted"),
        }
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            () = stopping(&shared) => {}
        }
    }
}

async fn look(shared: &Shared, believed: &mut Option<Believed>) -> Result<u64, Error> {
    let known = match believed.take() {
        Some(known) => known,
        None => Believed::since(last_seen(shared).await?, Instant::now()),
    };
    let time = believed.insert(known).look(now(), Instant::now());
    sweep(shared, time).await
}

/// When the newest run was last heard of: so late it is at least.
async fn last_seen(shared: &Shared) -> Result<Timestamp, Error> {
    let newest = shared.store.runs(RunFilter::default(), Page::first(1));
    Ok(newest.await?.first().map_or_else(now, |run| run.updated))
}

/// Deletes what is not kept at that time; gives how many runs that were.
pub(super) async fn sweep(shared: &Shared, now: Timestamp) -> Result<u64, Error> {
    let mut deleted = 0;
    for workflow in shared.store.workflows_with_runs().await? {
        deleted += sweep_one(shared, workflow, now).await?;
    }
    let mut freed = deleted > 0;
    while shared.is_accepting() && shared.store.remains().await? {
        shared.store.commit(Operation::Clear).await?;
        freed = true;
    }
    if freed {
        shrink(shared).await?;
    }
    Ok(deleted)
}

async fn sweep_one(shared: &Shared, workflow: WorkflowId, now: Timestamp) -> Result<u64, Error> {
    let wanted = shared.definitions.retention(&workflow).unwrap_or_default();
    let Retention { days, runs } = wanted.or(shared.options.retention);
    if days.is_none() && runs.is_none() {
        return Ok(0);
    }
    let expiry = Expiry {
        workflow,
        ended_before: days
            .map(|days| before(now, SignedDuration::from_hours(24 * i64::from(days)))),
        newest: runs,
        claimed_since: before(now, KEYS_LAST),
    };
    let mut deleted = 0;
    while shared.is_accepting() {
        let expired = shared
            .store
            .expired(expiry.clone(), RUNS_PER_COMMIT)
            .await?;
        if expired.is_empty() {
            break;
        }
        deleted += expired.len() as u64;
        let operations = expired
            .into_iter()
            .map(|id| Operation::DeleteRun { id })
            .collect();
        shared.store.commit(Commit { operations }).await?;
    }
    Ok(deleted)
}

/// Gives free pages back to the file system. A large file of an older format keeps them for later.
async fn shrink(shared: &Shared) -> Result<(), Error> {
    let mut free = shared.store.free_pages().await?;
    while shared.is_accepting() && free > 0 {
        let pages = PAGES_PER_COMMIT;
        shared.store.commit(Operation::Shrink { pages }).await?;
        let left = shared.store.free_pages().await?;
        if left >= free {
            break;
        }
        free = left;
    }
    Ok(())
}

fn before(now: Timestamp, span: SignedDuration) -> Timestamp {
    now.checked_sub(span).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use flame_dsl::Retention;
    use serde_json::json;

    use super::*;
    use crate::runtime::{Handle, Options, StartRequest};

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    const DOCUMENT: &str = "document: { dsl: '1.0.3', namespace: test, name: kept, version: '1.0.0' }\n\
                            do: [{ say: { set: { x: 1 } } }]\n";

    #[tokio::test]
    async fn a_clock_that_went_ten_years_ahead_deletes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let handle = Handle::open(Options {
            retention: Retention {
                days: Some(30),
                runs: None,
            },
            scheduling: false,
            ..Options::new(folder.path())
        })
        .await
        .unwrap();
        let (deployed, _) = handle
            .deploy(DOCUMENT, "application/yaml", None)
            .await
            .unwrap();
        let request = StartRequest::new(deployed.workflow.id.clone(), json!({}));
        let run = handle.start(request).await.unwrap().run.summary.id;
        handle.wait(run, Duration::from_secs(60)).await.unwrap();

        let shared = &handle.shared;
        let begun = Instant::now();
        let mut believed = Believed::since(last_seen(shared).await.unwrap(), begun);
        let ahead = now() + 3650 * DAY;
        let time = believed.look(ahead, begun);
        assert_eq!(sweep(shared, time).await.unwrap(), 0, "in a moment");
        let time = believed.look(ahead + DAY, begun + DAY);
        assert_eq!(sweep(shared, time).await.unwrap(), 0, "a day later");
        let time = believed.look(now() + 31 * DAY, begun + 31 * DAY);
        assert_eq!(sweep(shared, time).await.unwrap(), 1, "it is old");
        handle.drain(Duration::ZERO).await;
    }
}
