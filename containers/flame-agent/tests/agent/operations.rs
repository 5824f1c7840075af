//! What people do to runs: halt them, let them go on, replay them with another state, and find them.

use flame_errors::Code;
use serde_json::{Value, json};

use crate::harness::{Served, problem};

const WAIT: &str = "do: [{ pause: { wait: PT1H } }, { after: { set: { done: true } } }]";

async fn act(agent: &Served, id: &str, action: &str) -> reqwest::Response {
    let path = format!("/api/v1/runs/{id}/{action}");
    agent.request("POST", &path).send().await.unwrap()
}

async fn status_after(agent: &Served, id: &str, action: &str) -> Value {
    let response = act(agent, id, action).await;
    assert_eq!(response.status(), 200, "{action}");
    response.json::<Value>().await.unwrap()["status"].take()
}

#[tokio::test]
async fn a_run_is_suspended_across_a_crash_until_it_is_resumed() {
    let mut agent = Served::start();
    agent.deploy("wait", WAIT).await;
    let id = agent.begin("wait", &json!({})).await;
    problem(act(&agent, &id, "resume").await, Code::RunNotInState).await;
    assert_eq!(status_after(&agent, &id, "suspend").await, "suspended");
    problem(act(&agent, &id, "suspend").await, Code::RunNotInState).await;
    agent.restart();
    let run = agent.get(&format!("/api/v1/runs/{id}")).await;
    assert_eq!(run["status"], "suspended");
    assert_eq!(status_after(&agent, &id, "resume").await, "waiting");
    assert_eq!(status_after(&agent, &id, "suspend").await, "suspended");
    assert_eq!(status_after(&agent, &id, "cancel").await, "cancelled");
    for action in ["suspend", "resume"] {
        problem(act(&agent, &id, action).await, Code::RunNotInState).await;
        let unknown = act(&agent, "01920000-0000-7000-8000-000000000000", action).await;
        problem(unknown, Code::NotFound).await;
    }
}

/// Not that the agent shuts down: nobody would look for the damage then.
#[tokio::test]
async fn a_run_whose_journal_is_damaged_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut agent = Served::start_in(folder.path(), &[]);
    agent.deploy("wait", WAIT).await;
    let id = agent.begin("wait", &json!({})).await;
    agent.stop();
    let database = rusqlite::Connection::open(folder.path().join("agent.db")).unwrap();
    database
        .execute("UPDATE journal SET records = x'7b'", [])
        .unwrap();
    drop(database);
    let agent = Served::start_in(folder.path(), &[]);
    let run = agent
        .request("GET", &format!("/api/v1/runs/{id}"))
        .send()
        .await;
    let damaged = problem(run.unwrap(), Code::StorageFailed).await;
    assert!(damaged.detail.contains(&id), "{}", damaged.detail);
    problem(act(&agent, &id, "cancel").await, Code::StorageFailed).await;
}

#[tokio::test]
async fn a_replay_takes_an_edited_context() {
    let agent = Served::start();
    let tasks = "do: [{ one: { set: { n: 1 }, export: { as: '{seen: .n}' } } }, \
                 { two: { set: { n: '${ .n }', seen: '${ $context.seen }' } } }]";
    agent.deploy("two", tasks).await;
    let old = agent.run("two", &json!({})).await;
    assert_eq!(old["output"], json!({"n": 1, "seen": 1}));
    let replay = format!("/api/v1/runs/{}/replay", old["id"].as_str().unwrap());
    let edited = json!({"task": "/do/1/two", "context": {"seen": "edited"}});
    let new: Value = agent.post(&replay, &edited).await.json().await.unwrap();
    let id = new["id"].as_str().unwrap();
    let events = format!("/api/v1/runs/{id}/events");
    let ended = agent.request("GET", &events).send().await.unwrap();
    ended.text().await.unwrap();
    let new = agent.get(&format!("/api/v1/runs/{id}")).await;
    assert_eq!(new["output"], json!({"n": 1, "seen": "edited"}));
    let start = json!({"task": "", "context": {"seen": 1}});
    let refused = problem(agent.post(&replay, &start).await, Code::ParameterInvalid).await;
    assert!(refused.detail.contains("context"), "{}", refused.detail);
}

#[tokio::test]
async fn runs_are_found_by_fields_of_their_input_and_output_and_by_their_end() {
    let agent = Served::start();
    agent
        .deploy(
            "double",
            "do: [{ double: { set: { twice: '${ .n * 2 }' } } }]",
        )
        .await;
    agent.deploy("wait", WAIT).await;
    for n in 1..=5 {
        agent
            .run(
                "double",
                &json!({"n": n, "customer": {"name": format!("Ada {n}")}}),
            )
            .await;
    }
    agent.begin("wait", &json!({"n": 3})).await;
    let found = async |query: &str| -> Vec<Value> {
        let page = agent.get(&format!("/api/v1/runs?{query}")).await;
        page["items"].as_array().unwrap().clone()
    };
    assert_eq!(found("where=input/n=3").await.len(), 2);
    assert_eq!(found("where=input/n=3&status=completed").await.len(), 1);
    assert_eq!(
        found("where=input/n%3E=2%20and%20output/twice%3C9")
            .await
            .len(),
        3
    );
    assert_eq!(found("where=input/customer/name~ADA%204").await.len(), 1);
    assert_eq!(found("where=input/nobody=1").await.len(), 0);
    assert_eq!(found("endedSince=2000-01-01T00:00:00Z").await.len(), 5);
    assert_eq!(found("endedUntil=2000-01-01T00:00:00Z").await.len(), 0);

    let first = agent
        .get("/api/v1/runs?where=output/twice%3E0&limit=2")
        .await;
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    let next = first["next"].as_str().unwrap();
    assert_eq!(
        found(&format!("where=output/twice%3E0&cursor={next}"))
            .await
            .len(),
        3
    );

    let bad = agent
        .request("GET", "/api/v1/runs?where=customer%3D1")
        .send()
        .await
        .unwrap();
    let refused = problem(bad, Code::ParameterInvalid).await;
    assert!(refused.detail.contains("customer=1"), "{}", refused.detail);
}
