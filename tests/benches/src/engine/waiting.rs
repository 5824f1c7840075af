//! Runs that wait: the memory that each takes, how soon all are there after a crash, and how soon all have gone on.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use serde_json::json;

use crate::Method;
use crate::agent::Agent;
use crate::load::{self, Call};

const WAITS: &str = r"
document: { dsl: '1.0.3', namespace: bench, name: wait, version: 1.0.0 }
do:
  - rest: { wait: { hours: 1 } }
";
const LISTENS: &str = r"
document: { dsl: '1.0.3', namespace: bench, name: wait, version: 1.0.0 }
do:
  - rest: { listen: { to: { one: { with: { type: go } } } } }
";

pub async fn measure(method: &Method, runs: usize) -> Result<()> {
    println!("\n{runs} runs that wait ({})", method.durability);
    let mut each = Vec::new();
    let mut there = Vec::new();
    let mut gone_on = Vec::new();
    for _ in 0..method.rounds {
        let agent = Agent::start(&method.agent, &method.durability)?;
        let (idle, _) = agent.server.memory()?;
        suspend(&agent, WAITS, runs).await?;
        let (full, _) = agent.server.memory()?;
        each.push((full.saturating_sub(idle)) as f64 / runs as f64);
        there.push(crash(method, agent, runs).await?.1);

        let agent = Agent::start(&method.agent, &method.durability)?;
        suspend(&agent, LISTENS, runs).await?;
        gone_on.push(resume(method, agent, runs).await?);
    }
    each.sort_by(f64::total_cmp);
    there.sort_unstable();
    gone_on.sort_unstable();
    let middle = each.len() / 2;
    println!("  memory of each           {:>8.2} KB", each[middle]);
    println!(
        "  kill -9 to all there     {:>8.2} s",
        there[middle].as_secs_f64()
    );
    println!(
        "  kill -9 to all gone on   {:>8.2} s, each by an event that all listen to",
        gone_on[middle].as_secs_f64()
    );
    Ok(())
}

/// Starts the runs and asks until all of them wait.
async fn suspend(agent: &Agent, document: &str, runs: usize) -> Result<()> {
    agent
        .put("/api/v1/workflows/bench/wait/1.0.0", document.to_owned())
        .await?;
    let call = Call {
        path: "/api/v1/workflows/bench/wait/1.0.0/runs".to_owned(),
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("authorization", agent.bearer()),
        ],
        body: Bytes::from_static(b"{}"),
        expected: "\"id\"",
    };
    load::times(&agent.server, 64, runs, |_| call.clone()).await?;
    until_waiting(agent, runs).await
}

/// Kills the agent, starts it and asks until all runs wait again.
async fn crash(method: &Method, agent: Agent, runs: usize) -> Result<(Agent, Duration)> {
    let begin = Instant::now();
    let agent = agent.crash_and_start(&method.agent, &method.durability)?;
    until_waiting(&agent, runs).await?;
    Ok((agent, begin.elapsed()))
}

/// Kills the agent, starts it, sends what all runs wait for and asks until all have completed.
async fn resume(method: &Method, agent: Agent, runs: usize) -> Result<Duration> {
    let (agent, found) = crash(method, agent, runs).await?;
    let begin = Instant::now();
    let event = json!({"specversion": "1.0", "id": "1", "source": "https://bench.test", "type": "go", "data": {}});
    agent.tell(&event).await?;
    let completed = "flame_runs_ended_total{status=\"completed\"}";
    until(&agent, completed, runs).await?;
    Ok(found + begin.elapsed())
}

/// Asks until as many runs wait.
pub async fn until_waiting(agent: &Agent, runs: usize) -> Result<()> {
    until(agent, "flame_runs{status=\"waiting\"}", runs).await
}

async fn until(agent: &Agent, metric: &str, runs: usize) -> Result<()> {
    loop {
        let text = agent.get("/metrics").await?;
        let text = String::from_utf8_lossy(&text);
        let found = text
            .lines()
            .find_map(|line| line.strip_prefix(metric))
            .with_context(|| format!("the metrics have no {metric}"))?;
        if found.trim().parse::<f64>()? as usize >= runs {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
