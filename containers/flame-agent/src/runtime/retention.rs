//! Deletes runs that have ended and are not kept, beside the work and a little at a time.
//!
//! How many days and runs a workflow keeps stands in its document, else on the agent's command line.
//! Deliberately absent: events and dead letters, which stay.

use std::sync::Arc;
use std::time::Duration;

use flame_dsl::Retention;
use flame_store::{Commit, Expiry, Operation};
use flame_types::{Timestamp, WorkflowId};
use jiff::SignedDuration;

use super::Error;
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
    while shared.is_accepting() {
        match sweep(&shared, now()).await {
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

/// Deletes what is not kept; gives how many runs that were.
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
