//! Who may depend on whom, read from `cargo metadata`; the table is the one in ARCHITECTURE.md.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::shell::{cargo, read};

/// Anything may import these.
const FREE: &[&str] = &["flame-types", "flame-errors"];

/// These may import anything: nothing ships with them.
const UNBOUND: &[&str] = &[
    "xtask",
    "flame-testkit",
    "benches",
    "conformance",
    "simulation",
];

/// Who may import whom; what is not listed is forbidden. `connector-*` stands for every connector.
const WALLS: &[(&str, &[&str])] = &[
    ("flame-desktop", &["flame-commands", "flame-ipc"]),
    (
        "flame-commands",
        &[
            "flame-ipc",
            "flame-dsl",
            "flame-workspace",
            "flame-podman",
            "flame-launcher",
            "flame-vault",
            "flame-agent-client",
        ],
    ),
    (
        "flame-agent",
        &[
            "flame-engine",
            "flame-dsl",
            "flame-store",
            "flame-connector",
            "connector-*",
            "flame-agent-api",
        ],
    ),
    ("flame-engine", &["flame-dsl"]),
    ("connector-*", &["flame-connector"]),
    ("flame-agent-client", &["flame-agent-api"]),
];

/// Third-party crates and the only rooms that may depend on them outside tests.
const KEPT: &[(&str, &[&str])] = &[
    ("tauri", &["flame-desktop"]),
    (
        "rusqlite",
        &["flame-store", "flame-workspace", "connector-sqlite"],
    ),
    ("keyring", &["flame-vault"]),
    ("keyring-core", &["flame-vault"]),
    ("podman-api", &["flame-podman"]),
];

/// What the pure engine may not have.
const IMPURE: &[&str] = &["tokio", "rand", "getrandom", "reqwest", "uuid", "tracing"];

/// One line for each import that crosses a wall.
pub fn broken() -> Result<Vec<String>> {
    let text = read(cargo().args(["metadata", "--format-version", "1", "--no-deps"]))?;
    let metadata: Value = serde_json::from_str(&text).context("cargo metadata is not JSON")?;
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata has no packages")?;
    let rooms: BTreeSet<&str> = packages.iter().filter_map(|p| p["name"].as_str()).collect();
    let table: BTreeMap<&str, &[&str]> = WALLS.iter().copied().collect();
    let mut broken = Vec::new();
    for package in packages {
        let name = package["name"].as_str().context("a package has no name")?;
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let target = dependency["name"].as_str().unwrap_or_default();
            let shipped = dependency["kind"].as_str() != Some("dev");
            if let Some(line) = crossing(name, target, shipped, &rooms, &table) {
                broken.push(line);
            }
        }
    }
    Ok(broken)
}

fn crossing(
    name: &str,
    target: &str,
    shipped: bool,
    rooms: &BTreeSet<&str>,
    table: &BTreeMap<&str, &[&str]>,
) -> Option<String> {
    if UNBOUND.contains(&name) || !shipped {
        return None;
    }
    if name == "flame-engine" && IMPURE.contains(&target) {
        return Some(format!("wall: {name} is pure and may not import {target}"));
    }
    if let Some((_, keepers)) = KEPT.iter().find(|(kept, _)| *kept == target) {
        return (!keepers.contains(&name)).then(|| {
            format!(
                "wall: only {} may import {target}, not {name}",
                keepers.join(", ")
            )
        });
    }
    if !rooms.contains(target) || FREE.contains(&target) {
        return None;
    }
    let allowed = table.get(family(name)).copied().unwrap_or_default();
    (!allowed.contains(&target) && !allowed.contains(&family(target)))
        .then(|| format!("wall: {name} may not import {target}; see ARCHITECTURE.md"))
}

fn family(name: &str) -> &str {
    if name.starts_with("connector-") {
        "connector-*"
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, target: &str, shipped: bool) -> bool {
        let rooms = [
            "flame-store",
            "flame-dsl",
            "flame-connector",
            "connector-file",
            "flame-types",
        ];
        let table = WALLS.iter().copied().collect();
        crossing(name, target, shipped, &rooms.into(), &table).is_none()
    }

    #[test]
    fn walls_let_through_what_is_listed_and_nothing_else() {
        assert!(check("flame-agent", "flame-store", true));
        assert!(check("flame-agent", "connector-file", true));
        assert!(check("connector-file", "flame-connector", true));
        assert!(check("flame-engine", "flame-types", true));
        assert!(!check("flame-engine", "flame-store", true));
        assert!(!check("flame-engine", "tokio", true));
        assert!(!check("flame-commands", "flame-store", true));
        assert!(!check("flame-agent", "rusqlite", true));
        assert!(!check("flame-dsl", "flame-dsl", true));
    }

    #[test]
    fn tests_may_reach_over_a_wall() {
        assert!(check("flame-engine", "tokio", false));
    }
}
