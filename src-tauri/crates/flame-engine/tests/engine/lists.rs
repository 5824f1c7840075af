//! `do`, `set`, `switch`, `raise`, `emit` and the flow between tasks.

use flame_types::RunStatus;
use serde_json::{Value, json};

use crate::driver::{ended, error, output};

#[test]
fn the_flow_goes_where_then_says() {
    for (name, document, expected) in [
        (
            "in order",
            "do: [{a: {set: {x: [1]}}}, {b: {set: {x: '${ .x + [2] }'}}}]",
            json!({"x": [1, 2]}),
        ),
        (
            "to a name, and back",
            "do: [{a: {set: {x: [1]}, then: c}}, {b: {set: {x: '${ .x + [2] }'}, then: end}}, \
             {c: {set: {x: '${ .x + [3] }'}, then: b}}]",
            json!({"x": [1, 3, 2]}),
        ),
        (
            "exit leaves the inner list only",
            "do: [{a: {do: [{b: {set: {x: 1}, then: exit}}, {c: {set: {x: 2}}}]}}, {d: {set: {y: '${ .x }'}}}]",
            json!({"y": 1}),
        ),
        (
            "exit in the workflow's list ends it",
            "do: [{a: {set: {x: 1}, then: exit}}, {b: {set: {x: 2}}}]",
            json!({"x": 1}),
        ),
        (
            "end in an inner list ends the workflow, and passes no output.as on its way",
            "do: [{a: {do: [{b: {set: {x: 1}, then: end}}, {c: {set: {x: 2}}}], output: {as: '{z: 1}'}}}, \
             {d: {set: {y: 2}}}]",
            json!({"x": 1}),
        ),
        (
            "a `do` gives its last task's output",
            "do: [{a: {do: [{b: {set: {x: 1}}}]}}]",
            json!({"x": 1}),
        ),
        (
            "the input of a `do` is its first task's",
            "do: [{s: {set: {k: {x: 4}}}}, {a: {input: {from: .k}, do: [{b: {set: {y: '${ .x }'}}}]}}]",
            json!({"y": 4}),
        ),
    ] {
        assert_eq!(output(document, json!({})), expected, "{name}");
    }
}

#[test]
fn then_end_completes_what_is_around_it() {
    let driver = ended(
        "do: [{a: {do: [{b: {set: {x: 1}, then: end}}]}}, {c: {set: {y: 1}}}]",
        json!({}),
    );
    assert_eq!(driver.count("taskCompleted"), 2);
    assert_eq!(driver.count("taskStarted"), 2);
}

#[test]
fn a_run_without_effects_is_one_step() {
    let driver = ended(
        "do: [{a: {set: {x: 1}}}, {b: {do: [{c: {set: {x: 2}}}]}}]",
        json!({}),
    );
    assert_eq!(driver.commits.len(), 1);
    assert_eq!(driver.finished, [RunStatus::Completed]);
    assert_eq!(driver.run.sequence(), driver.journal.len() as u64);
}

#[test]
fn records_leave_out_what_the_fold_knows() {
    let driver = ended(
        "do: [{a: {do: [{b: {set: {x: 1}}}, {c: {switch: [{d: {then: continue}}]}}]}}]",
        json!({"big": "payload"}),
    );
    let outputs: Vec<bool> = driver
        .journal
        .iter()
        .filter(|line| line.contains("taskCompleted") || line.contains("runCompleted"))
        .map(|line| line.contains("\"output\""))
        .collect();
    assert_eq!(outputs, [true, false, false, false]);
    assert_eq!(driver.journal.join("\n").matches("payload").count(), 1);
}

#[test]
fn switch_takes_the_first_case_that_holds() {
    let document = "do:
  - pick:
      switch:
        - other: {then: third}
        - small: {when: .n < 10, then: first}
        - medium: {when: .n < 100, then: second}
  - first: {set: {is: small}, then: end}
  - second: {set: {is: medium}, then: end}
  - third: {set: {is: large}}
";
    for (n, expected) in [(5, "small"), (50, "medium"), (500, "large")] {
        assert_eq!(output(document, json!({"n": n})), json!({"is": expected}));
    }
}

