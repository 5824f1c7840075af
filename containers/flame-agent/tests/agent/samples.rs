//! The samples that come with the app, run by the real agent against real servers.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use flame_agent::warehouse;
use flame_agent_api::{ConnectionPut, FeedQuery, FeedState, RunView, SecretText, Trigger};
use flame_agent_client::{AgentClient, Format, StartOptions};
use flame_errors::Code;
use flame_testkit::{Agent, Encryption, Postgres};
use flame_types::{RunId, RunStatus, WorkflowId};
use flame_workspace::{CUSTOMERS, DocumentKind, SAMPLES};
use futures::stream::{self, FuturesUnordered, StreamExt};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::harness::program;

pub(crate) fn sample(name: &str) -> &'static str {
    SAMPLES
        .iter()
        .find(|sample| sample.name == name)
        .unwrap()
        .body
}

pub(crate) fn id(name: &str) -> WorkflowId {
    WorkflowId {
        namespace: "samples".parse().unwrap(),
        name: name.parse().unwrap(),
        version: "1.0.0".parse().unwrap(),
    }
}

pub(crate) fn client(agent: &Agent) -> AgentClient {
    AgentClient::new(&agent.url, SecretText::new(agent.token.clone())).unwrap()
}

async fn deploy(client: &AgentClient) {
    for sample in SAMPLES {
        let (namespace, name) = sample.name.split_once('/').unwrap();
        match sample.kind {
            DocumentKind::Workflow => {
                client
                    .put_workflow(&id(name), Format::Yaml, sample.body)
                    .await
                    .unwrap();
            }
            DocumentKind::Pipeline => {
                client
                    .put_pipeline(namespace, name, Format::Yaml, sample.body)
                    .await
                    .unwrap();
            }
            DocumentKind::Connection => {}
        }
    }
}

async fn run(client: &AgentClient, name: &str, input: &Value) -> RunView {
    let options = StartOptions {
        wait: Some(Duration::from_secs(30)),
        ..Default::default()
    };
    client
        .start_run(&id(name), input, &options)
        .await
        .unwrap()
        .into_run()
}

fn order(name: &str, sku: &str, quantity: u32) -> Value {
    json!({ "id": name, "customer": "Ada", "items": [{ "sku": sku, "quantity": quantity, "price": 10 }] })
}

/// A warehouse that outlives the agent; gives its URL.
pub(crate) async fn warehouse(fail_first: u32) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(warehouse::serve(
        listener,
        fail_first,
        std::future::pending(),
    ));
    address.to_string()
}

