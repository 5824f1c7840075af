//! Webhook to synchronous answer: a small transform, its run committed before the answer.

use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;

use crate::Options;
use crate::agent::Agent;
use crate::load::{median, round, row};

const DOCUMENT: &str = r#"
document:
  dsl: '1.0.3'
  namespace: bench
  name: transform
  version: 1.0.0
  metadata:
    mastra.io/webhook: { path: bench, answer: output }
do:
  - total:
      set:
        id: ${ .id }
        total: '${ [.items[] | .price * .quantity] | add }'
"#;

const ORDER: &[u8] = br#"{"id":"ord-1","items":[{"sku":"a","price":12.5,"quantity":2},{"sku":"b","price":3,"quantity":4}]}"#;

pub async fn measure(options: &Options) -> Result<()> {
    println!("\nWebhook to synchronous answer ({})", options.durability);
    for connections in [1, 16, 64] {
        let agent = Agent::start(&options.agent, &options.durability)?;
        agent
            .put(
                "/api/v1/workflows/bench/transform/1.0.0",
                DOCUMENT.to_owned(),
            )
            .await?;
        let headers = [("content-type", "application/json".to_owned())];
        let body = Bytes::from_static(ORDER);
        let length = Duration::from_secs(options.seconds);
        let mut rounds = Vec::new();
        for _ in 0..options.rounds {
            let path = "/hooks/bench";
            rounds.push(round(agent.address, connections, length, path, &headers, &body).await?);
        }
        println!(
            "  {}",
            row(connections, median(rounds), &options.durability)
        );
    }
    Ok(())
}
