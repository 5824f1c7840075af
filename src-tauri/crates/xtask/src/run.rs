//! `cargo xtask run`: from a fresh clone to the open app, or to the sample on the terminal.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Result;

use crate::setup;
use crate::shell::{built, cargo, command, exec};

/// What a person is told where the sample ran instead of the window.
const NO_DISPLAY: &str = "There is no display here, so the Orders sample ran on the terminal.
To open the window: run `cargo xtask run` in a desktop session, or force it with
`cargo xtask run --app` where a display can be reached.";

/// Why the window can't be forced.
const NOT_REACHABLE: &str = "no display can be reached: neither DISPLAY nor WAYLAND_DISPLAY is set. Run this in a \
                             desktop session, or name a display, as in `DISPLAY=:0 cargo xtask run`.";

#[derive(clap::Args)]
pub struct Options {
    /// Open the window even where no display is announced
    #[arg(long)]
    app: bool,
    /// Build in release mode: slower to build, faster to use
    #[arg(long)]
    release: bool,
}

/// What a person gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Window,
    /// The sample on the terminal, and how to open the window.
    Sample,
}

impl Shown {
    fn of(is_forced: bool, has_display: bool) -> Self {
        match is_forced || has_display {
            true => Self::Window,
            false => Self::Sample,
        }
    }

    /// What is said after it.
    const fn last_words(self) -> Option<&'static str> {
        match self {
            Self::Window => None,
            Self::Sample => Some(NO_DISPLAY),
        }
    }
}

pub fn run(options: &Options) -> Result<()> {
    let variable = |name: &str| std::env::var_os(name);
    let shown = Shown::of(options.app, display(variable));
    anyhow::ensure!(shown == Shown::Sample || reachable(variable), NOT_REACHABLE);
    match shown {
        Shown::Window => window(options)?,
        Shown::Sample => terminal(options)?,
    }
    if let Some(words) = shown.last_words() {
        println!("\n{words}");
    }
    Ok(())
}

/// Whether a display is announced.
fn display(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| variable(name).is_some_and(|value| !value.is_empty()))
}

/// Whether a window could open: on a display that is announced, or on the one that Wayland tries by itself.
fn reachable(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let folder = variable("XDG_RUNTIME_DIR").map(PathBuf::from);
    display(variable) || folder.is_some_and(|folder| folder.join("wayland-0").exists())
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
    exec(command(built(profile(options), "flame-agent")).arg("tour"))
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
    use clap::{Args as _, FromArgMatches as _};

    use super::{Options, Shown, display};

    /// The choice as the command line and the environment make it.
    fn shown(arguments: &[&str], variables: &[(&str, &str)]) -> Shown {
        let command = Options::augment_args(clap::Command::new("run").no_binary_name(true));
        let matches = command.try_get_matches_from(arguments).unwrap();
        let options = Options::from_arg_matches(&matches).unwrap();
        let variable = |asked: &str| {
            let found = variables.iter().find(|(name, _)| *name == asked);
            found.map(|(_, value)| value.into())
        };
        Shown::of(options.app, display(variable))
    }

    #[test]
    fn the_window_opens_where_there_is_a_display_or_it_is_forced() {
        let x11 = [("DISPLAY", ":0")];
        let none = [("DISPLAY", "")];
        for (arguments, variables, expected) in [
            (&[][..], &x11[..], Shown::Window),
            (&["--app"], &x11, Shown::Window),
            (&["--app"], &none, Shown::Window),
            (&["--app"], &[], Shown::Window),
            (&["--release", "--app"], &[], Shown::Window),
            (&["--release"], &x11, Shown::Window),
            (&[], &none, Shown::Sample),
            (&[], &[], Shown::Sample),
            (&["--release"], &[], Shown::Sample),
        ] {
            let case = format!("{arguments:?} {variables:?}");
            assert_eq!(shown(arguments, variables), expected, "{case}");
        }
    }

    /// Without a window a person is told why, and each way to open it.
    #[test]
    fn without_a_display_the_way_to_the_window_is_told() {
        let words = Shown::Sample.last_words().unwrap();
        for part in [
            "no display",
            "ran on the terminal",
            "`cargo xtask run` in a desktop session",
            "cargo xtask run --app",
        ] {
            assert!(words.replace('\n', " ").contains(part), "{part}: {words}");
        }
        assert_eq!(Shown::Window.last_words(), None);
    }

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
