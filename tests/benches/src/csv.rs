//! Rows per second of a CSV feed into SQLite and PostgreSQL, and the agent's peak memory.

use std::fmt::Write as _;
use std::time::Instant;

use anyhow::{Context, Result};
use bytes::Bytes;
use flame_testkit::Postgres;
use serde_json::json;

use crate::Options;
use crate::agent::Agent;
use crate::load::Connection;

pub async fn measure(options: &Options) -> Result<()> {
    let body = Bytes::from(rows(options.rows));
    println!(
        "\nCSV of {} rows, 10 columns, {} MB ({})",
        options.rows,
        body.len() / 1_000_000,
        options.durability
    );
    sink(
        options,
        "SQLite",
        "{ connector: sqlite, table: people, key: [id] }",
        None,
        &body,
    )
    .await?;
    match Postgres::start() {
        Ok(server) => {
            let target = "{ connector: postgres, connection: bench, table: people, key: [id] }";
            sink(options, "PostgreSQL", target, Some(&server), &body).await?;
        }
        Err(reason) => println!("  PostgreSQL  not measured: {reason}"),
    }
    Ok(())
}

async fn sink(
    options: &Options,
    name: &str,
    target: &str,
    server: Option<&Postgres>,
    body: &Bytes,
) -> Result<()> {
    let mut speeds = Vec::new();
    let mut peak = 0;
    for turn in 0..options.rounds {
        let agent = Agent::start(&options.agent, &options.durability)?;
        if let Some(server) = server {
            let connection = json!({
                "kind": "postgres",
                "settings": server.settings(),
                "secret": server.password(),
            });
            agent
                .put_json("/api/v1/connections/bench", &connection)
                .await?;
        }
        let document = format!(
            "pipeline: {{ namespace: bench, name: people, version: 1.0.0 }}\nsource: {{ csv: {{}} }}\nmap: .\nsink: {target}\n"
        );
        agent
            .put("/api/v1/pipelines/bench/people", document)
            .await?;
        let bearer = agent.bearer();
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "text/csv"),
        ];
        let path = format!(
            "/api/v1/pipelines/bench/people/feeds?identity=bench-{turn}&offset=0&final=true"
        );
        let mut connection = Connection::open(agent.address).await?;
        let begin = Instant::now();
        connection
            .send("POST", &path, &headers, body.clone())
            .await
            .context("the feed failed")?;
        speeds.push(options.rows as f64 / begin.elapsed().as_secs_f64());
        peak = peak.max(agent.memory()?.1);
    }
    speeds.sort_by(f64::total_cmp);
    println!(
        "  {name:<11} {:>9.0} rows/s  peak {:>4} MB  ({})",
        speeds[speeds.len() / 2],
        peak / 1024,
        options.durability
    );
    Ok(())
}

fn rows(count: usize) -> String {
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
