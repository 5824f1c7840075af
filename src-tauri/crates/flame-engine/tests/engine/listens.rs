//! `listen`: which events are taken, what they become, and what a crash or a halt leaves of it.

use flame_engine::{Arrived, Event, ReplayFrom};
use flame_types::RunStatus;
use serde_json::{Value, json};

use crate::driver::{Driver, workflow};
use crate::replays::{from, replay};

fn event(kind: &str, data: Value) -> Value {
    json!({"specversion": "1.0", "id": "1", "source": "/test", "type": kind, "data": data})
}

fn listening(rest: &str) -> Driver {
    let mut driver = Driver::new(workflow(rest));
    driver.start(json!({"wanted": "b", "limit": 2}));
    assert_eq!(
        driver.status(),
        RunStatus::Waiting,
        "{:?}",
        driver.run.error()
    );
    driver
}

/// What comes of events of the type `t`, one after another; `None` where the task still listens.
fn outcome(listen: &str, events: &[Value]) -> Option<Value> {
    let mut driver = listening(&format!("do: [{{a: {{listen: {listen}}}}}]"));
    for data in events {
        driver.post(event("t", data.clone()));
    }
    driver.crash();
    (driver.status() == RunStatus::Completed).then(|| driver.output())
}

#[test]
fn strategies_take_what_they_want_and_give_an_array() {
    let of_any = |until: &str| format!("{{to: {{any: [{{with: {{type: t}}}}], until: {until}}}}}");
    for (listen, events, expected) in [
        (
            "{to: {one: {with: {type: t}}}}",
            vec![json!(1)],
            Some(json!([1])),
        ),
        ("{to: {one: {with: {type: u}}}}", vec![json!(1)], None),
        (
            "{to: {any: []}}",
            vec![json!({"a": 1})],
            Some(json!([{"a": 1}])),
        ),
        // One event each, in the order in which they come; a filter that has its event takes no other.
        (
            "{to: {all: [{with: {data: '${ . > 5 }'}}, {with: {data: '${ . < 5 }'}}]}}",
            vec![json!(1), json!(2), json!(7)],
            Some(json!([1, 7])),
        ),
        (
            "{to: {all: [{with: {type: t}}, {with: {type: t}}]}}",
            vec![json!(1)],
            None,
        ),
        (
            &of_any("'length > 2'"),
            vec![json!(1), json!(2), json!(3), json!(4)],
            Some(json!([1, 2, 3])),
        ),
        (
            &of_any("'${ length >= $input.limit }'"),
            vec![json!(1), json!(2)],
            Some(json!([1, 2])),
        ),
        // The events of `until` are no part of the output.
        (
            &of_any("{one: {with: {type: t, data: '${ . == 0 }'}}}"),
            vec![json!(1), json!(2), json!(0)],
            Some(json!([1, 2])),
        ),
        (
            &of_any("{all: [{with: {data: '${ . == 8 }'}}, {with: {data: '${ . == 9 }'}}]}"),
            vec![json!(9), json!(1), json!(9), json!(8)],
            Some(json!([1, 9])),
        ),
    ] {
        assert_eq!(outcome(listen, &events), expected, "{listen}");
    }
}

#[test]
fn filters_look_at_attributes_as_text_pattern_expression_or_members() {
    for (with, data, fits) in [
        ("type: t", json!(1), true),
        ("type: 't|u'", json!(1), true),
        ("type: '.'", json!(1), false),
        ("type: '[a-s]'", json!(1), false),
        ("source: /te", json!(1), false),
        ("source: '/te.*'", json!(1), true),
        ("subject: x", json!(1), false),
        ("data: '${ .n > 3 }'", json!({"n": 4}), true),
        (
            "data: '${ .n > 3 }'",
            json!("no object, which is no fault"),
            false,
        ),
        ("data: '${ $input.wanted }'", json!("b"), true),
        ("data: '${ $input.wanted }'", json!("c"), false),
        (
            "data: {kind: '${ $input.wanted }', at: {x: 1}}",
            json!({"kind": "b", "at": {"x": 1, "y": 2}}),
            true,
        ),
        ("data: {kind: b}", json!({"kind": "c"}), false),
        ("data: plain.*", json!("plain.*"), true),
        ("data: [1, 2]", json!([1, 2]), true),
    ] {
        let listen = format!("{{to: {{one: {{with: {{{with}}}}}}}}}");
        assert_eq!(
            outcome(&listen, std::slice::from_ref(&data)).is_some(),
            fits,
            "{with} on {data}"
        );
    }
}

