//! One run of very many task steps: the memory it takes, and how soon its timeline opens, wherever that is.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::Method;
use crate::agent::Agent;

/// Counts in a loop of its own; three tasks a round.
const DOCUMENT: &str = r"
document: { dsl: '1.0.3', namespace: bench, name: long, version: 1.0.0 }
do:
  - first: { set: { n: 0, rounds: '${ .rounds }' } }
  - rounds:
      for: { each: outer, in: '${ [range(.rounds / 1000)] }' }
      do:
        - thousand:
            for: { each: inner, in: '${ [range(1000)] }' }
            do:
              - add: { set: { n: '${ .n + 1 }', rounds: '${ .rounds }' } }
";
/// Entries of a page, as the window asks for them.
const PAGE: usize = 200;

pub async fn measure(method: &Method, steps: usize) -> Result<()> {
    println!("\nOne run of {steps} steps ({})", method.durability);
    let agent = Agent::start(&method.agent, &method.durability)?;
    agent
        .put("/api/v1/workflows/bench/long/1.0.0", DOCUMENT.to_owned())
        .await?;
    let begun = Instant::now();
    let input = json!({"rounds": steps});
    let run = agent
        .post("/api/v1/workflows/bench/long/1.0.0/runs", &input)
        .await?;
    let id = run["id"].as_str().context("a run without an id")?;
    let path = format!("/api/v1/runs/{id}");
    loop {
        let run = json_of(&agent.get(&path).await?)?;
        match run["status"].as_str() {
            Some("completed") => break,
            Some("faulted") => anyhow::bail!("the run faulted: {}", run["error"]),
            _ => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
        }
    }
    let took = begun.elapsed();
    let (_, peak) = agent.server.memory()?;
    println!(
        "  {:.1} s, peak {} MB, store {} MB",
        took.as_secs_f64(),
        peak / 1024,
        agent.stored()? / 1_000_000
    );
    let records = usize::try_from(
        json_of(&agent.get(&path).await?)?["sequence"]
            .as_u64()
            .context("a run without a sequence")?,
    )?;
    for (place, after) in [
        ("first page", 0),
        ("a page in the middle", records / 2),
        ("last page", records.saturating_sub(PAGE)),
    ] {
        let mut times = Vec::new();
        for _ in 0..method.rounds {
            let begun = Instant::now();
            let page = agent
                .get(&format!("{path}/journal?after={after}&limit={PAGE}"))
                .await?;
            times.push(begun.elapsed());
            let count = json_of(&page)?["items"].as_array().map_or(0, Vec::len);
            ensure!(count == PAGE, "{place} has {count} entries");
        }
        times.sort_unstable();
        println!(
            "  {place:<22}{:>7.1} ms",
            times[times.len() / 2].as_secs_f64() * 1_000.0
        );
    }
    Ok(())
}

fn json_of(bytes: &Bytes) -> Result<Value> {
    Ok(serde_json::from_slice(bytes)?)
}
