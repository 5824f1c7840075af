//! Expressions made to take the process down. Each must end, with an error of its own, in bounded memory.
//! Where one got through, the whole test process would be gone.

use serde_json::{Value, json};

use super::{Expression, ExpressionError, evaluate};

/// Bytes that the process may have had at its peak.
const RESIDENT_BYTES_MAX: usize = 500 * 1024 * 1024;

fn check(resource: &str, sources: &[&str]) {
    for source in sources {
        let result = evaluate(source, &Value::Null);
        let Err(ExpressionError::Budget {
            resource: used_up, ..
        }) = &result
        else {
            panic!("{source} gives {:.200}", format!("{result:?}"));
        };
        assert_eq!(*used_up, resource, "{source}");
    }
    let peak = peak_resident_bytes();
    assert!(peak < RESIDENT_BYTES_MAX, "{} MiB", peak / 1024 / 1024);
}

/// Zero where the system does not say.
fn peak_resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    kibibytes.unwrap_or(0) * 1024
}

#[test]
fn endless_streams_and_loops_end() {
    check(
        "steps",
        &[
            "[limit(1e12; repeat(1))]",
            "def f: f; f",
            "last(range(1e12))",
            "until(false; . + 1)",
            "[[range(1000)], [range(1000)], [range(1000)]] | [combinations]",
        ],
    );
}

#[test]
fn long_texts_gone_over_again_and_again_end() {
    check(
        "steps",
        &[
            "(\" \" * 10000000) as $x | [range(1000) | $x | trim | length] | length",
            "(\"x\" * 10000000) as $x | [range(1000) | $x | ltrimstr(\"x\") | length] | length",
            "(\"1\" * 100000) as $x | [range(100000) | $x | tonumber] | length",
            "(\"é\" * 1000000) as $x | [range(10000) | $x[-1:]] | length",
            "(\"<\" * 100000) as $x | [range(100000) | $x | @html | length] | length",
            "[range(100000) | {key: tostring, value: 1}] as $x | [range(1000) | $x | from_entries | length] | length",
        ],
    );
}

#[test]
fn lists_that_jaq_keeps_are_dropped() {
    check(
        "steps",
        &[
            "def f(g): f(g + 1); f(.)",
            "def f(g; h): f(h; g | h); f(.; .)",
            "def f(g): def h(i): f(i | g); h(g); f(. + 1)",
            "path(last(repeat(.a)))",
            "path(def f: .a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a|f; f)",
            "getpath([range(1000000) | \"a\"])",
        ],
    );
}

#[test]
fn searches_without_end_end() {
    check(
        "steps",
        &[
            "(\"a\" * 100000) | [match(\"a(.*z)?\"; \"g\")]",
            "(\"a\" * 10000) | test(\"(a?){900}a{900}b\")",
            "(\"a\" * 60) | test(\"^(?=b|(a+)+$)(a|a)*\\\\1b\")",
            "(\"ab\" * 100000) | [match(\"(?=(.*)b)(?!\\\\1b)a\"; \"g\")]",
            "range(1e9) | tostring | test(\"\\(.)z\") | select(.)",
            "[range(2000)] | map(. as $x | [range(2000)] | index($x))",
        ],
    );
}

#[test]
fn recursion_does_not_overflow_the_stack() {
    check(
        "recursion",
        &[
            "def f: 1 + f; f",
            "def f: (f | .), 1; f",
            "def f: [f]; f",
            "def f: {a: f}; f",
            "def f: f as $x | $x; f",
            "def f: reduce f as $x (0; .); f",
            "def f: foreach f as $x (0; .); f",
            "def f: try f catch .; f",
            "def f: try error(\"x\") catch f; f",
            "def f: label $x | f; f",
            "def f: first(f); f",
            "def f: limit(1; f); f",
            "def f: .a |= f; f",
            "def f: if f then 1 else 2 end; f",
            "def f: -f; f",
            "def f: \"\\(f)\"; f",
            "def f: f?; f",
            "def f: .[f]; f",
            "def f: f // 1; f",
            "def f: f and f; f",
            "def f: f == f; f",
            "def f: [., .] | map(f); f",
            "setpath([range(100000) | \"a\"]; 1)",
            "null | setpath([range(1000000) | 0]; 1)",
        ],
    );
}

