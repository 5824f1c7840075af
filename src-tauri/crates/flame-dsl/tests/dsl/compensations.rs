//! Tasks that undo another: where they stand, and what is said about them.

use expect_test::{Expect, expect};
use flame_dsl::{Format, Rule, examine, parse};

const HEAD: &str = "document: {dsl: '1.0.3', namespace: n, name: w, version: '1.0.0'}\n";

fn check(body: &str, expect: Expect) {
    let problems = examine(&format!("{HEAD}{body}"), Format::Yaml).problems;
    let listed: String = problems
        .iter()
        .map(|problem| format!("{problem}\n"))
        .collect();
    expect.assert_eq(&listed);
}

#[test]
fn a_compensation_is_a_list_of_tasks_with_references_of_their_own() {
    let text = format!(
        "{HEAD}do:\n- loop:\n    for: {{each: x, in: '[1]'}}\n    do:\n    - book:\n        set: {{n: 1}}\n        \
         metadata:\n          owner: me\n          mastra.io/compensate:\n          - free: {{set: {{x: '${{ [$x, $output.n, $input] }}'}}}}\n"
    );
    let workflow = parse(&text, Format::Yaml).unwrap();
    assert!(workflow.compensates);
    let book = workflow.task("/do/0/loop/do/0/book").unwrap();
    assert_eq!(book.metadata["owner"], "me");
    let free = "/do/0/loop/do/0/book/metadata/mastra.io~1compensate/0/free";
    assert_eq!(&*book.compensation.as_ref().unwrap().0[0].reference, free);
    assert_eq!(&*workflow.task(free).unwrap().name, "free");
    assert!(workflow.task("/do/0/loop/do/0/boo").is_none());
    let plain = parse(
        &format!("{HEAD}do: [{{a: {{set: {{n: 1}}, metadata: {{x: []}}}}}}]"),
        Format::Yaml,
    );
    assert!(!plain.unwrap().compensates);
}

#[test]
fn what_is_wrong_in_a_compensation_is_said_like_for_any_task() {
    check(
        "do:\n- a:\n    set: {n: 1}\n    metadata:\n      mastra.io/compensate:\n      - undo: {sett: {x: 1}}\n      - say: {set: {x: '${ $item }'}, then: nowhere}\n",
        expect![[r#"
            7:16: error: unknown task kind 'sett' (value: {"sett":{"x":1}})
              hint: did you mean 'set'?
            8:28: error: not a jq expression: the variable `$item` is not defined (byte 0) (value: $item)
              hint: in scope are $context, $input, $output, $workflow, $runtime, $task
            8:45: error: no task 'nowhere' in this list (value: nowhere)
              hint: a flow can go to continue, exit, end, undo, say; it can't go into or out of another list
        "#]],
    );
    says("[]", "at least 1 item");
    says("undo", "expected a list");
    says(
        "[{b: {set: {n: 1}, metadata: {mastra.io/compensate: [{c: {set: {n: 1}}}]}}}]",
        "a task that undoes another can't be undone itself",
    );
}

/// What is said about a compensation that stands on line 2.
fn says(compensation: &str, word: &str) {
    let text = format!(
        "{HEAD}do: [{{a: {{set: {{n: 1}}, metadata: {{mastra.io/compensate: {compensation}}}}}}}]"
    );
    let problems = examine(&text, Format::Yaml).problems;
    assert_eq!(problems.len(), 1, "{compensation}: {problems:?}");
    let problem = &problems[0];
    assert!(problem.message.contains(word), "{compensation}: {problem}");
    assert_eq!((problem.line, problem.rule), (2, Rule::Strict));
}