#[test]
fn a_correlation_is_fixed_by_its_first_value_or_expected() {
    let by_room = "{to: {all: [
        {with: {data: '${ .kind == \"heat\" }'}, correlate: {room: {from: .data.room}}},
        {with: {data: '${ .kind == \"damp\" }'}, correlate: {room: {from: .data.room}}}]}}";
    let reading = |kind: &str, room: u64| json!({"kind": kind, "room": room});
    assert_eq!(
        outcome(
            by_room,
            &[reading("heat", 1), reading("damp", 2), reading("damp", 1)]
        ),
        Some(json!([reading("heat", 1), reading("damp", 1)]))
    );
    assert_eq!(
        outcome(by_room, &[json!({"kind": "heat"})]),
        None,
        "no value is no correlation"
    );
    let expected = "{to: {one: {with: {type: t}, correlate: {who: {from: .data.who, expect: '${ $input.wanted }'}}}}}";
    assert_eq!(outcome(expected, &[json!({"who": "a"})]), None);
    assert_eq!(
        outcome(expected, &[json!({"who": "a"}), json!({"who": "b"})]),
        Some(json!([{"who": "b"}]))
    );
    let constant = "{to: {one: {with: {type: t}, correlate: {n: {from: .data, expect: '7'}}}}}";
    assert_eq!(outcome(constant, &[json!(7)]), Some(json!([7])));
}

