//! `run`: what processes and child runs are asked for, and what becomes the output.

use std::sync::Arc;

use flame_engine::{Call, Event, ParentRun, ProcessCall, Program, ScriptText, SubflowCall};
use flame_types::RunStatus;
use serde_json::{Value, json};

use crate::driver::{Driver, RUN, communication, run_id, scripted, workflow};

fn ended(code: i64, stdout: &str, stderr: &str) -> Value {
    json!({"code": code, "stdout": stdout, "stderr": stderr})
}

/// Begins a document whose first task runs something, and gives what it asks for.
fn asked(rest: &str, input: Value) -> Call {
    let mut driver = Driver::new(workflow(rest));
    driver.start(input);
    driver.named("a").call
}

fn process(rest: &str, input: Value) -> ProcessCall {
    match asked(rest, input) {
        Call::Process(call) => *call,
        other => panic!("not a process: {other:?}"),
    }
}

fn subflow(call: &Call) -> &SubflowCall {
    match call {
        Call::Workflow(call) => call,
        other => panic!("not a child run: {other:?}"),
    }
}

#[test]
fn what_a_process_is_given() {
    let call = process(
        "do: [{a: {run: {script: {language: javascript, code: 'a(`${b}`)', stdin: '${ . }', \
         arguments: [x, '${ .n }', '${ {} }'], environment: {A: '${ .n }', B: null, C: c}}}}}]",
        json!({"n": 7}),
    );
    let Program::Script(_, ScriptText::Inline(code)) = &call.program else {
        panic!("{call:?}");
    };
    assert_eq!(&**code, "a(`${b}`)", "code is no template");
    assert_eq!(call.stdin.as_deref(), Some(r#"{"n":7}"#));
    assert_eq!(call.arguments, ["x", "7", "{}"]);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(call.environment, [pair("A", "7"), pair("C", "c")]);
    assert!(call.awaits);

    let call = process(
        "do: [{a: {timeout: {after: PT9S}, run: {container: {image: '${ \"i:\" + .tag }', ports: {'8080': 80}, \
         volumes: {/in: /data}, lifetime: {cleanup: eventually, after: PT5M}}}}}]",
        json!({"tag": "1"}),
    );
    let Program::Container(container) = &call.program else {
        panic!("{call:?}");
    };
    assert_eq!(container.image, "i:1");
    assert_eq!(container.ports, [(8080, 80)]);
    assert_eq!(container.volumes, [pair("/in", "/data")]);
    assert_eq!(
        container.remove_after.map(|after| after.as_secs()),
        Some(300)
    );
    assert_eq!(call.timeout.map(|timeout| timeout.as_secs()), Some(9));
}

#[test]
fn what_of_a_process_becomes_the_output() {
    for (wanted, code, expected) in [
        ("", 0, Ok(json!("out"))),
        ("stdout", 0, Ok(json!("out"))),
        ("stderr", 0, Ok(json!("err\n"))),
        ("none", 0, Ok(json!(null))),
        ("code", 3, Ok(json!(3))),
        (
            "all",
            3,
            Ok(json!({"code": 3, "stdout": "out", "stderr": "err\n"})),
        ),
        ("stdout", 3, Err("it ended with code 3: err")),
    ] {
        let wanted = match wanted {
            "" => String::new(),
            wanted => format!(", return: {wanted}"),
        };
        let driver = scripted(
            &format!("do: [{{a: {{run: {{shell: {{command: x}}{wanted}}}}}}}]"),
            json!({}),
            [("a", vec![Ok(ended(code, "out\n", "err\n\n"))])],
        );
        match expected {
            Ok(output) => assert_eq!(driver.output(), output, "{wanted}"),
            Err(detail) => {
                let error = driver.error();
                assert_eq!(error.detail.as_deref(), Some(detail));
                assert_eq!(error.instance.as_deref(), Some("/do/0/a"));
            }
        }
    }
}

/// DSL 1.0.3: "it should simply output its transformed input".
#[test]
fn a_process_that_nobody_awaits_gives_the_task_s_input() {
    for what in [
        "shell: {command: x}",
        "workflow: {namespace: n, name: c, version: latest}",
    ] {
        let driver = scripted(
            &format!("do: [{{a: {{input: {{from: .x}}, run: {{{what}, await: false}}}}}}]"),
            json!({"x": 5}),
            [("a", vec![Ok(json!({"started": true}))])],
        );
        assert_eq!(driver.output(), json!(5), "{what}");
    }
}

#[test]
fn what_can_t_be_run_is_the_document_s_fault() {
    for (what, detail) in [
        (
            "container: {image: '${ .none }'}",
            "run.container.image gave no name of an image",
        ),
        (
            "container: {image: a, ports: {'0': 80}}",
            "run.container.ports has 0: 80; it needs two ports from 1 to 65535",
        ),
        (
            "script: {language: js, source: {endpoint: '${ 7 }'}}",
            "run.script.source.endpoint gave 7; it needs a URL",
        ),
    ] {
        let driver = scripted(&format!("do: [{{a: {{run: {{{what}}}}}}}]"), json!({}), []);
        assert_eq!(driver.error().detail.as_deref(), Some(detail), "{what}");
    }
}

const CHILD: &str =
    "run: {workflow: {namespace: n, name: child, version: 1.0.0, input: {x: '${ .k }'}}}";

#[test]
fn a_child_run_is_asked_for_with_its_parent() {
    let call = asked(&format!("do: [{{a: {{{CHILD}}}}}]"), json!({"k": 1}));
    let call = subflow(&call);
    assert_eq!(*call.input, json!({"x": 1}));
    assert_eq!(
        call.parent,
        ParentRun {
            run: run_id(RUN),
            task: "/do/0/a".to_owned(),
            depth: 1,
            unseen: false
        }
    );
    assert_eq!(
        call.version.as_ref().map(ToString::to_string).as_deref(),
        Some("1.0.0")
    );
}

/// A crash asks for the same child; each iteration and each attempt for another.
#[test]
fn a_child_s_id_is_that_of_its_attempt() {
    let mut driver = Driver::new(workflow(&format!(
        "do: [{{l: {{for: {{in: '[1, 2]'}}, do: [{{t: {{try: [{{a: {{{CHILD}}}}}], \
         catch: {{retry: {{limit: {{attempt: {{count: 3}}}}}}}}}}}}]}}}}]"
    )));
    driver.start(json!({"k": 1}));
    let mut ids = Vec::new();
    for failed in [true, false, true, false] {
        let asked = driver.named("a");
        let id = subflow(&asked.call).run;
        assert!(driver.run.awaits(id));
        driver.crash();
        assert_eq!(subflow(&driver.named("a").call).run, id, "after a crash");
        let answer = if failed {
            Err(communication(503))
        } else {
            Ok(json!({"k": 2}))
        };
        driver.answer_named("a", answer);
        assert!(!driver.run.awaits(id), "it has its answer");
        ids.push(id);
    }
    assert_eq!(driver.output(), json!({"k": 2}));
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[test]
fn a_child_s_fault_is_the_task_s_as_it_was() {
    let error = flame_engine::Error {
        instance: Some("/do/4/inner".to_owned()),
        ..communication(418)
    };
    let driver = scripted(
        &format!("do: [{{a: {{{CHILD}}}}}]"),
        json!({}),
        [("a", vec![Err(error.clone())])],
    );
    assert_eq!(driver.error(), error);
}

#[test]
fn cancelling_a_run_aborts_what_it_runs() {
    for what in [CHILD, "run: {shell: {command: sleep}}"] {
        let mut driver = Driver::new(workflow(&format!("do: [{{a: {{{what}}}}}]")));
        driver.start(json!({}));
        let effect = driver.named("a").effect;
        driver.handle(Event::Cancel);
        assert_eq!(driver.aborted, [effect]);
        assert_eq!(driver.finished, [RunStatus::Cancelled]);
    }
}

#[test]
fn runs_stand_in_each_other_no_deeper_than_the_limit() {
    for (depth, fits) in [(63, true), (64, false)] {
        let mut driver = Driver::new(workflow(&format!("do: [{{a: {{{CHILD}}}}}]")));
        driver.handle(Event::StartChild {
            input: Arc::new(json!({})),
            parent: ParentRun {
                run: run_id(RUN),
                task: "/do/0/a".to_owned(),
                depth,
                unseen: false,
            },
        });
        if fits {
            driver.crash();
            assert_eq!(subflow(&driver.named("a").call).parent.depth, 64);
        } else {
            let error = driver.error();
            assert_eq!(error.title.as_deref(), Some("Workflows nested too deeply"));
            assert_eq!(error.instance.as_deref(), Some("/do/0/a"));
        }
    }
}
