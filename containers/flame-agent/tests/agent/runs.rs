//! Runs over HTTP: started, found, followed by page, cancelled, retried and replayed.

use std::collections::BTreeSet;

use flame_errors::Code;
use serde_json::{Value, json};

use crate::harness::{JSON, Served, problem};

const DOUBLE: &str = "do: [{ double: { set: { twice: '${ .n * 2 }' } } }]";
const WAIT: &str = "do: [{ pause: { wait: PT1H } }, { after: { set: { done: true } } }]";

#[tokio::test]
async fn a_run_starts_waits_and_is_found() {
    let agent = Served::start();
    agent.deploy("double", DOUBLE).await;
    agent.deploy("wait", WAIT).await;
    let path = "/api/v1/workflows/test/double/1.0.0/runs";
    let started = agent.post(path, &json!({"n": 2})).await;
    assert_eq!(started.status(), 201);
    let location = started.headers()["location"].to_str().unwrap().to_owned();
    let run: Value = started.json().await.unwrap();
    assert_eq!(
        location,
        format!("/api/v1/runs/{}", run["id"].as_str().unwrap())
    );

    let ended = agent.run("double", &json!({"n": 3})).await;
    assert_eq!(
        (&ended["status"], &ended["output"]),
        (&json!("completed"), &json!({"twice": 6}))
    );
    assert_eq!(ended["input"], json!({"n": 3}));
    let id = ended["id"].as_str().unwrap();
    let read = agent.get(&format!("/api/v1/runs/{id}")).await;
    assert_eq!(
        (&read["output"], &read["trigger"]),
        (&ended["output"], &json!("api"))
    );

    let waits = agent
        .post(
            "/api/v1/workflows/test/wait/1.0.0/runs?wait=10ms",
            &json!({}),
        )
        .await;
    assert_eq!(waits.status(), 202);
    let waits: Value = waits.json().await.unwrap();
    let now = agent
        .get(&format!("/api/v1/runs/{}", waits["id"].as_str().unwrap()))
        .await;
    assert_eq!(
        (&now["status"], now.get("output")),
        (&json!("waiting"), None)
    );
    assert_eq!(now["currentTasks"][0]["task"], "/do/0/pause");
    assert!(now["currentTasks"][0]["due"].is_string(), "{now}");
}

#[tokio::test]
async fn without_a_body_the_input_is_an_empty_object() {
    let agent = Served::start();
    agent
        .deploy("echo", "do: [{ a: { set: '${ {seen: .} }' } }]")
        .await;
    let path = "/api/v1/workflows/test/echo/1.0.0/runs?wait=60s";
    let response = agent.request("POST", path).send().await.unwrap();
    assert_eq!(
        response.json::<Value>().await.unwrap()["output"],
        json!({"seen": {}})
    );
}

#[tokio::test]
async fn a_large_output_is_where_its_completed_event_says() {
    let agent = Served::start();
    let large = "do: [{ a: { set: '${ {v: (\"x\" * 70000)} }' } }]";
    agent.deploy("large", large).await;
    let path = "/api/v1/workflows/test/large/1.0.0/runs?wait=60s";
    let run: Value = agent.post(path, &json!({})).await.json().await.unwrap();
    let id = run["id"].as_str().unwrap();
    let events = agent.get(&format!("/api/v1/runs/{id}/lifecycle")).await;
    let place = |of: &str| {
        let kind = format!("io.serverlessworkflow.{of}.completed.v1");
        let items = events["items"].as_array().unwrap().iter();
        let mut found = items.filter(|item| item["event"]["type"] == kind.as_str());
        let data = &found.next().unwrap()["event"]["data"];
        data["outputUri"].as_str().unwrap().to_owned()
    };
    let journal = agent.get(&place("task")).await;
    assert_eq!(journal["items"][0]["output"], run["output"]);
    assert_eq!(agent.get(&place("workflow")).await["output"], run["output"]);
}

