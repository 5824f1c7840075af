//! Test runs: pinned tasks, mocked calls, one task alone.

use std::sync::Arc;

use flame_engine::{Mock, MockAnswer, NotTestable, Run, TestPlan, Timeline};
use flame_types::RunStatus;
use serde_json::{Value, json};

use crate::driver::{Driver, RUN, communication, run_id, workflow};

fn plan(json: Value) -> TestPlan {
    serde_json::from_value(json).unwrap()
}

fn mock(call: &str, answer: MockAnswer) -> Mock {
    Mock {
        call: call.to_owned(),
        answer,
    }
}

/// A test that comes to its end without a call.
#[track_caller]
fn tested(rest: &str, input: Value, plan: TestPlan) -> Driver {
    let workflow = workflow(rest);
    let run = Run::testing(run_id(RUN), Arc::clone(&workflow), Arc::new(plan)).unwrap();
    let mut driver = Driver::of(workflow, run);
    driver.start(input);
    driver.crash();
    driver.settle(|call| panic!("a call was made: {call:?}"));
    let mut timeline = Timeline::new(Arc::clone(&driver.workflow));
    for record in driver.records() {
        timeline.push(&record).unwrap();
    }
    driver
}

const GET: &str = "call: http, with: {method: get, endpoint: 'http://x.test/items/{id}'}";

#[test]
fn a_pinned_task_gives_its_data_without_being_executed() {
    let document = format!(
        "do: [{{a: {{{GET}, output: {{as: .never}}, export: {{as: '{{seen: .n}}'}}}}}}, \
         {{b: {{do: [{{inner: {{{GET}}}}}]}}}}, {{c: {{set: {{all: '${{ . }}', seen: '${{ $context.seen }}'}}}}}}]"
    );
    let pins = plan(json!({"pins": {"/do/0/a": {"n": 1}, "/do/1/b": [2]}}));
    let driver = tested(&document, json!({"id": 1}), pins);
    assert_eq!(driver.output(), json!({"all": [2], "seen": 1}));
    assert_eq!(driver.count("taskStubbed"), 2);
    assert_eq!(
        driver.count("taskStarted"),
        3,
        "what is inside a pinned task does not begin"
    );
}

#[test]
fn a_pin_inside_a_loop_and_a_fork_holds_for_every_execution() {
    let document = format!(
        "do: [{{l: {{for: {{each: x, in: '[1, 2]'}}, do: [{{a: {{{GET}}}}}]}}}}, \
         {{f: {{fork: {{branches: [{{p: {{{GET}}}}}, {{q: {{set: {{q: 1}}}}}}]}}}}}}]"
    );
    let pins = plan(json!({"pins": {"/do/0/l/do/0/a": 7, "/do/1/f/fork/branches/0/p": 8}}));
    let driver = tested(&document, json!({"id": 1}), pins);
    assert_eq!(driver.output(), json!([8, {"q": 1}]));
    assert_eq!(driver.count("taskStubbed"), 3);
}

#[test]
fn a_mocked_call_answers_by_url_task_or_function() {
    let document = format!(
        "do: [{{a: {{{GET}, output: {{as: '{{id: .n}}'}}}}}}, {{b: {{{GET}}}}}, \
         {{c: {{call: 'sqlite.upsert:1.0.0@default', with: {{connection: db, table: t, key: [id], record: '${{ . }}'}}}}}}]"
    );
    let plan = TestPlan {
        mocks: vec![
            mock("/do/1/b", MockAnswer::Output(Arc::new(json!({"b": true})))),
            mock(
                "http://x.test/items/5",
                MockAnswer::Output(Arc::new(json!({"n": 6}))),
            ),
            mock(
                "sqlite.upsert",
                MockAnswer::Output(Arc::new(json!({"written": 1}))),
            ),
        ],
        ..TestPlan::default()
    };
    let driver = tested(&document, json!({"id": 5}), plan);
    assert_eq!(driver.output(), json!({"written": 1}));
    assert_eq!(driver.count("effectRequested"), 0);
}

