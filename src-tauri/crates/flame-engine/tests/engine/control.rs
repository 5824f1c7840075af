//! Cancel, suspend, resume, retry, limits: what people and the runtime do to a run.

use std::sync::{Arc, OnceLock};

use flame_dsl::Workflow;
use flame_engine::{Corrupt, Event, Limits, Record, Run, Timeline};
use flame_types::RunStatus;
use proptest::prelude::*;
use serde_json::json;

use crate::driver::{Driver, RUN, communication, run_id, workflow};

const GET: &str = "call: http, with: {method: get, endpoint: 'http://x.test/'}";

fn started(document: &str) -> Driver {
    let mut driver = Driver::new(workflow(document));
    driver.start(json!({"k": 1}));
    driver
}

fn fork() -> String {
    format!(
        "do: [{{f: {{fork: {{branches: [{{a: {{{GET}}}}}, {{w: {{wait: {{hours: 1}}}}}}]}}}}}}, {{z: {{set: {{done: true}}}}}}]"
    )
}

#[test]
fn cancel_stops_everything_once() {
    let mut driver = started(&fork());
    driver.handle(Event::Cancel);
    assert_eq!(driver.status(), RunStatus::Cancelled);
    assert_eq!((driver.in_flight.len(), driver.timers.len()), (0, 0));
    assert_eq!(driver.count("taskCancelled"), 3);
    let length = driver.journal.len();
    for event in [
        Event::Cancel,
        Event::Retry,
        Event::Resume,
        Event::Suspend,
        Event::Continue,
    ] {
        driver.handle(event);
    }
    assert_eq!(driver.journal.len(), length, "a terminal state is set once");
    assert_eq!(driver.finished, [RunStatus::Cancelled]);
}

#[test]
fn a_run_that_has_not_begun_can_be_cancelled() {
    let mut driver = Driver::new(workflow("do: [{a: {set: {e: 1}}}]"));
    driver.handle(Event::Cancel);
    assert_eq!(driver.status(), RunStatus::Cancelled);
    driver.start(json!({}));
    assert_eq!(driver.status(), RunStatus::Cancelled);
}

#[test]
fn a_suspended_run_keeps_answers_and_waits() {
    let mut driver = started(&fork());
    driver.handle(Event::Suspend);
    assert_eq!(driver.status(), RunStatus::Suspended);
    assert_eq!(
        (driver.in_flight.len(), driver.timers.len()),
        (1, 0),
        "calls finish, timers stop"
    );
    driver.answer_named("a", Ok(json!(5)));
    assert_eq!(driver.status(), RunStatus::Suspended);
    driver.handle(Event::Continue);
    assert_eq!(driver.count("taskCompleted"), 0);
    driver.crash();
    assert_eq!(driver.status(), RunStatus::Suspended);
    driver.handle(Event::Resume);
    assert_eq!((driver.count("taskCompleted"), driver.timers.len()), (1, 1));
    driver.fire();
    assert_eq!(driver.output(), json!({"done": true}));
}

#[test]
fn a_call_lost_while_suspended_is_made_again_on_resume() {
    let mut driver = started(&fork());
    let first = driver.named("a");
    driver.handle(Event::Suspend);
    driver.crash();
    assert!(driver.in_flight.is_empty());
    driver.handle(Event::Resume);
    assert_eq!(driver.named("a"), first);
}

#[test]
fn an_error_kept_while_suspended_is_raised_on_resume() {
    let mut driver = started(&format!("do: [{{a: {{{GET}}}}}]"));
    driver.handle(Event::Suspend);
    driver.answer_named("a", Err(communication(503)));
    driver.handle(Event::Resume);
    assert_eq!(driver.error().status, 503);
}

#[test]
fn timeouts_stand_still_while_a_run_is_suspended() {
    let mut driver = started(&format!(
        "timeout: {{after: {{seconds: 60}}}}\ndo: [{{a: {{{GET}, timeout: {{after: {{seconds: 30}}}}}}}}]"
    ));
    let before: Vec<_> = driver.timers.values().map(|due| due.as_second()).collect();
    driver.handle(Event::Suspend);
    driver.now = flame_types::Timestamp::from_second(driver.now.as_second() + 1_000).unwrap();
    driver.handle(Event::Resume);
    let after: Vec<_> = driver.timers.values().map(|due| due.as_second()).collect();
    assert_eq!(
        after,
        before.iter().map(|due| due + 1_000).collect::<Vec<_>>()
    );
}