fn http() -> reqwest::Client {
    // Another test of this process may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

pub(crate) async fn ledger(address: &str) -> Vec<Value> {
    let ledger = http()
        .get(format!("http://{address}/ledger"))
        .send()
        .await
        .unwrap();
    let ledger: Value = ledger.json().await.unwrap();
    ledger["entries"].as_array().unwrap().clone()
}

pub(crate) fn database(folder: &Path, name: &str, sql: &str) -> Vec<String> {
    let database = rusqlite::Connection::open(folder.join("data/databases").join(name)).unwrap();
    let mut statement = database.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

#[tokio::test]
async fn orders_run_out_of_the_box_by_webhook_too() {
    let folder = TempDir::new().unwrap();
    let agent = Agent::start(program(), &folder.path().join("data"), &[]).unwrap();
    let client = client(&agent);
    deploy(&client).await;
    let input = SAMPLES[0].input.unwrap();
    let hook = http()
        .post(format!("{}/hooks/orders", agent.url))
        .header("content-type", "application/json")
        .body(input);
    let answer = hook.send().await.unwrap();
    assert_eq!(answer.status(), 202);
    let accepted: Value = answer.json().await.unwrap();
    let input: Value = serde_json::from_str(input).unwrap();
    let by_hook = ended(
        &client,
        accepted["runId"].as_str().unwrap().parse().unwrap(),
    )
    .await;
    assert_eq!(
        (by_hook.status, by_hook.trigger),
        (RunStatus::Completed, Trigger::Webhook)
    );
    assert_eq!(by_hook.input.unwrap(), input);
    assert_eq!(
        by_hook.output.unwrap(),
        json!({
            "id": "ord-1001", "customer": "Ada Lovelace", "pieces": 8, "total": 123.7, "method": "standard",
            "reservation": "ord-1001", "shipment": "ship-ord-1001", "status": "shipped"
        })
    );
    let rows = database(
        folder.path(),
        "orders.db",
        "select concat_ws(' ', id, customer, pieces, total, method, status) from orders",
    );
    assert_eq!(rows, ["ord-1001 Ada Lovelace 8 123.7 standard shipped"]);

    let again = run(&client, "orders", &input).await;
    let output = again.output.unwrap();
    assert_eq!(
        (&output["status"], &output["total"]),
        (&"shipped".into(), &123.7.into())
    );
    let large = run(&client, "orders", &order("big", "chair-oak", 60))
        .await
        .output
        .unwrap();
    assert_eq!(
        (&large["method"], &large["total"]),
        (&"express".into(), &600.into())
    );
    let rows = database(
        folder.path(),
        "orders.db",
        "select id || ' ' || status from orders order by id",
    );
    assert_eq!(rows, ["big shipped", "ord-1001 shipped"]);

    let options = StartOptions::default();
    let unfit = client
        .start_run(&id("orders"), &json!({ "id": "x" }), &options)
        .await;
    assert_eq!(unfit.unwrap_err().code(), Code::InputInvalid);
}

#[tokio::test]
async fn what_fails_is_tried_again_and_then_undone() {
    let address = warehouse(2).await;
    let folder = TempDir::new().unwrap();
    let stand_in = format!("warehouse.example={address}");
    let agent = Agent::start(
        program(),
        &folder.path().join("data"),
        &["--stand-in", &stand_in],
    )
    .unwrap();
    let client = client(&agent);
    deploy(&client).await;
    let busy = run(&client, "orders", &order("busy", "mug-blue", 1))
        .await
        .output
        .unwrap();
    assert_eq!(busy["status"], "shipped", "{busy}");
    let mut overnight = order("late", "mug-blue", 1);
    overnight["method"] = json!("overnight");
    let late = run(&client, "orders", &overnight).await.output.unwrap();
    assert_eq!(late["status"], "cancelled", "{late}");
    let sold_out = run(&client, "orders", &order("many", "clock-cuckoo", 4))
        .await
        .output
        .unwrap();
    assert!(
        sold_out["reason"].as_str().unwrap().contains("Only 3"),
        "{sold_out}"
    );

    let entries = ledger(&address).await;
    let of = |action: &str| {
        let entry = entries.iter().find(|entry| entry["action"] == action);
        entry.map(|entry| {
            (
                entry["requests"].as_u64().unwrap(),
                entry["effects"].as_u64().unwrap(),
            )
        })
    };
    // Twice refused itself, and sent again with each of the two refused shipments.
    assert_eq!(of("reserve busy"), Some((5, 1)));
    assert_eq!(of("reserve late").unwrap().1, 1);
    assert_eq!(of("release late").unwrap().1, 1, "{entries:?}");
    assert_eq!(of("ship late").unwrap().1, 0);
    let rows = database(
        folder.path(),
        "orders.db",
        "select id || ' ' || status from orders order by id",
    );
    assert_eq!(rows, ["busy shipped", "late cancelled", "many cancelled"]);
}

#[tokio::test]
async fn orders_write_to_postgresql_when_given_a_connection() {
    let server = Postgres::start(Encryption::Off).unwrap();
    let folder = TempDir::new().unwrap();
    let agent = Agent::start(program(), &folder.path().join("data"), &[]).unwrap();
    let client = client(&agent);
    let text = sample("samples/orders")
        .replace("sqlite.upsert", "postgres.upsert")
        .replace("database: orders.db", "connection: shop");
    client
        .put_workflow(&id("orders"), Format::Yaml, &text)
        .await
        .unwrap();
    let connection = ConnectionPut {
        kind: "postgres".into(),
        settings: json!({
            "host": "127.0.0.1", "port": server.port(), "database": Postgres::DATABASE,
            "user": Postgres::USER
        }),
        secret: Some(SecretText::new(Postgres::PASSWORD)),
    };
    client.put_connection("shop", &connection).await.unwrap();
    let done = run(&client, "orders", &order("pg-1", "tea-green", 2)).await;
    assert_eq!(done.output.unwrap()["status"], "shipped");
    assert_eq!(
        server
            .query("select id, pieces, total, status from orders")
            .unwrap(),
        "pg-1|2|20|shipped"
    );
}

#[tokio::test]
async fn every_morning_writes_a_file() {
    let folder = TempDir::new().unwrap();
    let agent = Agent::start(program(), &folder.path().join("data"), &[]).unwrap();
    let client = client(&agent);
    deploy(&client).await;
    let output = run(&client, "every-morning", &json!({}))
        .await
        .output
        .unwrap();
    let file = folder
        .path()
        .join("data/files")
        .join(output["path"].as_str().unwrap());
    let written: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(written["prices"]["tea-green"], 4.9);
    let deployed = client.workflow(&id("every-morning")).await.unwrap();
    assert!(deployed.schedule.is_some(), "it is on the clock");
}

#[tokio::test]
async fn folder_to_table_sets_the_bad_customer_aside() {
    let folder = TempDir::new().unwrap();
    let agent = Agent::start(program(), &folder.path().join("data"), &[]).unwrap();
    let client = client(&agent);
    deploy(&client).await;
    let query = FeedQuery {
        identity: "1".into(),
        source: Some("customers.csv".into()),
        offset: 0,
        total: Some(CUSTOMERS.len() as u64),
    };
    let body = stream::iter([Ok(Bytes::from_static(CUSTOMERS.as_bytes()))]);
    let status = client
        .feed("samples", "folder-to-table", &query, "text/csv", body)
        .await
        .unwrap();
    assert_eq!(
        (status.state, status.rows, status.dead_letters),
        (FeedState::Completed, 5, 1)
    );
    let names = database(
        folder.path(),
        "customers.db",
        "select name from customers where id = 3",
    );
    assert_eq!(names, ["Hamilton, Margaret"]);
}

/// A kill is tied to what the warehouse sees, so that it falls anywhere in the sample.
#[tokio::test(flavor = "multi_thread")]
async fn orders_that_are_killed_reserve_and_ship_once() {
    const ORDERS: usize = 50;
    const KILLS: usize = 10;
    let address = warehouse(1).await;
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let stand_in = format!("warehouse.example={address}");
    let arguments = ["--stand-in", stand_in.as_str()];
    let mut agent = Agent::start(program(), &data, &arguments).unwrap();
    deploy(&client(&agent)).await;
    let runs: Vec<_> = {
        let client = client(&agent);
        let starts: FuturesUnordered<_> = (0..ORDERS)
            .map(|number| {
                let (client, input) =
                    (client.clone(), order(&format!("o-{number}"), "mug-blue", 1));
                async move {
                    let options = StartOptions::default();
                    client
                        .start_run(&id("orders"), &input, &options)
                        .await
                        .unwrap()
                        .into_run()
                        .id
                }
            })
            .collect();
        starts.collect().await
    };
    for kill in 0..KILLS {
        let seen = requests(&address).await;
        // Every order makes four requests at least: go on until a few more have come, or all have.
        while requests(&address).await < (seen + 3 + kill as u64).min(4 * ORDERS as u64) {
            tokio::task::yield_now().await;
        }
        agent.kill();
        agent = Agent::start(program(), &data, &arguments).unwrap();
    }
    assert_shipped(&client(&agent), &runs).await;
    let entries = ledger(&address).await;
    assert!(
        entries.iter().all(|entry| entry["effects"] == 1),
        "{entries:?}"
    );
    for action in ["reserve", "ship"] {
        let of_kind = entries
            .iter()
            .filter(|entry| entry["action"].as_str().unwrap().starts_with(action));
        assert_eq!(of_kind.count(), ORDERS, "{action}");
    }
}

async fn requests(address: &str) -> u64 {
    ledger(address)
        .await
        .iter()
        .filter_map(|entry| entry["requests"].as_u64())
        .sum()
}

/// The warehouse that ships with the samples ends with the agent, and knows afterwards what it had reserved.
#[tokio::test(flavor = "multi_thread")]
async fn orders_that_are_killed_with_the_warehouse_are_shipped() {
    const ORDERS: usize = 20;
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let book = data.join("databases/warehouse.jsonl");
    let lines = || std::fs::read_to_string(&book).map_or(0, |text| text.lines().count());
    let mut agent = Agent::start(program(), &data, &[]).unwrap();
    deploy(&client(&agent)).await;
    let mut runs = Vec::new();
    for number in 0..ORDERS {
        let input = order(&format!("o-{number}"), "mug-blue", 1);
        let started = client(&agent)
            .start_run(&id("orders"), &input, &StartOptions::default())
            .await
            .unwrap();
        runs.push(started.into_run().id);
        // It is asked twice for each order, to reserve and to ship: half of the kills come between.
        while lines() < 2 * number + 1 {
            tokio::task::yield_now().await;
        }
        agent.kill();
        agent = Agent::start(program(), &data, &[]).unwrap();
    }
    assert_shipped(&client(&agent), &runs).await;
}

async fn assert_shipped(client: &AgentClient, runs: &[RunId]) {
    for run in runs {
        let view = ended(client, *run).await;
        assert_eq!(view.output.unwrap()["status"], "shipped");
    }
}

/// Follows a run to its end.
pub(crate) async fn ended(client: &AgentClient, run: RunId) -> RunView {
    loop {
        let view = client.run(run).await.unwrap();
        if view.status.is_terminal() {
            return view;
        }
        let mut events = std::pin::pin!(client.follow_run(run, 0).await.unwrap());
        while events.next().await.is_some_and(|event| event.is_ok()) {}
    }
}
