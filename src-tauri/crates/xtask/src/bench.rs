//! `cargo xtask bench`: the figures of the product, in release mode, the durability beside each.

use anyhow::Result;

use crate::setup;
use crate::shell::{built, cargo, command, exec};

#[derive(clap::Args)]
pub struct Options {
    /// What follows goes to the bench program; `-- --help` lists it
    #[arg(last = true)]
    arguments: Vec<String>,
}

pub fn run(options: &Options) -> Result<()> {
    setup::apt(&[setup::AGENT, &["postgresql"]])?;
    exec(cargo().args([
        "build",
        "--release",
        "--package",
        "flame-agent",
        "--package",
        "benches",
    ]))?;
    exec(
        command(built("release", "benches"))
            .arg("--agent")
            .arg(built("release", "flame-agent"))
            .args(&options.arguments),
    )
}
