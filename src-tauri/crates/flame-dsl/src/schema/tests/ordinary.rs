//! Verdict and errors are those of the library, whatever the schema.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{Schema, Unfit, Wrong};

fn name() -> impl Strategy<Value = String> {
    "[abc]".prop_map(|name| name)
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..4).prop_map(Value::from),
        (-3_i32..4).prop_map(|number| json!(f64::from(number) / 2.0)),
        "[abAB1-]{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name(), inner, 0..4).prop_map(|members| json!(members)),
        ]
    })
}

fn assertion() -> impl Strategy<Value = (&'static str, Value)> {
    let kind = prop::sample::select(vec![
        "null", "boolean", "object", "array", "number", "string", "integer",
    ]);
    prop_oneof![
        kind.clone().prop_map(|kind| ("type", json!(kind))),
        prop::collection::btree_set(kind, 1..4).prop_map(|kinds| ("type", json!(kinds))),
        prop::collection::vec(value(), 1..4).prop_map(|values| ("enum", json!(values))),
        value().prop_map(|value| ("const", value)),
        (-3..4).prop_map(|number| ("minimum", json!(number))),
        (-3..4).prop_map(|number| ("exclusiveMaximum", json!(number))),
        (1..4).prop_map(|number| ("multipleOf", json!(number))),
        (0..4).prop_map(|number| ("maxLength", json!(number))),
        (0..3).prop_map(|number| ("minLength", json!(number))),
        (0..4).prop_map(|number| ("maxItems", json!(number))),
        (0..3).prop_map(|number| ("minProperties", json!(number))),
        prop::collection::btree_set(name(), 0..3).prop_map(|names| ("required", json!(names))),
        any::<bool>().prop_map(|unique| ("uniqueItems", json!(unique))),
        prop::sample::select(vec![
            "^[ab]+$",
            "a(?=b)",
            "^(?!.*--)",
            r"(.)\1",
            r"\d",
            "^A"
        ])
        .prop_map(|pattern| ("pattern", json!(pattern))),
        prop::sample::select(vec!["email", "date", "uri", "regex", "uuid"])
            .prop_map(|format| ("format", json!(format))),
    ]
}

fn schema() -> impl Strategy<Value = Value> {
    let reference = prop::sample::select(vec!["#", "#/$defs/a", "#/$defs/b", "#n"]);
    let leaf = prop_oneof![
        1 => any::<bool>().prop_map(Value::from),
        6 => prop::collection::vec(assertion(), 0..4).prop_map(object),
        2 => reference.prop_map(|target| json!({"$ref": target})),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        let list = || prop::collection::vec(inner.clone(), 1..4).prop_map(|list| json!(list));
        let map = |names: BTreeMap<String, Value>| json!(names);
        let by_name = || prop::collection::btree_map(name(), inner.clone(), 0..4).prop_map(map);
        let one = || inner.clone();
        let keyword = prop_oneof![
            assertion(),
            list().prop_map(|below| ("allOf", below)),
            list().prop_map(|below| ("anyOf", below)),
            list().prop_map(|below| ("oneOf", below)),
            one().prop_map(|below| ("not", below)),
            one().prop_map(|below| ("if", below)),
            one().prop_map(|below| ("then", below)),
            one().prop_map(|below| ("else", below)),
            by_name().prop_map(|below| ("properties", below)),
            one().prop_map(|below| ("patternProperties", json!({"^[ab]": below}))),
            one().prop_map(|below| ("additionalProperties", below)),
            one().prop_map(|below| ("propertyNames", below)),
            one().prop_map(|below| ("items", below)),
            list().prop_map(|below| ("prefixItems", below)),
            one().prop_map(|below| ("contains", below)),
            by_name().prop_map(|below| ("dependentSchemas", below)),
            one().prop_map(|below| ("unevaluatedProperties", below)),
            one().prop_map(|below| ("unevaluatedItems", below)),
        ];
        prop::collection::vec(keyword, 1..5).prop_map(object)
    })
}

fn object(members: Vec<(&'static str, Value)>) -> Value {
    let members = members.into_iter();
    Value::Object(
        members
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

fn whole() -> impl Strategy<Value = Value> {
    let drafts = prop::sample::select(vec![
        None,
        Some("https://json-schema.org/draft/2019-09/schema"),
        Some("http://json-schema.org/draft-07/schema#"),
    ]);
    (schema(), schema(), schema(), drafts).prop_map(|(root, a, b, draft)| {
        let mut root = match root {
            Value::Object(_) => root,
            other => json!({"allOf": [other]}),
        };
        let mut named = json!({"$anchor": "n", "allOf": [b.clone()]});
        if draft.is_some_and(|draft| draft.contains("draft-07")) {
            named = json!({"$id": "#n", "allOf": [b.clone()]});
        }
        root["$defs"] = json!({"a": a, "b": b, "n": named});
        if let Some(draft) = draft {
            root["$schema"] = json!(draft);
        }
        root
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn verdict_and_errors_are_those_of_the_library(source in whole(), values in prop::collection::vec(value(), 1..4)) {
        let plain = jsonschema::options().offline().build(&source);
        let ours = Schema::compile(source.clone(), None, None);
        // Parts made up at random may refer to each other so often that they are refused.
        prop_assume!(!matches!(ours, Err(Wrong::Costly(_))));
        prop_assert_eq!(plain.is_ok(), ours.is_ok(), "{}", source);
        let (Ok(plain), Ok(ours)) = (plain, ours) else { return Ok(()) };
        for value in &values {
            let expected: Vec<_> = plain.iter_errors(value).take(5).map(written).collect();
            let told = match ours.check(value, 5) {
                Ok(()) => {
                    prop_assert!(plain.is_valid(value), "{} {}", source, value);
                    continue;
                }
                Err(Unfit::Misfits(told)) => told,
                Err(Unfit::Unchecked(reason)) => return Err(TestCaseError::fail(format!("{source} {value} {reason}"))),
            };
            prop_assert!(!plain.is_valid(value), "{} {}", source, value);
            let told: Vec<_> = told.into_iter().map(written).collect();
            prop_assert_eq!(told, expected, "{} {}", source, value);
        }
    }
}

/// Places, keyword and text of an error.
fn written(error: jsonschema::ValidationError<'_>) -> [String; 4] {
    [
        error.instance_path().to_string(),
        error.schema_path().to_string(),
        format!("{:?}", error.kind()),
        error.to_string(),
    ]
}