#[test]
fn switch_without_a_match_takes_its_own_then() {
    let document = |then: &str| {
        format!(
            "do: [{{a: {{switch: [{{c: {{when: .no, then: end}}}}]{then}}}}}, {{b: {{set: {{x: 1}}}}}}, \
             {{c: {{set: '${{ . + {{y: 2}} }}'}}}}]"
        )
    };
    assert_eq!(
        output(&document(""), json!({"k": 1})),
        json!({"x": 1, "y": 2})
    );
    assert_eq!(
        output(&document(", then: c"), json!({"k": 1})),
        json!({"k": 1, "y": 2})
    );
    assert_eq!(
        output(&document(", then: end"), json!({"k": 1})),
        json!({"k": 1})
    );
}

#[test]
fn raise_evaluates_its_fields() {
    let document = "use: {errors: {sold: {type: 'https://x.test/sold', status: 410, title: 'Sold: ${ .what }'}}}
do:
  - check: {do: [{a: {raise: {error: ERROR}}}]}
";
    let raised = error(&document.replace("ERROR", "sold"), json!({"what": "cat"}));
    assert_eq!(
        serde_json::to_value(raised).unwrap(),
        json!({"type": "https://x.test/sold", "status": 410, "title": "Sold: cat", "instance": "/do/0/check/do/0/a"})
    );
    let raised = error(
        &document.replace(
            "ERROR",
            "{type: 'https://x.test/y', status: 400, detail: '${ .what }', instance: /here}",
        ),
        json!({"what": {"k": 1}}),
    );
    assert_eq!(raised.detail.as_deref(), Some("{\"k\":1}"));
    assert_eq!(raised.instance.as_deref(), Some("/here"));
}

#[test]
fn a_fault_marks_every_task_around_it() {
    let driver = ended(
        "do: [{a: {do: [{b: {raise: {error: {type: 'https://x.test/y', status: 400}}}}]}}, {c: {set: {x: 1}}}]",
        json!({}),
    );
    assert_eq!(driver.status(), RunStatus::Faulted);
    assert_eq!(driver.count("taskFaulted"), 2);
    assert_eq!(driver.finished, [RunStatus::Faulted]);
}

#[test]
fn emit_fills_in_what_an_event_needs() {
    let driver = ended(
        "do: [{a: {emit: {event: {with: {type: t.placed, subject: '${ .who }', data: {n: '${ .n }'}}}}}}, \
         {b: {emit: {event: {with: {type: t.done, source: 'https://x.test', id: fixed, time: '2020-01-01T00:00:00Z'}}}}}]",
        json!({"who": "ada", "n": 1}),
    );
    let [first, second] = driver.emitted.as_slice() else {
        panic!("two events: {:?}", driver.emitted)
    };
    let id = first["id"].as_str().unwrap();
    assert_eq!(id.len(), 36);
    assert_eq!(&id[14..15], "4");
    assert_eq!(
        *first,
        json!({
            "specversion": "1.0", "id": id, "source": "/test/sample/1.0.0", "type": "t.placed",
            "time": "2023-11-14T22:13:20Z", "subject": "ada", "data": {"n": 1},
        })
    );
    assert_eq!(second["id"], "fixed");
    assert_eq!(driver.output(), *second, "the output is the event");
    assert_eq!(
        driver.commits.len(),
        1,
        "the event is stored with the records"
    );
}

#[test]
fn two_events_of_one_decision_have_two_ids() {
    let driver = ended(
        "do: [{a: {for: {in: '[range(50)]'}, do: [{b: {emit: {event: {with: {type: t}}}}}]}}]",
        json!({}),
    );
    let mut ids: Vec<&Value> = driver.emitted.iter().map(|event| &event["id"]).collect();
    ids.sort_by_key(|id| id.to_string());
    ids.dedup();
    assert_eq!(ids.len(), 50);
}

#[test]
fn an_event_without_a_type_is_refused() {
    let error = error(
        "do: [{a: {emit: {event: {with: {type: '${ .none }'}}}}}]",
        json!({}),
    );
    assert!(error.kind.ends_with("/errors/validation"));
    assert!(error.detail.unwrap().contains("type"));
}
