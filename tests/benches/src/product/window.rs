//! How soon a person can do something: from the load of the window's page until Orders can be run.
//!
//! The harness of `tests/e2e` opens the app on a display of its own, with a fresh workspace in each round.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::goal;

/// What a new workspace promises.
const DURABILITY: &str = "full";

pub fn measure(rounds: u32, script: Option<&Path>) -> Result<()> {
    println!("\nFirst start of the window ({DURABILITY})");
    let Some(script) = script else {
        println!("  not measured: --first-run names no script");
        return Ok(());
    };
    let output = Command::new("node")
        .arg(script)
        .arg(rounds.to_string())
        .stderr(Stdio::inherit())
        .output()
        .context("node can't be started")?;
    ensure!(output.status.success(), "{} failed", script.display());
    let mut times = times(&output.stdout).context("what the window gave can't be read")?;
    times.sort_unstable();
    let (ms, was_there) = times[times.len() / 2];
    println!(
        "  Orders can be run   {ms:>8} ms after the page began to load  {}",
        goal(ms as f64, 2_000.0)
    );
    if was_there {
        println!("  (at most: it could be when the window was first looked at)");
    }
    Ok(())
}

/// Milliseconds, and whether it was so at the first look.
fn times(output: &[u8]) -> Result<Vec<(u64, bool)>> {
    let rounds: Vec<Value> = serde_json::from_slice(output)?;
    ensure!(!rounds.is_empty(), "no round was measured");
    let figure =
        |round: &Value, name: &str| round[name].as_u64().with_context(|| format!("no {name}"));
    rounds
        .iter()
        .map(|round| {
            let ms = figure(round, "runnableMs")?;
            Ok((ms, ms == figure(round, "lookedMs")?))
        })
        .collect()
}
