//! Figures for Home, out of runs that really happened.

use std::sync::Arc;

use flame_agent_client::AgentClient;
use flame_agent_client::api::{RunQuery, RunView};
use flame_ipc::{ErrorView, Overview, OverviewBucket, OverviewGet, OverviewWindow, Whole};
use flame_types::{RunStatus, Timestamp};

use crate::app::{App, now};
use crate::execute::Execute;
use crate::failure::OrView;

const BUCKETS: i64 = 60;
/// Runs that are counted, tests left out; with more, the figures are of the newest ones and say so.
const RUNS_MAX: usize = 5_000;
const PAGE: u32 = 200;
const HOUR_MS: i64 = 3_600_000;

impl Execute for OverviewGet {
    async fn execute(self, app: Arc<App>) -> Result<Overview, ErrorView> {
        let agent = app.agent().await?;
        let now = now();
        let span_ms = match self.window {
            OverviewWindow::Hour => HOUR_MS,
            OverviewWindow::Day => 24 * HOUR_MS,
            OverviewWindow::Week => 7 * 24 * HOUR_MS,
            OverviewWindow::Month => 30 * 24 * HOUR_MS,
        };
        let since = Timestamp::from_millisecond(now.as_millisecond() - span_ms).unwrap_or(now);
        let (runs, partial) = read_runs(&agent, started_in(since)).await?;
        let mut older = Vec::new();
        for query in in_flight_at(since) {
            older.extend(read_runs(&agent, query).await?.0);
        }
        let load = agent.status().await.or_view()?.runs;
        Ok(overview(
            &runs,
            &older,
            partial,
            since,
            span_ms,
            now,
            load.in_flight,
        ))
    }
}

/// Runs that started in the window.
fn started_in(since: Timestamp) -> RunQuery {
    RunQuery {
        since: Some(since),
        ..RunQuery::default()
    }
}

/// Runs that were in flight when the window began: those that still are, and those that ended inside it.
fn in_flight_at(since: Timestamp) -> [RunQuery; 2] {
    let before = RunQuery {
        until: Some(since),
        ..RunQuery::default()
    };
    let open = RunStatus::ALL
        .into_iter()
        .filter(|status| !status.is_terminal());
    let open: Vec<&str> = open.map(RunStatus::as_str).collect();
    [
        RunQuery {
            status: Some(open.join(",")),
            ..before.clone()
        },
        RunQuery {
            ended_since: Some(since),
            ..before
        },
    ]
}

/// The newest runs of a query, tests left out, and whether there are more.
async fn read_runs(
    agent: &AgentClient,
    query: RunQuery,
) -> Result<(Vec<RunView>, bool), ErrorView> {
    let mut runs = Vec::new();
    let mut cursor = None;
    loop {
        let query = RunQuery {
            cursor: cursor.take(),
            limit: Some(PAGE),
            ..query.clone()
        };
        let page = agent.runs(&query).await.or_view()?;
        runs.extend(page.items.into_iter().filter(|run| !run.test));
        match page.next {
            None => return Ok((runs, false)),
            Some(_) if runs.len() >= RUNS_MAX => return Ok((runs, true)),
            next => cursor = next,
        }
    }
}

fn overview(
    runs: &[RunView],
    older: &[RunView],
    partial: bool,
    since: Timestamp,
    span_ms: i64,
    now: Timestamp,
    in_flight: u64,
) -> Overview {
    let mut buckets = vec![Vec::new(); usize::try_from(BUCKETS).unwrap_or_default()];
    for run in runs {
        let into = run.created_at.as_millisecond() - since.as_millisecond();
        let index = (into * BUCKETS / span_ms).clamp(0, BUCKETS - 1);
        if let Some(bucket) = usize::try_from(index)
            .ok()
            .and_then(|at| buckets.get_mut(at))
        {
            bucket.push(run);
        }
    }
    let all: Vec<&RunView> = runs.iter().collect();
    let every = || runs.iter().chain(older);
    let oldest = every()
        .filter(|run| !run.status.is_terminal())
        .map(|run| run.created_at);
    // Where a bucket of this number begins.
    let begin = |index: usize| {
        let into = span_ms * i64::try_from(index).unwrap_or_default() / BUCKETS;
        Timestamp::from_millisecond(since.as_millisecond() + into).unwrap_or(since)
    };
    Overview {
        runs: all.len().into(),
        completed: count(&all, RunStatus::Completed),
        faulted: count(&all, RunStatus::Faulted),
        duration_p50_ms: percentile(&all, 50),
        duration_p95_ms: percentile(&all, 95),
        queued: Whole::new(in_flight),
        oldest_wait_ms: oldest
            .min()
            .map(|since| crate::documents::millis(now.duration_since(since).as_millis())),
        partial,
        buckets: buckets
            .iter()
            .enumerate()
            .map(|(index, runs)| {
                let end = begin(index + 1);
                OverviewBucket {
                    at: begin(index).into(),
                    total: runs.len().into(),
                    completed: count(runs, RunStatus::Completed),
                    faulted: count(runs, RunStatus::Faulted),
                    duration_p95_ms: percentile(runs, 95),
                    in_flight: every().filter(|run| was_in_flight(run, end)).count().into(),
                }
            })
            .collect(),
    }
}

