//! The editor's schemas offer what the reader takes, and nothing else.

use std::collections::BTreeSet;

use flame_dsl::{
    Format, editor_schema, examine, examine_pipeline, pipeline_editor_schema, to_json,
};
use serde_json::Value;

use crate::shared::examples;

const EVERYTHING: &str = include_str!("fixtures/everything.yaml");
const PIPELINE: &str = include_str!("fixtures/pipeline.yaml");

/// Keys that can't stand beside those of `everything.yaml`, each in a document of its own.
const BESIDE_EVERYTHING: &str = "
document: {dsl: '1.0.3', namespace: n, name: w, version: '1.0.0',
  metadata: {mastra.io/webhook: {path: a, secret: {connection: c}}}}
do:
  - a:
      try: []
      catch: {errors: {with: {detail: gone}}, retry: {backoff: {constant: {}}}}
";
const BESIDE_PIPELINE: &str = "
pipeline: {namespace: n, name: p}
source: {ndjson: {}}
sink: {connector: postgres, connection: c, table: t, key: [id]}
";

/// The names of all properties in a schema.
fn properties(schema: &Value, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::Object(properties)) = members.get("properties") {
                names.extend(properties.keys().cloned());
            }
            members
                .values()
                .for_each(|value| properties_of(value, names));
        }
        Value::Array(items) => items.iter().for_each(|value| properties_of(value, names)),
        _ => {}
    }
}

fn properties_of(value: &Value, names: &mut BTreeSet<String>) {
    properties(value, names);
}

/// The keys of all objects in a document.
fn keys(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            names.extend(members.keys().cloned());
            members.values().for_each(|value| keys(value, names));
        }
        Value::Array(items) => items.iter().for_each(|value| keys(value, names)),
        _ => {}
    }
}

const BY_INTERVAL: &str = "
document: {dsl: '1.0.3', namespace: n, name: w, version: '1.0.0'}
schedule: {every: PT1H}
do: []
";

const ON_EVENTS: &str = "
document: {dsl: '1.0.3', namespace: n, name: w, version: '1.0.0'}
schedule: {on: {any: []}, read: raw}
do: []
";

#[test]
fn the_schemas_are_schemas() {
    for schema in [editor_schema(), pipeline_editor_schema()] {
        assert!(jsonschema::meta::is_valid(&schema));
        assert!(jsonschema::validator_for(&schema).is_ok());
    }
}

#[test]
fn every_key_that_an_editor_offers_is_read() {
    for (schema, documents, pipeline) in [
        (
            editor_schema(),
            [EVERYTHING, BESIDE_EVERYTHING, BY_INTERVAL, ON_EVENTS],
            false,
        ),
        (
            pipeline_editor_schema(),
            [PIPELINE, BESIDE_PIPELINE, PIPELINE, BESIDE_PIPELINE],
            true,
        ),
    ] {
        let mut read = BTreeSet::new();
        for document in documents {
            let problems = if pipeline {
                examine_pipeline(document, Format::Yaml).problems
            } else {
                examine(document, Format::Yaml).problems
            };
            assert_eq!(problems, [], "{}", document);
            keys(&to_json(document, Format::Yaml).unwrap(), &mut read);
        }
        let mut offered = BTreeSet::new();
        properties(&schema, &mut offered);
        let unread: Vec<&String> = offered.difference(&read).collect();
        assert_eq!(
            unread,
            Vec::<&String>::new(),
            "offered, but in no document that is read"
        );
    }
}

#[test]
fn every_document_that_is_read_is_valid_in_the_editor() {
    let workflow = jsonschema::validator_for(&editor_schema()).unwrap();
    let pipeline = jsonschema::validator_for(&pipeline_editor_schema()).unwrap();
    for text in [PIPELINE, BESIDE_PIPELINE] {
        assert!(
            pipeline.is_valid(&to_json(text, Format::Yaml).unwrap()),
            "{text}"
        );
    }
    let own = [EVERYTHING, BESIDE_EVERYTHING].map(|text| (text.to_owned(), text.to_owned()));
    for (name, text) in own
        .into_iter()
        .chain(examples("1.0.3"))
        .chain(examples("next"))
    {
        let document = to_json(&text, Format::Yaml).unwrap();
        let is_read = examine(&text, Format::Yaml).value.is_some();
        assert_eq!(workflow.is_valid(&document), is_read, "{name}");
    }
}

#[test]
fn every_key_that_an_editor_offers_says_what_it_is_for() {
    fn check(schema: &Value) {
        if let Some(Value::Object(properties)) = schema.get("properties") {
            for (key, property) in properties {
                assert!(
                    property["description"]
                        .as_str()
                        .is_some_and(|d| !d.is_empty()),
                    "{key}"
                );
            }
        }
        match schema {
            Value::Object(members) => members.values().for_each(check),
            Value::Array(items) => items.iter().for_each(check),
            _ => {}
        }
    }
    check(&editor_schema());
    check(&pipeline_editor_schema());
}
