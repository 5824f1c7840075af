//! Running other programs from the repository's root, and where things are.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The repository's root: three folders above this crate. Cargo says where that is when it starts us: a program built
/// for one checkout may be fresh for another that shares its target folder.
pub fn root() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
        .ancestors()
        .nth(3)
        .expect("the crate lies in src-tauri/crates/xtask")
        .to_path_buf()
}

/// Where cargo puts what it builds.
pub fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A built program of the given profile.
pub fn built(profile: &str, name: &str) -> PathBuf {
    target_dir().join(profile).join(name)
}

/// A command in the repository's root.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// `cargo` as it was called, so that the toolchain stays the same.
pub fn cargo() -> Command {
    cargo_command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// A program that calls cargo. What cargo said of this crate is not passed on: it would be taken for a change by build
/// scripts that look at these variables, and what was built by hand would be built anew.
pub fn cargo_command(program: impl AsRef<OsStr>) -> Command {
    let mut command = command(program);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs to the end, showing the command; an exit code other than 0 is an error.
pub fn exec(command: &mut Command) -> Result<()> {
    let line = line(command);
    println!("\n$ {line}");
    let status = command
        .status()
        .with_context(|| format!("{line} can't be started"))?;
    if !status.success() {
        bail!("{line} ended with {status}");
    }
    Ok(())
}

/// Runs to the end and gives its standard output.
pub fn read(command: &mut Command) -> Result<String> {
    let line = line(command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("{line} can't be started"))?;
    if !output.status.success() {
        bail!("{line} ended with {}", output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("{line} printed something not UTF-8"))
}

/// Whether a program can be found on the PATH.
pub fn on_path(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|paths| {
        std::env::split_paths(&paths).any(|folder| folder.join(program).is_file())
    })
}

fn line(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|part| part.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}