fn was_in_flight(run: &RunView, at: Timestamp) -> bool {
    run.created_at <= at && run.ended_at.is_none_or(|ended| ended > at)
}

fn count(runs: &[&RunView], status: RunStatus) -> Whole {
    runs.iter()
        .filter(|run| run.status == status)
        .count()
        .into()
}

/// Nearest rank over the runs that completed.
fn percentile(runs: &[&RunView], percent: usize) -> Option<Whole> {
    let mut durations: Vec<i128> = runs
        .iter()
        .filter(|run| run.status == RunStatus::Completed)
        .filter_map(|run| {
            let began = run.started_at.unwrap_or(run.created_at);
            Some(run.ended_at?.duration_since(began).as_millis())
        })
        .collect();
    durations.sort_unstable();
    let rank = (durations.len() * percent).div_ceil(100);
    durations
        .get(rank.checked_sub(1)?)
        .copied()
        .map(crate::documents::millis)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(minute: i64, millis: i64, status: &str) -> RunView {
        let created = Timestamp::from_second(1_700_000_000 + minute * 60).unwrap();
        let ended = Timestamp::from_millisecond(created.as_millisecond() + millis).unwrap();
        serde_json::from_value(json!({
            "id": "0192d3a4-7c1e-7e6b-9a51-3f2b8c1d4e5f",
            "workflow": {"namespace": "a", "name": "b", "version": "1.0.0"},
            "definitionHash": "", "status": status, "trigger": "api", "sequence": 1,
            "createdAt": created, "startedAt": created,
            "endedAt": if status == "running" { None } else { Some(ended) },
        }))
        .unwrap()
    }

    #[test]
    fn figures_are_of_the_runs_that_are_there() {
        let since = Timestamp::from_second(1_700_000_000).unwrap();
        let now = Timestamp::from_second(1_700_003_600).unwrap();
        let mut runs: Vec<RunView> = (1..=20).map(|n| run(10, n * 10, "completed")).collect();
        runs.push(run(59, 9_999, "faulted"));
        runs.push(run(30, 0, "running"));
        // One from the day before ends at minute 20, another goes on.
        let older = [
            run(-1_440, 1_460 * 60_000, "completed"),
            run(-60, 0, "running"),
        ];
        let found = overview(&runs, &older, false, since, HOUR_MS, now, 1);
        assert_eq!(
            (found.runs.get(), found.completed.get(), found.faulted.get()),
            (22, 20, 1)
        );
        assert_eq!(found.duration_p50_ms, Some(Whole::new(100)));
        assert_eq!(found.duration_p95_ms, Some(Whole::new(190)));
        assert_eq!(
            found.oldest_wait_ms,
            Some(Whole::new(2 * 60 * 60 * 1_000)),
            "also of one that started before the window"
        );
        let in_flight = |bucket: usize| found.buckets[bucket].in_flight.get();
        assert_eq!((in_flight(0), in_flight(18)), (2, 2));
        assert_eq!(
            (in_flight(19), in_flight(29), in_flight(59)),
            (1, 2, 2),
            "what ends where a bucket ends is in flight no more"
        );
        assert_eq!(found.buckets.len(), 60);
        assert_eq!(found.buckets[10].total.get(), 20);
        assert_eq!(found.buckets[59].faulted.get(), 1);
        let empty = overview(&[], &[], false, since, HOUR_MS, now, 0);
        assert_eq!((empty.duration_p95_ms, empty.oldest_wait_ms), (None, None));
    }
}
