//! Whether every property and every word of the published schemas stands in a document that is run: one of the
//! standard's examples, or one of the project's own cases.

use std::collections::BTreeSet;

use flame_dsl::{Format, to_json};
use flame_testkit::{Counterpart, Podman};
use serde_json::Value;

use crate::row::Row;
use crate::{cases, counterparts, examples};

/// Places of the schemas that no document can fill, and why.
const EXEMPT: [(&str, &str); 7] = [
    ("/not/enum/", "excludes words"),
    (
        "/if/properties/",
        "asks after a property that stands beside it",
    ),
    (
        "/until/oneOf/1/allOf/1/properties/until",
        "excludes a property",
    ),
    (
        "#/$defs/processResult/",
        "says what 'run' gives, and is in no document",
    ),
    (
        "#/$defs/asyncApiInboundMessage/",
        "says what a subscription gives, and is in no document",
    ),
    (
        "#/$defs/errorFilter/properties/details",
        "a slip of 1.0.3: an error has 'detail', as the next release writes it",
    ),
    (
        "/properties/client/properties/description",
        "a slip of 1.0.3: the description of 'version' stands among the properties",
    ),
];

/// A schema, whose parts refer to each other by pointer.
struct Published(Value);

impl Published {
    /// Where every property and every word of an enumeration stands.
    fn places(&self) -> BTreeSet<String> {
        fn walk(node: &Value, path: &str, found: &mut BTreeSet<String>) {
            match node {
                Value::Object(members) => {
                    for (key, part) in members {
                        let at = format!("{path}/{key}");
                        match (key.as_str(), part) {
                            ("properties", Value::Object(properties)) => {
                                for (name, property) in properties {
                                    let at = format!("{at}/{name}");
                                    walk(property, &at, found);
                                    found.insert(at);
                                }
                            }
                            ("enum", Value::Array(words)) => {
                                found.extend(
                                    words.iter().map(|word| format!("{at}/{}", shown(word))),
                                );
                            }
                            ("default" | "const" | "required", _) => {}
                            _ => walk(part, &at, found),
                        }
                    }
                }
                Value::Array(parts) => {
                    for (index, part) in parts.iter().enumerate() {
                        walk(part, &format!("{path}/{index}"), found);
                    }
                }
                _ => {}
            }
        }
        let mut found = BTreeSet::new();
        walk(&self.0, "#", &mut found);
        found
    }

    fn at(&self, reference: &str) -> &Value {
        self.0.pointer(reference.trim_start_matches('#')).unwrap()
    }

    /// The node, and what it refers to.
    fn whole<'s>(&'s self, node: &'s Value) -> impl Iterator<Item = &'s Value> {
        let mut next = Some(node);
        std::iter::from_fn(move || {
            let node = next?;
            next = node["$ref"].as_str().map(|reference| self.at(reference));
            Some(node)
        })
    }

    /// Whether a value can be meant by a node: all that tells the alternatives of the schema apart.
    fn fits(&self, node: &Value, value: &Value) -> bool {
        self.whole(node).all(|node| {
            let is_one = |key: &str| match node[key].as_array() {
                Some(parts) => parts.iter().any(|part| self.fits(part, value)),
                None => true,
            };
            node["type"].as_str().is_none_or(|kind| is_of(kind, value))
                && node.get("const").is_none_or(|constant| constant == value)
                && node["enum"]
                    .as_array()
                    .is_none_or(|words| words.contains(value))
                && parts(node, "allOf").all(|part| self.fits(part, value))
                && is_one("oneOf")
                && is_one("anyOf")
                && value.as_object().is_none_or(|members| {
                    let has = |name: &Value| members.contains_key(name.as_str().unwrap());
                    node["required"]
                        .as_array()
                        .is_none_or(|names| names.iter().all(has))
                        && members
                            .iter()
                            .all(|(name, member)| match node["properties"].get(name) {
                                Some(property) => self.fits(property, member),
                                None => {
                                    node["unevaluatedProperties"] != false || self.knows(node, name)
                                }
                            })
                })
        })
    }

