//! The program in the agent's container image: a static binary. The app builds the image of it, FROM
//! scratch, when it moves the agent into a container.

use anyhow::Result;

use crate::shell::{cargo, exec, target_dir};

/// A target of its own, so that the static flags reach no build script.
const TARGET: &str = "x86_64-unknown-linux-gnu";

pub fn run() -> Result<()> {
    exec(
        cargo()
            .args([
                "build",
                "--release",
                "--package",
                "flame-agent",
                "--target",
                TARGET,
            ])
            .env("RUSTFLAGS", "-C target-feature=+crt-static"),
    )?;
    let program = target_dir().join(TARGET).join("release/flame-agent");
    println!("{}", program.display());
    Ok(())
}
