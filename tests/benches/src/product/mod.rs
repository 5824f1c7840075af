//! What a user feels: how fast the agent is there, how little it takes, how fast it works.

mod cold;
mod csv;
mod window;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::{Method, engine, within};

#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    pub method: Method,
    /// Measure only this; may be given several times
    #[arg(long, value_enum, value_name = "FIGURE")]
    only: Vec<Figure>,
    /// Rows of the CSV file, at most 5,000,000
    #[arg(long, default_value_t = 100_000, value_parser = rows)]
    rows: usize,
    /// The script that measures in the window, for Node, with MASTRA_APP and TAURI_DRIVER set
    #[arg(long, value_name = "SCRIPT")]
    first_run: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Figure {
    /// Start to ready and to the first 200, and idle memory
    Cold,
    /// Load of the window's page until Orders can be run
    Window,
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

pub async fn measure(options: &Options) -> Result<()> {
    let wanted = |figure| options.only.is_empty() || options.only.contains(&figure);
    if wanted(Figure::Cold) {
        cold::measure(&options.method).await?;
    }
    if wanted(Figure::Window) {
        window::measure(options.method.rounds, options.first_run.as_deref())?;
    }
    if wanted(Figure::Webhook) {
        engine::webhook::measure(&options.method, None).await?;
    }
    if wanted(Figure::Steps) {
        engine::steps::measure(&options.method, None).await?;
    }
    if wanted(Figure::Csv) {
        csv::measure(&options.method, options.rows).await?;
    }
    Ok(())
}

/// Whether a figure is where the product wants it; both in the figure's own unit.
fn goal(figure: f64, below: f64) -> String {
    let verdict = if figure < below { "met" } else { "missed" };
    format!("(goal: below {below}, {verdict})")
}
