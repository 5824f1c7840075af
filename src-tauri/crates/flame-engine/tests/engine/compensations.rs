//! Runs that undo what they did before they end.

use flame_engine::{CompensationProgress, Event, NotRetryable, Record, Timeline};
use flame_types::RunStatus;
use serde_json::{Value, json};
use std::sync::Arc;

use crate::driver::{Answer, Driver, communication, workflow};

/// A call with a compensation that is a call too, whose body shows what it sees.
fn step(name: &str) -> String {
    format!(
        "{name}: {{call: http, with: {{method: post, endpoint: 'http://x.test/{name}'}}, metadata: {{\
         mastra.io/compensate: [{{undo-{name}: {{call: http, with: {{method: post, endpoint: 'http://x.test/undo-{name}', \
         body: {{in: '${{ $input }}', out: '${{ $output }}', now: '${{ . }}'}}}}}}}}]}}}}"
    )
}

fn list(steps: &[&str]) -> String {
    let steps: Vec<String> = steps
        .iter()
        .map(|name| format!("{{{}}}", step(name)))
        .collect();
    steps.join(", ")
}

const FAIL: &str = "{fail: {raise: {error: {type: 'https://x.test/e', status: 500}}}}";

fn begun(rest: &str) -> Driver {
    let mut driver = Driver::new(workflow(rest));
    driver.start(json!({"k": 1}));
    driver
}

/// Runs to the end; calls give their own names, undoing ones nothing.
fn ended(rest: &str) -> Driver {
    let mut driver = begun(rest);
    driver.settle(|call| Ok(json!(call.name())));
    driver
}

fn called(driver: &Driver) -> Vec<&str> {
    driver.invoked.iter().map(|call| call.name()).collect()
}

fn body(driver: &Driver, name: &str) -> Value {
    let call = driver
        .invoked
        .iter()
        .find(|call| call.name() == name)
        .unwrap();
    (**call.http().body.as_ref().unwrap()).clone()
}

fn progress(
    undone: u64,
    skipped: u64,
    left: u64,
    parked: Option<u64>,
) -> Option<CompensationProgress> {
    Some(CompensationProgress {
        undone,
        skipped,
        left,
        parked,
    })
}

#[test]
fn a_faulted_run_undoes_its_completed_tasks_in_reverse_and_ends_once() {
    let driver = ended(&format!("do: [{}, {FAIL}]", list(&["a", "b", "c"])));
    assert_eq!(
        called(&driver),
        ["a", "b", "c", "undo-c", "undo-b", "undo-a"]
    );
    assert_eq!(
        (driver.status(), driver.error().status),
        (RunStatus::Faulted, 500)
    );
    assert_eq!(driver.finished, [RunStatus::Faulted]);
    assert_eq!(driver.run.compensation(), progress(3, 0, 0, None));
    assert_eq!(
        body(&driver, "undo-b"),
        json!({"in": "a", "out": "b", "now": "b"})
    );
    assert_eq!(driver.run.retryable(), Err(NotRetryable::Compensated));
    assert!(driver.run.at_work().is_empty());
}

#[test]
fn what_did_not_complete_or_fault_is_not_undone() {
    let driver = ended(&format!("do: [{}]", list(&["a", "b"])));
    assert_eq!(
        (driver.status(), called(&driver).len()),
        (RunStatus::Completed, 2)
    );

    let mut driver = begun(&format!("do: [{}]", list(&["a", "b"])));
    driver.settle(|call| match call.name() {
        "b" => Err(communication(500)),
        name => Ok(json!(name)),
    });
    assert_eq!(called(&driver), ["a", "b", "undo-a"]);

    let caught = format!(
        "do: [{{t: {{try: [{}, {FAIL}], catch: {{}}}}}}]",
        list(&["a"])
    );
    let driver = ended(&caught);
    assert_eq!(
        (driver.status(), called(&driver).len()),
        (RunStatus::Completed, 1)
    );
}

