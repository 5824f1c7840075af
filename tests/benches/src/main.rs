//! The product's figures, measured against the real agent in release mode.
//!
//! Every figure is the median of several rounds, with the durability mode beside it. Load comes from
//! this process over loopback, so the two share the machine's cores.
#![expect(clippy::print_stdout, reason = "a terminal program")]

mod agent;
mod engine;
mod load;
mod peers;
mod product;
mod server;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

/// The agent's own: the interpreter is measured here with what it has there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(
    name = "benches",
    about = "Measures the agent in release mode",
    after_help = "Quiet the machine before you believe a figure."
)]
struct Arguments {
    #[command(subcommand)]
    suite: Suite,
}

#[derive(Subcommand)]
enum Suite {
    /// What a user feels: start, memory, webhooks, durable runs, files into tables
    Product(product::Options),
    /// The runtime under load, and with --peers others beside it in the same run
    Engine(engine::Options),
}

/// How every figure is measured.
#[derive(Args, Clone)]
struct Method {
    /// The flame-agent program, built in release mode
    #[arg(long, value_name = "PROGRAM")]
    agent: PathBuf,
    /// What an acknowledgement promises: full (fsynced) or normal (survives a crash of the process)
    #[arg(long, default_value = "full", value_parser = ["full", "normal"])]
    durability: String,
    /// Rounds of each figure; the median is shown
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: u32,
    /// Seconds of load in each round
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// Requests in flight, for the figures under load
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64], value_parser = connections)]
    connections: Vec<usize>,
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
    let suite = Arguments::parse().suite;
    let method = match &suite {
        Suite::Product(options) => &options.method,
        Suite::Engine(options) => &options.method,
    };
    println!("machine     {}", server::machine());
    println!("commit      {}", server::commit());
    println!("durability  {}", method.durability);
    match &suite {
        Suite::Product(options) => product::measure(options).await,
        Suite::Engine(options) => engine::measure(options).await,
    }
}
