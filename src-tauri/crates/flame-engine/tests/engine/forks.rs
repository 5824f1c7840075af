//! `fork`: order, competition, errors, and `then: end` in a branch.

use flame_types::RunStatus;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::driver::{Driver, communication, ended, output, workflow};

fn branch(name: &str) -> String {
    format!("{{{name}: {{call: http, with: {{method: get, endpoint: 'http://x.test/'}}}}}}")
}

#[test]
fn outputs_stand_in_declaration_order() {
    assert_eq!(
        output(
            "do: [{f: {fork: {branches: [{a: {set: {n: '${ .k }'}}}, {b: {if: .no, set: {n: 2}}}, {c: {do: [{d: {set: {n: 3}, then: exit}}]}}]}}}]",
            json!({"k": 1})
        ),
        json!([{"n": 1}, {"k": 1}, {"n": 3}])
    );
}

#[test]
fn the_winner_gives_the_output_and_the_losers_are_cancelled() {
    let document = format!(
        "do: [{{f: {{fork: {{compete: true, branches: [{}, {}, {{w: {{wait: {{hours: 1}}}}}}]}}}}}}]",
        branch("a"),
        branch("b")
    );
    let mut driver = Driver::new(workflow(&document));
    driver.start(json!({}));
    assert_eq!((driver.in_flight.len(), driver.timers.len()), (2, 1));
    let loser = driver.named("a").effect;
    driver.answer_named("b", Ok(json!("won")));
    assert_eq!(driver.output(), json!("won"));
    assert_eq!(driver.aborted, [loser]);
    assert_eq!(driver.count("taskCancelled"), 2);
}

#[test]
fn a_pure_branch_wins_before_anything_is_called() {
    let document = format!(
        "do: [{{f: {{fork: {{compete: true, branches: [{}, {{b: {{set: {{n: 1}}}}}}]}}}}}}]",
        branch("a")
    );
    let driver = ended(&document, json!({}));
    assert_eq!(driver.output(), json!({"n": 1}));
    assert!(driver.invoked.is_empty());
}

#[test]
fn an_error_in_a_branch_is_the_forks() {
    let document = format!(
        "do: [{{t: {{try: [{{f: {{fork: {{branches: [{}, {}]}}}}}}], catch: {{do: [{{h: {{set: {{at: '${{ $error.instance }}'}}}}}}]}}}}}}]",
        branch("a"),
        branch("b")
    );
    let mut driver = Driver::new(workflow(&document));
    driver.start(json!({}));
    let other = driver.named("b").effect;
    driver.answer_named("a", Err(communication(500)));
    assert_eq!(
        driver.output(),
        json!({"at": "/do/0/t/try/0/f/fork/branches/0/a"})
    );
    assert_eq!(driver.aborted, [other]);
    assert_eq!(
        (driver.count("taskCancelled"), driver.count("taskFaulted")),
        (1, 2)
    );
}

#[test]
fn an_error_in_a_branch_that_competes_is_the_forks() {
    let document = format!(
        "do: [{{t: {{try: [{{f: {{fork: {{compete: true, branches: [{}, {}]}}}}}}], \
         catch: {{do: [{{h: {{set: {{by: '${{ $error.instance }}'}}}}}}]}}}}}}]",
        branch("a"),
        branch("b")
    );
    let mut driver = Driver::new(workflow(&document));
    driver.start(json!({}));
    let other = driver.named("b").effect;
    driver.answer_named("a", Err(communication(500)));
    assert_eq!(
        driver.output(),
        json!({"by": "/do/0/t/try/0/f/fork/branches/0/a"})
    );
    assert_eq!(driver.aborted, [other], "nobody wins any more");
}

#[test]
fn end_in_a_branch_ends_the_workflow() {
    let document = format!(
        "do: [{{f: {{fork: {{branches: [{}, {{d: {{do: [{}, {{s: {{set: {{over: true}}, then: end}}}}]}}}}]}}}}}}, {{n: {{set: {{no: 1}}}}}}]",
        branch("a"),
        branch("b")
    );
    let mut driver = Driver::new(workflow(&document));
    driver.start(json!({}));
    driver.answer_named("b", Ok(json!(1)));
    assert_eq!(driver.output(), json!({"over": true}));
    assert_eq!(driver.aborted.len(), 1);
}

#[test]
fn a_branch_that_never_ends_starves_nobody() {
    let mut driver = Driver::new(workflow(
        "do: [{f: {fork: {compete: true, branches: [{a: {do: [{x: {set: {e: 1}, then: y}}, {y: {set: {e: 1}, then: x}}]}}, \
         {b: {for: {in: '[range(200)]'}, do: [{c: {set: {n: '${ $index }'}}}]}}]}}}]",
    ));
    driver.start(json!({}));
    driver.settle(|_| panic!("no calls"));
    assert_eq!(driver.output(), json!({"n": 199}));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever order answers come in, and whenever the process is killed, the output is the same.
    #[test]
    fn answers_in_any_order_give_one_output(order in Just((0..6).collect::<Vec<usize>>()).prop_shuffle(), crashes in prop::collection::vec(any::<bool>(), 6)) {
        let branches: Vec<String> = (0..6).map(|n| branch(&format!("b{n}"))).collect();
        let mut driver = Driver::new(workflow(&format!("do: [{{f: {{fork: {{branches: [{}]}}}}}}]", branches.join(", "))));
        driver.start(json!({}));
        for (n, crash) in order.iter().zip(crashes) {
            if crash {
                driver.crash();
            }
            driver.answer_named(&format!("b{n}"), Ok(json!(n)));
        }
        prop_assert_eq!(driver.status(), RunStatus::Completed);
        prop_assert_eq!(driver.output(), Value::from((0..6).collect::<Vec<usize>>()));
    }
}
