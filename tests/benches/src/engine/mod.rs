//! The runtime under load, and what becomes of it when it holds much.

mod bombs;
mod growth;
mod history;
mod pure;
pub mod steps;
mod timers;
mod waiting;
pub mod webhook;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::peers::Peers;
use crate::{Method, within};

#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    pub method: Method,
    /// Measure only this; may be given several times
    #[arg(long, value_enum, value_name = "FIGURE")]
    only: Vec<Figure>,
    /// Measure others beside it, out of this folder, which `cargo xtask bench engine --peers` fills
    #[arg(long, value_name = "FOLDER")]
    peers: Option<PathBuf>,
    /// Runs that wait while the agent is killed, for recovery and memory
    #[arg(long, default_value_t = 10_000, value_parser = number)]
    waiting: usize,
    /// Timers that are armed at once, due over one hour
    #[arg(long, default_value_t = 1_000_000, value_parser = number)]
    timers: usize,
    /// Task steps of the long run
    #[arg(long, default_value_t = 1_000_000, value_parser = number)]
    steps: usize,
    /// Stored runs at the end of the growth curve
    #[arg(long, default_value_t = 1_000_000, value_parser = number)]
    stored: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Figure {
    /// Steps of the interpreter alone, without any IO
    Pure,
    /// Webhook to synchronous answer
    Webhook,
    /// Durable runs of five effects
    Steps,
    /// Runs that wait: memory of each, and how soon all are there after a crash
    Waiting,
    /// Timers by the million: how late they fire
    Timers,
    /// One run of very many steps: its memory, and how soon its timeline opens
    History,
    /// Throughput and file size as runs pile up
    Growth,
    /// Expressions that would never end: how soon each faults its task, and what a run beside it notices
    Bombs,
}

fn number(text: &str) -> Result<usize, String> {
    within(text, 5_000_000)
}

pub async fn measure(options: &Options) -> Result<()> {
    let method = &options.method;
    let peers = options.peers.as_deref().map(Peers::new);
    let wanted = |figure| options.only.is_empty() || options.only.contains(&figure);
    if wanted(Figure::Pure) {
        pure::measure(method)?;
    }
    if wanted(Figure::Webhook) {
        webhook::measure(method, peers.as_ref()).await?;
    }
    if wanted(Figure::Steps) {
        steps::measure(method, peers.as_ref()).await?;
    }
    if wanted(Figure::Waiting) {
        waiting::measure(method, options.waiting).await?;
    }
    if wanted(Figure::Timers) {
        timers::measure(method, options.timers).await?;
    }
    if wanted(Figure::History) {
        history::measure(method, options.steps).await?;
    }
    if wanted(Figure::Growth) {
        growth::measure(method, options.stored).await?;
    }
    if wanted(Figure::Bombs) {
        bombs::measure(method).await?;
    }
    Ok(())
}
