//! Rows per second of a CSV feed into SQLite and PostgreSQL, and the agent's peak memory.
//!
//! The file has text columns and a numeric key, and the map passes rows on as they are, so the figure
//! is that of reading, checkpointing and writing. Both databases sync every commit, whatever the
//! durability of the agent's own store.

use std::fmt::Write as _;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use flame_testkit::{Encryption, Postgres};
use serde_json::{Value, json};

use crate::Method;
use crate::agent::Agent;
use crate::load::Connection;

pub async fn measure(method: &Method, rows: usize) -> Result<()> {
    let body = Bytes::from(file(rows));
    println!(
        "\nCSV of {} rows, 10 columns, {} MB ({})",
        rows,
        body.len() / 1_000_000,
        method.durability
    );
    let target = "{ connector: sqlite, database: bench.db, table: people, key: [id] }";
    sink(method, "SQLite", target, None, (rows, &body)).await?;
    match Postgres::start_with(Encryption::Off, &[]) {
        Ok(server) => {
            let target = "{ connector: postgres, connection: bench, table: people, key: [id] }";
            sink(method, "PostgreSQL", target, Some(&server), (rows, &body)).await?;
        }
        Err(reason) => println!("  PostgreSQL   not measured: {reason}"),
    }
    Ok(())
}

/// Feeds the file into an empty table, once in each round.
async fn sink(
    method: &Method,
    name: &str,
    target: &str,
    server: Option<&Postgres>,
    (rows, body): (usize, &Bytes),
) -> Result<()> {
    let mut speeds = Vec::new();
    let mut peak = 0;
    for _ in 0..method.rounds {
        let agent = Agent::start(&method.agent, &method.durability)?;
        if let Some(server) = server {
            server
                .query("DROP TABLE IF EXISTS people")
                .map_err(anyhow::Error::msg)?;
            agent
                .put_json("/api/v1/connections/bench", &connection(server))
                .await?;
        }
        let document = format!(
            "pipeline: {{ namespace: bench, name: people }}\nsource: {{ csv: {{}} }}\nmap: .\nsink: {target}\n"
        );
        agent
            .put("/api/v1/pipelines/bench/people", document)
            .await?;
        speeds.push(rows as f64 / feed(&agent, body, rows).await?);
        peak = peak.max(agent.server.memory()?.1);
    }
    speeds.sort_by(f64::total_cmp);
    println!(
        "  {name:<11} {:>9.0} rows/s  peak memory {:>4} MB  ({})",
        speeds[speeds.len() / 2],
        peak / 1024,
        method.durability
    );
    Ok(())
}

/// Seconds until every row is written and checkpointed.
async fn feed(agent: &Agent, body: &Bytes, rows: usize) -> Result<f64> {
    let bearer = agent.bearer();
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "text/csv"),
    ];
    let path = format!(
        "/api/v1/pipelines/bench/people/feeds?identity=bench&total={}",
        body.len()
    );
    let mut connection = Connection::open(agent.server.address).await?;
    let begin = Instant::now();
    let answer = connection
        .send("POST", &path, &headers, body.clone())
        .await
        .context("the feed failed")?;
    let took = begin.elapsed().as_secs_f64();
    let answer: Value = serde_json::from_slice(&answer)?;
    ensure!(
        answer["rows"] == json!(rows) && answer["state"] == json!("completed"),
        "the feed ended with {answer}"
    );
    Ok(took)
}

fn connection(server: &Postgres) -> Value {
    json!({
        "kind": "postgres",
        "settings": {
            "host": "127.0.0.1",
            "port": server.port(),
            "database": Postgres::DATABASE,
            "user": Postgres::USER,
            "sslMode": "disable",
        },
        "secret": Postgres::PASSWORD,
    })
}

fn file(count: usize) -> String {
    let mut text =
        String::from("id,name,email,city,postal_code,country,amount,currency,created,note\n");
    for id in 0..count {
        let _ = writeln!(
            text,
            "{id},Person {id},person{id}@example.com,Berlin,{:05},DE,{}.{:02},EUR,2026-11-{:02},row {id}",
            id % 100_000,
            id % 500,
            id % 100,
            id % 28 + 1
        );
    }
    text
}
