//! `try`, `catch` and `retry`.

use std::time::Duration;

use flame_types::RunStatus;
use serde_json::{Value, json};

use crate::driver::{Answer, Driver, communication, ended, output, scripted, workflow};

const GET: &str = "call: http, with: {method: get, endpoint: 'http://x.test/'}";

fn raise(status: u16) -> String {
    format!(
        "raise: {{error: {{type: 'https://serverlessworkflow.io/spec/1.0.0/errors/communication', status: {status}, title: Gone}}}}"
    )
}

#[test]
fn what_a_filter_gives_must_be_equal() {
    for (filter, caught) in [
        ("{}", true),
        ("{errors: {with: {status: 503}}}", true),
        ("{errors: {with: {status: 404}}}", false),
        (
            "{errors: {with: {type: 'https://serverlessworkflow.io/spec/1.0.0/errors/communication'}}}",
            true,
        ),
        (
            "{errors: {with: {type: 'https://serverlessworkflow.io/dsl/errors/types/communication', status: 503}}}",
            true,
        ),
        (
            "{errors: {with: {type: 'https://open-workflow-specification.org/spec/1.0.0/errors/communication'}}}",
            true,
        ),
        (
            "{errors: {with: {type: 'https://serverlessworkflow.io/spec/1.0.0/errors/runtime'}}}",
            false,
        ),
        (
            "{errors: {with: {title: Gone, instance: /do/0/t/try/0/a}}}",
            true,
        ),
        ("{errors: {with: {title: Here}}}", false),
        ("{errors: {with: {detail: some}}}", false),
        ("{when: '$error.status == 503 and .k == 1'}", true),
        ("{when: '$error.status == 404'}", false),
        ("{as: e, exceptWhen: '$e.status == 503'}", false),
        ("{as: e, exceptWhen: '$e.status == 404'}", true),
    ] {
        let document = format!(
            "do: [{{t: {{try: [{{a: {{{}}}}}], catch: {filter}}}}}, {{b: {{set: {{after: '${{ . }}'}}}}}}]",
            raise(503)
        );
        let driver = ended(&document, json!({"k": 1}));
        let expected = if caught {
            RunStatus::Completed
        } else {
            RunStatus::Faulted
        };
        assert_eq!(driver.status(), expected, "{filter}");
        if caught {
            assert_eq!(
                driver.output(),
                json!({"after": {"k": 1}}),
                "{filter}: without catch.do the data goes on"
            );
        } else {
            assert_eq!(
                driver.error().instance.as_deref(),
                Some("/do/0/t/try/0/a"),
                "{filter}"
            );
        }
    }
}

#[test]
fn catch_do_sees_the_error_and_the_tasks_input() {
    let document = format!(
        "do: [{{t: {{input: {{from: .in}}, try: [{{s: {{set: {{lost: 1}}}}}}, {{a: {{{}}}}}], \
         catch: {{as: oops, do: [{{h: {{set: {{at: '${{ $oops.instance }}', status: '${{ $oops.status }}', data: '${{ . }}'}}}}}}]}}}}}}]",
        raise(503)
    );
    assert_eq!(
        output(&document, json!({"in": {"k": 1}})),
        json!({"at": "/do/0/t/try/1/a", "status": 503, "data": {"k": 1}})
    );
}

#[test]
fn catch_then_says_where_a_handled_error_goes() {
    let document = |status: u16| {
        format!(
            "do: [{{t: {{try: [{{a: {{if: .fail, {}}}}}], catch: {{then: rescue, do: [{{h: {{set: {{handled: true}}}}}}]}}, then: fine}}}}, \
             {{rescue: {{set: '${{ . + {{rescued: true}} }}', then: end}}}}, {{fine: {{set: {{fine: true}}}}}}]",
            raise(status)
        )
    };
    assert_eq!(
        output(&document(500), json!({"fail": true})),
        json!({"handled": true, "rescued": true})
    );
    assert_eq!(
        output(&document(500), json!({"fail": false})),
        json!({"fine": true})
    );
}

#[test]
fn an_error_goes_up_to_the_try_that_wants_it() {
    let document = format!(
        "do: [{{outer: {{try: [{{d: {{do: [{{inner: {{try: [{{a: {{{}}}}}], catch: {{errors: {{with: {{status: 404}}}}}}}}}}]}}}}], \
         catch: {{do: [{{h: {{set: {{by: outer}}}}}}]}}}}}}]",
        raise(503)
    );
    let driver = ended(&document, json!({}));
    assert_eq!(driver.output(), json!({"by": "outer"}));
    assert_eq!(
        driver.count("taskFaulted"),
        3,
        "the call, the inner try and the do"
    );
    assert_eq!(driver.count("errorCaught"), 1);
}

