//! Expressions that would take all time or memory: how soon each faults its own task, and what a run beside it
//! notices meanwhile.

use std::cell::Cell;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use serde_json::Value;

use crate::Method;
use crate::agent::Agent;
use crate::load::Connection;

/// By what each uses up.
const BOMBS: [(&str, &str); 6] = [
    ("outputs", "[limit(1e12; repeat(1))]"),
    ("steps", "[range(1e12)] | length"),
    ("stack", "def f: 1 + f; f"),
    ("one text", r#"reduce range(64) as $i ("x"; . + .)"#),
    ("nesting", "reduce range(1e9) as $i (0; [.])"),
    (
        "a pattern",
        r#"("a" * 60) | test("^(?=b|(a+)+$)(a|a)*\\1b")"#,
    ),
];
const NEIGHBOUR: &str = "{ set: { x: '${ 1 + 1 }' } }";
/// From the start of one neighbour to that of the next.
const BETWEEN: Duration = Duration::from_millis(5);
/// For so long neighbours run alone, for comparison.
const ALONE: Duration = Duration::from_secs(1);

pub async fn measure(method: &Method) -> Result<()> {
    println!(
        "\nExpressions that would not end, and a run beside each ({})",
        method.durability
    );
    let agent = Agent::start(&method.agent, &method.durability)?;
    deploy(&agent, "neighbour", NEIGHBOUR).await?;
    for (at, (_, bomb)) in BOMBS.iter().enumerate() {
        let task = format!("{{ set: {{ x: '${{ {bomb} }}' }} }}");
        deploy(&agent, &format!("bomb{at}"), &task).await?;
    }
    let begun = Instant::now();
    let latencies = neighbours(&agent, || begun.elapsed() < ALONE).await?;
    println!("  {:<12} {:>24}  {}", "nothing", "", beside(latencies)?);
    for (at, (name, _)) in BOMBS.iter().enumerate() {
        let (mut faulted, mut latencies) = (Vec::new(), Vec::new());
        for _ in 0..method.rounds {
            let over = Cell::new(false);
            let bomb = async {
                let took = run(&agent, &format!("bomb{at}"), "faulted").await;
                over.set(true);
                took
            };
            let (took, beside) =
                futures::future::join(bomb, neighbours(&agent, || !over.get())).await;
            faulted.push(took?);
            latencies.extend(beside?);
        }
        faulted.sort_unstable();
        println!(
            "  {name:<12} faulted in {:>8.1} ms  {}",
            milliseconds(faulted[faulted.len() / 2]),
            beside(latencies)?
        );
    }
    Ok(())
}

async fn deploy(agent: &Agent, name: &str, task: &str) -> Result<()> {
    let text = format!(
        "document: {{ dsl: '1.0.3', namespace: bench, name: {name}, version: 1.0.0 }}\ndo: [ {{ a: {task} }} ]\n"
    );
    let path = format!("/api/v1/workflows/bench/{name}/1.0.0");
    agent.put(&path, text).await
}

/// A run every few milliseconds for as long as it goes on, whether or not the last has ended.
async fn neighbours(agent: &Agent, goes_on: impl Fn() -> bool) -> Result<Vec<Duration>> {
    let (mut begun, mut latencies) = (FuturesUnordered::new(), Vec::new());
    let mut next = tokio::time::interval(BETWEEN);
    while goes_on() {
        tokio::select! {
            _ = next.tick() => begun.push(run(agent, "neighbour", "completed")),
            Some(latency) = begun.next() => latencies.push(latency?),
        }
    }
    while let Some(latency) = begun.next().await {
        latencies.push(latency?);
    }
    Ok(latencies)
}

/// From the call that starts a run to the answer with its end, which must be this one.
async fn run(agent: &Agent, name: &str, end: &str) -> Result<Duration> {
    let bearer = agent.bearer();
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    let path = format!("/api/v1/workflows/bench/{name}/1.0.0/runs?wait=30s");
    let mut connection = Connection::open(agent.server.address).await?;
    let begun = Instant::now();
    let answer = connection
        .send("POST", &path, &headers, Bytes::from_static(b"{}"))
        .await?;
    let took = begun.elapsed();
    let answer: Value = serde_json::from_slice(&answer)?;
    ensure!(
        answer["status"] == end,
        "{name} did not end {end}: {answer}"
    );
    Ok(took)
}

/// What the runs beside it took.
fn beside(mut latencies: Vec<Duration>) -> Result<String> {
    latencies.sort_unstable();
    let longest = latencies.last().context("no run beside it")?;
    Ok(format!(
        "beside it {:>5} runs  p50 {:>7.2} ms  p99 {:>7.2} ms  at most {:>7.2} ms",
        latencies.len(),
        milliseconds(latencies[latencies.len() / 2]),
        milliseconds(latencies[latencies.len() * 99 / 100]),
        milliseconds(*longest)
    ))
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
