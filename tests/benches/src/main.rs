//! The product's figures, measured against the real agent in release mode.
//!
//! Every figure is the median of several rounds, with the durability mode beside it. Load comes from
//! this process over loopback, so the two share the machine's cores.
#![expect(clippy::print_stdout, reason = "a terminal program")]

mod agent;
mod cold;
mod csv;
mod load;
mod steps;
mod webhook;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, ValueEnum};

#[derive(Parser)]
#[command(
    name = "benches",
    about = "Measures the agent: start, webhooks, durable runs, files into tables",
    after_help = "A glance: --rounds 1 --seconds 1 --rows 2000. Quiet the machine before you believe a figure."
)]
struct Options {
    /// The flame-agent program, built in release mode
    #[arg(long, value_name = "PROGRAM")]
    agent: PathBuf,
    /// Measure only this; may be given several times
    #[arg(long, value_enum, value_name = "FIGURE")]
    only: Vec<Figure>,
    /// What an acknowledgement promises: full (fsynced) or normal (survives a crash of the process)
    #[arg(long, default_value = "full", value_parser = ["full", "normal"])]
    durability: String,
    /// Rounds of each figure; the median is shown
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: u32,
    /// Seconds of load in each round
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// Rows of the CSV file, at most 5,000,000
    #[arg(long, default_value_t = 100_000, value_parser = rows)]
    rows: usize,
    /// Requests in flight, for the figures under load
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64], value_parser = connections)]
    connections: Vec<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Figure {
    /// Start to ready and to the first 200, and idle memory
    Cold,
    /// Webhook to synchronous answer
    Webhook,
    /// Durable runs of five effects
    Steps,
    /// A CSV file into SQLite and PostgreSQL
    Csv,
}

fn rows(text: &str) -> Result<usize, String> {
    within(text, 5_000_000)
}

/// Less than the connections that the agent takes.
fn connections(text: &str) -> Result<usize, String> {
    within(text, 500)
}

fn within(text: &str, limit: usize) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if (1..=limit).contains(&number) => Ok(number),
        _ => Err(format!("{text:?} is not a number from 1 to {limit}")),
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    println!("machine     {}", agent::machine());
    println!("commit      {}", agent::commit());
    println!("durability  {}", options.durability);
    let wanted = |figure| options.only.is_empty() || options.only.contains(&figure);
    if wanted(Figure::Cold) {
        cold::measure(&options).await?;
    }
    if wanted(Figure::Webhook) {
        webhook::measure(&options).await?;
    }
    if wanted(Figure::Steps) {
        steps::measure(&options).await?;
    }
    if wanted(Figure::Csv) {
        csv::measure(&options).await?;
    }
    Ok(())
}
