//! `cargo xtask bench`: the figures of the product, in release mode, the durability beside each.

use std::path::PathBuf;

use anyhow::Result;

use crate::setup;
use crate::shell::{built, cargo, command, exec, root, target_dir};

#[derive(clap::Args)]
#[command(
    after_help = "Others that are measured with --peers are installed from the npm registry and \
                  crates.io, beside the build."
)]
pub struct Options {
    /// What is measured: product, what a user feels; engine, the runtime under load
    #[arg(value_enum, default_value_t = Suite::Product)]
    suite: Suite,
    /// With engine: measure Restate, Node-RED and plain axum beside it in the same run
    #[arg(long)]
    peers: bool,
    /// What follows goes to the bench program; `-- --help` lists it
    #[arg(last = true)]
    arguments: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Suite {
    Product,
    Engine,
}

pub fn run(options: &Options) -> Result<()> {
    anyhow::ensure!(
        !options.peers || matches!(options.suite, Suite::Engine),
        "--peers goes with engine: `cargo xtask bench engine --peers`"
    );
    setup::apt(&[setup::AGENT, &["postgresql"]])?;
    exec(cargo().args([
        "build",
        "--release",
        "--package",
        "flame-agent",
        "--package",
        "benches",
    ]))?;
    let mut bench = command(built("release", "benches"));
    bench
        .arg(match options.suite {
            Suite::Product => "product",
            Suite::Engine => "engine",
        })
        .arg("--agent")
        .arg(built("release", "flame-agent"));
    if options.peers {
        bench.arg("--peers").arg(peers()?);
    }
    exec(bench.args(&options.arguments))
}

/// The folder with the others and with our programs that play a part for them.
fn peers() -> Result<PathBuf> {
    let folder = target_dir().join("peers");
    std::fs::create_dir_all(&folder)?;
    let source = root().join("tests/benches/peers");
    for file in ["package.json", "package-lock.json", ".npmrc"] {
        std::fs::copy(source.join(file), folder.join(file))?;
    }
    setup::npm(&folder)?;
    exec(
        cargo()
            .args(["build", "--release", "--locked", "--target-dir"])
            .arg(&folder)
            .current_dir(&source),
    )?;
    Ok(folder)
}
