//! `cargo xtask test`: installs what the tests need and runs all of them.

use std::process::Command;

use anyhow::Result;

use crate::scratch::Scratch;
use crate::shell::{built, cargo, exec, target_dir};
use crate::times::Times;
use crate::{check, images, prune, run, setup};

/// The same everywhere, so that tests and programs share what is compiled.
const FEATURES: [&str; 2] = ["--features", "tauri/custom-protocol"];

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
    setup::apt(&[setup::AGENT, setup::WINDOW])?;
    prune::run(&target_dir())?;
    let times = Times::restore()?;
    let wanted = |part| options.only.is_none_or(|only| only == part);
    if wanted(Part::Rust) || wanted(Part::Window) {
        setup::apt(&[setup::DRIVE, setup::TESTS])?;
    }
    // The pages come first: the shell embeds them, so that nothing of it compiles without.
    run::build_ui()?;
    if wanted(Part::Ui) {
        ui()?;
    }
    if wanted(Part::Check) {
        check::run()?;
        times.remember()?;
    }
    if wanted(Part::Rust) {
        rust(&times)?;
    }
    if wanted(Part::Window) {
        window(&times)?;
    }
    Ok(())
}

fn ui() -> Result<()> {
    for script in ["lint", "check", "test"] {
        exec(setup::node_command("npm")?.args(["run", script, "--prefix", "ui"]))?;
    }
    Ok(())
}

fn rust(times: &Times) -> Result<()> {
    // The hardened container of the Podman tests runs the image's own static binary.
    let static_agent = images::for_tests()?;
    setup::libjq()?;
    setup::counterparts()?;
    setup::promtool()?;
    build()?;
    times.remember()?;
    let scratch = Scratch::make()?;
    // Of all packages at once: while one test waits, those of another package compute.
    let mut test = setup::nextest()?;
    test.args(["nextest", "run", "--workspace", "--no-fail-fast"])
        .args(FEATURES)
        .args(["--test-threads", &(3 * cores()).to_string()])
        .env("TMPDIR", scratch.path())
        .env("MASTRA_AGENT", built("debug", "flame-agent"))
        .env("MASTRA_STATIC_AGENT", static_agent);
    must_run(&mut test)?;
    exec(&mut test)?;
    exec(
        cargo()
            .args(["test", "--workspace", "--doc"])
            .args(FEATURES),
    )
}

/// Tests wait for servers, processes and containers twice as long as they compute.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// Where all that the tests need is here and may be used, what would be left out is a failure.
fn must_run(test: &mut Command) -> Result<()> {
    if std::env::var_os("CI").is_some() && setup::is_root()? {
        test.env("MASTRA_MUST_RUN", "1");
    }
    Ok(())
}

/// Everything at once.
fn build() -> Result<()> {
    exec(
        cargo()
            .args(["build", "--workspace", "--all-targets"])
            .args(FEATURES),
    )
}

fn window(times: &Times) -> Result<()> {
    let driver = setup::tauri_driver()?;
    setup::npm("tests/e2e")?;
    let static_agent = images::for_tests()?;
    build()?;
    times.remember()?;
    let mut test = setup::node_command("npm")?;
    test.args(["test", "--prefix", "tests/e2e"])
        .env("MASTRA_APP", built("debug", "mastra"))
        .env("MASTRA_STATIC_AGENT", static_agent)
        .env(
            "MASTRA_TEST_PODMAN",
            built("debug/examples", "podman_service"),
        )
        .env("TAURI_DRIVER", driver);
    must_run(&mut test)?;
    exec(&mut test)
}
