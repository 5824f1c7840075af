//! `kill -9` at random points, again and again, with many runs in flight.
//!
//! The kill is tied to what the outside sees (the n-th request from now), so it falls before, during and
//! after calls and commits without a clock. Every effect is counted at a real HTTP server.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use flame_agent_api::{JournalQuery, JournalType, RunQuery, SecretText};
use flame_agent_client::{AgentClient, Format, StartOptions};
use flame_testkit::{Agent, Effects};
use flame_types::{RunId, RunStatus, WorkflowId};
use futures::stream::{FuturesUnordered, StreamExt};
use serde_json::json;

const KILLS: u64 = 200;
const IN_FLIGHT: usize = 50;
const STEPS: usize = 6;
const FRESH: usize = 4;

/// Far longer than any life takes; a run that is stuck is found by it.
pub(crate) const LIFE_MAX: Duration = Duration::from_secs(60);

fn document(effects: &str) -> String {
    format!(
        r"
document: {{ dsl: '1.0.3', namespace: crash, name: steps, version: 1.0.0 }}
do:
  - prepare:
      set: {{ run: '${{ .run }}', seen: [] }}
  - each:
      for: {{ each: step, in: '${{ [range({STEPS})] }}' }}
      do:
        - call:
            call: http
            with:
              method: post
              endpoint: '{effects}/effect'
              body: {{ run: '${{ .run }}', step: '${{ $step }}' }}
            output: {{ as: '${{ {{ run: $input.run, seen: ($input.seen + [$step]) }} }}' }}
  - store:
      call: sqlite.upsert:1.0.0@default
      with:
        database: crash.db
        table: runs
        key: [run]
        record: {{ run: '${{ .run }}', steps: '${{ .seen | length }}' }}
      output: {{ as: '${{ $input }}' }}
"
    )
}

fn workflow() -> WorkflowId {
    WorkflowId {
        namespace: "crash".parse().unwrap(),
        name: "steps".parse().unwrap(),
        version: "1.0.0".parse().unwrap(),
    }
}

fn client(agent: &Agent) -> AgentClient {
    AgentClient::new(&agent.url, SecretText::new(agent.token.clone())).unwrap()
}

/// A small generator (SplitMix64), so that a failure can be run again from its seed.
pub(crate) struct Dice(u64);

impl Dice {
    /// Where chance begins. A test says it, so that a failure can be run again.
    pub(crate) fn seed() -> u64 {
        let given = std::env::var("MASTRA_SEED").ok();
        given.and_then(|seed| seed.parse().ok()).unwrap_or(7)
    }

