//! The prescribed top level, file openings and sizes, and calls that only some rooms may make.

use std::path::Path;

use anyhow::{Context, Result};

use crate::shell::{command, read, root};

/// What stands at the top level, and nothing else but dot-files.
const TOP_LEVEL: &[&str] = &[
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "clippy.toml",
    "containers",
    "deny.toml",
    "installers",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "src-tauri",
    "tests",
    "ui",
];

/// What stands below it in any case.
const NEEDED: &[&str] = &[
    ".ci/run",
    ".editorconfig",
    ".github/workflows/ci.yml",
    "installers/linux",
    "tests/benches",
    "tests/conformance",
    "tests/e2e",
];

/// A longer file does more than one thing.
const LINES_MAX: usize = 800;

/// The edges that may ask what time it is.
const CLOCKS: &[&str] = &[
    "containers/",
    "src-tauri/crates/flame-commands/",
    "src-tauri/crates/flame-launcher/",
    "src-tauri/crates/flame-store/src/backup.rs",
    "src-tauri/crates/xtask/",
    "tests/",
];

/// A text that only files below the given folders may hold: text, folders, why.
const KEPT: &[(&str, &[&str], &str)] = &[
    (
        "Command::new(",
        &[
            "src-tauri/crates/flame-podman/",
            "src-tauri/crates/flame-launcher/",
            "src-tauri/crates/flame-testkit/",
            "src-tauri/crates/xtask/",
            // The agent's process runner.
            "containers/flame-agent/src/runtime/process/",
            "tests/",
        ],
        "processes are started by the launcher, Podman, the agent's process runner, xtask and tests alone",
    ),
    ("SystemTime::now(", CLOCKS, "the clock is passed in"),
    ("Timestamp::now(", CLOCKS, "the clock is passed in"),
];

/// One line for each rule that a tracked file breaks.
pub fn broken() -> Result<Vec<String>> {
    let listing =
        read(command("git").args(["ls-files", "--cached", "--others", "--exclude-standard"]))?;
    let mut broken = missing(&root());
    for path in listing.lines().filter(|path| root().join(path).is_file()) {
        broken.extend(misplaced(path));
        let code = [".rs", ".ts", ".svelte"]
            .iter()
            .any(|ending| path.ends_with(ending));
        if code && !path.contains("/generated/") && !path.ends_with("bindings.ts") {
            let text = std::fs::read_to_string(root().join(path))
                .with_context(|| format!("{path} can't be read"))?;
            broken.extend(misshapen(path, &text));
            broken.extend(super::json::broken(path, &text));
        }
    }
    Ok(broken)
}

fn missing(root: &Path) -> Vec<String> {
    TOP_LEVEL
        .iter()
        .chain(NEEDED)
        .filter(|path| !root.join(path).exists())
        .map(|path| format!("layout: {path} is missing"))
        .collect()
}

fn misplaced(path: &str) -> Option<String> {
    let top = path.split('/').next().unwrap_or(path);
    (!top.starts_with('.') && !TOP_LEVEL.contains(&top))
        .then(|| format!("layout: {top} has no place at the top level"))
}

fn misshapen(path: &str, text: &str) -> Vec<String> {
    let mut broken = Vec::new();
    let lines = text.lines().count();
    // A table of cases is data; its length is no sign of doing too much.
    if lines > LINES_MAX && !is_test(path) {
        broken.push(format!(
            "layout: {path} has {lines} lines; {LINES_MAX} is the most"
        ));
    }
    if path.ends_with(".rs") && !text.starts_with("//!") {
        broken.push(format!(
            "layout: {path} does not open with //! (what it owns, what it lacks)"
        ));
    }
    if path.starts_with("ui/src/")
        && !path.starts_with("ui/src/ipc/")
        && text.contains("\"@tauri-apps/")
    {
        broken.push(format!(
            "wall: {path} imports @tauri-apps; only ui/src/ipc may"
        ));
    }
    if path.ends_with(".rs") && !is_test(path) {
        let shipped = text.split("#[cfg(test)]").next().unwrap_or(text);
        for (call, folders, why) in KEPT {
            let here = folders.iter().any(|folder| path.starts_with(folder));
            if !here && shipped.contains(call) {
                broken.push(format!("wall: {path} calls {call}...): {why}"));
            }
        }
    }
    broken
}

pub(super) fn is_test(path: &str) -> bool {
    Path::new(path)
        .components()
        .any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_at_the_top_level_is_named() {
        assert!(misplaced("scripts/build.sh").is_some());
        assert!(misplaced("ui/src/main.ts").is_none());
        assert!(misplaced(".github/workflows/ci.yml").is_none());
    }

    #[test]
    fn what_is_prescribed_and_missing_is_named() {
        assert_eq!(missing(&root()), Vec::<String>::new());
        let empty = tempfile::tempdir().unwrap();
        let all = TOP_LEVEL.len() + NEEDED.len();
        assert_eq!(missing(empty.path()).len(), all);
    }

    #[test]
    fn kept_calls_are_found_outside_tests() {
        let text = "//! A file.\nfn f() { Command::new(\"ls\"); }\n";
        assert_eq!(
            misshapen("src-tauri/crates/flame-dsl/src/a.rs", text).len(),
            1
        );
        assert!(misshapen("src-tauri/crates/flame-launcher/src/a.rs", text).is_empty());
        assert!(misshapen("containers/flame-agent/tests/agent/main.rs", text).is_empty());
        let tested = format!("//! A file.\n#[cfg(test)]\nmod tests {{ {text} }}");
        assert!(misshapen("src-tauri/crates/flame-dsl/src/a.rs", &tested).is_empty());
    }

    #[test]
    fn a_file_says_what_it_owns() {
        assert_eq!(misshapen("src-tauri/src/a.rs", "fn f() {}\n").len(), 1);
    }
}
