//! Webhook to synchronous answer: a small transform, its run committed before the answer.

use anyhow::Result;
use bytes::Bytes;

use crate::Method;
use crate::agent::Agent;
use crate::load::{self, Call, Contender, row};
use crate::peers::Peers;

pub const DOCUMENT: &str = r#"
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

/// The order, sent to `path`, of which the total is 37.
pub fn order(path: &str) -> Call {
    Call {
        path: path.to_owned(),
        headers: vec![("content-type", "application/json".to_owned())],
        body: Bytes::from_static(ORDER),
        expected: "\"total\":37",
    }
}

pub async fn measure(method: &Method, peers: Option<&Peers>) -> Result<()> {
    println!("\nWebhook, a small transform, synchronous answer");
    for &connections in &method.connections {
        let agent = Agent::start(&method.agent, &method.durability)?;
        agent
            .put(
                "/api/v1/workflows/bench/transform/1.0.0",
                DOCUMENT.to_owned(),
            )
            .await?;
        let ours = Contender {
            server: &agent.server,
            call: order("/hooks/bench"),
        };
        let say = |who, round, promise| println!("  {}", row(who, connections, round, promise));
        let Some(peers) = peers else {
            let [ours] = load::measure(method, connections, [ours]).await?;
            say("flame-agent", ours, &method.durability);
            agent.stop()?;
            continue;
        };
        let (node_red, ceiling) = (peers.node_red().await?, peers.ceiling().await?);
        let theirs = |server| Contender {
            server,
            call: order("/bench"),
        };
        let contenders = [ours, theirs(&node_red.server), theirs(&ceiling.server)];
        let [ours, node_red, ceiling] = load::measure(method, connections, contenders).await?;
        say("flame-agent", ours, &method.durability);
        say("Node-RED", node_red, "keeps nothing");
        say("plain axum", ceiling, "keeps nothing");
        println!(
            "  {:22} {:.2} of Node-RED's, {:.2} of plain axum's",
            "  so flame-agent's is",
            ours.per_second / node_red.per_second,
            ours.per_second / ceiling.per_second
        );
    }
    Ok(())
}
