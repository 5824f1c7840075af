//! Schemas made to take the machine's time, and ordinary ones, which must not notice.

mod ordinary;

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Schema, Unchecked, Unfit, Wrong};

fn compiled(schema: &Value) -> Schema {
    match Schema::compile(schema.clone(), None, None) {
        Ok(schema) => schema,
        Err(Wrong::Schema(error)) => panic!("{schema:#}: {error}"),
        Err(Wrong::Costly(costly)) => panic!("{schema:#}: {}", costly.message),
    }
}

/// What is used up.
fn used_up(schema: &Value, value: &Value) -> &'static str {
    let schema = compiled(schema);
    let result = schema.check(value, 5);
    match result {
        Err(Unfit::Unchecked(Unchecked::Budget { resource, .. })) => resource,
        other => panic!("{:.300}", format!("{other:?}")),
    }
}

fn fits(schema: &Value, value: &Value) {
    let schema = compiled(schema);
    let result = schema.check(value, 5);
    assert!(result.is_ok(), "{:.300}", format!("{result:?}"));
}

fn refused(schema: &Value) -> (Option<String>, &'static str) {
    match Schema::compile(schema.clone(), None, None) {
        Ok(_) => panic!("taken: {schema:#}"),
        Err(Wrong::Schema(error)) => panic!("{error}"),
        Err(Wrong::Costly(costly)) => (costly.pointer, costly.message),
    }
}

/// `keyword` of two references to the next level, on each level; `part` is what stands beside each.
fn doubled(levels: usize, keyword: &str, part: &Value, leaf: Value) -> Value {
    let mut parts = serde_json::Map::new();
    for level in 0..levels {
        let mut next = part.clone();
        next["$ref"] = json!(format!("#/$defs/l{}", level + 1));
        let mut own = part.clone();
        own[keyword] = json!([next, next]);
        parts.insert(format!("l{level}"), own);
    }
    parts.insert(format!("l{levels}"), leaf);
    json!({"$ref": "#/$defs/l0", "$defs": parts})
}

