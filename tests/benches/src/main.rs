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
#[command(name = "benches", about = "Measures the agent")]
struct Options {
    /// The flame-agent program, built in release mode
    #[arg(long)]
    agent: PathBuf,
    /// Measure only these
    #[arg(long, value_enum)]
    only: Vec<Figure>,
    /// What an acknowledgement promises: full (fsynced) or normal
    #[arg(long, default_value = "full")]
    durability: String,
    /// Rounds of each figure; the median is shown
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: u32,
    /// Seconds of load in each round
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// Rows of the CSV file
    #[arg(long, default_value_t = 100_000)]
    rows: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Figure {
    Cold,
    Webhook,
    Steps,
    Csv,
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
