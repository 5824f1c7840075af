//! Many runs that wait, due over one hour: how late those of the first minute fire.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use serde_json::Value;

use crate::Method;
use crate::agent::Agent;
use crate::load::{self, Call};

const DOCUMENT: &str = r"
document: { dsl: '1.0.3', namespace: bench, name: timer, version: 1.0.0 }
do:
  - rest: { wait: '${ {milliseconds: .ms} }' }
";
const HOUR_MS: usize = 3_600_000;
/// Seconds that are watched once all are armed.
const WATCHED: Duration = Duration::from_secs(60);

pub async fn measure(method: &Method, timers: usize) -> Result<()> {
    println!(
        "\n{timers} timers, due over one hour ({})",
        method.durability
    );
    let agent = Agent::start_for(&method.agent, &method.durability, timers)?;
    agent
        .put("/api/v1/workflows/bench/timer/1.0.0", DOCUMENT.to_owned())
        .await?;
    let (idle, _) = agent.server.memory()?;
    let bearer = agent.bearer();
    let call = |number: usize| Call {
        path: "/api/v1/workflows/bench/timer/1.0.0/runs".to_owned(),
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("authorization", bearer.clone()),
        ],
        // A multiplicative step spreads them evenly, in no order.
        body: Bytes::from(format!("{{\"ms\":{}}}", number * 7_919_111 % HOUR_MS)),
        expected: "\"id\"",
    };
    let took = load::times(&agent.server, 64, timers, call).await?;
    let (full, peak) = agent.server.memory()?;
    println!(
        "  armed in {:.0} s, memory of each {:.2} KB, peak {} MB",
        took.as_secs_f64(),
        full.saturating_sub(idle) as f64 / timers as f64,
        peak / 1024
    );
    tokio::time::sleep(WATCHED).await;
    let mut late = lateness(&agent).await?;
    late.sort_unstable();
    ensure!(!late.is_empty(), "no timer fired within a minute");
    println!(
        "  all {} that have fired: late by p50 {} ms, p99 {} ms, at most {} ms",
        late.len(),
        late[late.len() / 2],
        late[late.len() * 99 / 100],
        late[late.len() - 1]
    );
    Ok(())
}

/// Milliseconds between the due time and the end, of each run that has ended.
async fn lateness(agent: &Agent) -> Result<Vec<i64>> {
    let mut late = Vec::new();
    let mut page = String::new();
    loop {
        let path = format!("/api/v1/runs?status=completed&limit=200{page}");
        let list: Value = serde_json::from_slice(&agent.get(&path).await?)?;
        for run in list["items"].as_array().context("no list of runs")? {
            let id = run["id"].as_str().context("a run without an id")?;
            let run: Value =
                serde_json::from_slice(&agent.get(&format!("/api/v1/runs/{id}")).await?)?;
            let time = |key: &str| -> Result<i64> {
                let text = run[key].as_str().with_context(|| format!("no {key}"))?;
                let time: flame_types::Timestamp = text.parse()?;
                Ok(time.as_millisecond())
            };
            let wanted = run["input"]["ms"].as_i64().context("no input")?;
            late.push(time("endedAt")? - time("startedAt")? - wanted);
        }
        match list["next"].as_str() {
            Some(next) => page = format!("&cursor={next}"),
            None => return Ok(late),
        }
    }
}
