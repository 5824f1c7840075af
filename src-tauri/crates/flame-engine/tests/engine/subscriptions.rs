//! `call: asyncapi` with `foreach`: one message after the other, and what a crash or a halt leaves of it.

use flame_engine::{Call, Event, Mark, NotReplayable, Receipt, ReplayFrom, Run};
use flame_types::RunStatus;
use serde_json::{Value, json};

use crate::driver::{Driver, communication, run_id, workflow};

/// A subscription `a` in a workflow of its own.
fn subscribed(subscription: &str) -> Driver {
    let mut driver = Driver::new(workflow(&format!(
        "do: [{{a: {{call: asyncapi, with: {{document: {{endpoint: 'file:///a'}}, operation: o, \
         subscription: {subscription}}}}}}}]"
    )));
    driver.start(json!({"least": 2}));
    driver
}

/// Where the subscription `a` goes on.
fn after(driver: &Driver) -> Option<Mark> {
    let Call::Protocol(request) = driver.named("a").call else {
        panic!("a call by a protocol")
    };
    match request.receipt {
        Some(Receipt::Singly { after }) => after,
        other => panic!("messages one by one: {other:?}"),
    }
}

#[test]
fn it_takes_messages_until_there_are_enough() {
    let each = "foreach: {item: m, do: [{x: {set: '${ $m.n * 10 }'}}]}";
    for (consume, taken) in [
        ("consume: {amount: 2}", vec![10, 20]),
        (
            "filter: '${ .n >= $input.least }', consume: {amount: 2}",
            vec![20, 30],
        ),
        ("consume: {while: '${ .n < $input.least }'}", vec![10, 20]),
        ("consume: {until: '${ .n == 3 }'}", vec![10, 20]),
        (
            "consume: {until: '${ ($context.consumedMessages | length) == 3 }'}",
            vec![10, 20, 30],
        ),
        (
            "consume: {while: '${ ($context.consumedMessages | length) < 3 }'}",
            vec![10, 20, 30],
        ),
    ] {
        let mut driver = subscribed(&format!("{{{consume}, {each}}}"));
        for n in 1.. {
            if driver.status() == RunStatus::Completed {
                break;
            }
            driver.message("a", json!({"n": n}), None);
            driver.crash();
        }
        assert_eq!(driver.output(), json!(taken), "{consume}");
    }
}

#[test]
fn what_its_tasks_export_is_known_when_it_asks_for_more() {
    for (consume, messages) in [
        ("while: '${ $context.sum < 5 }'", 3),
        ("until: '${ $context.sum >= 5 }'", 3),
    ] {
        let export = "'${ {sum: (($context.sum // 0) + $item)} }'";
        let mut driver = subscribed(&format!(
            "{{consume: {{{consume}}}, foreach: {{export: {{as: {export}}}}}}}"
        ));
        for n in 1..=messages {
            driver.message("a", json!(n), None);
        }
        assert_eq!(driver.output(), json!([1, 2, 3]), "{consume}");
    }
}

#[test]
fn foreach_is_held_against_its_schemas() {
    let received = |messages: [u64; 2]| {
        let mut driver = subscribed(
            "{consume: {amount: 2}, foreach: {\
             output: {as: '${ . * 2 }', schema: {document: {type: number, minimum: 4}}}, \
             export: {as: '${ {n: .} }', schema: {document: {properties: {n: {maximum: 10}}}}}}}",
        );
        for message in messages {
            driver.message("a", json!(message), None);
        }
        driver.crash();
        driver
    };
    assert_eq!(received([2, 5]).output(), json!([4, 10]));
    for (message, property) in [
        (1, "foreach.output.schema: "),
        (6, "foreach.export.schema: "),
    ] {
        let error = received([2, message]).error();
        assert!(error.kind.ends_with("/errors/validation"), "{error:?}");
        assert_eq!(
            (error.status, error.instance.as_deref()),
            (400, Some("/do/0/a"))
        );
        let detail = error.detail.unwrap();
        assert!(detail.starts_with(property), "{detail}");
    }
}

const CALLS: &str = "{consume: {amount: 3}, foreach: {item: m, at: place, do: [{sell: {call: http, with: \
     {method: post, endpoint: 'http://a.b/x', body: '${ {m: $m, place: $place} }'}}}], \
     output: {as: '${ {got: ., place: $place} }'}}}";

/// A message comes, its call is answered.
fn handled(driver: &mut Driver, message: Value) {
    driver.message("a", message.clone(), None);
    assert_eq!(
        driver.named("sell").http().body.as_deref().unwrap()["m"],
        message
    );
    driver.answer_named("sell", Ok(message));
}

#[test]
fn the_tasks_of_a_message_end_before_the_next_is_asked_for() {
    let mut driver = subscribed(CALLS);
    driver.message("a", json!("p"), None);
    assert!(
        driver.receiving.is_empty(),
        "it asks while a task is at work"
    );
    assert!(driver.named("sell").key.ends_with("/do/0/sell#0[0].0"));
    driver.answer_named("sell", Ok(json!(1)));
    handled(&mut driver, json!("q"));
    handled(&mut driver, json!("r"));
    assert_eq!(
        driver.output(),
        json!([{"got": 1, "place": 0}, {"got": "q", "place": 1}, {"got": "r", "place": 2}])
    );
    assert_eq!(driver.count("messageTaken"), 3);
    assert_eq!(driver.count("iterationCompleted"), 3);
}