#[test]
fn what_doubles_by_reference_without_looking_is_refused_as_a_schema() {
    let what = "a schema that refers on more than 100000 times for one value";
    for leaf in [
        json!(true),
        json!(false),
        json!({}),
        json!({"type": "string"}),
    ] {
        for keyword in ["allOf", "anyOf", "oneOf"] {
            let (_, message) = refused(&doubled(40, keyword, &json!({}), leaf.clone()));
            assert_eq!(message, what);
        }
    }
    let mut old = doubled(40, "allOf", &json!({}), json!({}));
    old["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    // In old drafts what stands beside a reference is not read: the root has to be reached otherwise.
    old["allOf"] = json!([{"$ref": "#/$defs/l0"}]);
    old.as_object_mut().unwrap().remove("$ref");
    assert_eq!(refused(&old).1, what);
    // Not where schemas are looked for, but where one is referred to.
    let odd = json!({"$ref": "#/const/l0", "const": doubled(40, "allOf", &json!({}), json!(true))["$defs"]});
    let odd: Value =
        serde_json::from_str(&odd.to_string().replace("#/$defs/", "#/const/")).unwrap();
    assert_eq!(refused(&odd).1, what);
}

#[test]
fn what_doubles_by_reference_while_looking_ends() {
    for keyword in ["allOf", "oneOf"] {
        let part = json!({"type": "object"});
        let schema = doubled(40, keyword, &part, json!({"required": ["a"]}));
        assert_eq!(used_up(&schema, &json!({"a": 1})), "steps");
    }
    let schema = doubled(
        40,
        "anyOf",
        &json!({"type": "object"}),
        json!({"required": ["a"]}),
    );
    assert_eq!(used_up(&schema, &json!({})), "steps");
    fits(&schema, &json!({"a": 1}));
}

fn nested(levels: usize, member: &str) -> Value {
    (0..levels).fold(json!({}), |inner, _| json!({member: inner}))
}

#[test]
fn recursion_that_doubles_with_each_level_of_the_data_ends() {
    let schema = json!({"properties": {"a": {"allOf": [{"$ref": "#/$defs/b"}, {"$ref": "#/$defs/c"}]}},
        "$defs": {"b": {"properties": {"a": {"allOf": [{"$ref": "#/$defs/b"}, {"$ref": "#/$defs/c"}]}}},
                  "c": {"properties": {"a": {"allOf": [{"$ref": "#/$defs/c"}, {"$ref": "#/$defs/b"}]}},
                        "not": {"required": ["z"], "properties": {"a": {"not": {"$ref": "#/$defs/b"}}}}}}});
    fits(&schema, &nested(8, "a"));
    // The library keeps what it knows of a part that refers to itself.
    fits(&schema, &nested(100, "a"));
    // It keeps nothing of other parts.
    let mut parts = serde_json::Map::new();
    for level in 0..60 {
        let next = json!({"$ref": format!("#/$defs/l{}", level + 1)});
        let part = json!({"properties": {"a": {"allOf": [next, next]}}});
        parts.insert(format!("l{level}"), part);
    }
    parts.insert("l60".into(), json!({"type": "object"}));
    let schema = json!({"$ref": "#/$defs/l0", "$defs": parts});
    assert_eq!(used_up(&schema, &nested(60, "a")), "steps");
    fits(&schema, &nested(10, "a"));
}

#[test]
fn patterns_on_long_texts_end() {
    let text = json!("a".repeat(100_000));
    let (pointer, message) = refused(&json!({"items": {"pattern": r"(\w{0,999}){0,999}b"}}));
    assert_eq!(
        message,
        "a pattern that is too large when it is written out"
    );
    assert_eq!(pointer.as_deref(), Some("/items/pattern"));
    let (pointer, _) = refused(&json!({"patternProperties": {"(a/b{0,999}){0,999}": true}}));
    assert_eq!(
        pointer.as_deref(),
        Some("/patternProperties/(a~1b{0,999}){0,999}")
    );
    for pattern in [
        r"(\w{0,500}){0,50}b",
        "[ab]*a[ab]{3000}c",
        "([a-z]{1,50} ?){50}$",
        r"(?=(a*a*)*b)c",
    ] {
        assert_eq!(
            used_up(&json!({"pattern": pattern}), &text),
            "steps",
            "{pattern}"
        );
        let of_names = json!({"patternProperties": {pattern: {"type": "string"}}});
        let value = json!({text.as_str().unwrap(): null});
        assert_eq!(used_up(&of_names, &value), "steps", "{pattern}");
        assert_eq!(
            used_up(&json!({"propertyNames": {"pattern": pattern}}), &value),
            "steps",
            "{pattern}"
        );
    }
    let many = json!({"allOf": (0..300).map(|i| json!({"pattern": format!("{i}[ab]{{5000}}")})).collect::<Vec<_>>()});
    assert_eq!(
        refused(&many).1,
        "patterns that together are too large when they are written out"
    );
}

#[test]
fn ordinary_patterns_take_ordinary_texts() {
    let password = json!({"pattern": r"^(?=.*[A-Z])(?=.*\d)(?!.*\s).{8,64}$"});
    let passwords: Vec<String> = (0..10_000).map(|i| format!("Passw0rd-{i}")).collect();
    fits(&json!({"items": password}), &json!(passwords));
    fits(
        &json!({"pattern": r"^((?!--).)*$"}),
        &json!("-+".repeat(1_000)),
    );
    fits(
        &json!({"pattern": r"^[A-Za-z0-9+/]+={0,2}$"}),
        &json!("QUJD".repeat(1_000_000)),
    );
    let skus: Vec<String> = (0..100_000).map(|i| format!("SKU-{i:06}")).collect();
    fits(
        &json!({"items": {"pattern": "^[A-Z]{3}-[0-9]{6}$"}}),
        &json!(skus),
    );
    let schema = compiled(&json!({"pattern": r"^(?!.*x)(a|b)+$"}));
    let unfit = json!("abx");
    assert!(matches!(schema.check(&unfit, 5), Err(Unfit::Misfits(told)) if told.len() == 1));
}

#[test]
fn much_ordinary_data_is_taken() {
    let schema = json!({
        "type": "object",
        "required": ["rows"],
        "properties": {"rows": {"type": "array", "items": {
            "type": "object",
            "required": ["id", "name", "price", "tags"],
            "additionalProperties": false,
            "properties": {
                "id": {"type": "integer", "minimum": 0},
                "name": {"type": "string", "minLength": 1, "maxLength": 80},
                "price": {"type": "number", "exclusiveMinimum": 0},
                "state": {"enum": ["new", "paid", "sent"]},
                "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": true},
                "shape": {"oneOf": [{"$ref": "#/$defs/circle"}, {"$ref": "#/$defs/square"}]}}}}},
        "$defs": {
            "circle": {"required": ["radius"], "properties": {"radius": {"type": "number"}}},
            "square": {"required": ["side"], "properties": {"side": {"type": "number"}}}}});
    let rows: Vec<Value> = (0..50_000)
        .map(|i| {
            json!({"id": i, "name": format!("row {i}"), "price": 0.5, "state": "paid", "tags": ["a", "b"],
                   "shape": {"side": 2}})
        })
        .collect();
    fits(&schema, &json!({"rows": rows}));
}

