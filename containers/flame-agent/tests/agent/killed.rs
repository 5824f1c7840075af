//! `kill -9` inside the samples: over a whole Every morning, and in the undo of Orders.
//!
//! Each kill is tied to what the outside sees, so that it falls where it is to fall without a clock, and then to
//! chance.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use flame_agent_api::{JournalQuery, JournalType, RunQuery, RunView, Trigger};
use flame_agent_client::{AgentClient, Format, StartOptions};
use flame_store::{DefinitionKey, Operation, Schedule, Store};
use flame_testkit::Agent;
use flame_types::{RunId, RunStatus, Timestamp};
use serde_json::{Value, json};

use crate::crash::{Dice, LIFE_MAX, completed_once};
use crate::gate::{Gate, Reached};
use crate::harness::program;
use crate::samples::{client, database, ended, id, ledger, sample, warehouse};

/// A sample with something else in one place.
fn changed(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "{from}");
    text.replace(from, to)
}

/// What comes between the sign and the kill.
async fn a_little_later(dice: &mut Dice) {
    for _ in 0..dice.below(2_000) {
        tokio::task::yield_now().await;
    }
}

/// In a test that hangs, the seed and what the agent said.
async fn in_time<T>(label: &str, agent: &Agent, awaited: impl Future<Output = T>) -> T {
    match tokio::time::timeout(LIFE_MAX, awaited).await {
        Ok(value) => value,
        Err(_) => panic!("{label}: nothing happens; the agent said:\n{}", agent.log()),
    }
}

mod every_morning {
    use super::*;

    const KILLS: u64 = 16;

    /// Where a life ends.
    #[derive(Debug)]
    enum End {
        /// Soon after the agent said that it is there.
        Begun,
        Asking(Reached),
        /// Once another file is there.
        Written,
    }

    impl End {
        fn any(dice: &mut Dice) -> Self {
            match dice.below(6) {
                0 => Self::Begun,
                1 => Self::Written,
                reached => Self::Asking(Reached::ALL[usize::try_from(reached - 2).unwrap()]),
            }
        }
    }

