//! The agent as it is measured, and shipped where `images --pgo` is asked for: compiled with a profile of what it does under load (profile-guided
//! optimisation, as rustc's book describes it). A webhook's run costs a seventh less than with the release profile alone.
//!
//! The profile comes from the benches' own load against an instrumented build, and is kept beside it for as long as
//! that stays as it is.

use std::fs;
use std::hash::{DefaultHasher, Hasher as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::setup;
use crate::shell::{built, cargo, command, exec, read, target_dir};

/// The requests that the profile is taken from.
const LOAD: [&str; 10] = [
    "--only",
    "webhook",
    "--only",
    "steps",
    "--connections",
    "1,64",
    "--rounds",
    "1",
    "--seconds",
    "5",
];

/// Builds the agent with its profile; gives the program.
pub fn agent() -> Result<PathBuf> {
    let flag = flag()?;
    build(&folder().join("compiled"), &flag)
}

/// What tells the compiler of the profile, which is made where the agent has changed since the last one.
///
/// Its name is its content's: cargo looks at flags to know what to compile anew, and never at the file.
pub fn flag() -> Result<String> {
    let folder = folder();
    let (raw, merged) = (folder.join("raw"), folder.join("agent.profdata"));
    let generate = format!("-Cprofile-generate={}", raw.display());
    let instrumented = build(&folder.join("instrumented"), &generate)?;
    let changed = instrumented.metadata()?.modified()?;
    let is_new = |taken| taken >= changed;
    if !merged
        .metadata()
        .and_then(|file| file.modified())
        .is_ok_and(is_new)
    {
        take(&instrumented, &raw)?;
        exec(
            command(setup::llvm_profdata()?)
                .args(["merge", "--sparse", "--output"])
                .arg(&merged)
                .arg(&raw),
        )?;
    }
    let mut content = DefaultHasher::new();
    content.write(&fs::read(&merged)?);
    let profile = folder.join(format!("agent-{:016x}.profdata", content.finish()));
    fs::copy(&merged, &profile).with_context(|| profile.display().to_string())?;
    Ok(format!("-Cprofile-use={}", profile.display()))
}

/// Runs the load; the program writes what it saw when it ends.
fn take(instrumented: &Path, raw: &Path) -> Result<()> {
    clear(raw)?;
    exec(cargo().args(["build", "--release", "--package", "benches"]))?;
    let mut load = setup::with_node(command(built("release", "benches")))?;
    load.arg("engine").arg("--agent").arg(instrumented);
    exec(load.args(LOAD))?;
    ensure!(
        fs::read_dir(raw).is_ok_and(|mut files| files.next().is_some()),
        "{} wrote no profile into {}",
        instrumented.display(),
        raw.display()
    );
    Ok(())
}

/// For a target that is named, so that the flags reach no build script.
fn build(folder: &Path, flags: &str) -> Result<PathBuf> {
    let target = host()?;
    exec(
        cargo()
            .args(["build", "--release", "--package", "flame-agent", "--target"])
            .arg(&target)
            .arg("--target-dir")
            .arg(folder)
            .env("CARGO_ENCODED_RUSTFLAGS", flags),
    )?;
    Ok(folder.join(target).join("release/flame-agent"))
}

fn folder() -> PathBuf {
    target_dir().join("pgo")
}

fn clear(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    Ok(())
}

/// The triple of this machine.
fn host() -> Result<String> {
    let version = read(command("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc -vV names no host")?.to_owned())
}