#[test]
fn retry_goes_back_to_the_task_that_faulted() {
    let mut driver = started(&format!(
        "do: [{{a: {{{GET}}}}}, {{l: {{for: {{in: '[1, 2]'}}, do: [{{b: {{{GET}, output: {{as: '. + $item'}}}}}}]}}}}, {{z: {{set: {{n: '${{ . }}'}}}}}}]"
    ));
    driver.answer_named("a", Ok(json!(1)));
    driver.answer_named("b", Ok(json!(10)));
    let failing = driver.named("b");
    driver.answer_named("b", Err(communication(500)));
    assert_eq!(driver.status(), RunStatus::Faulted);
    assert_eq!(driver.run.retryable(), Ok(()));
    driver.crash();
    driver.handle(Event::Retry);
    assert_eq!(driver.status(), RunStatus::Running);
    assert_eq!(driver.run.error(), None);
    let again = driver.named("b");
    assert_eq!(again.key, failing.key);
    assert_ne!(again.effect, failing.effect);
    driver.answer_named("b", Ok(json!(20)));
    assert_eq!(driver.output(), json!({"n": 22}));
    assert_eq!(
        driver
            .invoked
            .iter()
            .filter(|call| call.name() == "a")
            .count(),
        1,
        "completed tasks stay"
    );
    assert_eq!(driver.finished, [RunStatus::Faulted, RunStatus::Completed]);
}

#[test]
fn retry_asks_again_for_what_was_in_flight_beside_the_fault() {
    let mut driver = started(&format!(
        "do: [{{f: {{fork: {{branches: [{{a: {{{GET}}}}}, {{b: {{{GET}}}}}, {{w: {{wait: {{hours: 1}}}}}}]}}}}}}]"
    ));
    let (a, b) = (driver.named("a"), driver.named("b"));
    driver.answer_named("a", Err(communication(500)));
    assert_eq!(driver.aborted, [b.effect]);
    assert!(driver.timers.is_empty());
    driver.handle(Event::EffectDone {
        effect: b.effect,
        outcome: Ok(json!("late").into()),
    });
    driver.handle(Event::Retry);
    assert_eq!(
        (driver.named("a").key, driver.named("b").key),
        (a.key, b.key)
    );
    assert_eq!(driver.timers.len(), 1);
    driver.answer_named("b", Ok(json!(2)));
    driver.answer_named("a", Ok(json!(1)));
    driver.fire();
    assert_eq!(driver.output(), json!([1, 2, {"k": 1}]));
}

#[test]
fn retry_after_retries_were_used_up_begins_the_try_anew() {
    let mut driver = started(&format!(
        "do: [{{t: {{try: [{{a: {{{GET}}}}}], catch: {{retry: {{limit: {{attempt: {{count: 1}}}}}}}}}}}}]"
    ));
    let key = driver.named("a").key;
    driver.answer_named("a", Err(communication(500)));
    driver.answer_named("a", Err(communication(500)));
    assert_eq!(driver.status(), RunStatus::Faulted);
    driver.handle(Event::Retry);
    assert_eq!(driver.named("a").key, key);
    driver.answer_named("a", Ok(json!(1)));
    assert_eq!(driver.output(), json!(1));
}

#[test]
fn retry_after_the_workflows_timeout_gives_it_new_time() {
    let mut driver = started(&format!(
        "timeout: {{after: {{seconds: 9}}}}\ndo: [{{a: {{{GET}}}}}]"
    ));
    driver.fire();
    assert_eq!(driver.status(), RunStatus::Faulted);
    driver.handle(Event::Retry);
    assert_eq!(
        driver
            .timers
            .values()
            .next()
            .map(|due| due.as_second() - driver.now.as_second()),
        Some(9)
    );
    driver.answer_named("a", Ok(json!(1)));
    assert_eq!(driver.output(), json!(1));
}

#[test]
fn only_a_faulted_run_can_be_retried() {
    let mut driver = started(&fork());
    assert_eq!(
        driver.run.retryable().unwrap_err().to_string(),
        "the run is running; only a faulted run can be retried"
    );
    let length = driver.journal.len();
    driver.handle(Event::Retry);
    assert_eq!(driver.journal.len(), length);
}

const ENDLESS: &str =
    "do: [{a: {set: {n: '${ (.n // 0) + 1 }'}, then: b}}, {b: {set: {n: '${ .n }'}, then: a}}]";

#[test]
fn an_endless_cycle_gives_way_and_can_be_cancelled() {
    let mut driver = started(ENDLESS);
    for _ in 0..5 {
        assert!(
            driver.yielded,
            "it gives way after a bounded amount of work"
        );
        assert_eq!(driver.status(), RunStatus::Running);
        driver.handle(Event::Continue);
    }
    driver.crash();
    assert!(driver.yielded, "a resumed run has its pure work left");
    driver.handle(Event::Cancel);
    assert_eq!(driver.status(), RunStatus::Cancelled);
}

#[test]
fn an_endless_cycle_meets_the_step_limit() {
    let limits = Limits {
        steps_per_turn: 100,
        steps_max: 1_000,
        ..Limits::default()
    };
    let mut driver = Driver::new(workflow(ENDLESS)).with_limits(limits);
    driver.start(json!({}));
    driver.settle(|_| panic!("no calls"));
    let error = driver.error();
    assert!(error.kind.ends_with("/errors/runtime"));
    assert!(error.detail.unwrap().contains("1000"));
    assert_eq!(driver.run.steps(), 1_000);
    driver.handle(Event::Retry);
    assert!(driver.yielded, "a retry has new steps");
}

