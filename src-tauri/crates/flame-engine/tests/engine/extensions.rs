//! Extensions: tasks before and after others, in their own place of the journal.

use std::sync::Arc;

use flame_engine::{ReplayFrom, Run, Timeline};
use flame_types::RunStatus;
use serde_json::{Value, json};

use crate::driver::{Driver, RUN, communication, ended, error, output, run_id, workflow};

const LOG: &str = "use: {extensions: [{log: {extend: all,
  before: [{b: {call: http, with: {method: post, endpoint: 'http://x.test/', body: '${ $task.reference }'}}}],
  after: [{a: {call: http, with: {method: put, endpoint: 'http://x.test/', body: '${ [$task.name, $task.output] }'}}}]}}]}\n";

/// References of the tasks in the order in which they began, without the rest of the pointer.
fn begun(driver: &Driver) -> Vec<String> {
    let begun = driver
        .records()
        .into_iter()
        .filter_map(|record| match record {
            flame_engine::Record::TaskStarted { name, .. } => Some(name.to_string()),
            _ => None,
        });
    begun.collect()
}

fn emits(names: &[&str]) -> String {
    let one = |name: &&str| format!("{{{name}: {{emit: {{event: {{with: {{type: {name}}}}}}}}}}}");
    names.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[test]
fn they_see_the_task_and_change_neither_its_input_nor_its_output() {
    let mut driver = Driver::new(workflow(&format!(
        "{LOG}do: [{{one: {{input: {{from: .n}}, set: {{v: '${{ . * 2 }}'}}, output: {{as: .v}}}}}}]"
    )));
    driver.start(json!({"n": 4}));
    driver.settle(|_| Ok(json!("an answer that nobody wants")));
    assert_eq!(driver.output(), json!(8));
    let bodies: Vec<Value> = driver
        .invoked
        .iter()
        .map(|call| (**call.http().body.as_ref().unwrap()).clone())
        .collect();
    assert_eq!(bodies, [json!("/do/0/one"), json!(["one", 8])]);
    let references: Vec<&str> = driver.invoked.iter().map(|call| &*call.reference).collect();
    assert_eq!(
        references,
        [
            "/do/0/one/extensions/0/log/before/0/b",
            "/do/0/one/extensions/0/log/after/0/a"
        ]
    );
}

#[test]
fn each_stands_around_those_behind_it() {
    let driver = ended(
        &format!(
            "use: {{extensions: [{{x: {{extend: set, before: [{}], after: [{}]}}}}, {{y: {{extend: all, before: [{}], after: [{}]}}}}, \
             {{z: {{extend: wait, before: [{}]}}}}]}}\ndo: [{{t: {{set: {{k: 1}}}}}}]",
            emits(&["bx"]),
            emits(&["ax"]),
            emits(&["by"]),
            emits(&["ay"]),
            emits(&["bz"])
        ),
        json!({}),
    );
    assert_eq!(begun(&driver), ["t", "bx", "by", "ay", "ax"]);
}

#[test]
fn exit_leaves_the_extension_and_what_is_inside() {
    let around = |first: &str, second: &str| {
        format!(
            "use: {{extensions: [{{x: {{extend: call, before: [{{bx: {first}}}], after: [{}]}}}}, \
             {{y: {{extend: call, before: [{{by: {second}}}], after: [{}]}}}}]}}\n\
             do: [{{t: {{call: http, with: {{method: get, endpoint: 'http://x.test/'}}, output: {{as: .v}}, export: {{as: '{{v: .}}'}}}}}}, \
             {{u: {{set: '${{ [., $context.v] }}'}}}}]",
            emits(&["ax"]),
            emits(&["ay"])
        )
    };
    let leaves = "{set: {v: 5}, then: exit}";
    let stays = "{set: {v: 6}}";
    let inner = ended(&around(stays, leaves), json!({}));
    assert_eq!(begun(&inner), ["t", "bx", "by", "ax", "u"]);
    assert_eq!(
        inner.output(),
        json!([5, 5]),
        "output.as and export.as are the task's"
    );
    let outer = ended(&around(leaves, stays), json!({}));
    assert_eq!(begun(&outer), ["t", "bx", "u"]);
    assert_eq!(outer.output(), json!([5, 5]));
}

#[test]
fn when_is_asked_of_the_task() {
    let extended = |when: &str, task: &str| {
        let driver = ended(
            &format!(
                "use: {{extensions: [{{x: {{extend: all, when: '{when}', before: [{}]}}}}]}}\ndo: [{{t: {task}}}]",
                emits(&["b"])
            ),
            json!({"n": 4}),
        );
        driver.emitted.len() == 1
    };
    assert!(extended("$task.name == \"t\" and .n == 4", "{set: {k: 1}}"));
    assert!(extended(
        "$task.set.a == 1 and $input.n == 4",
        "{set: {a: 1}}"
    ));
    assert!(!extended("$task.name == \"u\"", "{set: {k: 1}}"));
    assert!(
        !extended("$task.set | startswith(\"http\")", "{set: {a: 1}}"),
        "what can't be asked of a task does not hold for it"
    );
    assert!(
        !extended("true", "{if: 'false', set: {k: 1}}"),
        "a task that is left out"
    );
}

#[test]
fn a_condition_without_end_faults_its_task() {
    let error = error(
        "use: {extensions: [{x: {extend: all, when: '[limit(1e12; repeat(1))]', before: []}}]}\ndo: [{t: {set: {k: 1}}}]",
        json!({}),
    );
    assert_eq!(error.instance.as_deref(), Some("/do/0/t"));
    assert!(error.kind.ends_with("/expression"), "{error:?}");
}

#[test]
fn what_fails_in_them_fails_the_task() {
    let text = "use: {extensions: [{x: {extend: set, SIDE: [{r: {raise: {error: {type: https://x.test/e, status: 418}}}}]}}]}
do: [{t: {try: [{s: {set: {a: 1}}}], catch: {as: e, do: [{c: {wait: PT0S, output: {as: $e.instance}}}]}}}]";
    assert_eq!(
        output(&text.replace("SIDE", "before"), json!({})),
        json!("/do/0/t/try/0/s/extensions/0/x/before/0/r")
    );
    assert_eq!(
        output(&text.replace("SIDE", "after"), json!({})),
        json!("/do/0/t/try/0/s/extensions/0/x/after/0/r")
    );
    // A try does not catch what its own extensions raise.
    let own = text
        .replace("SIDE", "before")
        .replace("extend: set", "extend: try");
    assert_eq!(
        error(&own, json!({})).instance.as_deref(),
        Some("/do/0/t/extensions/0/x/before/0/r")
    );
}

#[test]
fn every_kind_of_task_is_extended_as_a_whole() {
    let driver = ended(
        &format!(
            "use: {{extensions: [{{x: {{extend: composite, before: [{}], after: [{}]}}}}, \
             {{y: {{extend: for, after: [{}]}}}}, {{z: {{extend: switch, after: [{}]}}}}]}}\n\
             do: [{{d: {{do: [{{f: {{for: {{in: '[1, 2]'}}, do: [{{s: {{set: '${{ $item }}'}}}}]}}}}]}}}}, \
             {{k: {{fork: {{branches: [{{p: {{set: '1'}}}}, {{q: {{set: '2'}}}}]}}}}}}, \
             {{w: {{switch: [{{c: {{when: 'length == 2', then: last}}}}]}}}}, {{missed: {{set: '0'}}}}, {{last: {{set: '${{ . }}'}}}}]",
            emits(&["b"]),
            emits(&["a"]),
            emits(&["af"]),
            emits(&["as"])
        ),
        json!({}),
    );
    assert_eq!(
        begun(&driver),
        [
            "d", "b", "f", "s", "s", "af", "a", "k", "b", "p", "q", "a", "w", "as", "last"
        ]
    );
    assert_eq!(driver.output(), json!([1, 2]));
}

#[test]
fn end_waits_for_what_comes_after() {
    let driver = ended(
        &format!(
            "use: {{extensions: [{{x: {{extend: set, after: [{}]}}}}]}}\ndo: [{{t: {{set: {{a: 1}}, then: end}}}}, {{u: {{set: {{a: 2}}}}}}]",
            emits(&["a"])
        ),
        json!({}),
    );
    assert_eq!(begun(&driver), ["t", "a"]);
    assert_eq!(driver.output(), json!({"a": 1}));
}

#[test]
fn a_timeout_holds_for_all_of_it() {
    let mut driver = Driver::new(workflow(
        "use: {extensions: [{x: {extend: set, before: [{b: {wait: PT9S}}]}}]}
do: [{t: {set: {a: 1}, timeout: {after: PT5S}}}]",
    ));
    driver.start(json!({}));
    driver.fire();
    let error = driver.error();
    assert_eq!(
        (error.status, error.instance.as_deref()),
        (408, Some("/do/0/t"))
    );
}

#[test]
fn an_extended_try_counts_its_own_attempt() {
    let mut driver = Driver::new(workflow(
        "use: {extensions: [{x: {extend: try, before: [{b: {wait: PT9S}}]}}]}
do: [{t: {try: [{w: {wait: PT9S}}], catch: {retry: {limit: {attempt: {duration: PT5S}}}}}}]",
    ));
    driver.start(json!({}));
    driver.fire();
    assert_eq!(
        driver.timers.len(),
        2,
        "the attempt's limit runs from the attempt's beginning"
    );
    driver.fire();
    assert_eq!(driver.count("retryScheduled"), 1);
}

#[test]
fn what_was_done_is_undone_though_what_came_after_failed() {
    let driver = ended(
        &format!(
            "use: {{extensions: [{{x: {{extend: set, after: [{{r: {{raise: {{error: {{type: https://x.test/e, status: 500}}}}}}}}]}}}}]}}\n\
             do: [{{t: {{set: {{a: 1}}, metadata: {{mastra.io/compensate: [{}]}}}}}}]",
            emits(&["undone"])
        ),
        json!({}),
    );
    assert_eq!(driver.status(), RunStatus::Faulted);
    assert_eq!(driver.emitted.len(), 1);
    assert_eq!(driver.emitted[0]["type"], "undone");
}

#[test]
fn crashes_and_retries_keep_their_keys() {
    let mut driver = Driver::new(workflow(&format!(
        "{LOG}do: [{{a1: {{set: {{k: 1}}}}}}, {{a2: {{set: {{k: 1}}}}}}]"
    )));
    driver.start(json!({}));
    let mut keys = Vec::new();
    let mut failed = false;
    while let Some(call) = driver.in_flight.values().next().cloned() {
        driver.crash();
        let again = driver.in_flight.values().next().cloned().unwrap();
        assert_eq!((&again.key, &again.call), (&call.key, &call.call));
        if keys.len() == 1 && !failed {
            failed = true;
            driver.answer(call.effect, Err(communication(503)));
            assert_eq!(driver.status(), RunStatus::Faulted);
            driver.handle(flame_engine::Event::Retry);
            continue;
        }
        keys.push(call.key);
        driver.answer(call.effect, Ok(json!(1)));
    }
    assert_eq!(driver.status(), RunStatus::Completed);
    let different: std::collections::BTreeSet<_> = keys.iter().collect();
    assert_eq!((keys.len(), different.len()), (4, 4), "{keys:?}");
}

#[test]
fn a_replay_goes_on_within_them() {
    let mut driver = Driver::new(workflow(&format!(
        "{LOG}do: [{{one: {{do: [{{two: {{wait: PT1S}}}}]}}}}]"
    )));
    driver.start(json!({"n": 1}));
    driver.settle(|_| Ok(json!(1)));
    let replay = |reference: &str| {
        let moment = driver_moment();
        let old = Run::new(run_id(RUN), Arc::clone(&driver.workflow));
        let from = ReplayFrom {
            reference,
            iteration: None,
            input: Some(Arc::new(json!({"n": 2}))),
            context: None,
        };
        let id = run_id("0192d3a4-7c1e-7e6b-9a51-3f2b8c1d4e60");
        let (run, step) = Run::replay(id, old, driver.records(), &from, moment).unwrap();
        let mut again = Driver::of(Arc::clone(&driver.workflow), run);
        again.absorb(step);
        again.settle(|_| Ok(json!(1)));
        assert_eq!(again.status(), RunStatus::Completed);
        let calls: Vec<String> = again
            .invoked
            .iter()
            .map(|call| call.reference.trim_start_matches("/do/0/one").to_owned())
            .collect();
        (again.output(), calls)
    };
    let (inner, outer) = ("/do/0/two/extensions/0/log", "/extensions/0/log");
    assert_eq!(
        replay("/do/0/one/do/0/two"),
        (
            json!({"n": 2}),
            vec![
                format!("{inner}/before/0/b"),
                format!("{inner}/after/0/a"),
                format!("{outer}/after/0/a")
            ]
        )
    );
    assert_eq!(
        replay("/do/0/one/do/0/two/extensions/0/log/after/0/a"),
        (
            json!({"n": 1}),
            vec![format!("{inner}/after/0/a"), format!("{outer}/after/0/a")]
        ),
        "what comes after a task does not change what it gave"
    );
    assert_eq!(
        replay("/do/0/one/extensions/0/log/before/0/b").1,
        [
            format!("{outer}/before/0/b"),
            format!("{inner}/before/0/b"),
            format!("{inner}/after/0/a"),
            format!("{outer}/after/0/a")
        ]
    );
}

fn driver_moment() -> flame_engine::Moment {
    flame_engine::Moment {
        now: flame_types::Timestamp::from_second(1_800_000_000).unwrap(),
        entropy: 1,
    }
}

#[test]
fn the_timeline_names_them() {
    let driver = ended(
        &format!(
            "use: {{extensions: [{{x: {{extend: set, before: [{}], after: [{}]}}}}]}}\ndo: [{{t: {{set: {{a: 1}}}}}}]",
            emits(&["b"]),
            emits(&["a"])
        ),
        json!({}),
    );
    let mut timeline = Timeline::new(Arc::clone(&driver.workflow));
    let entries: Vec<Value> = driver
        .records()
        .iter()
        .map(|record| serde_json::to_value(timeline.push(record).unwrap()).unwrap())
        .collect();
    let of = |kind: &str| {
        entries
            .iter()
            .filter(|entry| entry["kind"] == kind)
            .collect::<Vec<_>>()
    };
    let started = of("extensionStarted");
    assert_eq!(
        started[0]["extension"],
        json!({"name": "x", "slot": "before"})
    );
    assert_eq!(
        started[1]["extension"],
        json!({"name": "x", "slot": "after"})
    );
    assert_eq!((started.len(), of("extensionEnded").len()), (2, 2));
    assert_eq!(of("taskReturned")[0]["output"], json!({"a": 1}));
    let task = &of("taskStarted")[0]["execution"];
    assert_eq!(&of("taskStarted")[1]["parent"], task);
    assert_eq!(&of("taskCompleted")[2]["execution"], task);
    assert_eq!(of("taskCompleted")[2]["output"], json!({"a": 1}));
}
