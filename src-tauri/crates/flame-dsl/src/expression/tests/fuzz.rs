//! Made-up expressions: none may panic, and the short way may not differ from jaq.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Expression, ExpressionError, evaluate_by_jaq};

fn input() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-5_i64..5).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        Just(json!(1.5)),
        Just(json!(2.0)),
        "[a-cü\\\\\"]{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-c]", inner), 0..4).prop_map(Value::from_iter),
        ]
    })
}

/// What the short way knows, and a little more.
fn plain_source() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        ".",
        ".a",
        ".b",
        ".a.b",
        ".a[0]",
        ".[1]",
        ".[-1].c",
        ".[]",
        ".a[]",
        ".[].b",
        "1",
        "0",
        "2.5",
        "-1",
        "\"a\"",
        "\"x\\(.a)y\"",
        "null",
        "true",
        "false",
        "[]",
        "{}",
        "{a, b: .c}",
        "1e308",
        "9007199254740993",
        "18446744073709551615",
        "$x",
        "$x.a",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 3, |inner| {
        let two = (inner.clone(), inner.clone());
        let operator = prop::sample::select(vec![
            "+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "and", "or", "//", "|", ",",
        ]);
        let function = prop::sample::select(vec![
            "not",
            "length",
            "keys",
            "first",
            "last",
            "add",
            "type",
            "tostring",
            "ascii_downcase",
            "ascii_upcase",
            "floor",
            "round",
            "ceil",
            "any",
            "all",
            "tojson",
            "sort",
            "unique",
            "abs",
            "min",
        ]);
        let unary = prop::sample::select(vec![
            "map",
            "select",
            "any",
            "all",
            "has",
            "join",
            "startswith",
            "endswith",
            "contains",
            "ltrimstr",
            "index",
        ]);
        prop_oneof![
            (two.clone(), operator)
                .prop_map(|((left, right), operator)| format!("({left} {operator} {right})")),
            (inner.clone(), function).prop_map(|(term, function)| format!("({term} | {function})")),
            (two.clone(), unary)
                .prop_map(|((term, argument), unary)| format!("({term} | {unary}({argument}))")),
            two.clone()
                .prop_map(|(key, value)| format!("{{a: {key}, \"b c\": {value}}}")),
            two.clone()
                .prop_map(|(left, right)| format!("[{left}, {right}]")),
            (two, inner.clone()).prop_map(|((condition, then), otherwise)| {
                format!("if {condition} then {then} else {otherwise} end")
            }),
            inner.prop_map(|term| format!("-({term})")),
        ]
    })
}

/// Anything goes.
fn wild_source() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        8 => plain_source(),
        1 => prop::sample::select(vec![
            "..", "empty", "error", "range(5)", "input", "path(..)", "tostream", "paths", "f", "break $out", "$__loc__",
            "@csv", "@tsv", "@html", "@sh", "@uri", "@base64", "@base64d", "@json", "to_entries", "from_entries", "nan",
            "infinite", "transpose", "combinations", "explode", "implode", "gmtime", "mktime", "todate", "reverse",
            "flatten", "tonumber", "fromjson", "recurse", "env", "group_by(.a)", "ascii", "leaf_paths", "@text",
        ]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(3, 24, 3, |inner| {
        let two = (inner.clone(), inner.clone());
        let binary = prop::sample::select(vec![
            "=", "|=", "+=", "-=", "*=", "/=", "%=", "//=", "|", ",",
        ]);
        let unary = prop::sample::select(vec![
            "map",
            "select",
            "path",
            "del",
            "first",
            "last",
            "recurse",
            "walk",
            "sort_by",
            "group_by",
            "unique_by",
            "min_by",
            "with_entries",
            "to_entries | map",
            "paths",
            "getpath",
            "delpaths",
            "flatten",
            "range",
            "splits",
            "test",
            "match",
            "capture",
            "scan",
            "split",
            "ltrimstr",
            "limit(3; repeat",
            "isempty",
            "error",
            "tojson | test",
            "map_values",
            "any",
            "all",
            "add",
            "IN",
            "INDEX",
            "indices",
            "inside",
            "bsearch",
            "strftime",
            "strptime",
            "combinations",
            "until(length > 3;",
            "while(length < 3;",
            "pick",
            "has",
            "in",
            "nth",
            "contains",
        ]);
        prop_oneof![
            (two.clone(), binary)
                .prop_map(|((left, right), binary)| format!("({left} {binary} {right})")),
            (two.clone(), unary).prop_map(|((term, argument), unary)| {
                let open = unary.matches('(').count();
                let call = if unary.ends_with(';') {
                    format!("{unary} {argument})")
                } else {
                    format!("{unary}({argument})")
                };
                let close = if unary.ends_with(';') { 0 } else { open };
                format!("({term} | {call}{})", ")".repeat(close))
            }),
            two.clone()
                .prop_map(|(over, update)| format!("reduce ({over}) as $x (.; {update})")),
            two.clone().prop_map(|(over, update)| format!(
                "[limit(9; foreach ({over}) as [$x, {{a: $y}}] (.; {update}))]"
            )),
            two.clone()
                .prop_map(|(term, caught)| format!("(try {term} catch {caught})")),
            two.clone()
                .prop_map(|(body, call)| format!("(def f: {body}; {call})")),
            two.clone()
                .prop_map(|(body, call)| format!("(def f(g): {body} | g; {call} | f({body}))")),
            two.clone().prop_map(|(from, to)| format!(".[{from}:{to}]")),
            two.clone()
                .prop_map(|(key, value)| format!("{{({key}): {value}}}")),
            two.prop_map(|(bound, body)| format!("(label $out | {bound} as $x | {body})")),
            inner.clone().prop_map(|term| format!("({term})?")),
            inner.clone().prop_map(|term| format!("[{term}]")),
            inner.prop_map(|term| format!("\"\\({term})\"")),
        ]
    })
}