#[tokio::test]
async fn a_start_that_makes_no_sense_is_refused_with_the_value() {
    let agent = Served::start();
    let schema = "input: { schema: { document: { type: object, required: [n] } } }\n";
    agent.deploy("double", &format!("{schema}{DOUBLE}")).await;
    let path = "/api/v1/workflows/test/double/1.0.0/runs";
    let found = problem(agent.post(path, &json!({"m": 1})).await, Code::InputInvalid).await;
    assert!(found.detail.contains("\"n\""), "{}", found.detail);

    let text = |body: &'static [u8]| {
        agent
            .request("POST", path)
            .header("content-type", JSON)
            .body(body)
            .send()
    };
    let found = problem(text(b"{\n \"n\": 1,,}").await.unwrap(), Code::BodyInvalid).await;
    assert_eq!(
        (found.problems[0].line, found.problems[0].column),
        (2, 9),
        "{found:?}"
    );
    let found = problem(text(b"{\"n\": \"\xff\"}").await.unwrap(), Code::BodyInvalid).await;
    assert!(found.detail.contains("0xff"), "{}", found.detail);
    let deep: &'static str = Box::leak("[".repeat(100_000).into_boxed_str());
    problem(text(deep.as_bytes()).await.unwrap(), Code::BodyInvalid).await;

    for bad in ["wait=30", "wait=1h", "wait=6m", "wiat=3s"] {
        let refused = agent.post(&format!("{path}?{bad}"), &json!({"n": 1})).await;
        problem(refused, Code::ParameterInvalid).await;
    }
    let unknown = "/api/v1/workflows/test/none/1.0.0/runs";
    problem(agent.post(unknown, &json!({})).await, Code::NotFound).await;
    assert_eq!(
        agent.get("/api/v1/runs").await["items"],
        json!([]),
        "nothing was started"
    );
}

