//! Definitions and expressions that are wrong, as a person meets them: told with their place, and nothing
//! that was there before is lost or held up.

use flame_errors::Code;
use serde_json::{Value, json};

use crate::command::agent;
use crate::harness::{Served, problem, workflow};

/// A definition, the line and the words of its first problem. Line 1 is the head.
const BAD: [(&str, u32, &str); 8] = [
    ("do:\n  - a: { set: { x: [1, 2", 4, "not closed"),
    (
        "do:\n  - a: { set: { x: 1 } }\n  - a: { set: { x: 2 } }",
        4,
        "'a'",
    ),
    ("do:\n  - a: { set: { x: 1 }, then: nowhere }", 3, "nowhere"),
    (
        "do:\n  - inner: { do: [{ a: { set: { x: 1 }, then: outer } }] }\n  - outer: { set: { x: 1 } }",
        3,
        "outer",
    ),
    ("do:\n  - a: { teleport: { to: mars } }", 3, "teleport"),
    ("do:\n  - a: { sett: { x: 1 } }", 3, "set"),
    ("do:\n  - a: { set: { x: '${ .y | }' } }", 3, "|"),
    ("do:\n  - a: { wait: { seconds: -1 } }", 3, "0 or more"),
];

#[tokio::test]
async fn a_bad_definition_is_told_with_its_place_and_replaces_nothing() {
    let served = Served::start();
    served
        .deploy("kept", "do: [{ a: { set: { x: 1 } } }]")
        .await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kept.yaml");
    for (rest, line, word) in BAD {
        let answer = served.put("kept", rest).await;
        let told = problem(answer, Code::DefinitionInvalid).await;
        let first = &told.problems[0];
        let words = format!("{} {:?} {:?}", first.message, first.value, first.hint);
        assert_eq!(first.line, line, "{rest}: {words}");
        assert!(first.column > 0 && words.contains(word), "{rest}: {words}");

        std::fs::write(&file, workflow("kept", rest)).unwrap();
        let output = agent().arg("validate").arg(&file).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(&format!("kept.yaml:{line}:")), "{text}");
    }
    let kept = served.run("kept", &json!({})).await;
    assert_eq!(kept["output"], json!({ "x": 1 }));
    let list = served.get("/api/v1/workflows").await;
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");
}

#[tokio::test]
async fn a_cycle_without_end_is_a_run_like_others_and_can_be_cancelled() {
    let served = Served::start();
    let spin = "do: [{ spin: { set: { n: '${ (.n // 0) + 1 }' }, then: spin } }]";
    served.deploy("spin", spin).await;
    served
        .deploy("quick", "do: [{ a: { set: { x: 1 } } }]")
        .await;
    let mut spinning = Vec::new();
    // More of them than there are threads.
    for _ in 0..16 {
        spinning.push(served.begin("spin", &json!({})).await);
    }
    assert_eq!(served.run("quick", &json!({})).await["status"], "completed");
    for run in spinning {
        let cancel = format!("/api/v1/runs/{run}/cancel");
        let answer = served.request("POST", &cancel).send().await.unwrap();
        // One that met the step limit by itself has faulted.
        if answer.status() == 409 {
            continue;
        }
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["status"], "cancelled");
    }
}

#[tokio::test]
async fn a_jq_bomb_faults_its_own_task_and_nothing_else() {
    let served = Served::start();
    served
        .deploy("quick", "do: [{ a: { set: { x: 1 } } }]")
        .await;
    for (number, bomb) in [
        "[limit(1e12; repeat(1))]",
        "[range(1e12)] | length",
        "def f: f + f; f",
        "reduce range(64) as $i (\"x\"; . + .)",
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("bomb{number}");
        let text = format!("do: [{{ boom: {{ set: {{ x: '${{ {bomb} }}' }} }} }}]");
        served.deploy(&name, &text).await;
        let no_input = json!({});
        let (run, beside) =
            tokio::join!(served.run(&name, &no_input), served.run("quick", &no_input));
        assert_eq!(beside["status"], "completed", "{bomb}: {beside}");
        assert_eq!(run["status"], "faulted", "{bomb}: {run}");
        let error = &run["error"];
        assert_eq!(error["instance"], "/do/0/boom", "{bomb}: {error}");
        let kind = error["type"].as_str().unwrap();
        assert!(kind.ends_with("/expression"), "{bomb}: {error}");
        assert!(
            error["detail"]
                .as_str()
                .is_some_and(|told| !told.is_empty())
        );
        assert_eq!(served.run("quick", &json!({})).await["status"], "completed");
    }
}