#[test]
fn an_error_in_a_handler_is_not_caught_by_its_own_try() {
    let document = format!(
        "do: [{{outer: {{try: [{{t: {{try: [{{a: {{{}}}}}], catch: {{do: [{{h: {{{}}}}}]}}}}}}], \
         catch: {{do: [{{o: {{set: {{status: '${{ $error.status }}'}}}}}}]}}}}}}]",
        raise(503),
        raise(501)
    );
    assert_eq!(output(&document, json!({})), json!({"status": 501}));
}

#[test]
fn an_error_while_catching_takes_the_place_of_the_first() {
    let document = format!(
        "do: [{{outer: {{try: [{{t: {{try: [{{a: {{{}}}}}], catch: {{when: 'error(\"bad\")'}}}}}}], \
         catch: {{do: [{{o: {{set: {{at: '${{ $error.instance }}', type: '${{ $error.type | split(\"/\") | last }}'}}}}}}]}}}}}}]",
        raise(503)
    );
    assert_eq!(
        output(&document, json!({})),
        json!({"at": "/do/0/outer/try/0/t", "type": "expression"})
    );
}

fn fails(times: usize) -> Vec<Answer> {
    vec![Err(communication(503)); times]
}

fn delays(driver: &Driver) -> Vec<i64> {
    let scheduled = driver.records();
    scheduled
        .iter()
        .filter_map(|record| match record {
            flame_engine::Record::RetryScheduled { due, at, .. } => {
                Some(due.as_millisecond() - at.as_millisecond())
            }
            _ => None,
        })
        .collect()
}

#[test]
fn backoff_and_limits() {
    for (policy, failures, expected) in [
        (
            "{delay: {seconds: 3}, limit: {attempt: {count: 3}}}",
            3,
            vec![3_000, 3_000, 3_000],
        ),
        (
            "{delay: {seconds: 3}, backoff: {constant: {}}, limit: {attempt: {count: 2}}}",
            2,
            vec![3_000, 3_000],
        ),
        (
            "{delay: {seconds: 3}, backoff: {linear: {}}, limit: {attempt: {count: 3}}}",
            3,
            vec![3_000, 6_000, 9_000],
        ),
        (
            "{delay: {seconds: 3}, backoff: {exponential: {}}, limit: {attempt: {count: 4}}}",
            4,
            vec![3_000, 6_000, 12_000, 24_000],
        ),
        (
            "{delay: {seconds: 3}, limit: {duration: {seconds: 10}}}",
            3,
            vec![3_000, 3_000, 3_000],
        ),
        ("{limit: {attempt: {count: 2}}}", 2, vec![0, 0]),
    ] {
        let document = |handler: &str| {
            format!("do: [{{t: {{try: [{{a: {{{GET}}}}}], catch: {{retry: {policy}{handler}}}}}}}]")
        };
        let driver = scripted(
            &document(""),
            json!({}),
            [("a", [fails(failures), vec![Ok(json!(1))]].concat())],
        );
        assert_eq!(
            driver.output(),
            json!(1),
            "{policy}: the last attempt succeeds"
        );
        assert_eq!(delays(&driver), expected, "{policy}");
        let driver = scripted(&document(""), json!({}), [("a", fails(failures + 1))]);
        assert_eq!(
            driver.error().status,
            503,
            "{policy}: used up, the error goes up"
        );
        assert_eq!(driver.invoked.len(), failures + 1, "{policy}");
        let handler = ", do: [{h: {set: {undone: true}}}]";
        let driver = scripted(&document(handler), json!({}), [("a", fails(failures + 1))]);
        assert_eq!(
            driver.output(),
            json!({"undone": true}),
            "{policy}: used up, catch.do runs"
        );
    }
}

#[test]
fn jitter_is_rolled_once_and_journalled() {
    let policy = "{delay: {seconds: 1}, jitter: {from: {seconds: 1}, to: {seconds: 5}}, limit: {attempt: {count: 8}}}";
    let document = format!("do: [{{t: {{try: [{{a: {{{GET}}}}}], catch: {{retry: {policy}}}}}}}]");
    let driver = scripted(
        &document,
        json!({}),
        [("a", [fails(8), vec![Ok(json!(1))]].concat())],
    );
    let delays = delays(&driver);
    assert!(
        delays.iter().all(|delay| (2_000..=6_000).contains(delay)),
        "{delays:?}"
    );
    assert!(delays.iter().any(|delay| *delay != delays[0]), "{delays:?}");
}