    /// The mornings that the workflow was due on, one for each life that begins without one.
    struct Mornings<'a> {
        data: &'a Path,
        count: usize,
    }

    impl Mornings<'_> {
        /// Lets a new one come while no agent is there, unless the last one is still to be done.
        async fn come(&mut self) {
            let store = Store::open(&flame_store::Options::new(self.data, Timestamp::now)).unwrap();
            let stored = store.schedules().await.unwrap().remove(0);
            if stored.next > Timestamp::now() {
                let first: Timestamp = "2026-01-01T05:00:00Z".parse().unwrap();
                let morning = Schedule {
                    workflow: DefinitionKey::workflow(&id("every-morning")),
                    next: first + Duration::from_secs(60 * 60 * 24) * self.count as u32,
                    last: stored.last,
                };
                let put = Operation::PutSchedule(morning);
                store.commit(put).await.unwrap();
                self.count += 1;
            }
            store.close();
        }
    }

    fn files(data: &Path) -> BTreeSet<String> {
        // The folder comes with the first of them.
        let folder = std::fs::read_dir(data.join("files/prices"));
        let names = folder.into_iter().flatten().map(|entry| {
            let name = entry.unwrap().file_name();
            format!("prices/{}", name.to_str().unwrap())
        });
        names.filter(|name| name.ends_with(".json")).collect()
    }

    async fn runs(client: &AgentClient) -> Vec<RunView> {
        let query = RunQuery {
            limit: Some(200),
            ..RunQuery::default()
        };
        client.runs(&query).await.unwrap().items
    }

    /// What the run's task gave that makes the file's content.
    async fn picked(client: &AgentClient, run: RunId) -> Value {
        let journal = client.journal(run, &JournalQuery::default()).await.unwrap();
        let picked = journal.items.into_iter().find(|entry| {
            entry.kind == JournalType::TaskCompleted
                && entry.name.as_deref() == Some("Pick what matters")
        });
        picked.and_then(|entry| entry.output).unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn each_morning_has_one_run_and_one_whole_file() {
        let seed = Dice::seed();
        println!("seed {seed} (set MASTRA_SEED to try another)");
        let mut dice = Dice::of(seed);
        // One in three is refused at first.
        let asked_by: Mutex<BTreeMap<String, usize>> = Mutex::default();
        let gate = Gate::before(warehouse(0).await, move |asked| {
            let mut asked_by = asked_by.lock().unwrap();
            let number = asked_by.len();
            let key = asked.header("idempotency-key").unwrap();
            let is_new = !asked_by.contains_key(&key);
            is_new && asked_by.insert(key, number).is_none() && number.is_multiple_of(3)
        })
        .await;
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let stand_in = gate.stand_in();
        let start = || Agent::start(program(), &data, &["--stand-in", &stand_in]).unwrap();
        let text = changed(
            sample("samples/every-morning"),
            r#"${ "prices/" + .day + ".json" }"#,
            r#"${ "prices/" + .day + "-" + $workflow.id + ".json" }"#,
        );
        let text = changed(
            &text,
            "delay: { seconds: 2 }",
            "delay: { milliseconds: 20 }",
        );
        let agent = start();
        let put = client(&agent);
        put.put_workflow(&id("every-morning"), Format::Yaml, &text)
            .await
            .unwrap();
        drop(agent);

        let mut mornings = Mornings {
            data: &data,
            count: 0,
        };
        let mut cut_off = 0;
        for life in 0..KILLS {
            mornings.come().await;
            let end = End::any(&mut dice);
            let label = format!("seed {seed}, life {life}, {end:?}");
            let before = files(&data);
            let sprung = match end {
                End::Asking(reached) => Some(gate.trap("GET /prices ", 0, reached)),
                End::Begun | End::Written => None,
            };
            let agent = start();
            match end {
                End::Begun => {}
                End::Written => {
                    let written = async {
                        while files(&data) == before {
                            tokio::task::yield_now().await;
                        }
                    };
                    in_time(&label, &agent, written).await;
                }
                End::Asking(reached) => {
                    cut_off += usize::from(reached != Reached::Answered);
                    in_time(&label, &agent, sprung.unwrap()).await.unwrap();
                }
            }
            a_little_later(&mut dice).await;
            agent.kill();
        }

        let agent = start();
        let client = client(&agent);
        let label = format!("seed {seed}, the last life");
        let all = in_time(&label, &agent, async {
            loop {
                let runs = runs(&client).await;
                let have_ended = runs.iter().all(|run| run.status.is_terminal());
                if runs.len() >= mornings.count && have_ended {
                    return runs;
                }
            }
        })
        .await;
        assert_eq!(all.len(), mornings.count, "{label}: one run a morning");
        let mut expected = BTreeSet::new();
        for run in &all {
            let run = client.run(run.id).await.unwrap();
            assert_eq!(
                (run.status, run.trigger),
                (RunStatus::Completed, Trigger::Schedule),
                "{label}: {run:?}"
            );
            completed_once(&client, run.id).await;
            let output = run.output.unwrap();
            let path = output["path"].as_str().unwrap();
            let written = std::fs::read(data.join("files").join(path)).unwrap();
            let written: Value = serde_json::from_slice(&written).unwrap();
            assert_eq!(written, picked(&client, run.id).await, "{label}: {path}");
            assert_eq!(written["prices"]["tea-green"], 4.9, "{label}: {path}");
            expected.insert(path.to_owned());
        }
        assert_eq!(files(&data), expected, "{label}: one file a run");
        assert_eq!(expected.len(), mornings.count, "{label}");

        let asked = gate.asked();
        let keys: BTreeSet<String> = asked
            .iter()
            .map(|asked| asked.header("idempotency-key").unwrap())
            .collect();
        assert_eq!(keys.len(), mornings.count, "{label}: one key a run");
        for run in &all {
            let run = run.id.to_string();
            let own = keys.iter().filter(|key| key.starts_with(&run));
            assert_eq!(own.count(), 1, "{label}: {run}");
        }
        assert!(
            asked.len() >= mornings.count + cut_off,
            "{label}: what was cut off is asked for again"
        );
        assert_eq!(agent.stop().unwrap().code(), Some(0));
    }
}

mod undo {
    use super::*;

    const KILLS: u64 = 16;
    /// More than any order is tried.
    const NEVER: u64 = 1_000;
    const SHIP: &str = "POST /shipments ";
    const RELEASE: &str = "DELETE /reservations/";

    /// An order that is not shipped until it was tried so many times more. Its number is in its name.
    fn order(number: usize, refusals: u64) -> Value {
        json!({
            "id": format!("o-{number}-{refusals}"),
            "customer": "Ada",
            "items": [{ "sku": "mug-blue", "quantity": 1, "price": 10 }]
        })
    }

    async fn start(client: &AgentClient, input: &Value) -> RunId {
        let options = StartOptions::default();
        let started = client.start_run(&id("orders"), input, &options).await;
        started.unwrap().into_run().id
    }

