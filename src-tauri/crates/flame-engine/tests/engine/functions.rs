//! Functions of the document: arguments in, output out, an effect for each call.

use serde_json::json;

use crate::driver::{Driver, error, output, workflow};

#[test]
fn the_arguments_are_the_input_and_the_output_is_the_calls() {
    let double = "use: {functions: {double: {input: {from: .n}, set: {twice: '${ . * 2 }'}, \
                  output: {as: .twice}}}}";
    assert_eq!(
        output(
            &format!(
                "{double}\ndo: [{{a: {{call: double, with: {{n: '${{ .x }}'}}, output: {{as: '[.]'}}}}}}]"
            ),
            json!({"x": 4})
        ),
        json!([8])
    );
    assert_eq!(
        output(
            &format!("{double}\ndo: [{{a: {{call: double}}}}]"),
            json!({"n": 5})
        ),
        json!(10),
        "without arguments the call's input is the function's"
    );
}

#[test]
fn a_function_calls_another_and_sees_no_loop_around_it() {
    let text = "use:
  functions:
    add: {set: '${ .a + .b }'}
    sum: {do: [{one: {call: add, with: {a: '${ .x }', b: 1}}}, {two: {call: add, with: {a: '${ . }', b: 10}}}]}
do: [{a: {for: {in: '[1, 2]'}, do: [{b: {call: sum, with: {x: '${ $item }'}}}]}}]";
    assert_eq!(output(text, json!({})), json!(13));
}

#[test]
fn every_call_has_an_effect_of_its_own() {
    let mut driver = Driver::new(workflow(
        "use: {functions: {get: {call: http, with: {method: get, endpoint: 'http://x.test/{id}'}}}}
do: [{f: {fork: {branches: [{a: {call: get, with: {id: 1}}}, {b: {call: get, with: {id: 2}}}]}}}]",
    ));
    driver.start(json!({}));
    let calls: Vec<_> = driver
        .in_flight
        .values()
        .map(|call| (call.http().url.clone(), call.reference.clone()))
        .collect();
    assert_eq!(
        calls,
        [
            (
                "http://x.test/1".to_owned(),
                "/do/0/f/fork/branches/0/a/call/get".to_owned()
            ),
            (
                "http://x.test/2".to_owned(),
                "/do/0/f/fork/branches/1/b/call/get".to_owned()
            ),
        ]
    );
    let keys: std::collections::BTreeSet<_> =
        driver.in_flight.values().map(|call| &call.key).collect();
    assert_eq!(keys.len(), 2);
    driver.crash();
    driver.settle(|call| Ok(json!(call.http().url)));
    assert_eq!(
        driver.output(),
        json!(["http://x.test/1", "http://x.test/2"])
    );
}

#[test]
fn arguments_that_do_not_fit_name_the_function() {
    let error = error(
        "use: {functions: {f: {input: {schema: {document: {required: [petId]}}}, set: '.'}}}
do: [{a: {call: f, with: {pet: 1}}}]",
        json!({}),
    );
    assert_eq!(error.instance.as_deref(), Some("/do/0/a/call/f"));
    assert!(error.detail.unwrap().contains("petId"));
}