    /// Whether a node, or one of its parts, has a property of this name.
    fn knows(&self, node: &Value, name: &str) -> bool {
        self.whole(node).any(|node| {
            node["properties"].get(name).is_some()
                || ["allOf", "oneOf", "anyOf"]
                    .iter()
                    .flat_map(|key| parts(node, key))
                    .any(|part| self.knows(part, name))
        })
    }

    /// Adds the places that a value fills.
    fn fill(&self, node: &Value, value: &Value, path: &str, filled: &mut BTreeSet<String>) {
        if let Some(reference) = node["$ref"].as_str() {
            self.fill(self.at(reference), value, reference, filled);
        }
        if node["enum"]
            .as_array()
            .is_some_and(|words| words.contains(value))
        {
            filled.insert(format!("{path}/enum/{}", shown(value)));
        }
        for key in ["allOf", "oneOf", "anyOf"] {
            for (index, part) in parts(node, key).enumerate() {
                if self.fits(part, value) {
                    self.fill(part, value, &format!("{path}/{key}/{index}"), filled);
                }
            }
        }
        for (name, member) in value.as_object().into_iter().flatten() {
            if let Some(property) = node["properties"].get(name) {
                let path = format!("{path}/properties/{name}");
                self.fill(property, member, &path, filled);
                filled.insert(path);
            } else if node["additionalProperties"].is_object() {
                let path = format!("{path}/additionalProperties");
                self.fill(&node["additionalProperties"], member, &path, filled);
            }
        }
        for item in value.as_array().into_iter().flatten() {
            self.fill(&node["items"], item, &format!("{path}/items"), filled);
        }
    }
}

fn parts<'s>(node: &'s Value, key: &str) -> impl Iterator<Item = &'s Value> {
    node[key].as_array().into_iter().flatten()
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => value.is_null(),
    }
}

fn shown(word: &Value) -> String {
    word.as_str()
        .map_or_else(|| word.to_string(), str::to_owned)
}

fn reason(place: &str) -> Option<&'static str> {
    let exempt = EXEMPT.iter().find(|(part, _)| place.contains(part));
    exempt.map(|(_, reason)| *reason)
}

/// What this machine has for rows that need more than the agent.
#[derive(Clone, Copy)]
struct Machine {
    podman: bool,
    counterparts: bool,
}

impl Machine {
    fn this() -> Self {
        Self {
            podman: Podman::start().is_ok(),
            counterparts: Counterpart::are_installed(),
        }
    }

    /// The document of a row, and whether the row is run here.
    fn document(self, text: &str, row: &Row) -> (Value, bool) {
        let counterparts = row.has_counterparts() || counterparts::has_mark(text);
        let is_run = (self.podman || !row.podman) && (self.counterparts || !counterparts);
        let text = counterparts::with_any_marks(text);
        (to_json(&text, Format::Yaml).unwrap(), is_run)
    }
}

/// What documents fill of a schema.
#[derive(Default)]
struct Filled {
    by_run: BTreeSet<String>,
    by_skipped: BTreeSet<String>,
}

impl Filled {
    fn by(schema: &Published, documents: &[(Value, bool)]) -> Self {
        let mut filled = Self::default();
        for (document, is_run) in documents {
            let filled = match is_run {
                true => &mut filled.by_run,
                false => &mut filled.by_skipped,
            };
            schema.fill(&schema.0, document, "#", filled);
        }
        filled
    }

    /// Each place that nothing fills, and each that is exempt and filled.
    fn differences(&self, schema: &Published) -> Vec<String> {
        let all: BTreeSet<&String> = self.by_run.union(&self.by_skipped).collect();
        let places = schema.places();
        let missing = places
            .iter()
            .filter(|place| !all.contains(place) && reason(place).is_none());
        let needless = all.iter().filter(|place| reason(place).is_some());
        missing
            .map(|place| format!("no document that is run has {place}"))
            .chain(needless.map(|place| format!("{place} is exempt and filled")))
            .collect()
    }

    /// Each place that nothing fills but what is skipped on this machine.
    fn skipped(&self) -> impl Iterator<Item = &String> {
        self.by_skipped.difference(&self.by_run)
    }
}

