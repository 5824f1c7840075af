//! The program in the agent's container image: a static binary. The app builds the image of it, FROM
//! scratch, when it moves the agent into a container.

use std::path::PathBuf;

use anyhow::Result;

use crate::pgo;
use crate::shell::{cargo, exec, target_dir};

/// A target of its own, so that the static flags reach no build script.
const TARGET: &str = "x86_64-unknown-linux-gnu";

const STATIC: &str = "-Ctarget-feature=+crt-static";

/// What stands between two flags, which may have spaces in them.
const FLAGS_END: &str = "\x1f";

#[derive(clap::Args)]
pub struct Options {
    /// As it is released: compiled with a profile of its own load, which takes a quarter of an hour more
    #[arg(long)]
    pgo: bool,
}

/// The one that the app ships, and finds below the target folder.
pub fn run(options: &Options) -> Result<()> {
    let flags = if options.pgo {
        format!("{STATIC}{FLAGS_END}{}", pgo::flag()?)
    } else {
        STATIC.to_owned()
    };
    let program = build("release", &flags)?;
    println!("{}", program.display());
    Ok(())
}

/// The same with little optimisation: what the tests look at is there in a sixth of the time.
pub fn for_tests() -> Result<PathBuf> {
    build("quick", STATIC)
}

fn build(profile: &str, flags: &str) -> Result<PathBuf> {
    exec(
        cargo()
            .args([
                "build",
                "--profile",
                profile,
                "--package",
                "flame-agent",
                "--target",
                TARGET,
            ])
            .env("CARGO_ENCODED_RUSTFLAGS", flags),
    )?;
    Ok(target_dir().join(TARGET).join(profile).join("flame-agent"))
}