#[test]
fn events_are_read_as_data_envelope_or_text() {
    let read = |how: &str| {
        let listen = format!("{{to: {{one: {{with: {{type: t}}}}}}, read: {how}}}");
        outcome(&listen, &[json!({"a": 1})]).unwrap()[0].clone()
    };
    assert_eq!(read("data"), json!({"a": 1}));
    assert_eq!(read("envelope"), event("t", json!({"a": 1})));
    assert_eq!(read("raw"), json!(r#"{"a":1}"#));
}

#[test]
fn foreach_handles_events_in_their_order_and_makes_the_output() {
    let mut driver = listening(
        "do:
  - a:
      listen: {to: {any: [{with: {type: t}}], until: {one: {with: {type: end}}}}}
      foreach:
        item: e
        at: i
        do: [{tell: {call: http, with: {method: post, endpoint: 'http://x.test/{n}', body: '${ $e }'}}}]
        output: {as: '{i: $i, e: $e.n, answer: .}'}
        export: {as: '$context + {last: $e.n}'}
  - b: {set: {all: '${ . }', last: '${ $context.last }'}}",
    );
    driver.post(event("t", json!({"n": 10})));
    driver.post(event("t", json!({"n": 11})));
    driver.post(event("end", json!(null)));
    driver.post(event("t", json!({"n": 12})));
    driver.crash();
    assert_eq!(driver.in_flight.len(), 1, "one after the other");
    assert_eq!(driver.named("tell").http().url, "http://x.test/10");
    driver.answer_named("tell", Ok(json!("first")));
    driver.crash();
    assert_eq!(driver.named("tell").http().url, "http://x.test/11");
    driver.answer_named("tell", Ok(json!("second")));
    let expected =
        json!([{"i": 0, "e": 10, "answer": "first"}, {"i": 1, "e": 11, "answer": "second"}]);
    assert_eq!(driver.output(), json!({"all": expected, "last": 11}));
    let keys: Vec<&str> = driver
        .invoked
        .iter()
        .map(|call| call.key.as_str())
        .collect();
    assert_ne!(
        keys.first(),
        keys.last(),
        "each iteration has a key of its own"
    );
}

#[test]
fn foreach_without_tasks_shapes_the_events() {
    let mut driver = listening(
        "do: [{a: {listen: {to: {any: [], until: 'length == 2'}}, foreach: {output: {as: '. * 2'}}}}]",
    );
    driver.post(event("t", json!(1)));
    driver.post(event("t", json!(2)));
    assert_eq!(driver.output(), json!([2, 4]));
}

/// Held against them is what `as` makes: of the event itself, and of the output.
#[test]
fn foreach_is_held_against_its_schemas() {
    let heard = |data: u64| {
        let mut driver = listening(
            "do:
  - a:
      listen: {to: {one: {with: {type: t}}}}
      foreach:
        output: {as: '. * 2', schema: {document: {type: number, minimum: 4}}}
        export: {as: '{n: .}', schema: {document: {properties: {n: {maximum: 10}}}}}
  - b: {set: {all: '${ . }', context: '${ $context }'}}",
        );
        driver.post(event("t", json!(data)));
        driver.crash();
        driver
    };
    assert_eq!(heard(2).output(), json!({"all": [4], "context": {"n": 4}}));
    for (data, property) in [
        (1, "foreach.output.schema: "),
        (6, "foreach.export.schema: "),
    ] {
        let error = heard(data).error();
        assert!(error.kind.ends_with("/errors/validation"), "{error:?}");
        assert_eq!(
            (error.status, error.instance.as_deref()),
            (400, Some("/do/0/a"))
        );
        let detail = error.detail.unwrap();
        assert!(detail.starts_with(property), "{detail}");
    }
}

#[test]
fn events_of_before_are_not_taken_and_those_of_a_halt_are() {
    let rest = "do: [{w: {wait: PT1S}}, {a: {listen: {to: {any: [], until: 'length == 2'}}}}]";
    let mut driver = Driver::new(workflow(rest));
    driver.start(json!({}));
    driver.post(event("t", json!("before")));
    driver.fire();
    driver.post(event("t", json!(1)));
    driver.handle(Event::Suspend);
    assert!(driver.listening.is_empty());
    driver.post(event("t", json!(2)));
    driver.crash();
    driver.handle(Event::Resume);
    while driver.deliver() {}
    assert_eq!(driver.output(), json!([1, 2]));
}

#[test]
fn an_event_that_comes_twice_is_taken_once() {
    let mut driver = listening("do: [{a: {listen: {to: {any: [], until: 'length == 2'}}}}]");
    let (frame, _) = driver.listening.first_key_value().unwrap();
    let frame = *frame;
    for _ in 0..2 {
        let arrived = Arrived {
            sequence: Some(1),
            event: event("t", json!(1)).into(),
        };
        driver.handle(Event::EventsArrived {
            frame,
            events: vec![arrived],
        });
    }
    assert_eq!(driver.count("eventConsumed"), 1);
}

#[test]
fn whoever_takes_every_event_does_not_take_those_about_runs() {
    let mut driver = listening("do: [{a: {listen: {to: {any: []}}}}]");
    driver.post(event("io.serverlessworkflow.task.started.v1", json!(1)));
    assert_eq!(driver.status(), RunStatus::Waiting);
    let mut driver = listening(
        "do: [{a: {listen: {to: {one: {with: {type: io.serverlessworkflow.task.started.v1}}}}}}]",
    );
    driver.post(event("io.serverlessworkflow.task.started.v1", json!(1)));
    assert_eq!(driver.status(), RunStatus::Completed);
}

#[test]
fn a_run_hears_what_it_emits_itself() {
    let mut driver = Driver::new(workflow(
        "do: [{both: {fork: {branches: [
            {hear: {listen: {to: {one: {with: {type: t.x}}}}}},
            {say: {emit: {event: {with: {type: t.x, data: 7}}}}}]}}}]",
    ));
    driver.start(json!({}));
    while driver.deliver() {}
    assert_eq!(driver.output()[0], json!([7]));
}