#[test]
fn an_endless_retry_meets_the_step_limit_too() {
    let limits = Limits {
        steps_per_turn: 100,
        steps_max: 500,
        ..Limits::default()
    };
    let document = "do: [{t: {try: [{a: {raise: {error: {type: 'https://x.test/e', status: 500}}}}], catch: {retry: {}}}}]";
    let mut driver = Driver::new(workflow(document)).with_limits(limits);
    driver.start(json!({}));
    driver.settle(|_| panic!("no calls"));
    assert!(driver.error().kind.ends_with("/errors/runtime"));
}

#[test]
fn a_damaged_journal_is_found() {
    let driver = started(&format!("do: [{{a: {{{GET}}}}}]"));
    let resume = |records: Vec<Record>, document: &str| {
        Run::resume(run_id(RUN), workflow(document), records).map(|run| run.status())
    };
    let good = driver.records();
    let same = format!("do: [{{a: {{{GET}}}}}]");
    assert_eq!(resume(good.clone(), &same), Ok(RunStatus::Running));
    for (name, records, document) in [
        ("a record is missing", good[1..].to_vec(), same.as_str()),
        (
            "a record stands twice",
            [good.clone(), good[1..2].to_vec(), good.clone()].concat(),
            same.as_str(),
        ),
        (
            "another definition",
            good.clone(),
            "do: [{b: {set: {x: 1}}}]",
        ),
    ] {
        let problem: Corrupt = resume(records, document).expect_err(name);
        assert!(
            problem.to_string().contains("does not fit"),
            "{name}: {problem}"
        );
    }
}

#[test]
fn a_retry_that_faults_at_once_announces_its_end() {
    let mut driver =
        started("do: [{a: {raise: {error: {type: 'https://x.test/e', status: 500}}}}]");
    driver.handle(Event::Retry);
    assert_eq!(driver.finished, [RunStatus::Faulted, RunStatus::Faulted]);
}

#[test]
fn a_call_that_can_no_longer_be_evaluated_faults_its_task() {
    let mut driver =
        started("do: [{a: {call: http, with: {method: get, endpoint: 'http://x.test/{k}'}}}]");
    let mut journal = driver.journal.clone();
    journal[0] = journal[0].replace("\"k\":1", "\"k\":[1]");
    driver.rewrite(journal);
    driver.crash();
    assert!(driver.in_flight.is_empty());
    let error = driver.error();
    assert!(error.detail.unwrap().contains("\"k\""));
    assert_eq!(driver.finished, [RunStatus::Faulted]);
}

#[test]
fn a_run_may_move_between_threads() {
    fn is_send<T: Send>() {}
    is_send::<Run>();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// A journal with records lost, doubled or out of order is refused or folded; it never panics.
    #[test]
    fn a_shuffled_journal_never_panics(order in prop::collection::vec(0_usize..64, 1..64)) {
        let journal = SHUFFLED.get_or_init(|| {
            let mut driver = started(&fork());
            driver.answer_named("a", Err(communication(500)));
            driver.handle(Event::Retry);
            driver.handle(Event::Suspend);
            driver.answer_named("a", Ok(json!(5)));
            driver.handle(Event::Resume);
            driver.fire();
            (Arc::clone(&driver.workflow), driver.records())
        });
        let (workflow, records) = journal;
        // Mostly in order, so that the fold gets far.
        let mut picked: Vec<Record> = records.clone();
        for (place, from) in order.iter().enumerate().step_by(3) {
            let place = place.min(picked.len() - 1);
            picked[place] = records[from % records.len()].clone();
        }
        let _ = Run::resume(run_id(RUN), Arc::clone(workflow), picked.clone());
        let mut timeline = Timeline::new(Arc::clone(workflow));
        let _ = picked.iter().try_for_each(|record| timeline.push(record).map(|_| ()));
    }
}

static SHUFFLED: OnceLock<(Arc<Workflow>, Vec<Record>)> = OnceLock::new();

#[test]
fn a_step_is_bounded_in_bytes_too() {
    let mut driver = Driver::new(workflow(
        "do: [{l: {for: {in: '[range(60)]'}, do: [{a: {set: {n: '${ $index }', text: '${ .text }'}}}]}}]",
    ));
    driver.start(json!({"text": "x".repeat(200_000)}));
    assert!(driver.yielded);
    let bytes: usize = driver.journal.iter().map(String::len).sum();
    assert!((4_000_000..6_000_000).contains(&bytes), "{bytes}");
    driver.settle(|_| panic!("no calls"));
    assert_eq!(driver.output()["n"], json!(59));
}
