//! New runs that go on from a task of an old one.

use flame_engine::{Event, NotReplayable, ReplayFrom, Run};
use flame_types::RunStatus;
use serde_json::{Value, json};
use std::sync::Arc;

use crate::driver::{Driver, RUN, communication, run_id, scripted, workflow};

const NEW: &str = "0192d3a4-7c1e-7e6b-9a51-3f2b8c1d0000";

fn get(output: &str) -> String {
    format!(
        "call: http, with: {{method: get, endpoint: 'http://x.test/'}}, output: {{as: '{output}'}}"
    )
}

/// Replays and leaves the new run at its first halt.
pub(crate) fn replay(old: &Driver, from: &ReplayFrom<'_>) -> Result<Driver, NotReplayable> {
    let mut driver = Driver::new(Arc::clone(&old.workflow));
    let moment = driver.moment();
    let (run, step) = Run::replay(
        run_id(NEW),
        Run::new(run_id(RUN), Arc::clone(&old.workflow)),
        old.records(),
        from,
        moment,
    )?;
    driver.run = run;
    driver.absorb(step);
    Ok(driver)
}

pub(crate) fn from<'a>(reference: &'a str, input: Option<Value>) -> ReplayFrom<'a> {
    ReplayFrom {
        reference,
        iteration: None,
        input: input.map(Arc::new),
        context: None,
    }
}

fn sample() -> Driver {
    scripted(
        &format!(
            "do: [{{a: {{{}, export: {{as: '{{seen: .}}'}}}}}}, {{b: {{{}}}}}, {{c: {{set: {{n: '${{ .n }}', seen: '${{ $context.seen.n }}'}}}}}}]",
            get("{n: .}"),
            get("{n: (. + $input.n)}")
        ),
        json!({"k": 1}),
        [("a", vec![Ok(json!(1))]), ("b", vec![Ok(json!(10))])],
    )
}

#[test]
fn a_replay_begins_at_the_task_with_what_was_there() {
    let old = sample();
    assert_eq!(old.output(), json!({"n": 11, "seen": 1}));
    let mut new = replay(&old, &from("/do/1/b", None)).unwrap();
    assert_eq!(
        new.run
            .replay_of()
            .map(|origin| (origin.run, origin.task.as_str())),
        Some((run_id(RUN), "/do/1/b"))
    );
    assert_eq!(new.run.input(), &json!({"k": 1}));
    let call = new.named("b");
    assert!(
        call.key.starts_with(NEW),
        "a replay makes its effects anew: {}",
        call.key
    );
    new.answer_named("b", Ok(json!(20)));
    assert_eq!(new.output(), json!({"n": 21, "seen": 1}));
    assert_eq!(new.invoked.len(), 1);
}

#[test]
fn a_replay_takes_an_edited_input() {
    let old = sample();
    let mut new = replay(&old, &from("/do/1/b", Some(json!({"n": 100})))).unwrap();
    new.crash();
    new.answer_named("b", Ok(json!(1)));
    assert_eq!(new.output(), json!({"n": 101, "seen": 1}));
}

#[test]
fn a_replay_takes_an_edited_context() {
    let old = sample();
    let edited = ReplayFrom {
        context: Some(Arc::new(json!({"seen": {"n": 7}}))),
        ..from("/do/1/b", None)
    };
    let mut new = replay(&old, &edited).unwrap();
    new.crash();
    new.answer_named("b", Ok(json!(20)));
    assert_eq!(new.output(), json!({"n": 21, "seen": 7}));
}

#[test]
fn a_faulted_run_can_be_replayed_from_where_it_faulted() {
    let old = scripted(
        &format!("do: [{{a: {{{}}}}}]", get(".")),
        json!({}),
        [("a", vec![Err(communication(500))])],
    );
    assert_eq!(old.status(), RunStatus::Faulted);
    let mut new = replay(&old, &from("/do/0/a", Some(json!({"id": 2})))).unwrap();
    new.answer_named("a", Ok(json!(3)));
    assert_eq!(new.output(), json!(3));
}

#[test]
fn scopes_around_the_task_are_entered_again() {
    let document = format!(
        "do: [{{d: {{input: {{from: .in}}, do: [{{l: {{for: {{each: x, in: .xs}}, do: [{{t: {{try: [{{a: {{{}}}}}], \
         catch: {{do: [{{h: {{{}}}}}]}}}}}}]}}}}]}}}}, {{z: {{set: {{end: '${{ . }}'}}}}}}]",
        get("{xs: $input.xs, out: ($input.out + [[$x, .]])}"),
        get("{xs: $input.xs, out: ($input.out + [[$x, $error.status, .]])}")
    );
    let old = scripted(
        &document,
        json!({"in": {"xs": [1, 2, 3]}}),
        [
            (
                "a",
                vec![Ok(json!("a1")), Err(communication(503)), Ok(json!("a3"))],
            ),
            ("h", vec![Ok(json!("h2"))]),
        ],
    );
    assert_eq!(
        old.output()["end"]["out"],
        json!([[1, "a1"], [2, 503, "h2"], [3, "a3"]])
    );
    let reference = "/do/0/d/do/0/l/do/0/t";
    let a = format!("{reference}/try/0/a");
    let h = format!("{reference}/catch/do/0/h");

    let mut last = replay(&old, &from(&a, None)).unwrap();
    last.settle(|_| Ok(json!("again")));
    assert_eq!(
        last.output()["end"]["out"],
        json!([[1, "a1"], [2, 503, "h2"], [3, "again"]])
    );

    let first = ReplayFrom {
        reference: &a,
        iteration: Some(&[0]),
        input: None,
        context: None,
    };
    let mut first = replay(&old, &first).unwrap();
    first.settle(|call| Ok(json!(call.name())));
    assert_eq!(
        first.output()["end"]["out"],
        json!([[1, "a"], [2, "a"], [3, "a"]])
    );

    let mut handler = replay(&old, &from(&h, Some(json!({"xs": [], "out": ["edited"]})))).unwrap();
    handler.crash();
    handler.settle(|call| Ok(json!(call.name())));
    assert_eq!(
        handler.output()["end"]["out"],
        json!(["edited", [2, 503, "h"], [3, "a"]])
    );
}

