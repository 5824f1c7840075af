//! The order of schemas, conditions and transformations, and what expressions see.

use flame_engine::{Event, StandardError};
use flame_types::RunStatus;
use serde_json::json;

use crate::driver::{Driver, ended, error, output, scripted, workflow};

const VALIDATION: &str = "https://serverlessworkflow.io/spec/1.0.0/errors/validation";

#[test]
fn transformations_stand_in_their_places() {
    for (name, document, input, expected) in [
        (
            "input.from",
            "do: [{a: {input: {from: .user.id}, set: {id: '${ . }'}}}]",
            json!({"user": {"id": 7}}),
            json!({"id": 7}),
        ),
        (
            "output.as sees the raw output as `.`, the transformed input as $input",
            "do: [{a: {input: {from: .user}, set: {b: 1}, output: {as: '{o: ., i: $input}'}}}]",
            json!({"user": 2}),
            json!({"o": {"b": 1}, "i": 2}),
        ),
        (
            "an output may be a scalar",
            "do: [{a: {set: {id: 3}, output: {as: .id}}}, {b: {set: {was: '${ . }'}}}]",
            json!({}),
            json!({"was": 3}),
        ),
        (
            "export.as sees the transformed output as `.` and $output",
            "do: [{a: {set: {id: 3}, output: {as: .id}, export: {as: '{d: ., o: $output, i: $input}'}}}, \
             {b: {set: '${ $context }'}}]",
            json!({"x": 1}),
            json!({"d": 3, "o": 3, "i": {"x": 1}}),
        ),
        (
            "the transformed input is the first context",
            "input: {from: .in}\ndo: [{a: {set: {c: '${ $context }', i: '${ $input }'}}}]",
            json!({"in": {"x": 1}}),
            json!({"c": {"x": 1}, "i": {"x": 1}}),
        ),
        (
            "a context that would be no map is an empty one",
            "input: {from: .in}\ndo: [{a: {set: {c: '${ $context }'}}}]",
            json!({"in": 5}),
            json!({"c": {}}),
        ),
        (
            "a skipped task gives its raw input, and its `then` is not taken",
            "do: [{a: {if: .no, input: {from: '{x: 1}'}, set: {y: 1}, export: {as: .y}, then: end}}, \
             {b: {set: {seen: '${ . }'}}}]",
            json!({"no": false, "z": 1}),
            json!({"seen": {"no": false, "z": 1}}),
        ),
        (
            "`if` sees the raw input",
            "do: [{a: {if: '.k == 1 and $input.k == 1', input: {from: '{k: 2}'}, set: {k: '${ .k }'}}}]",
            json!({"k": 1}),
            json!({"k": 2}),
        ),
        (
            "the workflow's own output",
            "output: {as: '{all: ., c: $context.x}'}\ndo: [{a: {set: {b: 1}}}]",
            json!({"x": 9}),
            json!({"all": {"b": 1}, "c": 9}),
        ),
        (
            "without input it is an empty object",
            "do: [{a: {set: {i: '${ . }'}}}]",
            json!(null),
            json!({"i": {}}),
        ),
        (
            "expressions in data stay text",
            "do: [{a: {set: {copy: '${ .text }'}}}]",
            json!({"text": "${ 1 + 1 }"}),
            json!({"copy": "${ 1 + 1 }"}),
        ),
    ] {
        assert_eq!(output(document, input), expected, "{name}");
    }
}