#[test]
fn retry_conditions_see_the_error_under_the_name_that_it_has() {
    for (when, invoked) in [("$oops.status == 503", 3), ("$oops.status == 500", 1)] {
        let document = format!(
            "do: [{{t: {{try: [{{a: {{{GET}}}}}], catch: {{as: oops, \
             retry: {{when: '{when}', limit: {{attempt: {{count: 2}}}}}}}}}}}}]"
        );
        let driver = scripted(
            &document,
            json!({}),
            [("a", vec![Err(communication(503)); 3])],
        );
        assert_eq!(driver.invoked.len(), invoked, "{when}");
    }
}

#[test]
fn retry_conditions_see_the_error() {
    for (policy, invoked) in [
        (
            "{when: '$error.status == 503', limit: {attempt: {count: 2}}}",
            3,
        ),
        (
            "{when: '$error.status == 500', limit: {attempt: {count: 2}}}",
            1,
        ),
        (
            "{exceptWhen: '$error.status == 503', limit: {attempt: {count: 2}}}",
            1,
        ),
    ] {
        let document = format!(
            "do: [{{t: {{try: [{{a: {{{GET}}}}}], catch: {{retry: {policy}, do: [{{h: {{set: {{x: 1}}}}}}]}}}}}}]"
        );
        let driver = scripted(&document, json!({}), [("a", fails(3))]);
        assert_eq!(driver.invoked.len(), invoked, "{policy}");
        assert_eq!(driver.output(), json!({"x": 1}), "{policy}");
    }
}

#[test]
fn a_retry_runs_the_whole_list_again_under_the_same_keys() {
    let document = format!(
        "do: [{{t: {{try: [{{a: {{{GET}}}}}, {{b: {{{GET}}}}}], catch: {{retry: {{delay: {{seconds: 1}}, limit: {{attempt: {{count: 5}}}}}}}}}}}}]"
    );
    let driver = scripted(
        &document,
        json!({"k": 1}),
        [
            ("a", vec![Ok(json!(1)), Ok(json!(2)), Ok(json!(3))]),
            (
                "b",
                vec![
                    Err(communication(500)),
                    Err(communication(500)),
                    Ok(json!("done")),
                ],
            ),
        ],
    );
    let calls: Vec<(&str, &str)> = driver
        .invoked
        .iter()
        .map(|call| (call.name(), call.key.as_str()))
        .collect();
    assert_eq!(calls[0], calls[2]);
    assert_eq!(calls[1], calls[5]);
    let mut effects: Vec<_> = driver.invoked.iter().map(|call| call.effect).collect();
    effects.dedup();
    assert_eq!(effects.len(), 6, "effect ids are never used again");
    let attempts: Vec<Value> = driver
        .journal
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|record| record["type"] == "effectRequested")
        .map(|record| record["attempt"].clone())
        .collect();
    assert_eq!(attempts, [1, 1, 2, 2, 3, 3]);
    assert_eq!(driver.output(), json!("done"));
}

#[test]
fn waiting_for_a_retry_is_waiting() {
    let document = format!(
        "do: [{{t: {{try: [{{a: {{{GET}}}}}], catch: {{retry: {{delay: {{minutes: 1}}}}}}}}}}]"
    );
    let mut driver = Driver::new(workflow(&document));
    driver.start(json!({}));
    driver.answer_named("a", Err(communication(503)));
    assert_eq!(driver.status(), RunStatus::Waiting);
    let at_work = driver.run.at_work();
    assert_eq!((&*at_work[0].name, at_work.len()), ("t", 1));
    assert_eq!(at_work[0].due, Some(driver.now + Duration::from_secs(60)));
}

#[test]
fn the_context_of_a_failed_attempt_stays() {
    let document = format!(
        "do: [{{t: {{try: [{{s: {{set: {{e: 1}}, export: {{as: '{{n: (($context.n // 0) + 1)}}'}}}}}}, {{a: {{{GET}}}}}], \
         catch: {{retry: {{limit: {{attempt: {{count: 5}}}}}}}}}}}}, {{e: {{set: '${{ $context }}'}}}}]"
    );
    let driver = scripted(
        &document,
        json!({}),
        [("a", [fails(2), vec![Ok(json!(1))]].concat())],
    );
    assert_eq!(driver.output(), json!({"n": 3}));
}