#[test]
fn values_do_not_outgrow_memory() {
    check(
        "memory",
        &[
            "reduce range(100) as $i (\"x\"; . + .)",
            "\"x\" * 1e9",
            "reduce range(60) as $i ([1]; [., .])",
            "reduce range(60) as $i ({}; {a: ., b: .})",
            "reduce range(24) as $i ([1]; . + .) | tojson",
            "[limit(1e6; repeat(\"x\" * 1000))]",
            "[limit(3000; repeat(\"x\" * 100000))]",
            "(\"[0\" + \",0\" * 10000000 + \"]\") | fromjson",
            "\"\\u0000\" * 1e7 | tojson",
            "(\"<\" * 1e7) | @html",
            ".[1e9] = 1",
            "[path(repeat(.a))]",
            "[range(1e12)]",
            "[range(0; infinite)]",
            "[range(0; 10; 1e-9)]",
            "[recurse(., .)]",
            "def f: f, f; f",
            "([range(1e4)]) as $s | [range(1e4)] | map($s) | . == .",
            "[range(1e4) | tostring * 1000] | join(\",\")",
        ],
    );
}

#[test]
fn values_do_not_nest_without_end() {
    check(
        "nesting",
        &[
            "reduce range(1e6) as $i (null; [.])",
            "reduce range(1e6) as $i (null; {a: .})",
            "reduce range(1e6) as $i (null; .a |= {b: .})",
            "reduce range(1000) as $i (0; walk([.]))",
            "last(recurse([.]))",
            "setpath([range(200) | \"a\"]; 1)",
        ],
    );
}

#[test]
fn what_is_deep_stays_outside() {
    let nested =
        |levels: usize| (0..levels).fold(Value::from(1), |value, _| Value::from(vec![value]));
    assert_eq!(evaluate("[..] | length", &nested(99)), Ok(json!(100)));
    // Dropping what nests so deep is not for the thread's small stack.
    stacker::grow(256 * 1024 * 1024, || {
        let deep = nested(20_000);
        for source in [
            ".",
            "[.]",
            "tojson",
            "[..] | length",
            ". == .",
            "{a: .}",
            "map(.)",
        ] {
            let result = evaluate(source, &deep);
            let expected = matches!(
                result,
                Err(ExpressionError::Budget {
                    resource: "nesting",
                    ..
                })
            );
            assert!(expected, "{source}");
        }
        assert_eq!(evaluate(".[0] | length", &deep), Ok(json!(1)));
    });
}

#[test]
fn nonsense_for_libraries_is_an_error_or_a_value() {
    for source in [
        "1e300 | todate",
        "-1e18 | gmtime",
        "[2024, 127, 1, 0, 0, 0] | mktime",
        "infinite | todate",
        "nan | gmtime",
        "[2024, 1, 1, 0, 0, 1e300] | mktime",
        "[nan, 1, 1, 0, 0, 0] | mktime",
        "0 | strftime(\"%\" + \"9\" * 500 + \"d\")",
        "[-9223372036854775807, -9223372036854775808] | implode",
        "[nan, 1, nan, 0.5] | sort",
        "\"a\" | test(\"(\")",
        "\"a\" | test(\"a{99999}{99999}\")",
        "\"\" | strptime(\"%\")",
        "ldexp(1; 1e18)",
        "scalb(1; 1e18)",
        "fmod(1e308; 1e-308)",
        "-9223372036854775808 / -1",
        "-9223372036854775808 % -1",
        "1 % 0.5",
        "nan % nan",
        "limit(-1; 1)",
        "\"%ff%41\" | @urid",
        "\"////\" | @base64d",
        "[1114112, -5, 55296] | implode",
        ".[nan] = 1",
        "[1] | .[nan]",
        "[range(10)] | .[-1e300:1e300]",
        "\"äöü\" | .[1e300:]",
        "[1, 2] | .[1:0] = [9]",
        "1 | ltrimstr(\"a\")",
        "{} | .[[]]",
        "[.[]?] | implode",
        "\"x\" * nan",
        "\"x\" * infinite * 0",
        "\"\" * 1e300",
        "splits(1)",
    ] {
        if let Err(ExpressionError::Failed { message }) = evaluate(source, &Value::Null) {
            assert!(!message.contains("broke down"), "{source}: {message}");
        }
    }
}

#[test]
fn an_expression_works_again_after_it_has_gone_too_far() {
    let expression = Expression::compile("[range(.)] | length", &[]).unwrap();
    for _ in 0..2 {
        assert!(matches!(
            expression.evaluate(&json!(1e12), &|_| None),
            Err(ExpressionError::Budget { .. })
        ));
        assert_eq!(expression.evaluate(&json!(5), &|_| None), Ok(json!(5)));
    }
}
