//! Test runs over HTTP and on the command line: pins, mocks, one task alone.

use flame_errors::Code;
use serde_json::{Value, json};

use crate::command::agent;
use crate::harness::{Served, problem, workflow};

/// Nobody answers at this address.
const ORDER: &str = "
do:
  - stock: { call: http, with: { method: get, endpoint: 'http://127.0.0.1:1/stock' } }
  - pay:
      try: [{ charge: { call: http, with: { method: post, endpoint: 'http://127.0.0.1:1/pay' } } }]
      catch: { errors: { with: { status: 402 } }, do: [{ refused: { set: { paid: false } } }] }
  - note: { set: { order: '${ . }', by: '${ $context.by }' } }";

#[tokio::test]
async fn pins_and_mocks_take_the_place_of_the_world_and_the_run_is_marked() {
    let mut agent = Served::start();
    agent.deploy("order", ORDER).await;
    let path = "/api/v1/workflows/test/order/1.0.0/tests?wait=60s";
    let test = json!({
        "input": {"id": 1},
        "context": {"by": "a test"},
        "pins": {"/do/0/stock": {"left": 3}},
        "mocks": [{"call": "http://127.0.0.1:1/pay", "output": {"paid": true}}],
    });
    let run = agent.post(path, &test).await;
    assert_eq!(run.status(), 200);
    let run: Value = run.json().await.unwrap();
    assert_eq!(
        run["output"],
        json!({"order": {"paid": true}, "by": "a test"}),
        "{run}"
    );
    assert_eq!(run["test"], true);

    let faults = json!({
        "mocks": [
            {"call": "/do/0/stock", "output": {}},
            {"call": "/do/1/pay/try/0/charge", "error": {"type": "https://x.test/e", "status": 402}},
        ],
    });
    let run: Value = agent.post(path, &faults).await.json().await.unwrap();
    assert_eq!(run["output"]["order"], json!({"paid": false}), "{run}");
    agent.restart();
    let list = agent.get("/api/v1/runs").await;
    let marks: Vec<bool> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["test"] == true)
        .collect();
    assert_eq!(marks, [true, true], "marked in lists, after a crash too");

    let id = run["id"].as_str().unwrap();
    let journal = agent.get(&format!("/api/v1/runs/{id}/journal")).await;
    let stubbed = |entry: &&Value| entry["type"] == "taskStubbed";
    assert_eq!(
        journal["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter(stubbed)
            .count(),
        2
    );
    let replay = format!("/api/v1/runs/{id}/replay");
    for task in ["", "/do/2/note"] {
        let refused = agent.post(&replay, &json!({"task": task})).await;
        problem(refused, Code::ParameterInvalid).await;
    }
}

#[tokio::test]
async fn one_task_runs_alone_and_a_plan_that_does_not_fit_is_refused() {
    let agent = Served::start();
    let schema = "input: { schema: { document: { type: object, required: [id] } } }";
    agent.deploy("order", &format!("{schema}{ORDER}")).await;
    let path = "/api/v1/workflows/test/order/1.0.0/tests?wait=60s";
    let alone = json!({"task": "/do/2/note", "input": {"n": 1}, "context": {"by": "me"}});
    let run: Value = agent.post(path, &alone).await.json().await.unwrap();
    assert_eq!(
        run["output"],
        json!({"order": {"n": 1}, "by": "me"}),
        "{run}"
    );
    let id = run["id"].as_str().unwrap();
    let journal = agent.get(&format!("/api/v1/runs/{id}/journal")).await;
    assert_eq!(journal["items"].as_array().unwrap().len(), 4, "{journal}");

    for (bad, code, word) in [
        (
            json!({"task": "/do/7/none"}),
            Code::ParameterInvalid,
            "/do/7/none",
        ),
        (
            json!({"input": {"id": 1}, "pins": {"/do/7/none": 1}}),
            Code::ParameterInvalid,
            "/do/7/none",
        ),
        (
            json!({"input": {"id": 1}, "mocks": [{"call": "/do/2/note", "output": 1}]}),
            Code::ParameterInvalid,
            "set",
        ),
        (
            json!({"mocks": [{"call": "x", "output": 1, "error": {"type": "e", "status": 1}}]}),
            Code::BodyInvalid,
            "\"x\"",
        ),
        (json!({"pin": {}}), Code::BodyInvalid, "pin"),
        (json!({"input": {}}), Code::InputInvalid, "\"id\""),
    ] {
        let refused = problem(agent.post(path, &bad).await, code).await;
        assert!(refused.detail.contains(word), "{bad}: {}", refused.detail);
    }
    assert_eq!(
        agent.get("/api/v1/runs").await["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn the_command_line_pins_mocks_and_runs_one_task() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("order.yaml");
    std::fs::write(&file, workflow("order", ORDER)).unwrap();
    let data = folder.path().join("stock.json");
    std::fs::write(&data, r#"{"left": 3}"#).unwrap();
    let run = |arguments: &[&str]| {
        let output = agent()
            .arg("run")
            .arg(&file)
            .args(arguments)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (
            output.status.code(),
            serde_json::from_str::<Value>(&text).unwrap_or_default(),
            said,
        )
    };
    let pin = format!("/do/0/stock=@{}", data.display());
    let (code, output, said) = run(&[
        "--pin",
        &pin,
        "--mock",
        "http://127.0.0.1:1/pay={\"paid\": true}",
    ]);
    assert_eq!(
        (code, &output["order"]),
        (Some(0), &json!({"paid": true})),
        "{said}"
    );
    let refused = r#"/do/1/pay/try/0/charge={"type": "https://x.test/e", "status": 402}"#;
    let (code, output, said) = run(&["--pin", &pin, "--mock-error", refused]);
    assert_eq!(
        (code, &output["order"]),
        (Some(0), &json!({"paid": false})),
        "{said}"
    );
    let alone = [
        "--task",
        "/do/2/note",
        "--input",
        "7",
        "--context",
        "{\"by\": 1}",
    ];
    let (code, output, said) = run(&alone);
    assert_eq!(
        (code, output),
        (Some(0), json!({"order": 7, "by": 1})),
        "{said}"
    );
    for bad in [
        ["--pin", "/do/9/x=1"],
        ["--mock", "nothing"],
        ["--mock-error", "x={}"],
    ] {
        let (code, _, said) = run(&bad);
        assert_eq!(code, Some(3), "{said}");
        assert!(said.contains(bad[1].split('=').next().unwrap()), "{said}");
    }
}
