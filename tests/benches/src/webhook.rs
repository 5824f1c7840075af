//! Webhook to synchronous answer: a small transform, its run committed before the answer.

use anyhow::Result;

use crate::Options;
use crate::agent::Agent;
use crate::load::{self, Call};

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
    for &connections in &options.connections {
        let agent = Agent::start(&options.agent, &options.durability)?;
        agent
            .put(
                "/api/v1/workflows/bench/transform/1.0.0",
                DOCUMENT.to_owned(),
            )
            .await?;
        let call = Call {
            path: "/hooks/bench",
            headers: vec![("content-type", "application/json".to_owned())],
            body: ORDER,
            expected: "\"total\":37",
        };
        let round = load::measure(options, &agent, connections, call).await?;
        println!("  {}", load::row(connections, round, &options.durability));
    }
    Ok(())
}
