//! Calls: what is asked of the world, under which key, and what its answers become.

use std::time::Duration;

use flame_dsl::HttpOutput;
use flame_engine::{Call, EffectId, Event, Receipt, Verdict};
use flame_types::RunStatus;
use serde_json::json;

use crate::driver::{Driver, RUN, communication, ended, error, scripted, workflow};

const GET: &str = "call: http, with: {method: get, endpoint: 'http://x.test/'}";

#[test]
fn an_http_call_is_evaluated_in_full() {
    let mut driver = Driver::new(workflow(
        "do:
  - send:
      input: {from: .order}
      call: http
      with:
        method: post
        endpoint: https://x.test/pets/{id}{?tags*}
        headers: {X-Id: '${ .id }', X-Many: '${ [.id, .q] }', X-None: '${ .none }'}
        query: {q: '${ .q }', flag: '${ true }'}
        body: {id: '${ .id }', kind: '${ $workflow.definition.document.name }'}
        output: response
        redirect: true
      timeout: {after: {seconds: 30}}
",
    ));
    driver.start(json!({"order": {"id": "a b", "q": "x&y", "tags": ["t", "u"]}}));
    let call = driver.named("send");
    let request = call.http();
    assert_eq!(request.method, "POST");
    assert_eq!(request.url, "https://x.test/pets/a%20b?tags=t&tags=u");
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(
        request.headers,
        [
            pair("X-Id", "a b"),
            pair("X-Many", "a b"),
            pair("X-Many", "x&y")
        ]
    );
    assert_eq!(request.query, [pair("q", "x&y"), pair("flag", "true")]);
    assert_eq!(
        request.body.as_deref(),
        Some(&json!({"id": "a b", "kind": "sample"}))
    );
    assert_eq!(
        (request.output, request.redirect),
        (HttpOutput::Response, true)
    );
    assert_eq!(request.timeout, Some(Duration::from_secs(30)));
    assert_eq!(call.key, format!("{RUN}/do/0/send#0"));
    assert_eq!(call.reference, "/do/0/send");
    assert!(
        !driver.journal.join("").contains("x%26y") && !driver.journal.join("").contains("https://")
    );
}

#[test]
fn expressions_may_stand_for_whole_parts() {
    let mut driver = Driver::new(workflow(
        "do: [{a: {call: http, with: {method: get, endpoint: '${ .url }', headers: '${ .h }', query: '${ .q }'}}}]",
    ));
    driver.start(json!({"url": "http://x.test/{raw}", "h": {"A": "1"}, "q": null}));
    let call = driver.named("a");
    assert_eq!(
        call.http().url,
        "http://x.test/{raw}",
        "what data says is no template"
    );
    assert_eq!(call.http().headers, [("A".to_owned(), "1".to_owned())]);
    assert!(call.http().query.is_empty());
}

#[test]
fn a_function_call_carries_its_arguments() {
    let mut driver = Driver::new(workflow(
        "do: [{a: {call: 'sqlite.upsert:1.0.0@default', with: {connection: main, table: orders, key: [id], records: '${ .rows }'}}}]",
    ));
    driver.start(json!({"rows": [{"id": 1}]}));
    let Call::Function {
        connector,
        operation,
        version,
        arguments,
    } = driver.named("a").call
    else {
        panic!("a function call")
    };
    assert_eq!(
        (&*connector, &*operation, &*version),
        ("sqlite", "upsert", "1.0.0")
    );
    assert_eq!(arguments["records"], json!([{"id": 1}]));
    driver.answer_named("a", Ok(json!({"written": 1})));
    assert_eq!(driver.output(), json!({"written": 1}));
}

