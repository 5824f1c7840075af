//! Throughput and the size of the store as ended runs pile up.

use anyhow::Result;

use super::webhook::{DOCUMENT, order};
use crate::Method;
use crate::agent::Agent;
use crate::load::{self, Contender, row};

/// Requests in flight while it is measured.
const CONNECTIONS: usize = 64;

pub async fn measure(method: &Method, stored: usize) -> Result<()> {
    println!("\nWebhook as runs pile up ({})", method.durability);
    let agent = Agent::start(&method.agent, &method.durability)?;
    agent
        .put(
            "/api/v1/workflows/bench/transform/1.0.0",
            DOCUMENT.to_owned(),
        )
        .await?;
    let mut have = 0;
    let mut goal = 1_000;
    while goal <= stored {
        let missing = goal.saturating_sub(have);
        load::times(&agent.server, CONNECTIONS, missing, |_| {
            order("/hooks/bench")
        })
        .await?;
        let ours = Contender {
            server: &agent.server,
            call: order("/hooks/bench"),
        };
        let [round] = load::measure(method, CONNECTIONS, [ours]).await?;
        println!(
            "  {}  store {:>5} MB",
            row(
                &format!("{goal} stored"),
                CONNECTIONS,
                round,
                &method.durability
            ),
            agent.stored()? / 1_000_000
        );
        have = goal + round.answered;
        goal = (goal * 10).max(have);
        if goal > stored && have < stored {
            goal = stored;
        }
    }
    Ok(())
}
