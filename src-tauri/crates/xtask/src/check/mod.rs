//! `cargo xtask check`: what reviewers should not have to look for.

mod json;
mod layout;
mod walls;

use anyhow::{Result, bail};

use crate::setup;
use crate::shell::{cargo, command, exec};

pub fn run() -> Result<()> {
    let mut broken = walls::broken()?;
    broken.extend(layout::broken()?);
    if !broken.is_empty() {
        for line in &broken {
            eprintln!("{line}");
        }
        bail!("{} rules of ARCHITECTURE.md are broken", broken.len());
    }
    println!("walls and layout hold");
    exec(cargo().args(["fmt", "--all", "--check"]))?;
    exec(cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--features",
        "tauri/custom-protocol",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ]))?;
    let deny = setup::cargo_tool("cargo-deny", "0.20.2")?;
    exec(command(deny).args(["check", "licenses", "bans", "sources"]))
}
