//! What is too large, too deep or too much is refused with a reason, and no text makes the reader fall over.

use flame_dsl::{
    EXPRESSIONS_MAX, Format, NESTING_MAX, PROBLEMS_MAX, Problem, Rule, TEXT_BYTES_MAX, VALUES_MAX,
    document_kind, link, parse, parse_bytes, parse_pipeline, to_json,
};
use proptest::prelude::*;
use serde_json::Value;

const EVERYTHING: &str = include_str!("fixtures/everything.yaml");

/// The only problem of a text that can't be read.
fn refused(text: &str, format: Format) -> Problem {
    let mut problems = parse(text, format).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.remove(0)
}

#[test]
fn a_text_that_is_too_large_is_refused_before_it_is_read() {
    let large = vec![0xff; TEXT_BYTES_MAX + 1];
    for format in [Format::Yaml, Format::Json] {
        let problems = parse_bytes(&large, format).unwrap_err();
        assert_eq!(problems[0].code.map(|code| code.as_str()), Some("MD-102"));
        assert_eq!(problems[0].rule, Rule::Limit);
    }
    let problem = refused(&" ".repeat(TEXT_BYTES_MAX + 1), Format::Yaml);
    assert!(problem.message.contains("4194305 bytes"), "{problem}");
}

#[test]
fn bytes_that_are_not_text_have_a_place() {
    let problems = parse_bytes(b"a: 1\n\xc3\xa4b: \xff\n", Format::Yaml).unwrap_err();
    assert_eq!((problems[0].line, problems[0].column), (2, 5));
    assert_eq!(problems[0].value.as_deref(), Some("0xff"));
}

#[test]
fn ten_thousand_levels_are_refused() {
    let block = |levels: usize| {
        (0..levels)
            .map(|level| format!("{}a:\n", " ".repeat(level)))
            .collect::<String>()
    };
    for text in [
        "[".repeat(10_000),
        "{a: ".repeat(10_000),
        "{\"a\": ".repeat(10_000),
        "- ".repeat(10_000),
        "? ".repeat(10_000),
        block(2_000),
        format!("{}{}", "[".repeat(10_000), "]".repeat(10_000)),
    ] {
        let problem = refused(&text, Format::Yaml);
        let start: String = text.chars().take(20).collect();
        let complex_key = problem.message.starts_with("a key must be text");
        assert!(
            problem.rule == Rule::Limit || complex_key,
            "{start}: {problem}"
        );
    }
    for text in ["[".repeat(10_000), "{\"a\":".repeat(10_000)] {
        assert_eq!(refused(&text, Format::Json).rule, Rule::Limit);
    }
}

#[test]
fn the_deepest_that_is_taken_is_taken() {
    for format in [Format::Yaml, Format::Json] {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(to_json(&nested(NESTING_MAX), format).is_ok());
        let problems = to_json(&nested(NESTING_MAX + 1), format).unwrap_err();
        assert_eq!(problems[0].rule, Rule::Limit);
        assert_eq!(problems[0].column as usize, NESTING_MAX + 1);
    }
}

#[test]
fn aliases_that_multiply_are_refused_before_they_fill_the_memory() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..20 {
        let alias = format!("*a{}, ", level - 1).repeat(10);
        text.push_str(&format!("a{level}: &a{level} [{alias}]\n"));
    }
    assert_eq!(refused(&text, Format::Yaml).rule, Rule::Limit);
    let deep = format!("a: &a {}1{}\n", "[".repeat(100), "]".repeat(100));
    let deeper = format!("{deep}b: {}*a{}\n", "[".repeat(100), "]".repeat(100));
    assert_eq!(refused(&deeper, Format::Yaml).rule, Rule::Limit);
}

#[test]
fn values_and_problems_are_counted() {
    let many = format!("[{}]", vec!["1"; VALUES_MAX + 1].join(","));
    for format in [Format::Yaml, Format::Json] {
        assert_eq!(refused(&many, format).rule, Rule::Limit);
    }
    let repeated: String = "a: 1\n".repeat(1_000);
    assert_eq!(
        parse(&repeated, Format::Yaml).unwrap_err().len(),
        PROBLEMS_MAX + 1
    );
    let text = "${.a}".repeat(EXPRESSIONS_MAX + 10);
    let head = "document: {dsl: '1.0.3', namespace: n, name: w, version: '1.0.0'}";
    let problem = refused(
        &format!("{head}\ndo: [a: {{set: {{x: '{text}'}}}}]"),
        Format::Yaml,
    );
    assert_eq!(problem.rule, Rule::Limit);
    let unknown: String = (0..1_000).map(|at| format!("key{at}: 1\n")).collect();
    let problems = parse(&unknown, Format::Yaml).unwrap_err();
    assert_eq!(problems.len(), PROBLEMS_MAX + 1);
    assert!(problems[PROBLEMS_MAX].message.contains("more problems"));
}