#[test]
fn descriptors_tell_about_run_and_task() {
    let document = "input: {from: .in}
do:
  - outer:
      do:
        - inner:
            input: {from: '{t: 1}'}
            metadata: {note: here}
            set:
              task: '${ $task | del(.startedAt, .definition) }'
              own: '${ $task.definition.metadata.note }'
              epoch: '${ $task.startedAt.epoch.milliseconds }'
              started: '${ $workflow.startedAt.iso8601 }'
              workflow: '${ {name: $workflow.definition.document.name, input: $workflow.input, id: $workflow.id} }'
              runtime: '${ $runtime.name }'
            output: {as: '. + {raw: ($task.output.own)}'}
";
    assert_eq!(
        output(document, json!({"in": {"a": 1}})),
        json!({
            "task": {
                "name": "inner", "reference": "/do/0/outer/do/0/inner", "input": {"a": 1},
                "metadata": {"note": "here"},
                "set": {
                    "task": "${ $task | del(.startedAt, .definition) }",
                    "own": "${ $task.definition.metadata.note }",
                    "epoch": "${ $task.startedAt.epoch.milliseconds }",
                    "started": "${ $workflow.startedAt.iso8601 }",
                    "workflow": "${ {name: $workflow.definition.document.name, input: $workflow.input, id: $workflow.id} }",
                    "runtime": "${ $runtime.name }",
                },
            },
            "own": "here",
            "epoch": 1_700_000_000_000_i64,
            "started": "2023-11-14T22:13:20Z",
            "workflow": {"name": "sample", "input": {"in": {"a": 1}}, "id": crate::driver::RUN},
            "runtime": "mastra",
            "raw": "here",
        })
    );
}

#[test]
fn schemas_refuse_with_the_place_and_the_value() {
    let number =
        "{format: json, document: {type: object, required: [n], properties: {n: {type: integer}}}}";
    for (name, document, instance, detail) in [
        (
            "workflow input",
            format!("input: {{schema: {number}}}\ndo: [{{a: {{set: {{n: 1}}}}}}]"),
            "/",
            "input.schema",
        ),
        (
            "workflow output",
            format!("output: {{schema: {number}}}\ndo: [{{a: {{set: {{n: x}}}}}}]"),
            "/",
            "output.schema",
        ),
        (
            "task input",
            format!(
                "do: [{{a: {{input: {{schema: {number}, from: '{{n: 1}}'}}, set: {{n: 1}}}}}}]"
            ),
            "/do/0/a",
            "input.schema",
        ),
        (
            "task output",
            format!(
                "do: [{{a: {{set: {{n: 1}}, output: {{as: '{{n: \"x\"}}', schema: {number}}}}}}}]"
            ),
            "/do/0/a",
            "output.schema",
        ),
        (
            "export",
            format!(
                "do: [{{a: {{set: {{n: 1}}, export: {{as: '{{n: \"x\"}}', schema: {number}}}}}}}]"
            ),
            "/do/0/a",
            "export.schema",
        ),
    ] {
        let error = error(&document, json!({"n": "x"}));
        assert_eq!(
            (error.kind.as_str(), error.status),
            (VALIDATION, 400),
            "{name}"
        );
        assert_eq!(error.instance.as_deref(), Some(instance), "{name}");
        let text = error.detail.unwrap();
        assert!(
            text.starts_with(detail) && text.contains("/n") && text.contains("\"x\""),
            "{name}: {text}"
        );
    }
}

/// Its steps are counted: the run goes on, and does so in every replay.
#[test]
fn a_schema_that_takes_too_many_steps_faults_its_own_task() {
    let document = "
do:
  - guarded:
      try:
        - costly:
            input:
              schema: { format: json, document: { properties: { text: { pattern: '[ab]*a[ab]{3000}c' } } } }
            set: { n: 1 }
      catch:
        as: error
        do:
          - told: { set: { type: '${ $error.type }', detail: '${ $error.detail }' } }
";
    let told = output(document, json!({"text": "a".repeat(100_000)}));
    assert_eq!(told["type"], VALIDATION);
    let detail = told["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("input.schema: ")
            && detail.contains("more steps than it may (10000000)"),
        "{detail}"
    );
    let fits = output(document, json!({"text": format!("{}c", "a".repeat(3_001))}));
    assert_eq!(fits, json!({"n": 1}));
}

