//! Durable runs of five effects, each effect's result committed before the next begins.
//!
//! The effects are HTTP calls to a server in this process, so the figure includes five round trips;
//! a peer makes the same calls.

use std::fmt::Write as _;

use anyhow::Result;
use bytes::Bytes;

use crate::Method;
use crate::agent::Agent;
use crate::load::{self, Call, Contender, row};
use crate::peers::Peers;

pub async fn measure(method: &Method, peers: Option<&Peers>) -> Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let effects = listener.local_addr()?;
    let routes =
        axum::Router::new().fallback(|| async { axum::Json(serde_json::json!({"ok": 1})) });
    let server = tokio::spawn(async move { axum::serve(listener, routes).await });
    println!("\nDurable runs of 5 effects");
    for &connections in &method.connections {
        let agent = Agent::start(&method.agent, &method.durability)?;
        agent
            .put(
                "/api/v1/workflows/bench/steps/1.0.0",
                document(&effects.to_string()),
            )
            .await?;
        let json = ("content-type", "application/json".to_owned());
        let ours = Contender {
            server: &agent.server,
            call: Call {
                path: "/api/v1/workflows/bench/steps/1.0.0/runs?wait=30s".to_owned(),
                headers: vec![json.clone(), ("authorization", agent.bearer())],
                body: Bytes::from_static(b"{}"),
                expected: "\"status\":\"completed\"",
            },
        };
        let say = |who, round, promise| println!("  {}", row(who, connections, round, promise));
        let Some(peers) = peers else {
            let [ours] = load::measure(method, connections, [ours]).await?;
            say("flame-agent", ours, &method.durability);
            continue;
        };
        let restate = peers.restate(effects).await?;
        let theirs = Contender {
            server: &restate.server,
            call: Call {
                path: "/Steps/run".to_owned(),
                headers: vec![json],
                body: Bytes::from_static(b"{}"),
                expected: "{\"ok\":1}",
            },
        };
        let [ours, restate] = load::measure(method, connections, [ours, theirs]).await?;
        say("flame-agent", ours, &method.durability);
        say("Restate, Rust SDK", restate, "its default");
        println!(
            "  {:22} {:.2} of Restate's, its p99 {:.2} of Restate's",
            "  so flame-agent's is",
            ours.per_second / restate.per_second,
            ours.p99.as_secs_f64() / restate.p99.as_secs_f64()
        );
    }
    server.abort();
    Ok(())
}

fn document(effects: &str) -> String {
    let mut text = String::from(
        "document: { dsl: '1.0.3', namespace: bench, name: steps, version: 1.0.0 }\ndo:\n",
    );
    for step in 1..=5 {
        let _ = writeln!(
            text,
            "  - step{step}:\n      call: http\n      with: {{ method: post, endpoint: 'http://{effects}/step', body: {{ n: {step} }} }}"
        );
    }
    text
}
