//! Cron schedules: when a workflow is due, and starting it once for each time.
//!
//! The next time is stored in the same commit as the run that it starts, so a crash starts no run twice.
//! What was missed while the agent was down runs once, at the start.

use std::collections::BTreeMap;
use std::str::FromStr as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use croner::Cron;
use flame_store::{DefinitionKey, Operation, Schedule};
use flame_types::{Timestamp, WorkflowId};
use jiff::tz::TimeZone;
use serde_json::json;
use tokio::sync::Notify;

use super::Error;
use super::shared::{Shared, stopping};
use super::start::Begin;
use super::value::{StartRequest, Trigger};

/// The wall clock may jump, and a machine may sleep: nobody sleeps longer than this without a look.
const LOOK_INTERVAL: Duration = Duration::from_secs(20);
/// Until a start that was refused is tried again.
const REFUSED_INTERVAL: Duration = Duration::from_secs(5);

/// The next time after `now`, or `None` where there is none.
pub(super) fn next(cron: &str, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    let unusable = |detail: String| Error::Internal {
        detail: format!("the schedule {cron:?}: {detail}"),
    };
    let (zone, fields) = match cron
        .strip_prefix("CRON_TZ=")
        .and_then(|rest| rest.split_once(' '))
    {
        Some((name, fields)) => (
            TimeZone::get(name).map_err(|error| unusable(error.to_string()))?,
            fields,
        ),
        None => (TimeZone::UTC, cron),
    };
    let parsed = Cron::from_str(fields.trim()).map_err(|error| unusable(error.to_string()))?;
    // An error means that the pattern never comes round again.
    Ok(parsed
        .find_next_occurrence(&now.to_zoned(zone), false)
        .ok()
        .map(|zoned| zoned.timestamp()))
}

/// When each scheduled workflow is due. Filled from the store, kept in step by the loop.
#[derive(Debug, Default)]
pub(super) struct Schedules {
    due: Mutex<BTreeMap<WorkflowId, Timestamp>>,
    changed: Notify,
}

impl Schedules {
    pub(super) fn next(&self, id: &WorkflowId) -> Option<Timestamp> {
        self.locked(|due| due.get(id).copied())
    }

    /// Takes over what the store says now.
    pub(super) async fn refresh(&self, shared: &Shared) -> Result<(), Error> {
        let stored: BTreeMap<DefinitionKey, Timestamp> = shared
            .store
            .schedules()
            .await?
            .into_iter()
            .map(|schedule| (schedule.workflow, schedule.next))
            .collect();
        let due = shared
            .definitions
            .scheduled()
            .into_iter()
            .filter_map(|(id, _)| {
                let next = *stored.get(&DefinitionKey::workflow(&id))?;
                Some((id, next))
            })
            .collect();
        self.locked(|held| *held = due);
        self.changed.notify_one();
        Ok(())
    }

    fn earliest(&self) -> Option<Timestamp> {
        self.locked(|due| due.values().min().copied())
    }

    fn due(&self, now: Timestamp) -> Vec<WorkflowId> {
        self.locked(|due| {
            due.iter()
                .filter(|(_, at)| **at <= now)
                .map(|(id, _)| id.clone())
                .collect()
        })
    }

    fn locked<T>(&self, work: impl FnOnce(&mut BTreeMap<WorkflowId, Timestamp>) -> T) -> T {
        work(&mut self.due.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Starts runs when they are due, until the runtime takes no more work.
pub(super) async fn run(shared: Arc<Shared>) {
    while shared.is_accepting() {
        let now = Timestamp::now();
        let mut refused = false;
        for id in shared.schedules.due(now) {
            if let Err(error) = fire(&shared, &id, now).await {
                refused = true;
                tracing::warn!(workflow = %id, %error, "A scheduled run could not be started");
            }
        }
        let pause = if refused {
            REFUSED_INTERVAL
        } else {
            pause(shared.schedules.earliest(), now)
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shared.schedules.changed.notified() => {}
            () = stopping(&shared) => {}
        }
    }
}

fn pause(earliest: Option<Timestamp>, now: Timestamp) -> Duration {
    let Some(earliest) = earliest else {
        return LOOK_INTERVAL;
    };
    Duration::try_from(earliest.duration_since(now))
        .unwrap_or(Duration::ZERO)
        .min(LOOK_INTERVAL)
}

/// Starts the run and moves the schedule on, in one commit.
async fn fire(shared: &Arc<Shared>, id: &WorkflowId, now: Timestamp) -> Result<(), Error> {
    let cron = shared
        .definitions
        .scheduled()
        .into_iter()
        .find(|(held, _)| held == id);
    let next = match cron {
        Some((_, cron)) => next(&cron, now)?,
        None => None,
    };
    let key = DefinitionKey::workflow(id);
    let moved = match next {
        Some(next) => Operation::PutSchedule(Schedule {
            workflow: key,
            next,
            last: Some(now),
        }),
        None => Operation::DeleteSchedule(key),
    };
    let request = StartRequest {
        trigger: Trigger::Schedule,
        ..StartRequest::new(id.clone(), json!({}))
    };
    Begin::of(shared, request, vec![moved])
        .await?
        .send(shared)
        .await?;
    shared.schedules.locked(|due| match next {
        Some(next) => due.insert(id.clone(), next),
        None => due.remove(id),
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(cron: &str, now: &str) -> Option<String> {
        next(cron, now.parse().unwrap())
            .unwrap()
            .map(|next| next.to_string())
    }

    #[test]
    fn the_next_time_is_in_the_zone_that_is_named() {
        let now = "2026-03-28T12:00:00Z";
        assert_eq!(after("0 7 * * *", now).unwrap(), "2026-03-29T07:00:00Z");
        // Germany has summer time from the 29th on.
        assert_eq!(
            after("CRON_TZ=Europe/Berlin 0 7 * * *", now).unwrap(),
            "2026-03-29T05:00:00Z"
        );
        assert_eq!(
            after("CRON_TZ=Europe/Berlin 0 7 * * *", "2026-03-27T12:00:00Z").unwrap(),
            "2026-03-28T06:00:00Z"
        );
    }

    #[test]
    fn a_time_that_is_now_is_not_next() {
        assert_eq!(
            after("*/5 * * * *", "2026-01-01T00:05:00Z").unwrap(),
            "2026-01-01T00:10:00Z"
        );
    }

    #[test]
    fn a_day_that_never_comes_is_never_due() {
        assert_eq!(after("0 0 30 2 *", "2026-01-01T00:00:00Z"), None);
    }

    #[test]
    fn what_is_no_schedule_says_so() {
        for cron in ["61 * * * *", "CRON_TZ=Nowhere/City 0 0 * * *", "hello"] {
            assert!(next(cron, Timestamp::UNIX_EPOCH).is_err(), "{cron}");
        }
    }
}
