//! Schedules by the clock: when a workflow is due, and starting it once for each time.
//!
//! The next time is stored in the same commit as the run that it starts, so a crash starts no run twice.
//! What was missed while the agent was down runs once, at the start. A clock that is ahead starts what it makes
//! due, once; when it is right again nothing waits for the years that it showed. A workflow that runs some time after
//! its last run has no next time while one is in flight; it follows from the runs in the store.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use croner::Cron;
use flame_dsl::Workflow;
use flame_store::{DefinitionKey, Operation, Page, RunFilter, Schedule};
use flame_types::{RunStatus, Timestamp, WorkflowId};
use jiff::tz::TimeZone;
use serde_json::json;
use tokio::sync::Notify;

use super::Error;
use super::clock;
use super::shared::{Shared, now, stopping};
use super::start::Begin;
use super::value::{StartRequest, Trigger};

/// The wall clock may jump, and a machine may sleep: nobody sleeps longer than this without a look.
const LOOK_INTERVAL: Duration = Duration::from_secs(20);
/// Until a start that was refused is tried again.
const REFUSED_INTERVAL: Duration = Duration::from_secs(5);

/// The next time of a workflow that waits for the end of a run.
const AT_THE_END: Timestamp = Timestamp::constant(253_370_764_800, 0);

/// When the clock starts a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Timing {
    Cron(String),
    Every(Duration),
    /// From the end of a run on.
    After(Duration),
}

/// The first time of a workflow that is deployed now.
pub(super) fn first(timing: &Timing, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    match timing {
        Timing::Cron(cron) => next(cron, now),
        Timing::Every(interval) | Timing::After(interval) => Ok(Some(later(now, *interval))),
    }
}

/// The time after one that was `due`, as it is `now`.
fn following(timing: &Timing, due: Timestamp, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    match timing {
        Timing::Cron(cron) => next(cron, now),
        Timing::Every(interval) => Ok(Some(on_the_grid(due, *interval, now))),
        Timing::After(_) => Ok(Some(AT_THE_END)),
    }
}

/// The next time, where the stored one was reckoned by a clock that was ahead. One that was set back by little
/// starts nothing a second time.
fn set_right(timing: &Timing, due: Due, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    if due.next >= AT_THE_END {
        return Ok(None);
    }
    let since = match due.last {
        Some(last) if !clock::went_back(last, now) => now.max(last),
        _ => now,
    };
    Ok(first(timing, since)?.filter(|first| *first < due.next))
}

/// The first of `due` plus whole intervals that lies after `now`, so that starts do not drift.
fn on_the_grid(due: Timestamp, interval: Duration, now: Timestamp) -> Timestamp {
    let passed = Duration::try_from(now.duration_since(due)).unwrap_or(Duration::ZERO);
    let (passed, step) = (passed.as_nanos(), interval.as_nanos().max(1));
    let ahead = (passed / step + 1).saturating_mul(step);
    later(
        due,
        u64::try_from(ahead).map_or(Duration::MAX, Duration::from_nanos),
    )
}

fn later(at: Timestamp, duration: Duration) -> Timestamp {
    at.checked_add(duration)
        .unwrap_or(AT_THE_END)
        .min(AT_THE_END)
}

/// The next time after `now`, or `None` where there is none.
fn next(cron: &str, now: Timestamp) -> Result<Option<Timestamp>, Error> {
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

/// When a workflow is due next, and was last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Due {
    next: Timestamp,
    last: Option<Timestamp>,
}

/// When each scheduled workflow is due. Filled from the store, kept in step by the loop.
#[derive(Debug, Default)]
pub(super) struct Schedules {
    due: Mutex<BTreeMap<WorkflowId, Due>>,
    /// Workflows that run after their last run, whose runs are to be looked at.
    ended: Mutex<BTreeSet<WorkflowId>>,
    /// Filled anew, perhaps by what a clock that was ahead has left.
    filled: AtomicBool,
    changed: Notify,
}

impl Schedules {
    pub(super) fn next(&self, id: &WorkflowId) -> Option<Timestamp> {
        self.locked(|due| due.get(id).map(|due| due.next))
            .filter(|next| *next < AT_THE_END)
    }

    /// A run has ended.
    pub(super) fn ended(&self, workflow: &Workflow) {
        if matches!(workflow.schedule, Some(flame_dsl::Schedule::After(_))) {
            self.look_at([workflow.id.clone()]);
            self.changed.notify_one();
        }
    }