#[test]
fn items_that_hash_alike_and_large_ones_end() {
    let unique = json!({"items": {"items": true}, "uniqueItems": true});
    // Twenty thousand ways to put one text into brackets.
    let brackets = |i: u32| {
        (0..16).fold(json!([1]), |inner, bit| match i >> bit & 1 {
            0 => json!([inner, []]),
            _ => json!([[], inner]),
        })
    };
    fits(
        &unique,
        &Value::from((0..20_000).map(brackets).collect::<Vec<_>>()),
    );
    // As floats they are the same, two thousand at a time.
    let near: Vec<u64> = (0..50_000).map(|i| u64::MAX - i).collect();
    fits(&json!({"uniqueItems": true}), &json!(near));
    let long = "x".repeat(1_000_000);
    let long: Vec<String> = (0..15).map(|i| format!("{long}{i:x}")).collect();
    fits(&unique, &json!(long));
    let nested: Vec<Value> = (0..200).map(|i| json!([i, vec![0; 10_000]])).collect();
    let again = (0..100).fold(
        json!({"uniqueItems": true}),
        |schema, _| json!({"uniqueItems": true, "allOf": [schema]}),
    );
    assert_eq!(used_up(&again, &json!(nested)), "steps");
}

#[test]
fn whether_items_differ_is_what_the_standard_says() {
    let schema = compiled(&json!({"uniqueItems": true}));
    let pairs = [
        (json!(1), json!(1.0), false),
        (json!(0.0), json!(-0.0), false),
        (
            json!({"a": 1, "b": [2]}),
            json!({"b": [2.0], "a": 1}),
            false,
        ),
        (json!([1, 2]), json!([2, 1]), true),
        (json!("1"), json!(1), true),
        (json!(false), json!(0), true),
        (json!([[], [1]]), json!([[1], []]), true),
        (json!(u64::MAX), json!(u64::MAX - 1), true),
        (
            json!(1_u64 << 63),
            json!(9_223_372_036_854_775_808.0),
            false,
        ),
        (json!(u64::MAX), json!(18_446_744_073_709_551_615.0), true),
        (json!(-3), json!(-3.0), false),
    ];
    for (one, other, unique) in pairs {
        for filler in [0, 40] {
            let mut items: Vec<Value> = (0..filler).map(|i| json!(format!("filler {i}"))).collect();
            items.insert(0, one.clone());
            items.push(other.clone());
            assert_eq!(
                schema.check(&json!(items), 1).is_ok(),
                unique,
                "{one} {other} {filler}"
            );
        }
    }
}

