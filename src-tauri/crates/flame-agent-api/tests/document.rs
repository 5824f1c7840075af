//! Holds the committed OpenAPI document against the code.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

fn committed_path() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json")
}

#[test]
fn the_committed_document_is_fresh() {
    let fresh = flame_agent_api::openapi_json();
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        std::fs::write(committed_path(), &fresh).unwrap();
    }
    let committed = std::fs::read_to_string(committed_path()).unwrap();
    assert!(
        committed == fresh,
        "openapi.json is stale: run this test once with UPDATE=1"
    );
}

#[test]
fn it_is_openapi_3_1_and_every_reference_resolves() {
    let document: Value = serde_json::from_str(&flame_agent_api::openapi_json()).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    let mut references = BTreeSet::new();
    collect_references(&document, &mut references);
    assert!(references.len() > 20, "the document refers to its schemas");
    for reference in references {
        let pointer = reference
            .strip_prefix('#')
            .expect("references stay in the document");
        assert!(
            document.pointer(pointer).is_some(),
            "{reference} points nowhere"
        );
    }
}

fn collect_references(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                match field {
                    Value::String(text) if key == "$ref" => {
                        into.insert(text.clone());
                    }
                    other => collect_references(other, into),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, into)),
        _ => {}
    }
}