#[test]
fn a_described_call_carries_where_its_document_is_and_its_arguments() {
    let mut driver = Driver::new(workflow(
        "do: [{a: {timeout: {after: PT5S}, call: mcp, with: {method: tools/call, parameters: {name: '${ .tool }'}, \
         transport: {http: {endpoint: 'https://x.test/{tenant}', headers: {A: '${ .tool }'}}}}}}, \
         {b: {call: openapi, with: {document: {endpoint: {uri: '${ .tool }'}}, operationId: get, \
         parameters: {id: '${ .content }'}}}}]",
    ));
    driver.start(json!({"tool": "sell", "tenant": "shop 1"}));
    let Call::Protocol(asked) = driver.named("a").call else {
        panic!("a call by a protocol")
    };
    assert_eq!(asked.document, None);
    assert_eq!(asked.server.as_deref(), Some("https://x.test/shop%201"));
    assert_eq!(asked.timeout.unwrap().as_secs(), 5);
    assert_eq!(
        *asked.arguments,
        json!({"method": "tools/call", "parameters": {"name": "sell"}, "transport": {"http": {"headers": {"A": "sell"}}}})
    );
    driver.answer_named("a", Ok(json!({"content": 7, "tool": "file:///shop.yaml"})));
    let Call::Protocol(asked) = driver.named("b").call else {
        panic!("a call by a protocol")
    };
    assert_eq!(asked.document.as_deref(), Some("file:///shop.yaml"));
    assert_eq!(asked.arguments["parameters"], json!({"id": 7}));
    driver.answer_named("b", Ok(json!({"left": 3})));
    assert_eq!(driver.output(), json!({"left": 3}));
}

/// What becomes of messages 1 to 9: those taken, and whether it has ended.
fn subscribed(subscription: &str) -> (Vec<i64>, bool) {
    let mut driver = Driver::new(workflow(&format!(
        "do: [{{s: {{set: {{least: 3}}, export: {{as: '${{ {{least: .least}} }}'}}}}}}, {{a: {{call: asyncapi, with: \
         {{document: {{endpoint: 'file:///a'}}, operation: o, subscription: {subscription}}}}}}}]"
    )));
    driver.start(json!({}));
    let Call::Protocol(asked) = driver.named("a").call else {
        panic!("a call by a protocol")
    };
    let Some(Receipt::Whole(subscription)) = asked.receipt else {
        panic!("a subscription")
    };
    let mut taken: Vec<serde_json::Value> = Vec::new();
    let mut ended = false;
    for n in 1..10 {
        let message = json!({"n": n});
        match subscription.judge(&message, &taken).unwrap() {
            Verdict::Passed => {}
            Verdict::Taken => taken.push(message),
            Verdict::TakenLast => {
                taken.push(message);
                ended = true;
            }
            Verdict::Ended => ended = true,
        }
        if ended {
            break;
        }
    }
    let numbers = taken.iter().map(|message| message["n"].as_i64().unwrap());
    (numbers.collect(), ended)
}

#[test]
fn a_subscription_takes_what_its_expressions_say() {
    for (subscription, taken, ended) in [
        ("{consume: {amount: 2}}", vec![1, 2], true),
        (
            "{filter: '${ .n >= $context.least }', consume: {amount: 2}}",
            vec![3, 4],
            true,
        ),
        (
            "{consume: {while: '${ .n < $input.least }'}}",
            vec![1, 2, 3],
            true,
        ),
        ("{consume: {until: '${ .n == 4 }'}}", vec![1, 2, 3], true),
        (
            "{consume: {until: '${ ($context.consumedMessages | length) == 4 }'}}",
            vec![1, 2, 3, 4],
            true,
        ),
        (
            "{consume: {while: '${ ($context.consumedMessages | length) < 4 }'}}",
            vec![1, 2, 3, 4],
            true,
        ),
        (
            "{filter: '${ .n % 4 == 0 }', consume: {while: '${ true }'}}",
            vec![4, 8],
            false,
        ),
    ] {
        assert_eq!(subscribed(subscription), (taken, ended), "{subscription}");
    }
}

#[test]
fn a_call_that_can_not_be_made_is_a_configuration_error() {
    for (with, detail) in [
        (
            "{method: get, endpoint: 'http://x.test/{up}/b'}",
            "step of the path",
        ),
        (
            "{method: get, endpoint: '${ .nothing }'}",
            "with.endpoint gave null",
        ),
        ("{method: get, endpoint: '${ .ftp }'}", "ftp://x.test"),
        (
            "{method: get, endpoint: 'http://x.test', headers: '${ .text }'}",
            "with.headers gave",
        ),
        (
            "{method: get, endpoint: 'http://x.test', query: {a: '${ {b: 1} }'}}",
            "with.query.a gave",
        ),
    ] {
        let error = error(
            &format!("do: [{{a: {{call: http, with: {with}}}}}]"),
            json!({"ftp": "ftp://x.test", "text": "x", "up": ".."}),
        );
        assert!(
            error.kind.ends_with("/errors/configuration"),
            "{with}: {error:?}"
        );
        let text = error.detail.unwrap();
        assert!(text.contains(detail), "{with}: {text}");
    }
}