    pub(crate) const fn of(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// Brings the number of unfinished runs up to `IN_FLIGHT`, and begins at least `FRESH`, so that there are
/// always more calls to come than the next kill waits for. A start that the kill cut off is asked again
/// with its key in the next life, and must give the same run.
async fn top_up(agent: &AgentClient, started: &mut BTreeMap<u64, Option<RunId>>) {
    let unfinished = RunQuery {
        status: Some("pending,running,waiting,suspended".into()),
        limit: Some(200),
        ..Default::default()
    };
    let live = agent
        .runs(&unfinished)
        .await
        .expect("the list of runs")
        .items
        .len();
    let unknown: Vec<u64> = started
        .iter()
        .filter(|(_, run)| run.is_none())
        .map(|(number, _)| *number)
        .collect();
    let next = started.len() as u64;
    let fresh = next..next + IN_FLIGHT.saturating_sub(live + unknown.len()).max(FRESH) as u64;
    let mut starts: FuturesUnordered<_> = unknown
        .into_iter()
        .chain(fresh)
        .map(|number| async move {
            let options = StartOptions {
                wait: None,
                idempotency_key: Some(format!("start-{number}")),
            };
            let input = json!({ "run": number });
            (number, agent.start_run(&workflow(), &input, &options).await)
        })
        .collect();
    while let Some((number, outcome)) = starts.next().await {
        let run = outcome.expect("a start is acknowledged").into_run().id;
        if let Some(known) = started.insert(number, Some(run)).flatten() {
            assert_eq!(known, run, "the same key gave another run");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_effect_is_lost_or_doubled_over_two_hundred_kills() {
    let seed = Dice::seed();
    println!("seed {seed} (set MASTRA_SEED to try another)");
    let mut dice = Dice::of(seed);
    let folder = tempfile::tempdir().unwrap();
    let effects = Effects::start().await.unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_flame-agent"));
    let mut started = BTreeMap::new();

    let first = Agent::start(program, folder.path(), &[]).unwrap();
    let text = document(&effects.url());
    client(&first)
        .put_workflow(&workflow(), Format::Yaml, &text)
        .await
        .unwrap();
    drop(first);

    for kill in 0..KILLS {
        let agent = Agent::start(program, folder.path(), &[])
            .unwrap_or_else(|error| panic!("seed {seed}, life {kill}: {error}"));
        top_up(&client(&agent), &mut started).await;
        // Now and then right after the start, mostly while calls are under way; half of the time new
        // starts are cut off as well.
        let more = dice.below((FRESH * STEPS) as u64 + 1);
        let doomed = client(&agent);
        let next = started.len() as u64;
        let cut = tokio::spawn(async move {
            let options = StartOptions {
                wait: None,
                idempotency_key: Some(format!("start-{next}")),
            };
            doomed
                .start_run(&workflow(), &json!({ "run": next }), &options)
                .await
        });
        if tokio::time::timeout(LIFE_MAX, effects.after(more))
            .await
            .is_err()
        {
            panic!(
                "seed {seed}, life {kill}: runs are stuck; the agent said:\n{}",
                agent.log()
            );
        }
        agent.kill();
        let known = cut.await.unwrap().ok().map(|started| started.into_run().id);
        started.insert(next, known);
    }

    let agent = Agent::start(program, folder.path(), &[]).unwrap();
    let client = client(&agent);
    top_up(&client, &mut started).await;
    for (number, run) in &started {
        let run = run.expect("every start was acknowledged in the end");
        let options = StartOptions {
            wait: Some(Duration::from_secs(60)),
            idempotency_key: Some(format!("start-{number}")),
        };
        let ended = client
            .start_run(&workflow(), &json!({ "run": number }), &options)
            .await;
        let ended = ended.expect("the same key gives the same run").into_run();
        assert_eq!(
            (ended.id, ended.status),
            (run, RunStatus::Completed),
            "seed {seed}: {ended:?}"
        );
        completed_once(&client, run).await;
    }

    let by_key = effects.by_key();
    let ours: BTreeSet<RunId> = started.values().copied().flatten().collect();
    assert_eq!(ours.len(), started.len(), "two keys gave one run");
    assert_eq!(
        by_key.len(),
        started.len() * STEPS,
        "seed {seed}: effects lost or doubled"
    );
    let mut by_run: BTreeMap<String, usize> = BTreeMap::new();
    for key in by_key.keys() {
        let run = ours
            .iter()
            .map(RunId::to_string)
            .find(|run| key.starts_with(run.as_str()));
        *by_run
            .entry(run.expect("a key begins with its run"))
            .or_default() += 1;
    }
    assert!(
        by_run.values().all(|count| *count == STEPS),
        "seed {seed}: {by_run:?}"
    );
    assert_eq!(
        agent.stop().unwrap().code(),
        Some(0),
        "SIGTERM drains and exits 0"
    );
    let expected: Vec<(i64, i64)> = started
        .keys()
        .map(|run| (i64::try_from(*run).unwrap(), STEPS as i64))
        .collect();
    assert_eq!(rows(folder.path()), expected, "seed {seed}: one row a run");
}

/// What the runs wrote into their table: number and steps, by number.
fn rows(data: &Path) -> Vec<(i64, i64)> {
    let database = rusqlite::Connection::open(data.join("databases/crash.db")).unwrap();
    let sql = "select run, steps from runs order by run";
    let mut statement = database.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    rows.unwrap().map(Result::unwrap).collect()
}

/// Each execution of a task completes once and is not asked for again after that, but in another attempt.
pub(crate) async fn completed_once(client: &AgentClient, run: RunId) {
    let query = JournalQuery {
        limit: Some(900),
        ..Default::default()
    };
    let journal = client
        .journal(run, &query)
        .await
        .expect("the journal")
        .items;
    let mut done = BTreeSet::new();
    for (index, entry) in journal.iter().enumerate() {
        assert_eq!(
            entry.sequence,
            index as u64 + 1,
            "the journal of {run} has a gap"
        );
        let task = (
            entry.task.clone(),
            entry.iteration.clone(),
            entry.visit,
            entry.attempt,
        );
        match entry.kind {
            JournalType::TaskCompleted => {
                assert!(done.insert(task), "{run}: {entry:?} completed twice");
            }
            JournalType::EffectRequested => {
                assert!(
                    !done.contains(&task),
                    "{run}: {entry:?} was asked for again"
                );
            }
            _ => {}
        }
    }
}