#[test]
fn a_refused_input_begins_nothing_and_can_not_be_retried() {
    let schema = "{format: json, document: {type: object, required: [n]}}";
    let mut driver = ended(
        &format!("input: {{schema: {schema}}}\ndo: [{{a: {{set: {{n: 1}}}}}}]"),
        json!({}),
    );
    assert_eq!(driver.status(), RunStatus::Faulted);
    assert_eq!(driver.count("taskStarted"), 0);
    assert_eq!(driver.finished, [RunStatus::Faulted]);
    assert!(
        driver
            .run
            .retryable()
            .unwrap_err()
            .to_string()
            .contains("input was refused")
    );
    driver.handle(flame_engine::Event::Retry);
    assert_eq!(driver.status(), RunStatus::Faulted);
}

#[test]
fn a_failing_expression_names_its_property() {
    for (document, property) in [
        ("do: [{a: {if: 'error(\"no\")', set: {b: 1}}}]", "if: "),
        ("do: [{a: {set: {b: '${ error(\"no\") }'}}}]", "set: "),
        (
            "do: [{a: {set: {b: 1}, output: {as: 'error(\"no\")'}}}]",
            "output.as: ",
        ),
        (
            "do: [{a: {for: {in: 'error(\"no\")'}, do: [{b: {set: {c: 1}}}]}}]",
            "for.in: ",
        ),
        (
            "do: [{a: {switch: [{c: {when: 'error(\"no\")', then: end}}]}}]",
            "switch.c.when: ",
        ),
    ] {
        let error = error(document, json!({}));
        assert_eq!(error.status, 400, "{document}");
        assert!(
            error.kind.ends_with("/errors/expression"),
            "{document}: {}",
            error.kind
        );
        assert_eq!(error.instance.as_deref(), Some("/do/0/a"), "{document}");
        let detail = error.detail.unwrap();
        assert!(detail.starts_with(property), "{document}: {detail}");
    }
}

#[test]
fn a_message_shows_only_the_beginning_of_a_value() {
    let error = error(
        "do: [{a: {set: {b: '${ .text | error }'}}}]",
        json!({"text": "x".repeat(9_000)}),
    );
    let detail = error.detail.unwrap();
    assert!(
        detail.contains("xxx") && detail.chars().count() < 500,
        "{}",
        detail.len()
    );
}

/// A control character takes six bytes in JSON, so these are 36 MB: one task's fault, which its `try`
/// may catch.
#[test]
fn a_value_that_no_journal_takes_faults_its_task() {
    let big = "set: {text: '${ \"\\u0001\" * 6000000 }'}";
    let error = error(&format!("do: [{{a: {{{big}}}}}]"), json!({}));
    assert_eq!(error.standard(), Some(StandardError::Runtime));
    assert_eq!(error.instance.as_deref(), Some("/do/0/a"));
    let detail = error.detail.unwrap();
    assert!(
        detail.contains("36000011 bytes") && detail.contains("33554432"),
        "{detail}"
    );
    let caught = format!(
        "do: [{{t: {{try: [{{a: {{{big}}}}}], catch: {{do: [{{b: {{set: {{was: '${{ $error.title }}'}}}}}}]}}}}}}]"
    );
    assert_eq!(
        output(&caught, json!({})),
        json!({"was": "Value too large"})
    );
}

#[test]
fn an_answer_that_no_journal_takes_faults_its_task() {
    let answer = "\u{1}".repeat(6_000_000);
    let ended = scripted(
        "do: [{a: {call: http, with: {method: get, endpoint: 'http://x.test/'}}}]",
        json!({}),
        [("a", vec![Ok(json!(answer))])],
    );
    assert_eq!(ended.error().title.as_deref(), Some("Value too large"));
    assert_eq!(ended.error().instance.as_deref(), Some("/do/0/a"));
}

#[test]
fn a_run_faults_from_outside_and_can_be_retried() {
    let mut driver = Driver::new(workflow(
        "do: [{a: {call: http, with: {method: get, endpoint: 'http://x.test/'}}}]",
    ));
    driver.start(json!({}));
    driver.handle(Event::Fault {
        error: StandardError::Runtime.with("Too large", "it can't be kept"),
    });
    assert_eq!(driver.error().instance.as_deref(), Some("/"));
    driver.handle(Event::Retry);
    driver.answer_named("a", Ok(json!(1)));
    assert_eq!(driver.output(), json!(1));
}
