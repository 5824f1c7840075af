//! Every filter with every sort of value.

use serde_json::Value;

use super::differences::DIFFERENCES;
use super::{Answer, Libjq, ours, same};

/// Of each sort of value some, and those at the edges.
const VALUES: &str = r#"[
    null, true, false, 0, 1, -1, 2.5, -2, 3, 10, 100000, 4294967296, 0.1, 1425599507,
    "", "a", "abc", "ABC", "aXbxc", "ü€😀", " a ", "\t\n x", "1", "1.5", "nan", "-5", " 5", "+5", "0x1", "1e2", "[1]",
    "{\"a\":1}", "tru", "true", "a,b", "a, b", "2015-03-05T23:51:47Z", "abcabc", "<&'\">", "YWJj", "YWI=", "%41%zz",
    "a b/c?d", "\\", "aaa", "\u0000", "\u007f", "x\"y",
    [], [1], [null], [1, 2, 3], ["a", "b"], [[1, 2], [3]], [{"a": 1}, {"a": 0, "b": 2}], [["a", 1]], [3, 1, 2, 1],
    [true, null], [0.1, 0.2], [null, "a", 1], ["a", null, "b"], [[]], [[], [[]]], [{}], [1, [2, [3, [4]]]],
    [{"key": "a", "value": 1}], [{"name": "x", "value": false}], [{"Key": "K", "Value": 2}], [["k", "v"]],
    [65, 66], [1114112], [-1], [55296], [65.7], [2015, 2, 5, 23, 51, 47, 4, 63],
    {}, {"a": 1}, {"b": 1, "a": 2}, {"a": {"b": [1]}}, {"key": "k", "value": 1}, {"start": 1, "end": 2}, {"a": null},
    {"a": [{"b": 1}, {"b": null}], "c": "x"}, {"a": false, "b": true}
]"#;

/// Those that are paired with each other.
const FEW: &str = r#"[
    null, true, false, 0, 1, -1, 2.5, 3, "", "a", "abc", "1", "a,b", "g", "x", "%Y", [], [1], [null], [1, 2, 3],
    ["a", "b"], [[1, 2], [3]], [3, 1, 2, 1], [0, "a"], {}, {"a": 1}, {"b": 1, "a": 2}, {"a": {"b": [1]}},
    {"start": 1, "end": 2}, {"a": null, "c": "x"}
]"#;

/// What libjq makes otherwise of a filter and these values, one line each.
fn differing(libjq: &mut Libjq, program: &str, values: &Value, names: &[String]) -> Vec<String> {
    let (ours, theirs) = (ours(program, values), libjq.ask(program, values));
    let (Answer::Value(ours), Answer::Value(theirs)) = (&ours, &theirs) else {
        // A filter that libjq lacks may be one of ours.
        let fine = matches!(theirs, Answer::Refused(_));
        let line = format!("all: {ours:.200?}, libjq {theirs:.200?}");
        return if fine { Vec::new() } else { vec![line] };
    };
    let read = |text: &str| -> Vec<Value> { serde_json::from_str(text).unwrap() };
    let (ours, theirs) = (read(ours), read(theirs));
    assert_eq!((ours.len(), theirs.len()), (names.len(), names.len()));
    let pairs = ours.iter().zip(&theirs).zip(names);
    let pairs = pairs.filter(|((ours, theirs), _)| !same(ours, theirs));
    pairs
        .map(|((ours, theirs), name)| format!("{name}: {ours:.200}, libjq {theirs:.200}"))
        .collect()
}

/// Asks each filter of all values at once. What `catch` gives is left open: the messages are our own.
fn check(filters: &str, program: impl Fn(&str) -> String, values: &Value, names: &[String]) {
    let Some(mut libjq) = Libjq::start() else {
        return;
    };
    let mut wrong = Vec::new();
    for filter in filters.lines().filter(|line| !line.starts_with("# ")) {
        let lines = differing(&mut libjq, &program(filter), values, names);
        let reason = DIFFERENCES
            .iter()
            .find(|(_, known)| known.contains(&filter));
        match reason {
            None => wrong.extend(
                lines
                    .iter()
                    .take(5)
                    .map(|line| format!("{filter} of {line}")),
            ),
            Some((reason, _)) if lines.is_empty() => {
                wrong.push(format!("{filter} is as in libjq, though {reason}"))
            }
            Some(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn values(text: &str) -> (Value, Vec<String>) {
    let values: Value = serde_json::from_str(text).unwrap();
    let names = values.as_array().unwrap().iter().map(Value::to_string);
    let names = names.collect();
    (values, names)
}

#[test]
fn every_filter_gives_of_every_value_what_libjq_gives() {
    let (values, names) = values(VALUES);
    let program = |filter: &str| format!("[.[] | [try ({filter}) catch \"!\"]]");
    check(include_str!("filters.txt"), program, &values, &names);
}

#[test]
fn every_filter_gives_of_every_pair_what_libjq_gives() {
    let (values, names) = values(FEW);
    let pairs: Vec<String> = names
        .iter()
        .flat_map(|left| {
            names
                .iter()
                .map(move |right| format!("{left} with {right}"))
        })
        .collect();
    let program =
        |filter: &str| format!("[.[] as $v | .[] as $a | $v | [try ({filter}) catch \"!\"]]");
    check(include_str!("pairs.txt"), program, &values, &pairs);
}
