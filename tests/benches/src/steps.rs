//! Durable runs of five effects, each effect's result committed before the next begins.
//!
//! The effects are HTTP calls to a server in this process, so the figure includes five round trips.

use std::fmt::Write as _;

use anyhow::Result;

use crate::Options;
use crate::agent::Agent;
use crate::load::{self, Call};

pub async fn measure(options: &Options) -> Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let effects = listener.local_addr()?;
    let routes =
        axum::Router::new().fallback(|| async { axum::Json(serde_json::json!({"ok": 1})) });
    let server = tokio::spawn(async move { axum::serve(listener, routes).await });
    println!("\nDurable runs of 5 effects ({})", options.durability);
    for &connections in &options.connections {
        let agent = Agent::start(&options.agent, &options.durability)?;
        agent
            .put(
                "/api/v1/workflows/bench/steps/1.0.0",
                document(&effects.to_string()),
            )
            .await?;
        let call = Call {
            path: "/api/v1/workflows/bench/steps/1.0.0/runs?wait=30s",
            headers: vec![
                ("content-type", "application/json".to_owned()),
                ("authorization", agent.bearer()),
            ],
            body: b"{}",
            expected: "\"status\":\"completed\"",
        };
        let round = load::measure(options, &agent, connections, call).await?;
        println!("  {}", load::row(connections, round, &options.durability));
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