#[test]
fn a_cancel_undoes_where_it_is_asked_to() {
    let document = format!("do: [{}, {{w: {{wait: PT1H}}}}]", list(&["a", "b"]));
    let mut driver = begun(&document);
    driver.answer_named("a", Ok(json!(1)));
    driver.answer_named("b", Ok(json!(2)));
    driver.handle(Event::Suspend);
    driver.handle(Event::CancelAndCompensate);
    assert_eq!(driver.status(), RunStatus::Running);
    assert!(driver.timers.is_empty(), "the wait is over");
    driver.crash();
    driver.settle(|_| Ok(json!(null)));
    assert_eq!(
        called(&driver)[2..],
        ["undo-b", "undo-b", "undo-a"],
        "asked again after the crash"
    );
    assert_eq!(driver.finished, [RunStatus::Cancelled]);
    assert_eq!(driver.run.compensation(), progress(2, 0, 0, None));

    let mut plain = begun(&document);
    plain.answer_named("a", Ok(json!(1)));
    plain.handle(Event::Cancel);
    assert_eq!(
        (plain.status(), called(&plain).len()),
        (RunStatus::Cancelled, 2)
    );

    let mut nothing = begun(&document);
    nothing.handle(Event::CancelAndCompensate);
    assert_eq!(
        (nothing.status(), nothing.run.compensation()),
        (RunStatus::Cancelled, None)
    );
}

#[test]
fn iterations_and_branches_are_undone_each_with_what_it_saw() {
    let document = format!(
        "do: [{{l: {{for: {{each: x, in: '[\"p\", \"q\"]'}}, do: [{{s: {{call: http, with: {{method: post, endpoint: 'http://x.test/s'}}, \
         metadata: {{mastra.io/compensate: [{{u: {{call: http, with: {{method: post, endpoint: 'http://x.test/u', \
         body: {{x: '${{ $x }}', at: '${{ $index }}'}}}}}}}}]}}}}}}]}}}}, \
         {{f: {{fork: {{branches: [{}]}}}}}}, {FAIL}]",
        list(&["m", "n"])
    );
    let mut driver = begun(&document);
    driver.settle(|call| Ok(json!(call.name())));
    assert_eq!(
        called(&driver),
        ["s", "s", "m", "n", "undo-n", "undo-m", "u", "u"]
    );
    let bodies: Vec<&Value> = driver.invoked[6..]
        .iter()
        .map(|call| &**call.http().body.as_ref().unwrap())
        .collect();
    assert_eq!(
        bodies,
        [&json!({"x": "q", "at": 1}), &json!({"x": "p", "at": 0})]
    );
    let keys: std::collections::BTreeSet<&str> = driver
        .invoked
        .iter()
        .map(|call| call.key.as_str())
        .collect();
    assert_eq!(keys.len(), 8, "each effect has its key");
}

#[test]
fn an_effect_that_a_retry_makes_again_is_undone_once() {
    let document = format!(
        "do: [{{t: {{try: [{}, {{b: {{call: http, with: {{method: get, endpoint: 'http://x.test/b'}}}}}}], \
         catch: {{retry: {{limit: {{attempt: {{count: 2}}}}}}}}}}}}, {FAIL}]",
        list(&["a"])
    );
    let mut driver = begun(&document);
    let mut failed = false;
    driver.settle(|call| match (call.name(), failed) {
        ("b", false) => {
            failed = true;
            Err(communication(503))
        }
        (name, _) => Ok(json!(name)),
    });
    assert_eq!(called(&driver), ["a", "b", "a", "b", "undo-a"]);
}

#[test]
fn a_compensation_that_fails_is_tried_again_with_backoff_under_one_key() {
    let mut driver = begun(&format!("do: [{}, {FAIL}]", list(&["a"])));
    driver.answer_named("a", Ok(json!(1)));
    let before = driver.now;
    for _ in 0..3 {
        driver.answer_named("undo-a", Err(communication(503)));
        assert_eq!(driver.status(), RunStatus::Waiting);
        driver.crash();
        driver.fire();
    }
    let waited = driver.now.duration_since(before).as_secs();
    assert_eq!(waited, 7, "1 s, 2 s and 4 s");
    driver.answer_named("undo-a", Ok(json!(null)));
    assert_eq!(driver.status(), RunStatus::Faulted);
    let keys: std::collections::BTreeSet<&str> = driver.invoked[1..]
        .iter()
        .map(|call| call.key.as_str())
        .collect();
    assert_eq!(keys.len(), 1, "{keys:?}");
}

/// To where the compensation of `b` waits for a person.
fn parked() -> Driver {
    let mut driver = begun(&format!("do: [{}, {FAIL}]", list(&["a", "b"])));
    driver.settle(|call| answer_unless(call.name(), "undo-b"));
    driver
}

fn answer_unless(name: &str, refused: &str) -> Answer {
    if name == refused {
        return Err(communication(503));
    }
    Ok(json!(name))
}