#[tokio::test]
async fn an_idempotency_key_gives_the_same_run_across_a_crash() {
    let mut agent = Served::start();
    agent.deploy("double", DOUBLE).await;
    let path = "/api/v1/workflows/test/double/1.0.0/runs";
    let start = |agent: &Served, key: &str, body: &Value, query: &str| {
        agent
            .request("POST", &format!("{path}{query}"))
            .header("idempotency-key", key)
            .json(body)
            .send()
    };
    let first = start(&agent, "order-7", &json!({"n": 1}), "")
        .await
        .unwrap();
    assert_eq!(first.status(), 201);
    let first: Value = first.json().await.unwrap();
    let again = start(&agent, "order-7", &json!({"n": 1}), "")
        .await
        .unwrap();
    assert_eq!(again.status(), 200, "it was there");
    assert_eq!(again.json::<Value>().await.unwrap()["id"], first["id"]);

    agent.restart();
    let again = start(&agent, "order-7", &json!({"n": 1}), "?wait=60s")
        .await
        .unwrap();
    assert_eq!(again.status(), 200);
    let again: Value = again.json().await.unwrap();
    assert_eq!(
        (&again["id"], &again["output"]),
        (&first["id"], &json!({"twice": 2}))
    );
    let other = start(&agent, "order-7", &json!({"n": 2}), "")
        .await
        .unwrap();
    problem(other, Code::IdempotencyConflict).await;
    problem(
        start(&agent, "a b", &json!({}), "").await.unwrap(),
        Code::ParameterInvalid,
    )
    .await;
    let runs = agent.get("/api/v1/runs").await;
    assert_eq!(runs["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn runs_are_listed_in_pages_and_by_filter() {
    let agent = Served::start();
    agent.deploy("double", DOUBLE).await;
    agent.deploy("fails", "do: [{ a: { raise: { error: { type: 'https://e.example/odd', status: 418, title: Teapot } } } }]").await;
    for n in 0..5 {
        agent.run("double", &json!({ "n": n })).await;
    }
    let faulted = agent.run("fails", &json!({})).await;
    assert_eq!(
        (&faulted["status"], &faulted["error"]["status"]),
        (&json!("faulted"), &json!(418))
    );

    let mut seen = Vec::new();
    let mut path = "/api/v1/runs?limit=2".to_owned();
    for _ in 0..3 {
        let page = agent.get(&path).await;
        let items = page["items"].as_array().unwrap();
        assert_eq!(items.len(), 2);
        seen.extend(
            items
                .iter()
                .map(|run| run["id"].as_str().unwrap().to_owned()),
        );
        assert!(
            items.iter().all(|run| run.get("input").is_none()),
            "lists hold no payloads"
        );
        match page["next"].as_str() {
            Some(next) => path = format!("/api/v1/runs?limit=2&cursor={next}"),
            None => assert_eq!(seen.len(), 6),
        }
    }
    assert_eq!(
        seen.iter().collect::<BTreeSet<_>>().len(),
        6,
        "each run once"
    );
    assert!(seen.is_sorted_by(|a, b| a > b), "newest first");

    let middle = agent.get(&format!("/api/v1/runs/{}", seen[2])).await;
    let middle = middle["createdAt"].as_str().unwrap();
    for (filter, expected) in [
        ("status=faulted".to_owned(), 1),
        ("status=completed,faulted".to_owned(), 6),
        ("status=waiting".to_owned(), 0),
        ("workflow=test/double".to_owned(), 5),
        ("workflow=test/double/2.0.0".to_owned(), 0),
        ("text=TEAPOT".to_owned(), 1),
        (format!("text={}", seen[0]), 1),
        (format!("since={middle}"), 3),
        (format!("until={middle}"), 3),
        ("since=2100-01-01T00:00:00Z".to_owned(), 0),
    ] {
        let page = agent.get(&format!("/api/v1/runs?{filter}")).await;
        assert_eq!(
            page["items"].as_array().unwrap().len(),
            expected,
            "{filter}"
        );
    }
    for bad in [
        "status=done",
        "limit=0",
        "limit=201",
        "limit=x",
        "cursor=x",
        "since=today",
        "page=2",
    ] {
        let refused = agent
            .request("GET", &format!("/api/v1/runs?{bad}"))
            .send()
            .await
            .unwrap();
        problem(refused, Code::ParameterInvalid).await;
    }
}

#[tokio::test]
async fn a_journal_is_whole_in_pages_too() {
    let agent = Served::start();
    let tasks = "do:\n  - each:\n      for: { each: x, in: '${ [1, 2, 3] }' }\n      do: [{ one: { set: { last: '${ $x }' } } }]";
    agent.deploy("loop", tasks).await;
    let run = agent.run("loop", &json!({})).await;
    let path = format!("/api/v1/runs/{}/journal", run["id"].as_str().unwrap());
    let whole = agent.get(&path).await["items"].as_array().unwrap().clone();
    let sequences: Vec<u64> = whole
        .iter()
        .map(|entry| entry["sequence"].as_u64().unwrap())
        .collect();
    assert_eq!(
        sequences,
        (1..=run["sequence"].as_u64().unwrap()).collect::<Vec<_>>()
    );
    assert_eq!(
        (&whole[0]["type"], &whole.last().unwrap()["type"]),
        (&json!("runStarted"), &json!("runCompleted"))
    );
    let second = whole
        .iter()
        .find(|entry| entry["type"] == "taskCompleted" && entry["iteration"] == json!([1]))
        .unwrap();
    assert_eq!(
        (&second["name"], &second["task"]),
        (&json!("one"), &json!("/do/0/each/do/0/one"))
    );
    assert_eq!(
        (&second["output"], &second["taskKind"]),
        (&json!({"last": 2}), &json!("set"))
    );

    let mut paged = Vec::new();
    let mut after = 0;
    loop {
        let page = agent.get(&format!("{path}?limit=4&after={after}")).await;
        paged.extend(page["items"].as_array().unwrap().clone());
        match page["next"].as_u64() {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!(paged, whole);
    let most = agent.get(&format!("{path}?limit=1000")).await;
    assert_eq!(most["compacted"], 0);
    assert_eq!(most["items"].as_array().unwrap(), &whole);
    let more = format!("{path}?limit=1001");
    let refused = agent.request("GET", &more).send().await.unwrap();
    problem(refused, Code::ParameterInvalid).await;
    let unknown = "/api/v1/runs/01920000-0000-7000-8000-000000000000/journal";
    problem(
        agent.request("GET", unknown).send().await.unwrap(),
        Code::NotFound,
    )
    .await;
    let bad = agent
        .request("GET", "/api/v1/runs/one/journal")
        .send()
        .await
        .unwrap();
    problem(bad, Code::ParameterInvalid).await;
}

#[tokio::test]
async fn runs_are_cancelled_retried_and_replayed_from_a_task() {
    let agent = Served::start();
    agent.deploy("wait", WAIT).await;
    let id = agent.begin("wait", &json!({})).await;
    let busy = agent
        .request("DELETE", "/api/v1/workflows/test/wait/1.0.0")
        .send()
        .await
        .unwrap();
    problem(busy, Code::WorkflowInUse).await;
    let cancel = format!("/api/v1/runs/{id}/cancel");
    let cancelled = agent.request("POST", &cancel).send().await.unwrap();
    assert_eq!(cancelled.status(), 200);
    assert_eq!(
        cancelled.json::<Value>().await.unwrap()["status"],
        "cancelled"
    );
    problem(
        agent.request("POST", &cancel).send().await.unwrap(),
        Code::RunNotInState,
    )
    .await;
    let retry = format!("/api/v1/runs/{id}/retry");
    problem(
        agent.request("POST", &retry).send().await.unwrap(),
        Code::RunNotInState,
    )
    .await;

    agent
        .deploy(
            "two",
            "do: [{ one: { set: { n: '${ .n + 1 }' } } }, { two: { set: { n: '${ .n * 10 }' } } }]",
        )
        .await;
    let old = agent.run("two", &json!({"n": 1})).await;
    assert_eq!(old["output"], json!({"n": 20}));
    let replay = format!("/api/v1/runs/{}/replay", old["id"].as_str().unwrap());
    let new = agent
        .post(&replay, &json!({"task": "/do/1/two", "input": {"n": 7}}))
        .await;
    assert_eq!(new.status(), 201);
    let new: Value = new.json().await.unwrap();
    assert_eq!(
        new["replayOf"],
        json!({"run": old["id"], "task": "/do/1/two"})
    );
    assert_ne!(new["id"], old["id"]);
    let path = format!("/api/v1/runs/{}/events", new["id"].as_str().unwrap());
    agent
        .request("GET", &path)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let new = agent
        .get(&format!("/api/v1/runs/{}", new["id"].as_str().unwrap()))
        .await;
    assert_eq!(
        (&new["output"], &new["trigger"]),
        (&json!({"n": 70}), &json!("replay"))
    );
    let refused = agent.post(&replay, &json!({"task": "/do/9/none"})).await;
    problem(refused, Code::ParameterInvalid).await;
    problem(
        agent.post(&replay, &json!({"tusk": "/do/1/two"})).await,
        Code::BodyInvalid,
    )
    .await;

    let unknown = "/api/v1/runs/01920000-0000-7000-8000-000000000000";
    for action in ["cancel", "retry"] {
        let path = format!("{unknown}/{action}");
        problem(
            agent.request("POST", &path).send().await.unwrap(),
            Code::NotFound,
        )
        .await;
    }
    problem(
        agent.request("GET", unknown).send().await.unwrap(),
        Code::NotFound,
    )
    .await;
}

#[tokio::test]
async fn a_faulted_run_goes_on_at_its_task_when_it_is_retried() {
    let agent = Served::start();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let call = format!(
        "do: [{{ first: {{ set: {{ a: 1 }} }} }}, {{ call: {{ call: http, with: {{ method: get, endpoint: 'http://{address}/x' }} }} }}]"
    );
    agent.deploy("calls", &call).await;
    let run = agent.run("calls", &json!({})).await;
    assert_eq!(
        (&run["status"], &run["error"]["instance"]),
        (&json!("faulted"), &json!("/do/1/call"))
    );
    let app = axum::Router::new().fallback(async || axum::Json(json!({"ok": true})));
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let id = run["id"].as_str().unwrap();
    let retried = agent
        .request("POST", &format!("/api/v1/runs/{id}/retry"))
        .send()
        .await
        .unwrap();
    assert_eq!(retried.status(), 200);
    let events = agent
        .request("GET", &format!("/api/v1/runs/{id}/events"))
        .send()
        .await
        .unwrap();
    events.text().await.unwrap();
    let run = agent.get(&format!("/api/v1/runs/{id}")).await;
    assert_eq!(
        (&run["status"], &run["output"]),
        (&json!("completed"), &json!({"ok": true}))
    );
    let journal = agent.get(&format!("/api/v1/runs/{id}/journal")).await;
    let starts = |name: &str| {
        let items = journal["items"].as_array().unwrap().iter();
        items
            .filter(|entry| entry["type"] == "taskStarted" && entry["name"] == name)
            .count()
    };
    assert_eq!(
        (starts("first"), starts("call")),
        (1, 2),
        "a completed task does not run again"
    );
    server.abort();
}

#[tokio::test]
async fn emitted_events_can_be_read() {
    let agent = Served::start();
    let emit = "do:\n  - each:\n      for: { each: n, in: '${ [1, 2, 3] }' }\n      do:\n        - tell: { emit: { event: { with: { type: 'com.example.${ $n }', source: 'https://example.com', data: { n: '${ $n }' } } } } }";
    agent.deploy("tell", emit).await;
    let run = agent.run("tell", &json!({})).await;
    let page = agent.get("/api/v1/events?limit=2").await;
    let items = page["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert_eq!(
        (&items[0]["run"], &items[0]["event"]["data"]),
        (&run["id"], &json!({"n": 1}))
    );
    assert_eq!(items[0]["event"]["specversion"], "1.0");
    let rest = agent
        .get(&format!("/api/v1/events?after={}", page["next"]))
        .await;
    assert_eq!(rest["items"].as_array().unwrap().len(), 1);
    let typed = agent.get("/api/v1/events?type=com.example.2").await;
    assert_eq!(typed["items"][0]["event"]["data"], json!({"n": 2}));
    let bad = agent
        .request("GET", "/api/v1/events?limit=1000")
        .send()
        .await
        .unwrap();
    problem(bad, Code::ParameterInvalid).await;
}
