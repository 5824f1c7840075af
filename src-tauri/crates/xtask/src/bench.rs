//! `cargo xtask bench`: the figures of the product, in release mode, the durability beside each.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::shell::{built, cargo, command, exec, root, target_dir};
use crate::{pgo, run, setup};

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
    let agent = pgo::agent()?;
    exec(cargo().args(["build", "--release", "--package", "benches"]))?;
    let mut bench = setup::with_node(command(built("release", "benches")))?;
    bench
        .arg(match options.suite {
            Suite::Product => "product",
            Suite::Engine => "engine",
        })
        .arg("--agent")
        .arg(agent);
    if matches!(options.suite, Suite::Product) && wants_window(&options.arguments) {
        window(&mut bench)?;
    }
    if options.peers {
        bench.arg("--peers").arg(peers()?);
    }
    exec(bench.args(&options.arguments))
}

/// Whether what goes to the bench program leaves the window in.
fn wants_window(arguments: &[String]) -> bool {
    let chosen = |name: &String| name == "--only" || name.starts_with("--only=");
    let is_window = |name: &String| name.trim_start_matches("--only=") == "window";
    !arguments.iter().any(chosen) || arguments.iter().any(is_window)
}

/// Builds the app in release mode and lets the tests' harness measure in its window.
fn window(bench: &mut Command) -> Result<()> {
    setup::apt(&[setup::WINDOW, setup::DRIVE])?;
    let driver = setup::tauri_driver()?;
    setup::npm("tests/e2e")?;
    run::build_ui()?;
    run::build_app(true)?;
    bench
        .arg("--first-run")
        .arg(root().join("tests/e2e/measure/first-run.mjs"))
        .env("MASTRA_APP", built("release", "mastra"))
        .env("TAURI_DRIVER", driver);
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::wants_window;

    #[test]
    fn the_window_is_built_only_where_it_is_measured() {
        for (arguments, expected) in [
            ("", true),
            ("--rounds 3", true),
            ("--only cold", false),
            ("--only=cold --only csv", false),
            ("--only window", true),
            ("--only cold --only=window", true),
        ] {
            let arguments: Vec<String> = arguments.split_whitespace().map(Into::into).collect();
            assert_eq!(wants_window(&arguments), expected, "{arguments:?}");
        }
    }
}
