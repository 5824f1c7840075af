//! The project's own cases: small documents for what the standard's examples leave out. Each has its row in
//! its own metadata, under `expectation`.

use std::path::Path;

use crate::counterparts::{Counterparts, has_mark, with_a_port};
use crate::row::Row;
use crate::stage::perform_all;

#[tokio::test]
async fn every_case_ends_as_its_metadata_says() {
    let counterparts = Counterparts::start();
    let mut rows = Vec::new();
    for (topic, text) in texts() {
        match counterparts.fill(&text) {
            Ok(text) => rows.push(read(&topic, &text)),
            Err(mark) => flame_testkit::skipped(format_args!("a row of {topic} needs {mark}")),
        }
    }
    rows.sort_by(|one, other| one.0.cmp(&other.0));
    let names: Vec<&String> = rows.iter().map(|row| &row.0).collect();
    assert!(
        names.is_sorted_by(|one, other| one < other),
        "a name stands twice: {names:?}"
    );
    rows.retain(|(_, text, row)| !row.podman || has_mark(text));
    perform_all(&rows).await;
}

#[tokio::test]
async fn every_case_with_containers_ends_as_its_metadata_says() {
    let mut rows: Vec<_> = texts()
        .iter()
        .filter(|(_, text)| !has_mark(text))
        .map(|(topic, text)| read(topic, &with_a_port(text)))
        .collect();
    rows.retain(|(_, _, row)| row.podman);
    perform_all(&rows).await;
}

/// The cases as they stand, each with its topic.
pub(crate) fn texts() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let topic = path.file_stem().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let cases = text.split("\n---\n");
        found.extend(cases.map(|case| (topic.to_owned(), case.to_owned())));
    }
    found
}

/// The case's name, its text and its row.
pub(crate) fn read(topic: &str, text: &str) -> (String, String, Row) {
    let document = flame_dsl::to_json(text, flame_dsl::Format::Yaml);
    let document = document.unwrap_or_else(|problems| panic!("{topic}: {}", problems[0]));
    let head = &document["document"];
    let name = format!("{topic}/{}", head["name"].as_str().unwrap());
    let row = serde_json::from_value(head["metadata"]["expectation"].clone());
    let row = row.unwrap_or_else(|error| panic!("the expectation of {name}: {error}"));
    (name, text.to_owned(), row)
}