fn differences(release: &str, machine: Machine) -> Vec<String> {
    let Some(folder) = flame_testkit::open_workflow() else {
        return Vec::new();
    };
    let schema = folder.join(release).join("schema/workflow.json");
    let schema = std::fs::read_to_string(schema).unwrap();
    let schema = Published(serde_json::from_str(&schema).unwrap());
    let case = |(topic, text): (String, String)| {
        let (_, _, row) = cases::read(&topic, &counterparts::with_any_marks(&text));
        machine.document(&text, &row)
    };
    let examples = examples::rows(release).into_iter();
    let documents: Vec<(Value, bool)> = cases::texts()
        .into_iter()
        .map(case)
        .chain(examples.map(|(_, text, row)| machine.document(&text, &row)))
        .collect();
    let filled = Filled::by(&schema, &documents);
    for place in filled.skipped() {
        flame_testkit::skipped(format_args!(
            "{release}: nothing that is run on this machine has {place}"
        ));
    }
    let differences = filled.differences(&schema);
    let of_release = |difference| format!("{release}: {difference}");
    differences.into_iter().map(of_release).collect()
}

#[test]
fn every_property_and_every_word_of_the_schemas_stands_in_a_document_that_is_run() {
    let machine = Machine::this();
    let differences: Vec<String> = ["1.0.3", "next"]
        .into_iter()
        .flat_map(|release| differences(release, machine))
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn a_place_that_nothing_fills_is_found() {
    let schema = Published(serde_json::json!({
        "properties": { "a": { "enum": ["x", "y"] }, "b": { "$ref": "#/$defs/b" } },
        "$defs": { "b": { "oneOf": [
            { "required": ["c"], "properties": { "c": { "type": "string" } } },
            { "required": ["d"], "properties": { "d": {} } },
        ] } },
    }));
    let mut filled = BTreeSet::new();
    schema.fill(
        &schema.0,
        &serde_json::json!({ "a": "x", "b": { "c": "z" } }),
        "#",
        &mut filled,
    );
    let left: Vec<String> = schema.places().difference(&filled).cloned().collect();
    assert_eq!(
        left,
        ["#/$defs/b/oneOf/1/properties/d", "#/properties/a/enum/y"]
    );
}

#[test]
fn a_document_that_is_skipped_counts_for_nothing_that_is_run() {
    let schema = Published(serde_json::json!({
        "properties": { "do": {}, "a": { "enum": ["x", "y"] }, "b": {} },
    }));
    let row = |text: &str| serde_json::from_str::<Row>(text).unwrap();
    let expect = r#""expect": { "output": 1 }"#;
    let anywhere = row(&format!("{{ {expect} }}"));
    let in_a_box = row(&format!(r#"{{ "podman": true, {expect} }}"#));
    let with_a_program = row(&format!(r#"{{ "programs": {{ "npx": "" }}, {expect} }}"#));
    let rows = [
        ("{ do: [], a: x }", &anywhere),
        ("{ do: [], a: y }", &in_a_box),
        ("{ do: [], b: 1 }", &with_a_program),
    ];
    let left = |machine: Machine| {
        let documents = rows.map(|(text, row)| machine.document(text, row));
        let filled = Filled::by(&schema, &documents);
        assert_eq!(filled.differences(&schema), Vec::<String>::new());
        filled.skipped().cloned().collect::<Vec<String>>()
    };
    let (podman, counterparts) = (true, true);
    assert_eq!(
        left(Machine {
            podman,
            counterparts
        }),
        Vec::<String>::new()
    );
    let (podman, counterparts) = (false, true);
    assert_eq!(
        left(Machine {
            podman,
            counterparts
        }),
        ["#/properties/a/enum/y"]
    );
    let (podman, counterparts) = (true, false);
    assert_eq!(
        left(Machine {
            podman,
            counterparts
        }),
        ["#/properties/b"]
    );
    let of_a_mark = "{ do: [], b: GRPC_PORT }";
    assert!(
        !Machine {
            podman,
            counterparts
        }
        .document(of_a_mark, &anywhere)
        .1
    );
}