#[test]
fn resources_that_lead_to_each_other_in_ever_more_ways_are_refused() {
    let mut parts = serde_json::Map::new();
    for level in 0..30 {
        for side in ["a", "b"] {
            let next = level + 1;
            let refer = |side| json!({"$ref": format!("https://example.com/{side}{next}")});
            let part = json!({"$id": format!("https://example.com/{side}{level}"), "type": "object",
                "properties": {"a": refer("a"), "b": refer("b")}});
            parts.insert(format!("{side}{level}"), part);
        }
    }
    for side in ["a", "b"] {
        parts.insert(
            format!("{side}30"),
            json!({"$id": format!("https://example.com/{side}30")}),
        );
    }
    let schema = json!({"$ref": "https://example.com/a0", "$defs": parts});
    assert_eq!(
        refused(&schema).1,
        "a schema whose parts refer to each other in too many ways or too deep"
    );
}

/// The way to a part gets longer with each round.
#[test]
fn resources_that_lead_back_to_each_other_are_taken() {
    let schema = json!({"$ref": "https://example.com/a", "$defs": {
        "a": {"$id": "https://example.com/a", "required": ["id"], "properties": {"of": {"$ref": "b"}}},
        "b": {"$id": "https://example.com/b", "properties": {"last": {"$ref": "./a#"}}},
        "c": {"$id": "https://example.com/c", "$ref": "d"},
        "d": {"$id": "https://example.com/d", "$ref": "c"}}});
    fits(&schema, &json!({"id": 1, "of": {"last": {"id": 2}}}));
    let schema = compiled(&schema);
    let unfit = json!({"id": 1, "of": {"last": {}}});
    assert!(matches!(schema.check(&unfit, 5), Err(Unfit::Misfits(told)) if told.len() == 1));
    let mut round = json!({"$ref": "https://example.com/c"});
    round["$defs"] = schema.source["$defs"].clone();
    fits(&round, &json!({}));
}

#[test]
fn long_chains_of_references_are_followed() {
    let mut parts = serde_json::Map::new();
    for level in 0..20_000 {
        parts.insert(
            format!("l{level}"),
            json!({"$ref": format!("#/$defs/l{}", level + 1)}),
        );
    }
    parts.insert("l20000".into(), json!({"type": "string"}));
    let schema = compiled(&json!({"$ref": "#/$defs/l0", "$defs": parts}));
    assert!(schema.check(&json!("text"), 1).is_ok());
    assert!(matches!(schema.check(&json!(1), 1), Err(Unfit::Misfits(told)) if told.len() == 1));
}

#[test]
fn errors_hold_bounded_memory() {
    let schema = compiled(&json!({"items": {"type": "string"}}));
    let wrong = Value::from(vec![1; 1_000_000]);
    let Err(Unfit::Misfits(told)) = schema.check(&wrong, 20) else {
        panic!("taken")
    };
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].instance_path().as_str(), "/0");
}

/// Steps, not time: what a value costs does not depend on what was checked before.
#[test]
fn the_same_value_always_takes_the_same() {
    let schema = compiled(&json!({"items": {"pattern": "^(a|b){1,900}$"}}));
    let text = "ab".repeat(400);
    let fits = |count: usize| schema.check(&json!(vec![&text; count]), 1).is_ok();
    let (mut enough, mut too_many) = (1, 1_000);
    while too_many - enough > 1 {
        let middle = usize::midpoint(enough, too_many);
        *if fits(middle) {
            &mut enough
        } else {
            &mut too_many
        } = middle;
    }
    assert!(enough > 10, "{enough}");
    for _ in 0..3 {
        assert!(fits(enough) && !fits(too_many));
    }
}

#[test]
fn what_is_told_names_the_limit_and_what_to_do() {
    let mut told = String::new();
    let schema = compiled(&json!({"pattern": "[ab]*a[ab]{3000}c"}));
    let text = json!("a".repeat(100_000));
    if let Err(Unfit::Unchecked(reason)) = schema.check(&text, 1) {
        write!(told, "{reason}").unwrap();
    }
    assert!(
        told.contains("steps") && told.contains("10000000") && told.contains("smaller"),
        "{told}"
    );
}
