//! Timeouts of tasks, of attempts and of the workflow.

use flame_types::RunStatus;
use serde_json::json;

use crate::driver::{Driver, ended, workflow};

const GET: &str = "call: http, with: {method: get, endpoint: 'http://x.test/'}";

#[test]
fn a_task_that_takes_too_long_is_aborted() {
    let mut driver = Driver::new(workflow(&format!(
        "do: [{{a: {{{GET}, timeout: {{after: {{seconds: 5}}}}}}}}]"
    )));
    driver.start(json!({}));
    let effect = driver.named("a").effect;
    driver.fire();
    let error = driver.error();
    assert!(error.kind.ends_with("/errors/timeout"));
    assert_eq!(
        (error.status, error.instance.as_deref()),
        (408, Some("/do/0/a"))
    );
    assert_eq!(driver.aborted, [effect]);
}

#[test]
fn a_task_in_time_disarms_its_timeout() {
    let mut driver = Driver::new(workflow(&format!(
        "do: [{{d: {{do: [{{a: {{{GET}}}}}], timeout: {{after: {{seconds: 5}}}}}}}}, {{b: {{{GET}}}}}]"
    )));
    driver.start(json!({}));
    assert_eq!(driver.timers.len(), 1);
    driver.answer_named("a", Ok(json!(1)));
    assert!(driver.timers.is_empty());
    driver.answer_named("b", Ok(json!(2)));
    assert_eq!(driver.output(), json!(2));
}

#[test]
fn a_timeout_around_several_tasks_cancels_what_is_inside() {
    let mut driver = Driver::new(workflow(&format!(
        "do: [{{t: {{try: [{{f: {{fork: {{branches: [{{a: {{{GET}}}}}, {{b: {{wait: {{hours: 1}}}}}}]}}, \
         timeout: {{after: {{seconds: 5}}}}}}}}], catch: {{errors: {{with: {{status: 408}}}}, do: [{{h: {{set: {{late: '${{ $error.instance }}'}}}}}}]}}}}}}]"
    )));
    driver.start(json!({}));
    assert_eq!(driver.timers.len(), 2);
    driver.fire();
    assert_eq!(driver.output(), json!({"late": "/do/0/t/try/0/f"}));
    assert_eq!(driver.count("taskCancelled"), 2);
    assert_eq!(driver.aborted.len(), 1);
}

#[test]
fn the_workflow_has_a_timeout_that_nothing_catches() {
    let mut driver = Driver::new(workflow(&format!(
        "timeout: {{after: {{seconds: 9}}}}\ndo: [{{t: {{try: [{{a: {{{GET}}}}}], catch: {{}}}}}}]"
    )));
    driver.start(json!({}));
    driver.fire();
    let error = driver.error();
    assert_eq!((error.status, error.instance.as_deref()), (408, Some("/")));
    assert_eq!(driver.finished, [RunStatus::Faulted]);
}

#[test]
fn the_workflow_names_a_timeout_that_it_shares() {
    let mut driver = Driver::new(workflow(&format!(
        "use: {{timeouts: {{soon: {{after: {{seconds: 9}}}}, late: {{after: {{hours: 9}}}}}}}}\n\
         timeout: soon\ndo: [{{a: {{{GET}, timeout: late}}}}]"
    )));
    driver.start(json!({}));
    let begun = driver.now;
    let effect = driver.named("a").effect;
    driver.fire();
    assert_eq!(driver.now.duration_since(begun).as_secs(), 9);
    let error = driver.error();
    assert!(error.kind.ends_with("/errors/timeout"), "{}", error.kind);
    assert_eq!((error.status, error.instance.as_deref()), (408, Some("/")));
    assert_eq!(driver.aborted, [effect]);
    assert_eq!(driver.finished, [RunStatus::Faulted]);
}

#[test]
fn an_attempt_that_takes_too_long_is_retried() {
    let mut driver = Driver::new(workflow(&format!(
        "do: [{{t: {{try: [{{a: {{{GET}}}}}], catch: {{errors: {{with: {{status: 408}}}}, \
         retry: {{delay: {{seconds: 1}}, limit: {{attempt: {{count: 3, duration: {{seconds: 5}}}}}}}}}}}}}}]"
    )));
    driver.start(json!({}));
    let first = driver.named("a");
    driver.fire();
    assert_eq!(driver.aborted, [first.effect]);
    assert_eq!(driver.status(), RunStatus::Waiting);
    driver.fire();
    let second = driver.named("a");
    assert_eq!(second.key, first.key);
    assert_eq!(driver.timers.len(), 1, "the next attempt has its own limit");
    driver.answer_named("a", Ok(json!("ok")));
    assert_eq!(driver.output(), json!("ok"));
}

#[test]
fn an_attempts_timeout_that_the_filter_refuses_goes_up() {
    let mut driver = Driver::new(workflow(&format!(
        "do: [{{t: {{try: [{{a: {{{GET}}}}}], catch: {{errors: {{with: {{status: 503}}}}, \
         retry: {{limit: {{attempt: {{count: 3, duration: {{seconds: 5}}}}}}}}}}}}}}]"
    )));
    driver.start(json!({}));
    driver.fire();
    assert_eq!(driver.error().instance.as_deref(), Some("/do/0/t"));
}

#[test]
fn a_timer_before_its_time_is_armed_again() {
    let mut driver = Driver::new(workflow("do: [{a: {wait: {seconds: 5}}}]"));
    driver.start(json!({}));
    let (timer, due) = driver
        .timers
        .iter()
        .map(|(timer, due)| (*timer, *due))
        .next()
        .unwrap();
    driver.handle(flame_engine::Event::TimerFired { timer });
    assert_eq!(driver.status(), RunStatus::Waiting);
    assert_eq!(driver.timers.get(&timer), Some(&due));
}

#[test]
fn an_evaluated_timeout() {
    let driver = ended(
        "do: [{a: {wait: {seconds: 5}, timeout: {after: '${ .limit }'}}}]",
        json!({"limit": "PT1S"}),
    );
    assert_eq!(driver.error().status, 408);
}
