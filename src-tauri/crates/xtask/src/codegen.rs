//! Generated files: the OpenAPI document of the agent and the TypeScript contract of the window.
//!
//! Each generator is a test of the crate that owns the file: it fails where the file is stale, and
//! writes it anew when `UPDATE=1` is set.

use anyhow::Result;

use crate::shell::{cargo, exec};

#[derive(clap::Args)]
pub struct Options {
    /// Write nothing; fail where a generated file is stale
    #[arg(long)]
    check: bool,
}

/// The crates that own a generated file; the tests are named `the_committed_*`.
const OWNERS: &[&str] = &["flame-agent-api", "flame-desktop", "flame-ipc"];

pub fn run(options: &Options) -> Result<()> {
    for owner in OWNERS {
        let mut command = cargo();
        command.args(["test", "--quiet", "--package", owner, "the_committed_"]);
        if !options.check {
            command.env("UPDATE", "1");
        }
        exec(&mut command)?;
    }
    Ok(())
}
