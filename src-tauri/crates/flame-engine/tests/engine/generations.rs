//! Loops without end: they go on for ever where they wait for something, and meet the step limit where not.

use std::collections::BTreeSet;

use flame_engine::{Limits, Record, ReplayFrom, Run};
use flame_types::RunStatus;
use serde_json::json;
use std::sync::Arc;

use crate::driver::{Driver, RUN, run_id, workflow};

const SMALL: Limits = Limits {
    steps_per_turn: 100,
    bytes_per_turn: 1 << 20,
    steps_max: 50,
    generation_steps: 20,
};
const POLL: &str = "do:
  - nap: {wait: {seconds: 1}}
  - ask: {call: http, with: {method: get, endpoint: 'http://x.test/'}, output: {as: '{n: .}'}}
  - again: {switch: [{more: {when: .n < 300, then: nap}}]}
  - done: {set: {was: '${ .n }'}}
";

/// Rounds of a polling run, up to its end; `crashes` says after which of them the process dies.
fn poll(crashes: impl Fn(i64) -> bool) -> Driver {
    let mut driver = Driver::new(workflow(POLL)).with_limits(SMALL);
    driver.start(json!({}));
    for round in 1..=300 {
        driver.fire();
        if crashes(round) {
            driver.crash();
        }
        driver.answer_named("ask", Ok(json!(round)));
    }
    driver
}

#[test]
fn a_loop_that_waits_goes_on_past_the_step_limit() {
    let driver = poll(|_| false);
    assert_eq!(driver.output(), json!({"was": 300}));
    // 300 rounds of 3 tasks; 20 of them make a generation, once the first round is over.
    assert_eq!(driver.run.generation(), 44);
    assert_eq!(driver.count("runContinued"), 44);
    let keys: BTreeSet<&str> = driver.invoked.iter().map(|call| &*call.key).collect();
    assert_eq!(keys.len(), 300, "each round has a key of its own");
}

#[test]
fn a_crash_in_any_generation_changes_nothing() {
    let whole = poll(|_| false);
    assert_eq!(poll(|round| round % 3 == 0).journal, whole.journal);
    assert_eq!(poll(|_| true).journal, whole.journal);
}

/// A run whose first generations are not kept any more goes on, and is replayed from what is left.
#[test]
fn a_generation_needs_nothing_from_before() {
    let whole = poll(|_| false);
    let records = whole.records();
    let begin = records
        .iter()
        .rposition(|record| matches!(record, Record::RunContinued { generation: 40, .. }))
        .unwrap();
    let workflow = Arc::clone(&whole.workflow);
    let before = Run::resume(
        run_id(RUN),
        Arc::clone(&workflow),
        records[..begin].to_vec(),
    );
    let snapshot = before.unwrap().snapshot();
    let restored = || Run::restore(run_id(RUN), Arc::clone(&workflow), &snapshot).unwrap();
    let mut folded = restored();
    for record in &records[begin..] {
        folded.fold(record).unwrap();
    }
    assert!(folded == whole.run);
    let from = ReplayFrom {
        reference: "/do/1/ask",
        iteration: None,
        input: None,
        context: None,
    };
    let mut driver = Driver::new(Arc::clone(&workflow));
    let moment = driver.moment();
    let new = run_id("0192d3a4-7c1e-7e6b-9a51-3f2b8c1d0000");
    let (run, step) =
        Run::replay(new, restored(), records[begin..].to_vec(), &from, moment).unwrap();
    driver.run = run;
    driver.absorb(step);
    driver.answer_named("ask", Ok(json!(1_000)));
    assert_eq!(driver.output(), json!({"was": 1_000}));
}

#[test]
fn a_loop_inside_a_task_or_without_a_wait_meets_the_limit() {
    for document in [
        "do: [{a: {set: {x: 1}}}, {b: {set: {x: 2}, then: a}}]",
        "do: [{w: {wait: {seconds: 1}}}, {d: {do: [{a: {set: {x: 1}}}, {b: {set: {x: 2}, then: a}}]}}]",
        "do: [{d: {do: [{w: {wait: {seconds: 1}}}, {b: {set: {x: 2}, then: w}}]}}]",
    ] {
        let mut driver = Driver::new(workflow(document)).with_limits(SMALL);
        driver.start(json!({}));
        driver.settle(|_| panic!("no calls"));
        assert_eq!(driver.status(), RunStatus::Faulted, "{document}");
        assert_eq!(driver.error().title.as_deref(), Some("Step limit reached"));
        assert_eq!(driver.run.generation(), 0);
    }
}