/// DSL 1.0.3, "URI Template".
#[test]
fn a_template_takes_nothing_for_what_is_missing_and_no_list() {
    let mut driver = Driver::new(workflow(
        "do: [{a: {call: http, with: {method: get, endpoint: 'http://x.test/{id}/{pet.id}'}}}]",
    ));
    driver.start(json!({"pet": {"id": 1}, "pet.id": 2}));
    assert_eq!(driver.named("a").http().url, "http://x.test//2");
    let refused = error(
        "do: [{a: {call: http, with: {method: get, endpoint: 'http://x.test/{id}'}}}]",
        json!({"id": {"n": 1}}),
    );
    assert!(refused.kind.ends_with("/errors/expression"), "{refused:?}");
    assert_eq!(refused.status, 400);
}

#[test]
fn the_intent_is_journalled_before_the_call() {
    let mut driver = Driver::new(workflow(&format!(
        "do: [{{a: {{{GET}}}}}, {{b: {{set: {{x: 1}}}}}}, {{c: {{{GET}}}}}]"
    )));
    driver.start(json!({}));
    assert_eq!(driver.commits.len(), 1);
    assert!(driver.journal.last().unwrap().contains("effectRequested"));
    driver.answer_named("a", Ok(json!(1)));
    assert_eq!(
        driver.commits.len(),
        2,
        "a result, the pure task after it and the next intent are one commit"
    );
    assert!(driver.journal.last().unwrap().contains("effectRequested"));
    driver.answer_named("c", Ok(json!(2)));
    assert_eq!(driver.finished, [RunStatus::Completed]);
    assert_eq!(driver.output(), json!(2));
}

#[test]
fn an_error_carries_the_task() {
    let driver = scripted(
        &format!("do: [{{a: {{{GET}}}}}]"),
        json!({}),
        [("a", vec![Err(communication(503))])],
    );
    let error = driver.error();
    assert_eq!(
        (error.status, error.instance.as_deref()),
        (503, Some("/do/0/a"))
    );
}

#[test]
fn answers_nobody_waits_for_change_nothing() {
    let mut driver = Driver::new(workflow(&format!("do: [{{a: {{{GET}}}}}]")));
    driver.start(json!({}));
    let before = driver.journal.len();
    driver.handle(Event::EffectDone {
        effect: EffectId(99),
        outcome: Ok(json!(1).into()),
    });
    driver.handle(Event::Start {
        input: json!({"again": true}).into(),
    });
    assert_eq!(driver.journal.len(), before);
    driver.answer_named("a", Ok(json!(1)));
    let end = driver.journal.len();
    driver.handle(Event::EffectDone {
        effect: EffectId(1),
        outcome: Ok(json!(2).into()),
    });
    assert_eq!((driver.journal.len(), driver.output()), (end, json!(1)));
}

#[test]
fn a_task_that_the_flow_comes_back_to_has_a_new_key() {
    let driver = scripted(
        &format!(
            "do: [{{a: {{{GET}, output: {{as: '{{n: .}}'}}}}}}, {{b: {{switch: [{{c: {{when: .n < 3, then: a}}}}]}}}}]"
        ),
        json!({}),
        [("a", vec![Ok(json!(1)), Ok(json!(2)), Ok(json!(3))])],
    );
    let keys: Vec<&str> = driver
        .invoked
        .iter()
        .map(|call| call.key.rsplit_once('#').unwrap().1)
        .collect();
    assert_eq!(keys, ["0", "1", "2"]);
}

#[test]
fn a_long_reference_still_makes_a_short_key() {
    let name = "n".repeat(300);
    let mut driver = Driver::new(workflow(&format!("do: [{{{name}: {{{GET}}}}}]")));
    driver.start(json!({}));
    let key = &driver.named(&name).key;
    assert!(key.starts_with(RUN) && key.len() <= 255, "{key}");
}

#[test]
fn wait_passes_its_data_through() {
    let driver = ended(
        "do: [{a: {wait: {seconds: 5}}}, {b: {wait: '${ .d }'}}]",
        json!({"d": "PT10S"}),
    );
    assert_eq!(driver.output(), json!({"d": "PT10S"}));
    assert_eq!(driver.now.as_second(), 1_700_000_015);
    let mut driver = Driver::new(workflow("do: [{a: {wait: PT5S}}]"));
    driver.start(json!({}));
    assert_eq!(driver.status(), RunStatus::Waiting);
    let due = driver.run.at_work()[0].due;
    assert_eq!(due.map(|due| due.as_second()), Some(1_700_000_005));
}