    fn look_at(&self, workflows: impl IntoIterator<Item = WorkflowId>) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.extend(workflows);
    }

    fn to_look_at(&self) -> BTreeSet<WorkflowId> {
        std::mem::take(&mut self.ended.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes over what the store says now.
    pub(super) async fn refresh(&self, shared: &Shared) -> Result<(), Error> {
        let stored: BTreeMap<DefinitionKey, Due> = shared
            .store
            .schedules()
            .await?
            .into_iter()
            .map(
                |Schedule {
                     workflow,
                     next,
                     last,
                 }| (workflow, Due { next, last }),
            )
            .collect();
        let due: BTreeMap<WorkflowId, Due> = shared
            .definitions
            .scheduled()
            .into_iter()
            .filter_map(|(id, _)| {
                let next = *stored.get(&DefinitionKey::workflow(&id))?;
                Some((id, next))
            })
            .collect();
        let without_next = due.iter().filter(|(_, due)| due.next >= AT_THE_END);
        self.look_at(without_next.map(|(id, _)| id.clone()));
        self.locked(|held| *held = due);
        self.filled.store(true, Ordering::Relaxed);
        self.changed.notify_one();
        Ok(())
    }

    fn earliest(&self) -> Option<Timestamp> {
        self.locked(|due| due.values().map(|due| due.next).min())
    }

    fn due(&self, now: Timestamp) -> Vec<WorkflowId> {
        self.locked(|due| {
            due.iter()
                .filter(|(_, due)| due.next <= now)
                .map(|(id, _)| id.clone())
                .collect()
        })
    }

    fn locked<T>(&self, work: impl FnOnce(&mut BTreeMap<WorkflowId, Due>) -> T) -> T {
        work(&mut self.due.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Starts runs when they are due, until the runtime takes no more work.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut looked = now();
    while shared.is_accepting() {
        let now = now();
        let mut refused = false;
        let may_be_late = shared.schedules.filled.swap(false, Ordering::Relaxed) || now < looked;
        if may_be_late && let Err(error) = set_all_right(&shared, now).await {
            refused = true;
            tracing::warn!(%error, "Schedules that a clock had put too late could not be put right");
            shared.schedules.filled.store(true, Ordering::Relaxed);
        }
        looked = now;
        for id in shared.schedules.to_look_at() {
            if let Err(error) = after_the_end(&shared, &id, now).await {
                refused = true;
                tracing::warn!(workflow = %id, %error, "The next start could not be stored");
                shared.schedules.look_at([id]);
            }
        }
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

/// Puts right what a clock that was ahead has put too late.
async fn set_all_right(shared: &Arc<Shared>, now: Timestamp) -> Result<(), Error> {
    let held: Vec<(WorkflowId, Due)> = shared
        .schedules
        .locked(|due| due.iter().map(|(id, due)| (id.clone(), *due)).collect());
    for (id, due) in held {
        let Some(timing) = shared.definitions.timing(&id) else {
            continue;
        };
        if let Some(next) = set_right(&timing, due, now)? {
            tracing::warn!(workflow = %id, late = %due.next, %next, "The clock was ahead: a schedule is put right");
            put(shared, &id, Due { next, last: None }).await?;
        }
    }
    Ok(())
}

async fn put(shared: &Arc<Shared>, id: &WorkflowId, due: Due) -> Result<(), Error> {
    let schedule = Schedule {
        workflow: DefinitionKey::workflow(id),
        next: due.next,
        last: due.last,
    };
    shared
        .store
        .commit(Operation::PutSchedule(schedule))
        .await?;
    shared.schedules.locked(|held| held.insert(id.clone(), due));
    Ok(())
}

/// Starts the run and moves the schedule on, in one commit.
async fn fire(shared: &Arc<Shared>, id: &WorkflowId, now: Timestamp) -> Result<(), Error> {
    let due = shared
        .schedules
        .locked(|due| due.get(id).map(|due| due.next));
    let next = match shared.definitions.timing(id) {
        Some(timing) => following(&timing, due.unwrap_or(now), now)?,
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
        Some(next) => due.insert(
            id.clone(),
            Due {
                next,
                last: Some(now),
            },
        ),
        None => due.remove(id),
    });
    Ok(())
}

/// Puts the next start after the last end, unless a run is in flight.
async fn after_the_end(shared: &Arc<Shared>, id: &WorkflowId, now: Timestamp) -> Result<(), Error> {
    let waits = shared
        .schedules
        .locked(|due| due.get(id).is_some_and(|due| due.next >= AT_THE_END));
    let (true, Some(Timing::After(after))) = (waits, shared.definitions.timing(id)) else {
        return Ok(());
    };
    let of = |statuses: Vec<RunStatus>| RunFilter {
        statuses,
        namespace: Some(id.namespace.to_string()),
        name: Some(id.name.to_string()),
        version: Some(id.version.to_string()),
        ..RunFilter::default()
    };
    let (ended, live): (Vec<_>, Vec<_>) = RunStatus::ALL
        .into_iter()
        .partition(|status| status.is_terminal());
    if !shared
        .store
        .runs(of(live), Page::first(1))
        .await?
        .is_empty()
    {
        return Ok(());
    }
    let last = shared.store.runs(of(ended), Page::first(1)).await?;
    let end = last.first().and_then(|run| run.ended).unwrap_or(now);
    // A run may have ended by a clock that was ahead.
    let end = end.min(now);
    let next = later(end, after);
    let last = Some(end);
    put(shared, id, Due { next, last }).await
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

    /// The hour that summer time leaves out and the one that it gives twice: once each day, all the same.
    #[test]
    fn a_missed_and_a_doubled_hour_start_one_run_each() {
        let mut now: Timestamp = "2026-03-28T00:00:00Z".parse().unwrap();
        let mut days = Vec::new();
        for _ in 0..3 {
            now = next("CRON_TZ=Europe/Berlin 30 2 * * *", now)
                .unwrap()
                .unwrap();
            days.push(now.to_string());
        }
        assert_eq!(days[0], "2026-03-28T01:30:00Z");
        assert!(days[1].starts_with("2026-03-29T01:"), "{days:?}");
        assert_eq!(days[2], "2026-03-30T00:30:00Z");
        let mut now: Timestamp = "2026-10-24T12:00:00Z".parse().unwrap();
        let mut days = Vec::new();
        for _ in 0..2 {
            now = next("CRON_TZ=Europe/Berlin 30 2 * * *", now)
                .unwrap()
                .unwrap();
            days.push(now.to_string());
        }
        assert!(days[0].starts_with("2026-10-25T0"), "{days:?}");
        assert_eq!(
            days[1], "2026-10-26T01:30:00Z",
            "the doubled hour counts once"
        );
    }

    #[test]
    fn an_interval_keeps_to_its_grid_and_skips_what_was_missed() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let every = |due: &str, now: &str| {
            let timing = Timing::Every(Duration::from_secs(600));
            following(&timing, at(due), at(now))
                .unwrap()
                .unwrap()
                .to_string()
        };
        assert_eq!(
            every("2026-01-01T00:10:00Z", "2026-01-01T00:10:03Z"),
            "2026-01-01T00:20:00Z"
        );
        assert_eq!(
            every("2026-01-01T00:10:00Z", "2026-01-01T05:14:00Z"),
            "2026-01-01T05:20:00Z"
        );
        assert_eq!(
            every("2026-01-01T00:10:00Z", "2026-01-01T00:20:00Z"),
            "2026-01-01T00:30:00Z"
        );
        // Clocks that were ten years off do not stop it.
        assert_eq!(
            every("2026-01-01T00:10:00Z", "2036-01-01T00:00:00Z"),
            "2036-01-01T00:10:00Z"
        );
    }

    #[test]
    fn a_schedule_that_ran_while_the_clock_was_ahead_runs_on_when_it_is_right_again() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (right, ahead) = (at("2026-11-30T01:00:30Z"), at("2036-11-28T01:00:30Z"));
        let (hour, minute) = (Duration::from_secs(3600), Duration::from_secs(60));
        for (timing, due) in [
            (Timing::Cron("0 * * * *".to_owned()), "2026-11-30T02:00:00Z"),
            (Timing::Every(hour), "2026-11-30T02:00:30Z"),
            (Timing::After(hour), "2026-11-30T02:00:30Z"),
        ] {
            let first_due = first(&timing, right).unwrap().unwrap();
            assert!(first_due <= ahead, "it is due by the wrong clock");
            let next = match &timing {
                Timing::After(after) => later(ahead, *after),
                _ => following(&timing, first_due, ahead).unwrap().unwrap(),
            };
            let last = Some(ahead);
            assert!(next > ahead);
            let stays = set_right(&timing, Due { next, last }, ahead).unwrap();
            assert_eq!(stays, None, "as long as the clock is ahead");
            let back = set_right(&timing, Due { next, last }, right).unwrap();
            assert_eq!(back, Some(at(due)), "{timing:?}");
            // Deployed by the wrong clock, and never run.
            let deployed = Due {
                next: first(&timing, ahead).unwrap().unwrap(),
                last: None,
            };
            assert_eq!(set_right(&timing, deployed, right).unwrap(), back);
        }
        // Right, and ten years behind from then on: it runs by that clock.
        let every = Timing::Every(minute);
        let due = Due {
            next: later(right, minute),
            last: Some(right),
        };
        let behind = at("2016-12-02T01:00:30Z");
        assert_eq!(
            set_right(&every, due, behind).unwrap(),
            Some(later(behind, minute))
        );
    }

    #[test]
    fn a_clock_that_is_set_back_by_seconds_starts_nothing_twice() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let daily = Timing::Cron("0 7 * * *".to_owned());
        let due = Due {
            next: at("2026-12-01T07:00:00Z"),
            last: Some(at("2026-11-30T07:00:00.2Z")),
        };
        assert_eq!(
            set_right(&daily, due, at("2026-11-30T06:59:58Z")).unwrap(),
            None
        );
        let waits = Due {
            next: AT_THE_END,
            last: None,
        };
        assert_eq!(
            set_right(&daily, waits, at("2026-11-30T06:59:58Z")).unwrap(),
            None
        );
    }

    #[test]
    fn what_is_no_schedule_says_so() {
        for cron in ["61 * * * *", "CRON_TZ=Nowhere/City 0 0 * * *", "hello"] {
            assert!(next(cron, Timestamp::UNIX_EPOCH).is_err(), "{cron}");
        }
    }
}
