//! `for`: items, indices, `while`, and what flows from iteration to iteration.

use serde_json::json;

use crate::driver::{communication, ended, error, output, scripted};

#[test]
fn each_iteration_flows_into_the_next() {
    for (name, document, input, expected) in [
        (
            "items and indices, from 0",
            "do: [{a: {for: {each: c, in: .cs}, do: [{b: {set: {out: '${ .out + [[$index, $c]] }', cs: '${ .cs }'}}}]}}]",
            json!({"cs": ["r", "g"]}),
            json!({"out": [[0, "r"], [1, "g"]], "cs": ["r", "g"]}),
        ),
        (
            "names by default and by choice",
            "do: [{a: {for: {in: .cs, at: i}, do: [{b: {set: {out: '${ .out + [{i: $i, v: $item}] }'}}}]}}]",
            json!({"cs": [7]}),
            json!({"out": [{"i": 0, "v": 7}]}),
        ),
        (
            "an empty list gives the transformed input",
            "do: [{a: {input: {from: .k}, for: {in: .none}, do: [{b: {set: {x: 1}}}]}}]",
            json!({"k": {"none": [], "y": 2}}),
            json!({"none": [], "y": 2}),
        ),
        (
            "null is an empty list",
            "do: [{a: {for: {in: .none}, do: [{b: {set: {x: 1}}}]}}]",
            json!({"y": 2}),
            json!({"y": 2}),
        ),
        (
            "`while` is asked on what flows into the iteration, with its item and index",
            "do: [{a: {for: {each: c, in: .cs, at: i}, while: '(.sum // 0) + $c < 6 and $i < 9', \
             do: [{b: {set: {sum: '${ (.sum // 0) + $c }'}}}]}}]",
            json!({"cs": [1, 2, 3, 4]}),
            json!({"sum": 3}),
        ),
        (
            "nested loops see both",
            "do: [{a: {for: {each: x, in: .xs, at: i}, do: [{b: {for: {each: y, in: '$x', at: j}, \
             do: [{c: {set: {out: '${ .out + [[$i, $j, $y]] }'}}}]}}]}}]",
            json!({"xs": [[1], [2, 3]]}),
            json!({"out": [[0, 0, 1], [1, 0, 2], [1, 1, 3]]}),
        ),
        (
            "an inner loop hides the outer one's names",
            "do: [{a: {for: {in: '[1]'}, do: [{b: {for: {in: '[2]'}, do: [{c: {set: {v: '${ $item }'}}}]}}, \
             {d: {set: {v: '${ [.v, $item] }'}}}]}}]",
            json!({}),
            json!({"v": [2, 1]}),
        ),
        (
            "exit ends the iteration",
            "do: [{a: {for: {in: '[1, 2]'}, do: [{b: {set: {v: '${ .v + [$item] }'}, then: exit}}, {c: {set: {v: no}}}]}}]",
            json!({}),
            json!({"v": [1, 2]}),
        ),
        (
            "end ends the workflow",
            "do: [{a: {for: {in: '[1, 2]'}, do: [{b: {set: {v: '${ $item }'}, then: end}}]}}, {c: {set: {v: no}}}]",
            json!({}),
            json!({"v": 1}),
        ),
        (
            "loop variables stand in an inner task's filters",
            "do: [{a: {for: {in: '[1, 2]'}, do: [{b: {if: '$item == 2', input: {from: '$item'}, set: {v: '${ . }'}, \
             output: {as: '.v + $index'}, export: {as: '{last: $item}'}}}]}}, {c: {set: '${ [., $context] }'}}]",
            json!({}),
            json!([3, {"last": 2}]),
        ),
    ] {
        assert_eq!(output(document, input), expected, "{name}");
    }
}

#[test]
fn what_is_no_list_is_refused() {
    let error = error(
        "do: [{a: {for: {in: .n}, do: [{b: {set: {x: 1}}}]}}]",
        json!({"n": {"k": 1}}),
    );
    assert!(error.kind.ends_with("/errors/expression"));
    assert!(error.detail.unwrap().contains("{\"k\":1}"));
}

#[test]
fn each_iteration_has_its_own_key() {
    let driver = scripted(
        "do: [{a: {for: {in: '[1, 2, 3]'}, do: [{b: {call: http, with: {method: get, endpoint: 'http://x.test/'}}}]}}]",
        json!({}),
        [("b", vec![Ok(json!(1)), Ok(json!(2)), Ok(json!(3))])],
    );
    let keys: Vec<&str> = driver
        .invoked
        .iter()
        .map(|call| call.key.rsplit_once('#').unwrap().1)
        .collect();
    assert_eq!(keys, ["0[0].0", "0[1].0", "0[2].0"]);
    assert_eq!(driver.output(), json!(3));
}

#[test]
fn items_are_fixed_when_the_loop_begins() {
    let driver = ended(
        "do: [{a: {for: {in: .xs}, do: [{b: {set: {xs: '${ .xs + [9] }'}}}]}}]",
        json!({"xs": [1, 2]}),
    );
    assert_eq!(driver.output(), json!({"xs": [1, 2, 9, 9]}));
    assert_eq!(driver.count("iterationStarted"), 2);
}

#[test]
fn an_error_in_an_iteration_leaves_the_loop() {
    let driver = scripted(
        "do: [{t: {try: [{a: {for: {in: '[1, 2]'}, do: [{b: {call: http, with: {method: get, endpoint: 'http://x.test/'}}}]}}], \
         catch: {do: [{c: {set: {caught: '${ $error.status }'}}}]}}}]",
        json!({}),
        [("b", vec![Ok(json!(1)), Err(communication(502))])],
    );
    assert_eq!(driver.output(), json!({"caught": 502}));
}