/// Everything that reads text, for texts that nobody has thought of.
fn read_all(bytes: &[u8]) {
    for format in [Format::Yaml, Format::Json] {
        if let Err(problems) = parse_bytes(bytes, format) {
            assert!(!problems.is_empty());
            for problem in problems {
                assert!(problem.line >= 1 && problem.column >= 1, "{problem:?}");
                let start = (problem.line, problem.column);
                assert!(
                    (problem.end_line, problem.end_column) >= start,
                    "{problem:?}"
                );
            }
        }
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        document_kind(text, Format::Yaml);
        drop(parse_pipeline(text, Format::Yaml));
    }
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1.0e9..1.0e9).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read_all(&bytes);
    }

    #[test]
    fn any_text_of_what_yaml_is_made_of(text in "[-:{}\\[\\]\"'&*!|>%@#?,.$ \\n\\t\\r\\\\a-c0-2äé~<=]{0,200}") {
        read_all(text.as_bytes());
    }

    #[test]
    fn a_document_with_parts_torn_out_and_put_in(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..40_usize, "[-:{}\\[\\]\"'$ \\n\\ta-c*&|]{0,6}"), 1..6),
    ) {
        let mut text: Vec<char> = EVERYTHING.chars().collect();
        for (at, length, put) in cuts {
            let at = at.index(text.len());
            let end = (at + length).min(text.len());
            text.splice(at..end, put.chars());
        }
        let text: String = text.into_iter().collect();
        if let Err(problems) = parse(&text, Format::Yaml) {
            prop_assert!(problems.iter().all(|p| p.line as usize <= text.lines().count() + 1));
        }
    }

    #[test]
    fn json_is_read_as_serde_json_reads_it(value in json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value).unwrap() } else { value.to_string() };
        let expected: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(to_json(&text, Format::Json).unwrap(), expected);
    }
}

#[test]
fn schemas_that_refer_to_ever_more_are_refused() {
    let text = "{document: {dsl: 1.0.3, namespace: test, name: chain, version: 1.0.0}, \
                input: {schema: {document: {$ref: 'https://example.com/0.json'}}}, do: [{a: {set: {b: 1}}}]}";
    let mut workflow = parse(text, Format::Yaml).unwrap();
    let mut texts = flame_dsl::Externals::new();
    let refused = loop {
        let [missing] = workflow.missing.as_slice() else {
            panic!("one text after the other, not {:?}", workflow.missing);
        };
        let (address, count) = (missing.address.to_string(), texts.len());
        assert_eq!(address, format!("https://example.com/{count}.json"));
        let next = format!(r#"{{"$ref": "{}.json"}}"#, count + 1);
        texts.insert(address.into(), next.into());
        match link(&workflow, texts.clone()) {
            Ok(linked) => workflow = linked,
            Err(problems) => break problems,
        }
    };
    assert_eq!(texts.len(), 32);
    assert_eq!(refused[0].rule, Rule::Limit);
    assert!(
        refused[0].message.contains("more than 32 texts"),
        "{}",
        refused[0]
    );
}

#[test]
fn schemas_that_cost_too_much_are_refused_by_name() {
    let head = "document: {dsl: 1.0.3, namespace: test, name: costly, version: 1.0.0}\n";
    let tasks = "do: [{a: {set: {b: 1}}}]\n";
    let refused = |schema: &str| {
        let text = format!("{head}input: {{schema: {schema}}}\n{tasks}");
        parse(&text, Format::Yaml).unwrap_err().remove(0)
    };
    let problem = refused(r"{document: {properties: {name: {pattern: '(\w{0,999}){0,999}b'}}}}");
    assert_eq!(
        (problem.line, &*problem.pointer),
        (2, "/input/schema/document/properties/name/pattern")
    );
    assert_eq!(problem.value.as_deref(), Some(r"(\w{0,999}){0,999}b"));
    assert!(problem.message.contains("too large"), "{problem}");
    assert!(problem.hint.unwrap().contains("less repetition"));

    let levels: String = (0..40)
        .map(|at| {
            let next = at + 1;
            format!(
                "l{at}: {{allOf: [{{$ref: '#/$defs/l{next}'}}, {{$ref: '#/$defs/l{next}'}}]}}, "
            )
        })
        .collect();
    let doubled = format!("{{$ref: '#/$defs/l0', $defs: {{{levels} l40: {{type: string}}}}}}");
    let problem = refused(&format!("{{document: {doubled}}}"));
    assert_eq!(&*problem.pointer, "/input/schema/document");
    assert!(
        problem.message.contains("more than 100000 times"),
        "{problem}"
    );

    let endpoint = "https://example.com/schema.yaml";
    let text =
        format!("{head}input: {{schema: {{resource: {{endpoint: '{endpoint}'}}}}}}\n{tasks}");
    let workflow = parse(&text, Format::Yaml).unwrap();
    for (schema, told) in [
        (doubled.as_str(), "more than 100000 times"),
        (r"{pattern: '(\w{0,999}){0,999}b'}", "too large"),
        ("{$ref: other.yaml}", "too large"),
    ] {
        let mut texts = flame_dsl::Externals::new();
        texts.insert(endpoint.into(), format!("# YAML\n{schema}").into());
        let other = "properties: {a: {pattern: '([a-z]{0,999}){0,999}b'}}";
        texts.insert("https://example.com/other.yaml".into(), other.into());
        let problem = link(&workflow, texts).unwrap_err().remove(0);
        assert_eq!(&*problem.pointer, "/input/schema/resource/endpoint");
        assert!(problem.message.contains(told), "{problem}");
    }
}
