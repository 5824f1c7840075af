//! The `flame-agent` program for tests of other crates, where cargo names none.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A program that is built already; `cargo xtask test` sets it.
const BUILT: &str = "MASTRA_AGENT";

/// The agent of this checkout, in this test's own profile; built where nobody says that it is, or the
/// reason why it can't be.
pub fn agent_program() -> Result<&'static Path, &'static str> {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| match std::env::var_os(BUILT) {
        Some(program) => Ok(program.into()),
        None => build(),
    });
    program.as_deref().map_err(String::as_str)
}

/// A test lies in `<target>/<profile>/deps`.
fn build() -> Result<PathBuf, String> {
    let test = std::env::current_exe().map_err(|error| error.to_string())?;
    let folder = test.ancestors().nth(2);
    let folder = folder.ok_or("this test does not lie in cargo's target folder")?;
    let (target, profile) = (folder.parent(), folder.file_name());
    let (Some(target), Some(profile)) = (target, profile.and_then(|name| name.to_str())) else {
        return Err(format!("{} is no target folder of cargo", folder.display()));
    };
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--quiet", "--package", "flame-agent", "--profile"])
        // The folder of the profile `dev` has another name.
        .arg(if profile == "debug" { "dev" } else { profile })
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    let status = cargo
        .status()
        .map_err(|error| format!("cargo can't be started: {error}"))?;
    if !status.success() {
        return Err(format!(
            "{cargo:?} ended with {status}; what it said is above"
        ));
    }
    Ok(folder.join("flame-agent"))
}
