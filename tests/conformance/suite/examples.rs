//! The examples of the standard, read from beside the repository; each has a row in `examples.yaml`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::row::Row;
use crate::stage::perform_all;

const TABLE: &str = include_str!("../examples.yaml");

/// The rows of a release by the name of their example, which may have several. What `next` has alone, or
/// otherwise than the release, stands under its own key.
fn table(release: &str) -> BTreeMap<String, Vec<Row>> {
    let table = flame_dsl::to_json(TABLE, flame_dsl::Format::Yaml).unwrap();
    let rows = |key: &str| table[key].as_object().unwrap().clone();
    let mut merged = rows("release");
    if release == "next" {
        merged.extend(rows("next"));
    }
    merged
        .into_iter()
        .map(|(name, row)| (name.clone(), read(&name, row)))
        .collect()
}

fn read(name: &str, rows: Value) -> Vec<Row> {
    let rows = match rows {
        Value::Array(rows) => rows,
        row => vec![row],
    };
    let read = |row| {
        serde_json::from_value(row).unwrap_or_else(|error| panic!("the row of {name}: {error}"))
    };
    rows.into_iter().map(read).collect()
}

/// The texts of a release by name, or nothing after saying that they are absent.
fn texts(release: &str) -> BTreeMap<String, String> {
    let Some(folder) = flame_testkit::open_workflow() else {
        return BTreeMap::new();
    };
    std::fs::read_dir(folder.join(release).join("examples"))
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let name = name.strip_suffix(".yaml").unwrap_or(&name).to_owned();
            (name, std::fs::read_to_string(entry.path()).unwrap())
        })
        .collect()
}

/// The examples of a release with their rows, of which each has one or more.
pub(crate) fn rows(release: &str) -> Vec<(String, String, Row)> {
    let texts = texts(release);
    if texts.is_empty() {
        return Vec::new();
    }
    let mut table = table(release);
    let mut rows = Vec::new();
    for (name, text) in texts {
        let of_name = table.remove(&name);
        let of_name =
            of_name.unwrap_or_else(|| panic!("{release}/{name} has no row in examples.yaml"));
        for row in of_name {
            rows.push((format!("{release}/{name}"), text.clone(), row));
        }
    }
    let left: Vec<&String> = table.keys().collect();
    assert!(
        left.is_empty(),
        "rows without an example in {release}: {left:?}"
    );
    rows
}

async fn run(release: &str, in_containers: bool) {
    let mut rows = rows(release);
    rows.retain(|(_, _, row)| row.podman == in_containers);
    if !rows.is_empty() {
        perform_all(&rows).await;
    }
}

#[tokio::test]
async fn every_example_of_the_release_does_what_it_says() {
    run("1.0.3", false).await;
}

#[tokio::test]
async fn every_example_of_the_next_release_does_what_it_says() {
    run("next", false).await;
}

#[tokio::test]
async fn every_example_of_the_release_with_containers_does_what_it_says() {
    run("1.0.3", true).await;
}

#[tokio::test]
async fn every_example_of_the_next_release_with_containers_does_what_it_says() {
    run("next", true).await;
}