#[test]
fn after_five_attempts_it_waits_for_a_person_who_tries_again_or_gives_it_up() {
    let mut driver = parked();
    assert_eq!(driver.status(), RunStatus::Waiting);
    assert_eq!(called(&driver).len(), 2 + 5);
    assert_eq!(driver.run.compensation(), progress(0, 0, 2, Some(1)));
    let at_work = driver.run.at_work();
    assert_eq!(
        (at_work.len(), &*at_work[0].name, at_work[0].parked),
        (1, "b", Some(1))
    );
    driver.crash();
    assert_eq!(driver.run.compensation(), progress(0, 0, 2, Some(1)));

    driver.handle(Event::RetryCompensation { number: 2 });
    assert!(driver.in_flight.is_empty(), "another one does not wait");
    driver.handle(Event::RetryCompensation { number: 1 });
    driver.answer_named("undo-b", Err(communication(503)));
    assert_eq!(
        driver.run.compensation(),
        progress(0, 0, 2, Some(1)),
        "one attempt, and it waits again"
    );
    driver.handle(Event::RetryCompensation { number: 1 });
    driver.answer_named("undo-b", Ok(json!(null)));
    driver.answer_named("undo-a", Ok(json!(null)));
    assert_eq!(driver.finished, [RunStatus::Faulted]);
    assert_eq!(driver.run.compensation(), progress(2, 0, 0, None));

    let mut driver = parked();
    driver.handle(Event::SkipCompensation { number: 1 });
    driver.settle(|_| Ok(json!(null)));
    assert_eq!(driver.run.compensation(), progress(1, 1, 0, None));

    let mut driver = parked();
    driver.handle(Event::CancelAndCompensate);
    assert_eq!(driver.status(), RunStatus::Waiting, "it is undone already");
    driver.handle(Event::Cancel);
    assert_eq!(
        (driver.status(), called(&driver).len()),
        (RunStatus::Cancelled, 7)
    );
    assert_eq!(
        driver.run.compensation(),
        progress(0, 0, 2, None),
        "a cancel leaves them"
    );
}

#[test]
fn the_tasks_that_undo_are_tasks_like_any_other() {
    let document = format!(
        "timeout: {{after: {{seconds: 5}}}}\n\
         do: [{{a: {{set: {{n: 1}}, metadata: {{mastra.io/compensate: [\
         {{t: {{try: [{{c: {{call: http, with: {{method: get, endpoint: 'http://x.test/c'}}}}}}], catch: {{do: [{{h: {{set: {{h: 1}}}}}}]}}}}}}, \
         {{long: {{wait: PT10S}}}}, {{stop: {{set: {{x: 1}}, then: end}}}}, {{never: {{raise: {{error: {{type: 'https://x.test/e', status: 500}}}}}}}}]}}}}}}, \
         {}, {FAIL}]",
        list(&["b"])
    );
    let mut driver = begun(&document);
    driver.settle(|call| match call.name() {
        "c" => Err(communication(404)),
        name => Ok(json!(name)),
    });
    assert_eq!(called(&driver), ["b", "undo-b", "c"]);
    assert_eq!(
        driver.error().status,
        500,
        "the workflow's timeout does not run while it is undone"
    );
    assert_eq!(driver.run.compensation(), progress(2, 0, 0, None));
}

#[test]
fn a_timeline_shows_which_compensation_an_entry_belongs_to() {
    let driver = ended(&format!("do: [{}, {FAIL}]", list(&["a", "b"])));
    let mut timeline = Timeline::new(Arc::clone(&driver.workflow));
    let entries: Vec<_> = driver
        .records()
        .iter()
        .map(|record| timeline.push(record).unwrap())
        .collect();
    let of = |kind: &str| -> Vec<(String, Option<u64>)> {
        let entries = entries.iter().filter(|entry| entry.kind == kind);
        entries
            .filter_map(|entry| entry.task.as_ref())
            .map(|task| (task.name.to_string(), task.compensation))
            .collect()
    };
    let named = |name: &str, number| (name.to_owned(), number);
    assert_eq!(
        of("compensationBegan"),
        [named("b", Some(1)), named("a", Some(2))]
    );
    assert_eq!(of("compensationEnded"), of("compensationBegan"));
    let started = of("taskStarted");
    assert_eq!(
        started[3..],
        [named("undo-b", Some(1)), named("undo-a", Some(2))]
    );
    let cause = entries
        .iter()
        .find(|entry| entry.kind == "compensationStarted")
        .unwrap();
    assert_eq!(
        (
            cause.error.as_ref().unwrap().status,
            &*cause.task.as_ref().unwrap().name
        ),
        (500, "fail")
    );
    assert!(matches!(
        driver.records().last(),
        Some(Record::RunFaulted { compensation: Some(end), .. }) if end.undone == 2
    ));
}