    /// Shipments are refused as the orders say, and each release once.
    async fn gate(warehouse: String) -> Gate {
        let counts: Mutex<BTreeMap<String, u64>> = Mutex::default();
        Gate::before(warehouse, move |asked| {
            let count = |what: String| {
                let mut counts = counts.lock().unwrap();
                let count = counts.entry(what).or_default();
                *count += 1;
                *count
            };
            if asked.head.starts_with(SHIP) {
                let shipment: Value = serde_json::from_str(&asked.body).unwrap();
                let order = shipment["order"].as_str().unwrap();
                let refusals: u64 = order.rsplit('-').next().unwrap().parse().unwrap();
                return count(order.to_owned()) <= refusals;
            }
            asked.head.starts_with(RELEASE) && count(asked.path().to_owned()) == 1
        })
        .await
    }

    /// How often an action of the warehouse took effect, over all keys.
    fn effects(ledger: &[Value], action: &str) -> u64 {
        let entries = ledger.iter().filter(|entry| entry["action"] == action);
        entries
            .map(|entry| entry["effects"].as_u64().unwrap())
            .sum()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn each_order_is_shipped_or_undone() {
        let seed = Dice::seed();
        println!("seed {seed} (set MASTRA_SEED to try another)");
        let mut dice = Dice::of(seed);
        let warehouse = warehouse(0).await;
        let gate = gate(warehouse.clone()).await;
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let stand_in = gate.stand_in();
        let start_agent = || Agent::start(program(), &data, &["--stand-in", &stand_in]).unwrap();
        // The same, in less time.
        let text = changed(
            sample("samples/orders"),
            "delay: { milliseconds: 200 }",
            "delay: { milliseconds: 10 }",
        );
        let text = changed(
            &text,
            "to: { milliseconds: 100 }",
            "to: { milliseconds: 10 }",
        );
        let text = changed(
            &text,
            "delay: { milliseconds: 500 }",
            "delay: { milliseconds: 30 }",
        );
        let agent = start_agent();
        let put = client(&agent);
        put.put_workflow(&id("orders"), Format::Yaml, &text)
            .await
            .unwrap();
        drop(agent);

        let mut runs: BTreeMap<RunId, Value> = BTreeMap::new();
        for life in 0..KILLS {
            let (request, most) = match dice.below(4) {
                0 => (SHIP, 8),
                _ => (RELEASE, 4),
            };
            let (before, reached) = (dice.below(most), dice.below(4));
            let reached = Reached::ALL[usize::try_from(reached).unwrap()];
            let label = format!("seed {seed}, life {life}, {request}{before} {reached:?}");
            let sprung = gate.trap(request, before, reached);
            let agent = start_agent();
            // Two that are undone, so that the trap is sure to be sprung, and one that may be.
            for refusals in [NEVER, NEVER, dice.below(7)] {
                let order = order(runs.len(), refusals);
                let run = start(&client(&agent), &order).await;
                runs.insert(run, order);
            }
            in_time(&label, &agent, sprung).await.unwrap();
            a_little_later(&mut dice).await;
            agent.kill();
        }

        let agent = start_agent();
        let client = client(&agent);
        let label = format!("seed {seed}, the last life");
        let mut outcomes = Vec::new();
        for (run, order) in &runs {
            let view = in_time(&label, &agent, ended(&client, *run)).await;
            assert_eq!(view.status, RunStatus::Completed, "{label}: {view:?}");
            completed_once(&client, *run).await;
            outcomes.push((
                order["id"].as_str().unwrap().to_owned(),
                view.output.unwrap(),
            ));
        }
        let ledger = ledger(&warehouse).await;
        let mut expected = Vec::new();
        for (order, output) in &outcomes {
            let done = ["reserve", "ship", "release"]
                .map(|action| effects(&ledger, &format!("{action} {order}")));
            let status = output["status"].as_str().unwrap();
            match status {
                "shipped" => assert_eq!(done, [1, 1, 0], "{label}: {order} {ledger:?}"),
                "cancelled" => assert_eq!(done, [1, 0, 1], "{label}: {order} {ledger:?}"),
                other => panic!("{label}: {order} is {other}"),
            }
            let reason = output["reason"].as_str().unwrap_or("none");
            assert_eq!(status == "shipped", reason == "none", "{label}: {output}");
            if order.ends_with("-0") || order.ends_with(&format!("-{NEVER}")) {
                let expected = order.ends_with("-0");
                assert_eq!(status == "shipped", expected, "{label}: {order}");
            }
            expected.push(format!("{order} {status} {reason}"));
        }
        expected.sort();
        let sql = "select id || ' ' || status || ' ' || coalesce(reason, 'none') from orders";
        let mut rows = database(folder.path(), "orders.db", sql);
        rows.sort();
        assert_eq!(rows, expected, "{label}");
        let shipped = outcomes
            .iter()
            .filter(|(_, output)| output["status"] == "shipped");
        assert!(shipped.count() > 0, "{label}: some are shipped");
        assert_eq!(agent.stop().unwrap().code(), Some(0));
    }
}
