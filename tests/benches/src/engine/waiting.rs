//! Runs that wait for an hour: the memory that each takes, and how soon all are there after a crash.

use std::time::Instant;

use anyhow::{Context, Result};
use bytes::Bytes;

use crate::Method;
use crate::agent::Agent;
use crate::load::{self, Call};

const DOCUMENT: &str = r"
document: { dsl: '1.0.3', namespace: bench, name: wait, version: 1.0.0 }
do:
  - rest: { wait: { hours: 1 } }
";

pub async fn measure(method: &Method, runs: usize) -> Result<()> {
    println!("\n{runs} runs that wait ({})", method.durability);
    let mut recoveries = Vec::new();
    let mut each = Vec::new();
    for _ in 0..method.rounds {
        let agent = Agent::start(&method.agent, &method.durability)?;
        agent
            .put("/api/v1/workflows/bench/wait/1.0.0", DOCUMENT.to_owned())
            .await?;
        let (idle, _) = agent.server.memory()?;
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
        until_waiting(&agent, runs).await?;
        let (full, _) = agent.server.memory()?;
        each.push((full.saturating_sub(idle)) as f64 / runs as f64);
        let begin = Instant::now();
        let agent = agent.crash_and_start(&method.agent, &method.durability)?;
        until_waiting(&agent, runs).await?;
        recoveries.push(begin.elapsed());
    }
    each.sort_by(f64::total_cmp);
    recoveries.sort_unstable();
    let middle = recoveries.len() / 2;
    println!("  memory of each        {:>8.2} KB", each[middle]);
    println!(
        "  kill -9 to all there  {:>8.2} s",
        recoveries[middle].as_secs_f64()
    );
    Ok(())
}

/// Asks until as many runs wait.
pub async fn until_waiting(agent: &Agent, runs: usize) -> Result<()> {
    loop {
        let text = agent.get("/metrics").await?;
        let text = String::from_utf8_lossy(&text);
        let waiting = text
            .lines()
            .find_map(|line| line.strip_prefix("flame_runs{status=\"waiting\"} "))
            .context("the metrics have no waiting runs")?;
        if waiting.parse::<f64>()? as usize >= runs {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