#[test]
fn what_can_not_be_replayed_says_why() {
    let old = scripted(
        &format!(
            "do: [{{f: {{fork: {{branches: [{{a: {{{}}}}}, {{b: {{set: {{e: 1}}}}}}]}}}}}}, {{c: {{if: 'false', set: {{e: 1}}}}}}]",
            get(".")
        ),
        json!({}),
        [("a", vec![Ok(json!(1))])],
    );
    let refused = |reference: &str| {
        replay(&old, &from(reference, None))
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    assert!(refused("/do/1/c").contains("never began the task /do/1/c"));
    assert!(refused("/do/9/x").contains("never began"));
    assert!(replay(&old, &from("/do/0/f", None)).is_ok());
}

/// `a` has ended, `b2` begins, `c1` is at work.
fn forked() -> Driver {
    let mut old = Driver::new(workflow(&format!(
        "do: [{{f: {{fork: {{branches: [{{a: {{{}}}}}, \
         {{b: {{do: [{{b1: {{{}}}}}, {{b2: {{{}}}}}]}}}}, \
         {{c: {{for: {{in: '[7, 8]'}}, do: [{{c1: {{{}}}}}]}}}}]}}}}}}]",
        get("{a: .}"),
        get("{b1: .}"),
        get("{b1: $input.b1, b2: .}"),
        get("($input | if type == \"array\" then . else [] end) + [[$item, .]]")
    )));
    old.start(json!({}));
    old.answer_named("c1", Ok(json!("c7")));
    old.answer_named("a", Ok(json!("a")));
    old.answer_named("b1", Ok(json!("b1")));
    old.answer_named("b2", Ok(json!("b2")));
    old.answer_named("c1", Ok(json!("c8")));
    old
}

#[test]
fn a_branch_of_a_fork_is_entered_with_those_beside_it_as_they_were() {
    let old = forked();
    let whole = json!([{"a": "a"}, {"b1": "b1", "b2": "b2"}, [[7, "c7"], [8, "c8"]]]);
    assert_eq!(old.output(), whole);
    let mut new = replay(&old, &from("/do/0/f/fork/branches/1/b/do/1/b2", None)).unwrap();
    let mut asked: Vec<String> = new
        .invoked
        .iter()
        .map(|call| call.name().to_owned())
        .collect();
    asked.sort();
    assert_eq!(asked, ["b2", "c1"], "what was done is not done again");
    let before: Vec<&String> = old.invoked.iter().map(|call| &call.key).collect();
    for call in &new.invoked {
        assert!(call.key.starts_with(NEW) && !before.contains(&&call.key));
    }
    new.crash();
    new.answer_named("b2", Ok(json!("again")));
    new.answer_named("c1", Ok(json!("anew")));
    assert_eq!(
        new.output(),
        json!([{"a": "a"}, {"b1": "b1", "b2": "again"}, [[7, "c7"], [8, "anew"]]])
    );
}

#[test]
fn a_branch_takes_an_edited_input_and_keeps_it_over_a_retry() {
    let old = scripted(
        &format!(
            "do: [{{f: {{fork: {{branches: [{{a: {{{}}}}}, {{b: {{set: {{b: '${{ .k }}'}}}}}}]}}}}}}]",
            get("[., $input.k]")
        ),
        json!({"k": 1}),
        [("a", vec![Ok(json!("a"))])],
    );
    assert_eq!(old.output(), json!([["a", 1], {"b": 1}]));
    let a = from("/do/0/f/fork/branches/0/a", Some(json!({"k": 2})));
    let mut new = replay(&old, &a).unwrap();
    new.answer_named("a", Err(communication(500)));
    assert_eq!(new.status(), RunStatus::Faulted);
    new.crash();
    new.handle(Event::Retry);
    new.answer_named("a", Ok(json!("a")));
    assert_eq!(
        new.output(),
        json!([["a", 2], {"b": 1}]),
        "only that branch has it"
    );
}

#[test]
fn of_branches_that_compete_one_still_wins() {
    let mut old = Driver::new(workflow(&format!(
        "do: [{{f: {{fork: {{compete: true, branches: [{{a: {{{}}}}}, {{b: {{wait: {{hours: 1}}}}}}]}}}}}}]",
        get("{a: .}")
    )));
    old.start(json!({}));
    old.answer_named("a", Ok(json!(1)));
    assert_eq!(old.output(), json!({"a": 1}));
    let mut new = replay(&old, &from("/do/0/f/fork/branches/1/b", None)).unwrap();
    assert_eq!(new.timers.len(), 1);
    new.answer_named("a", Ok(json!(2)));
    assert_eq!(new.output(), json!({"a": 2}));
    assert_eq!(new.count("taskCancelled"), 1);
}
