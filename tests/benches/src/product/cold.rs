//! Start to the first 200, and the memory of an agent with nothing to do.

use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;

use super::goal;
use crate::Method;
use crate::agent::Agent;
use crate::load::Connection;

pub async fn measure(method: &Method) -> Result<()> {
    let mut ready = Vec::new();
    let mut first = Vec::new();
    let mut resident = Vec::new();
    for _ in 0..method.rounds {
        let agent = Agent::start(&method.agent, &method.durability)?;
        let begin = Instant::now();
        let mut connection = Connection::open(agent.server.address).await?;
        connection
            .send("GET", "/health/ready", &[], Bytes::new())
            .await?;
        ready.push(agent.ready_after);
        first.push(agent.ready_after + begin.elapsed());
        resident.push(agent.server.memory()?.0);
    }
    ready.sort_unstable();
    first.sort_unstable();
    resident.sort_unstable();
    let middle = ready.len() / 2;
    let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
    println!("\nCold start ({})", method.durability);
    println!(
        "  start to ready      {:>8.1} ms  {}",
        milliseconds(ready[middle]),
        goal(milliseconds(ready[middle]), 150.0)
    );
    println!(
        "  start to first 200  {:>8.1} ms",
        milliseconds(first[middle])
    );
    let idle = resident[middle] as f64 / 1024.0;
    println!("  idle memory         {idle:>8.1} MB  {}", goal(idle, 40.0));
    Ok(())
}