#[test]
fn calls_of_every_protocol_answer_by_protocol_and_operation() {
    for (task, call) in [
        (
            "{call: openapi, with: {document: {endpoint: 'http://x.test/o'}, operationId: getPet}}",
            "openapi.getPet",
        ),
        (
            "{call: asyncapi, with: {document: {endpoint: 'http://x.test/o'}, operation: send, message: {payload: {n: 1}}}}",
            "asyncapi.send",
        ),
        (
            "{call: asyncapi, with: {document: {endpoint: 'http://x.test/o'}, channel: stock, subscription: {consume: {amount: 1}}}}",
            "asyncapi.stock",
        ),
        (
            "{call: grpc, with: {proto: {endpoint: 'http://x.test/o'}, service: {name: a.B, host: x.test}, method: Say}}",
            "grpc.Say",
        ),
        (
            "{call: mcp, with: {method: tools/call, parameters: {name: t}, transport: {http: {endpoint: 'http://x.test/'}}}}",
            "mcp.tools/call",
        ),
        (
            "{call: a2a, with: {method: message/send, server: 'http://x.test/', parameters: {message: {}}}}",
            "a2a.message/send",
        ),
    ] {
        for (mocked, answers) in [(call, true), ("/do/0/a", true), ("grpc.Other", false)] {
            let document = format!("do: [{{a: {task}}}]");
            let plan = TestPlan {
                mocks: vec![mock(mocked, MockAnswer::Output(Arc::new(json!([call]))))],
                ..TestPlan::default()
            };
            let workflow = workflow(&document);
            let run = Run::testing(run_id(RUN), Arc::clone(&workflow), Arc::new(plan)).unwrap();
            let mut driver = Driver::of(workflow, run);
            driver.start(json!({}));
            if answers {
                assert_eq!(driver.output(), json!([call]), "{mocked}");
                assert!(driver.invoked.is_empty(), "{call}");
            } else {
                assert_eq!(driver.invoked.len(), 1, "{call}: {mocked} is another call");
            }
        }
    }
}

#[test]
fn processes_and_children_answer_by_their_task() {
    let ended = json!({"code": 0, "stdout": "out", "stderr": "err"});
    for (run, answer, output) in [
        ("shell: {command: x}, return: all", &ended, &ended),
        (
            "script: {language: python, code: x}, return: code",
            &ended,
            &json!(0),
        ),
        (
            "script: {language: js, code: x}, return: stderr",
            &ended,
            &json!("err"),
        ),
        (
            "container: {image: x}, return: stdout",
            &ended,
            &json!("out"),
        ),
        (
            "workflow: {namespace: n, name: child, version: latest}",
            &json!({"n": 1}),
            &json!({"n": 1}),
        ),
    ] {
        let plan = TestPlan {
            mocks: vec![mock(
                "/do/0/a",
                MockAnswer::Output(Arc::new(answer.clone())),
            )],
            ..TestPlan::default()
        };
        let driver = tested(&format!("do: [{{a: {{run: {{{run}}}}}}}]"), json!({}), plan);
        assert_eq!(&driver.output(), output, "{run}");
        assert_eq!(driver.count("taskStubbed"), 1, "{run}");
    }
}

#[test]
fn a_mocked_error_is_caught_like_any_other() {
    let document = format!(
        "do: [{{t: {{try: [{{a: {{{GET}}}}}], catch: {{retry: {{delay: {{seconds: 1}}, limit: {{attempt: {{count: 2}}}}}}, \
         do: [{{h: {{set: {{status: '${{ $error.status }}'}}}}}}]}}}}}}]"
    );
    let plan = TestPlan {
        mocks: vec![mock(
            "http://x.test/",
            MockAnswer::Error(communication(503)),
        )],
        ..TestPlan::default()
    };
    let driver = tested(&document, json!({"id": 5}), plan);
    assert_eq!(driver.output(), json!({"status": 503}));
    assert_eq!(driver.count("taskStubbed"), 3, "each attempt asks the mock");
}

#[test]
fn one_task_runs_alone_with_the_given_input_and_context() {
    let document = "input: {schema: {document: {type: object, required: [k]}}}\n\
         do: [{first: {set: {never: 1}}}, {d: {do: [{y: {set: {sum: '${ .n + $context.m }'}, then: end}}, {z: {set: {z: 1}}}]}}]\n\
         output: {as: .never}";
    let alone = plan(json!({"task": "/do/1/d/do/0/y", "context": {"m": 2}}));
    let driver = tested(document, json!({"n": 1}), alone);
    assert_eq!(driver.output(), json!({"sum": 3}));
    assert_eq!(driver.count("taskStarted"), 1);

    let back = "do: [{a: {switch: [{again: {then: a}}]}}, {b: {set: {x: 1}}}]";
    let driver = tested(back, json!({"n": 1}), plan(json!({"task": "/do/0/a"})));
    assert_eq!(
        (driver.status(), driver.output()),
        (RunStatus::Completed, json!({"n": 1}))
    );
}

#[test]
fn a_plan_for_another_workflow_is_refused() {
    let refused = |json: Value| {
        let workflow = workflow("do: [{a: {set: {x: 1}}}]");
        Run::testing(run_id(RUN), workflow, Arc::new(plan(json))).unwrap_err()
    };
    let unknown = NotTestable::UnknownTask("/do/1/b".to_owned());
    assert_eq!(refused(json!({"pins": {"/do/1/b": 1}})), unknown);
    assert_eq!(refused(json!({"task": "/do/1/b"})), unknown);
    let mocks = |call: &str| json!({"mocks": [{"call": call, "answer": {"output": 1}}]});
    assert_eq!(refused(mocks("/do/1/b")), unknown);
    assert!(matches!(
        refused(mocks("/do/0/a")),
        NotTestable::NoCall { kind: "set", .. }
    ));
}
