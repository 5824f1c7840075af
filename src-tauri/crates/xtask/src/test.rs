//! `cargo xtask test`: installs what the tests need and runs all of them.

use anyhow::Result;

use crate::shell::{built, cargo, exec};
use crate::{check, images, run, setup};

#[derive(clap::Args)]
pub struct Options {
    /// Run only this part
    #[arg(long, value_enum)]
    only: Option<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Formatting, lints, walls, layout, licences
    Check,
    /// The window's pages: lint, types, component tests
    Ui,
    /// Every Rust test, with real servers
    Rust,
    /// The real window, driven under Xvfb
    Window,
}

pub fn run(options: &Options) -> Result<()> {
    setup::apt(&[setup::AGENT, setup::WINDOW, setup::TESTS])?;
    let wanted = |part| options.only.is_none_or(|only| only == part);
    // The pages come first: the shell embeds them, so that nothing of it compiles without.
    run::build_ui()?;
    if wanted(Part::Ui) {
        ui()?;
    }
    if wanted(Part::Check) {
        check::run()?;
    }
    if wanted(Part::Rust) {
        rust()?;
    }
    if wanted(Part::Window) {
        window()?;
    }
    Ok(())
}

fn ui() -> Result<()> {
    for script in ["lint", "check", "test"] {
        exec(setup::node_command("npm")?.args(["run", script, "--prefix", "ui"]))?;
    }
    Ok(())
}

fn rust() -> Result<()> {
    // The hardened container of the Podman tests runs the image's own static binary.
    let static_agent = images::for_tests()?;
    setup::libjq()?;
    setup::counterparts()?;
    build()?;
    let mut test = cargo();
    test.args(["test", "--workspace", "--no-fail-fast"])
        .args(["--features", "tauri/custom-protocol"])
        .env("MASTRA_AGENT", built("debug", "flame-agent"))
        .env("MASTRA_STATIC_AGENT", static_agent);
    if std::env::var_os("CI").is_some() && setup::is_root()? {
        // All that the tests need is here and may be used: what would be left out is a failure.
        test.env("MASTRA_MUST_RUN", "1");
    }
    exec(&mut test)
}

/// Everything at once: one set of features, so that tests and programs share what is compiled.
fn build() -> Result<()> {
    exec(cargo().args([
        "build",
        "--workspace",
        "--all-targets",
        "--features",
        "tauri/custom-protocol",
    ]))
}

fn window() -> Result<()> {
    let driver = setup::cargo_tool("tauri-driver", "2.1.0")?;
    setup::npm("tests/e2e")?;
    build()?;
    exec(
        setup::node_command("npm")?
            .args(["test", "--prefix", "tests/e2e"])
            .env("MASTRA_APP", built("debug", "mastra"))
            .env("TAURI_DRIVER", driver),
    )
}
