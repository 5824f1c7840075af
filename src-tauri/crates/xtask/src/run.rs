//! `cargo xtask run`: from a fresh clone to the open app, or to the sample on the terminal.

use std::ffi::OsString;

use anyhow::Result;

use crate::setup;
use crate::shell::{built, cargo, command, exec};

/// What a person is told where the sample ran instead of the window.
const NO_DISPLAY: &str = "There is no display here, so the Orders sample ran on the terminal.
To open the window: run `cargo xtask run` in a desktop session, or force it with
`cargo xtask run --app` where a display can be reached.";

#[derive(clap::Args)]
pub struct Options {
    /// Open the window even where no display is announced
    #[arg(long)]
    app: bool,
    /// Build in release mode: slower to build, faster to use
    #[arg(long)]
    release: bool,
}

pub fn run(options: &Options) -> Result<()> {
    if options.app || display(|name| std::env::var_os(name)) {
        window(options)
    } else {
        terminal(options)
    }
}

/// Whether a display is announced.
fn display(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| variable(name).is_some_and(|value| !value.is_empty()))
}

fn window(options: &Options) -> Result<()> {
    setup::apt(&[setup::AGENT, setup::WINDOW])?;
    build_ui()?;
    build_app(options.release)?;
    exec(&mut command(built(profile(options), "mastra")))
}

fn terminal(options: &Options) -> Result<()> {
    setup::apt(&[setup::AGENT])?;
    let mut build = cargo();
    build.args(["build", "--package", "flame-agent"]);
    exec(in_profile(&mut build, options.release))?;
    exec(command(built(profile(options), "flame-agent")).arg("tour"))?;
    println!("\n{NO_DISPLAY}");
    Ok(())
}

/// The window's pages, as files that the app embeds.
pub fn build_ui() -> Result<()> {
    setup::npm("ui")?;
    exec(setup::node_command("npm")?.args(["run", "build", "--prefix", "ui"]))
}

/// The agent, and the app that finds it beside itself.
pub fn build_app(release: bool) -> Result<()> {
    let mut build = cargo();
    build.args([
        "build",
        "--package",
        "flame-agent",
        "--package",
        "flame-desktop",
    ]);
    build.args(["--features", "tauri/custom-protocol"]);
    exec(in_profile(&mut build, release))
}

fn in_profile(build: &mut std::process::Command, release: bool) -> &mut std::process::Command {
    if release {
        build.arg("--release")
    } else {
        build
    }
}

fn profile(options: &Options) -> &'static str {
    if options.release { "release" } else { "debug" }
}

#[cfg(test)]
mod tests {
    use super::display;

    #[test]
    fn a_display_is_one_that_is_named() {
        for (name, value, expected) in [
            ("DISPLAY", ":0", true),
            ("WAYLAND_DISPLAY", "wayland-0", true),
            ("DISPLAY", "", false),
            ("TERM", "xterm", false),
        ] {
            let variable = |asked: &str| (asked == name).then(|| value.into());
            assert_eq!(display(variable), expected, "{name}={value}");
        }
    }
}
