//! Clocks that jump ten years, either way: waits keep their length, and nothing waits for years.

use std::time::Duration;

use flame_engine::Event;
use flame_types::{RunStatus, Timestamp};
use serde_json::json;

use crate::driver::{Driver, communication, workflow};

const GET: &str = "call: http, with: {method: get, endpoint: 'http://x.test/'}";
const TEN_YEARS: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

fn started(rest: &str) -> Driver {
    let mut driver = Driver::new(workflow(rest));
    driver.start(json!({}));
    driver
}

fn due(driver: &Driver) -> Timestamp {
    *driver.timers.values().next().expect("a timer is armed")
}

#[test]
fn a_wait_that_began_while_the_clock_was_ahead_ends_in_time() {
    for crashes in [false, true] {
        let mut driver = started("do: [{w: {wait: {minutes: 5}}}, {z: {set: {done: true}}}]");
        driver.now -= TEN_YEARS;
        if crashes {
            driver.crash();
        } else {
            driver.look_at_the_clock();
        }
        let minutes = Duration::from_secs(5 * 60);
        assert_eq!(due(&driver), driver.now + minutes);
        assert_eq!(driver.count("clockTurnedBack"), 1);
        let begun = driver.now;
        driver.fire();
        assert_eq!(driver.output(), json!({"done": true}));
        assert_eq!(driver.now, begun + minutes);
    }
}

#[test]
fn a_timer_that_fires_by_a_wrong_clock_is_armed_for_its_length() {
    let mut driver = started("do: [{w: {wait: {minutes: 5}}}]");
    driver.now -= TEN_YEARS;
    let timer = *driver.timers.keys().next().unwrap();
    driver.handle(Event::TimerFired { timer });
    assert_eq!(driver.status(), RunStatus::Waiting);
    assert_eq!(due(&driver), driver.now + Duration::from_secs(5 * 60));
    // The clock is right again: it has long been due.
    driver.now += TEN_YEARS;
    driver.handle(Event::TimerFired { timer });
    assert_eq!(driver.status(), RunStatus::Completed);
}

#[test]
fn timeouts_and_delays_of_retries_keep_their_length() {
    let mut driver = started(&format!(
        "do: [{{t: {{try: [{{a: {{{GET}}}}}], timeout: {{after: {{hours: 1}}}}, \
         catch: {{retry: {{delay: {{minutes: 1}}, limit: {{duration: {{minutes: 9}}, attempt: {{duration: {{minutes: 2}}}}}}}}}}}}}}]"
    ));
    let lengths = |driver: &Driver| {
        let mut lengths: Vec<i64> = driver
            .timers
            .values()
            .map(|due| due.duration_since(driver.now).as_secs())
            .collect();
        lengths.sort_unstable();
        lengths
    };
    assert_eq!(lengths(&driver), [120, 3600]);
    driver.now -= TEN_YEARS;
    driver.look_at_the_clock();
    assert_eq!(lengths(&driver), [120, 3600]);
    driver.answer_named("a", Err(communication(503)));
    driver.now -= TEN_YEARS;
    driver.crash();
    assert_eq!(lengths(&driver), [60, 3600]);
    // The limit of all attempts counts from the clock as it is, not from ten years ahead.
    for _ in 0..8 {
        driver.fire();
        driver.answer_named("a", Err(communication(503)));
    }
    assert_eq!(driver.status(), RunStatus::Faulted);
}

#[test]
fn a_timeout_that_stood_still_under_a_wrong_clock_is_not_years_long() {
    let mut driver = started(&format!(
        "do: [{{a: {{{GET}, timeout: {{after: {{hours: 1}}}}}}}}]"
    ));
    driver.handle(Event::Suspend);
    driver.now += TEN_YEARS;
    driver.handle(Event::Resume);
    assert_eq!(due(&driver), driver.now + Duration::from_secs(60 * 60));
    driver.now -= TEN_YEARS;
    driver.look_at_the_clock();
    assert_eq!(due(&driver), driver.now + Duration::from_secs(60 * 60));
}

#[test]
fn a_clock_that_went_on_is_not_worth_a_record() {
    let mut driver = started("do: [{w: {wait: {minutes: 5}}}]");
    driver.now += Duration::from_secs(60);
    driver.look_at_the_clock();
    driver.crash();
    assert_eq!(driver.count("clockTurnedBack"), 0);
}

#[test]
fn years_and_months_are_counted_from_when_they_begin() {
    for (wait, begin, end) in [
        ("P1M", "2026-01-31T10:00:00Z", "2026-02-28T10:00:00Z"),
        (
            "'${ \"P1Y\" }'",
            "2024-02-29T10:00:00Z",
            "2025-02-28T10:00:00Z",
        ),
    ] {
        let mut driver = Driver::new(workflow(&format!("do: [{{w: {{wait: {wait}}}}}]")));
        driver.now = begin.parse().unwrap();
        driver.start(json!({}));
        assert_eq!(due(&driver).to_string(), end);
        driver.crash();
        assert_eq!(due(&driver).to_string(), end, "it does not begin anew");
    }
}