#[test]
fn after_a_crash_it_goes_on_behind_the_message_that_it_took_last() {
    let mut driver = subscribed(CALLS);
    assert_eq!(after(&driver), None);
    let (effect, key) = (driver.named("a").effect, driver.named("a").key);
    driver.message("a", json!("p"), Some(Mark::Id("7".to_owned())));
    driver.crash();
    // The message's call is asked for again, and the subscription too; no message is wanted yet.
    assert!(driver.receiving.is_empty());
    assert_eq!(after(&driver), Some(Mark::Id("7".to_owned())));
    assert_eq!(
        (driver.named("a").effect, driver.named("a").key),
        (effect, key)
    );
    driver.answer_named("sell", Ok(json!("p")));
    driver.crash();
    handled(&mut driver, json!("q"));
    // Without a mark of its own it is known that far.
    assert_eq!(after(&driver), Some(Mark::Id("7".to_owned())));
    driver.crash();
    handled(&mut driver, json!("r"));
    assert_eq!(
        driver.output(),
        json!([{"got": "p", "place": 0}, {"got": "q", "place": 1}, {"got": "r", "place": 2}])
    );
    let sells = driver.journal.iter().filter(|line| line.contains("sell"));
    assert_eq!(sells.filter(|line| line.contains("taskStarted")).count(), 3);
}

#[test]
fn its_time_ends_it_once_the_message_at_work_is_done() {
    let timed = CALLS.replace("amount: 3", "amount: 3, for: {minutes: 1}");
    let mut driver = subscribed(&timed);
    driver.message("a", json!("p"), None);
    let due = *driver.timers.values().next().unwrap();
    driver.crash();
    assert_eq!(driver.timers.values().copied().collect::<Vec<_>>(), [due]);
    driver.fire();
    assert_eq!(driver.count("subscriptionEnded"), 1);
    assert!(!driver.in_flight.values().any(|call| call.name() == "a"));
    driver.answer_named("sell", Ok(json!("p")));
    assert_eq!(driver.output(), json!([{"got": "p", "place": 0}]));
}

#[test]
fn a_connection_that_ends_is_an_error_that_a_try_catches() {
    let mut driver = Driver::new(workflow(
        "do: [{t: {try: [{a: {call: asyncapi, with: {document: {endpoint: 'file:///a'}, operation: o, \
         subscription: {consume: {amount: 2}, foreach: {}}}}}], catch: {do: [{c: {set: {status: \
         '${ $error.status }'}}}]}}}]",
    ));
    driver.start(json!({}));
    driver.message("a", json!(1), None);
    driver.answer_named("a", Err(communication(502)));
    assert_eq!(driver.output(), json!({"status": 502}));
}

#[test]
fn a_message_that_was_asked_for_is_not_lost_to_a_suspension() {
    let mut driver = subscribed(CALLS);
    driver.handle(Event::Suspend);
    driver.message("a", json!("p"), None);
    assert_eq!(driver.count("messageTaken"), 1);
    assert_eq!(driver.count("iterationStarted"), 0);
    driver.handle(Event::Resume);
    driver.answer_named("sell", Ok(json!("p")));

    driver.handle(Event::Suspend);
    driver.answer_named("a", Err(communication(502)));
    assert_eq!(driver.status(), RunStatus::Suspended);
    driver.handle(Event::Resume);
    assert_eq!(driver.error().status, 502);
}

#[test]
fn a_condition_that_fails_faults_the_task() {
    for subscription in [
        "{filter: '${ .n | error }', consume: {amount: 1}, foreach: {}}",
        "{consume: {while: '${ .n | error }'}, foreach: {}}",
        "{consume: {amount: 1, for: '${ .least }'}, foreach: {}}",
    ] {
        let mut driver = subscribed(subscription);
        if driver.status() == RunStatus::Running {
            driver.message("a", json!({"n": "x"}), None);
        }
        let error = driver.error();
        assert!(error.kind.ends_with("/expression"), "{error:?}");
        assert!(driver.in_flight.is_empty(), "{subscription}");
    }
}

#[test]
fn a_faulted_task_of_a_message_is_tried_again_where_it_was() {
    let mut driver = subscribed(CALLS);
    handled(&mut driver, json!("p"));
    driver.message("a", json!("q"), None);
    driver.answer_named("sell", Err(communication(500)));
    assert_eq!(driver.status(), RunStatus::Faulted);
    assert!(driver.in_flight.is_empty());
    driver.handle(Event::Retry);
    driver.answer_named("sell", Ok(json!("q")));
    handled(&mut driver, json!("r"));
    assert_eq!(
        driver.output(),
        json!([{"got": "p", "place": 0}, {"got": "q", "place": 1}, {"got": "r", "place": 2}])
    );
}

#[test]
fn a_task_inside_of_it_is_not_replayed_alone() {
    let mut driver = subscribed(CALLS);
    driver.message("a", json!("p"), None);
    driver.answer_named("sell", Ok(json!("p")));
    let from = ReplayFrom {
        reference: "/do/0/a/with/subscription/foreach/do/0/sell",
        iteration: None,
        input: None,
        context: None,
    };
    let id = run_id("0192d3a4-7c1e-7e6b-9a51-3f2b8c1d4e60");
    let old = Run::new(driver.run.id(), driver.workflow.clone());
    let (records, moment) = (driver.records(), driver.moment());
    let refused = Run::replay(id, old, records, &from, moment).unwrap_err();
    assert!(
        matches!(refused, NotReplayable::InsideSubscription { .. }),
        "{refused}"
    );
}