#[test]
fn a_timeout_ends_the_listening() {
    let mut driver =
        listening("do: [{a: {listen: {to: {one: {with: {type: t}}}}, timeout: {after: PT1M}}}]");
    driver.fire();
    assert_eq!(driver.error().status, 408);
    assert!(driver.listening.is_empty());
}

#[test]
fn a_filter_that_never_ends_faults_its_own_task() {
    let mut driver = listening(
        "do: [{a: {listen: {to: {one: {with: {data: '${ [limit(1e12; repeat(1))] }'}}}}}}]",
    );
    driver.post(event("t", json!(1)));
    assert_eq!(
        driver.error().title.as_deref(),
        Some("Expression used more than it may")
    );
    assert_eq!(driver.error().instance.as_deref(), Some("/do/0/a"));
}

#[test]
fn a_person_is_asked_and_events_of_the_log_are_no_answer() {
    let mut driver = listening(
        "do: [{a: {
            listen: {to: {one: {with: {type: io.mastra.approval.v1}}}},
            metadata: {mastra.io/person: {title: 'Take ${ .wanted }?', assignee: ada}}}}]",
    );
    assert!(driver.listening.is_empty());
    let (frame, ask) = driver.asked.first_key_value().unwrap();
    assert_eq!(
        (ask.title.as_str(), ask.assignee.as_deref()),
        ("Take b?", Some("ada"))
    );
    let frame = *frame;
    driver.crash();
    assert!(
        driver.asked.contains_key(&frame),
        "asked again after a crash"
    );
    let arrived = Arrived {
        sequence: None,
        event: event("io.mastra.approval.v1", json!({"approved": true})).into(),
    };
    driver.handle(Event::EventsArrived {
        frame,
        events: vec![arrived],
    });
    assert_eq!(driver.output(), json!([{"approved": true}]));
}

#[test]
fn a_replay_begins_at_the_listening_anew() {
    let mut old = listening("do: [{a: {listen: {to: {one: {with: {type: t}}}}}}]");
    old.post(event("t", json!(1)));
    let mut new = replay(&old, &from("/do/0/a", None)).unwrap();
    assert_eq!(new.status(), RunStatus::Waiting);
    new.post(event("t", json!(2)));
    assert_eq!(new.output(), json!([2]));
}

#[test]
fn a_replay_begins_inside_with_the_events_that_were_taken() {
    let mut old = listening(
        "do: [{a: {listen: {to: {any: [{with: {type: t}}], until: 'length >= 3'}}, foreach: {item: e, at: i, \
         do: [{w: {wait: {seconds: 5}}}, {x: {set: {n: '${ [$e, $i, .] }'}}}], \
         output: {as: '{of: .n}'}, export: {as: '{seen: $i}'}}}}]",
    );
    for number in 1..=3 {
        old.post(event("t", json!(number)));
        old.fire();
    }
    let whole = json!([{"of": [1, 0, 1]}, {"of": [2, 1, 2]}, {"of": [3, 2, 3]}]);
    assert_eq!(old.output(), whole);
    let x = ReplayFrom {
        iteration: Some(&[1]),
        ..from("/do/0/a/foreach/do/1/x", Some(json!("edited")))
    };
    let mut new = replay(&old, &x).unwrap();
    // Only what had come by then is there: the third comes to whoever listens now.
    assert_eq!(new.status(), RunStatus::Waiting);
    new.crash();
    new.post(event("t", json!(4)));
    new.fire();
    let edited = json!([{"of": [1, 0, 1]}, {"of": [2, 1, "edited"]}, {"of": [4, 2, 4]}]);
    assert_eq!(new.output(), edited);
}