/// Neither compiling nor evaluating panics; what comes out is a value or an error that is not jaq's downfall.
fn survives(source: &str, input: &Value) -> Result<(), TestCaseError> {
    let expression = match Expression::compile(source, &["x"]) {
        Ok(expression) => expression,
        Err(ExpressionError::Syntax { offset, .. }) => {
            prop_assert!(offset <= source.len());
            return Ok(());
        }
        Err(other) => return Err(TestCaseError::fail(format!("{source}: {other:?}"))),
    };
    match expression.evaluate(input, &|_| Some(input)) {
        Err(ExpressionError::Failed { message }) => {
            prop_assert!(!message.contains("broke down"), "{source}: {message}")
        }
        Err(ExpressionError::Syntax { .. }) => return Err(TestCaseError::fail(source.to_owned())),
        _ => {}
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_short_way_is_jaqs_way(source in plain_source(), input in input()) {
        let source = source.replace("$x", ".b");
        let expression = Expression::compile(&source, &[]).unwrap();
        let text = |result: Result<Value, ExpressionError>| result.map(|value| value.to_string());
        prop_assert_eq!(
            text(expression.evaluate(&input, &|_| None)),
            text(evaluate_by_jaq(&expression, &input)),
            "{} of {}", source, input
        );
    }

    #[test]
    fn wild_expressions_do_no_harm(source in wild_source(), input in input()) {
        survives(&source, &input)?;
    }

    #[test]
    fn any_text_does_no_harm(source in "[-a-f.\\[\\](){}|,:;$@\"\\\\?/=+*<>0-9 #_ü\n]{0,40}", input in input()) {
        survives(&source, &input)?;
    }

    #[test]
    fn any_pattern_does_no_harm(pattern in "[a-c.*+?()\\[\\]{}0-9|^$\\\\pL,]{0,12}", text in "[a-cü\n]{0,30}", flags in "[gimnsxlp]{0,3}") {
        let expression = Expression::compile("[.t | match($x.p; $x.f)] | length", &["x"]).unwrap();
        let input = json!({"t": text, "p": pattern, "f": flags});
        if let Err(ExpressionError::Failed { message }) = expression.evaluate(&input, &|_| Some(&input)) {
            prop_assert!(!message.contains("broke down"), "{pattern}: {message}");
        }
    }

    #[test]
    fn any_json_passes_unchanged(input in input()) {
        let through = Expression::compile(".", &[]).unwrap();
        prop_assert_eq!(through.evaluate(&input, &|_| None), Ok(input.clone()));
        prop_assert_eq!(evaluate_by_jaq(&through, &input), Ok(input));
    }
}
