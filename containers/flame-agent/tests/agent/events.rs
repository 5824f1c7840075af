//! `POST /api/v1/events`: every form of a CloudEvent, refusals, and a kill between the answer and the
//! delivery.

use flame_agent_api::{EventQuery, JournalType, RunQuery, RunView, SecretText};
use flame_agent_client::AgentClient;
use flame_errors::Code;
use flame_types::{RunId, RunStatus};
use serde_json::{Value, json};

use crate::harness::{Served, problem};

const EVENTS: &str = "/api/v1/events";
const ONE: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";

fn event(id: impl ToString, data: Value) -> Value {
    json!({"specversion": "1.0", "id": id.to_string(), "source": "/test", "type": "t.x", "data": data})
}

fn client(agent: &Served) -> AgentClient {
    let agent = agent.agent();
    AgentClient::new(&agent.url, SecretText::new(agent.token.clone())).unwrap()
}

#[tokio::test]
async fn events_come_structured_in_batches_and_in_binary_mode() {
    let agent = Served::start();
    let send = |media: &'static str, body: Value| {
        let request = agent.request("POST", EVENTS).header("content-type", media);
        request.body(body.to_string()).send()
    };
    let one = send(ONE, event(1, json!({"a": 1}))).await.unwrap();
    assert_eq!(one.status(), 202);
    assert_eq!(one.json::<Value>().await.unwrap(), json!({"events": 1}));
    let batch = send(BATCH, json!([event(1, json!(1)), event(2, json!(2))]))
        .await
        .unwrap();
    assert_eq!(batch.json::<Value>().await.unwrap(), json!({"events": 2}));
    let binary = agent
        .request("POST", EVENTS)
        .header("content-type", "application/json; charset=utf-8")
        .header("ce-specversion", "1.0")
        .header("ce-id", "3")
        .header("ce-source", "/caf%C3%A9")
        .header("ce-type", "t.y")
        .header(
            "ce-tenant",
            reqwest::header::HeaderValue::from_bytes("né".as_bytes()).unwrap(),
        )
        .body("[3]");
    assert_eq!(binary.send().await.unwrap().status(), 202);
    let page = client(&agent).events(&EventQuery::default()).await.unwrap();
    let events: Vec<Value> = page.items.into_iter().map(|item| item.event).collect();
    assert_eq!(
        events[..2],
        [event(1, json!({"a": 1})), event(2, json!(2))],
        "one per source and id"
    );
    assert_eq!(events[2]["source"], "/café");
    assert_eq!(events[2]["tenant"], "né");
    assert_eq!(events[2]["data"], json!([3]));
}

#[tokio::test]
async fn what_is_no_event_is_refused_whole() {
    let agent = Served::start();
    let refused = async |media: &str, body: String, code: Code, says: &str| {
        let request = agent.request("POST", EVENTS).header("content-type", media);
        let found = problem(request.body(body).send().await.unwrap(), code).await;
        assert!(found.detail.contains(says), "{}", found.detail);
    };
    refused(ONE, "{".to_owned(), Code::BodyInvalid, "not JSON").await;
    refused(
        ONE,
        "{}".to_owned(),
        Code::InputInvalid,
        "'specversion' is missing",
    )
    .await;
    refused(
        "application/json",
        "{}".to_owned(),
        Code::InputInvalid,
        "ce-specversion",
    )
    .await;
    let batch = json!([event(1, json!(1)), {"specversion": "1.0"}]).to_string();
    refused(BATCH, batch, Code::InputInvalid, "event 1").await;
    let many = Value::from(vec![event(1, json!(1)); 1_001]).to_string();
    refused(BATCH, many, Code::InputInvalid, "1001 events").await;
    let deep = (0..150).fold(json!(1), |inner, _| json!([inner]));
    let deep = event(1, deep).to_string();
    let request = agent
        .request("POST", EVENTS)
        .header("content-type", ONE)
        .body(deep);
    assert!(request.send().await.unwrap().status().is_client_error());
    let page = client(&agent).events(&EventQuery::default()).await.unwrap();
    assert_eq!(page.items, []);
}

/// Every event is answered and followed by a kill: none is lost, none is taken twice.
#[tokio::test]
async fn events_that_were_answered_survive_a_kill_and_are_taken_once() {
    const ROUNDS: u64 = 6;
    const RUNS: usize = 5;
    let mut agent = Served::start();
    let tasks = "do: [{l: {
        listen: {to: {any: [{with: {type: t.x}}], until: 'any(.[]; . == \"end\")'}},
        foreach: {item: e, do: [{s: {set: '$e'}}]}}}]";
    agent.deploy("hear", tasks).await;
    for _ in 0..RUNS {
        agent.begin("hear", &json!({})).await;
    }
    for round in 0..ROUNDS {
        let events: Vec<Value> = (0..20)
            .map(|n| event(round * 20 + n, json!(round * 20 + n)))
            .collect();
        client(&agent).post_events(&events).await.unwrap();
        agent.restart();
        // The sender did not hear the answer and sends again.
        client(&agent).post_events(&events).await.unwrap();
    }
    client(&agent)
        .post_events(&[event("end", json!("end"))])
        .await
        .unwrap();
    let client = client(&agent);
    let mut expected: Vec<Value> = (0..ROUNDS * 20).map(Value::from).collect();
    expected.push(json!("end"));
    let runs = client.runs(&RunQuery::default()).await.unwrap().items;
    assert_eq!(runs.len(), RUNS);
    for run in runs {
        let ended = ended(&client, run.id).await;
        assert_eq!(ended.status, RunStatus::Completed, "{:?}", ended.error);
        assert_eq!(ended.output, Some(Value::from(expected.clone())));
        let journal = client
            .journal(
                run.id,
                &flame_agent_api::JournalQuery {
                    limit: Some(999),
                    ..Default::default()
                },
            )
            .await
            .unwrap();
        let taken = journal
            .items
            .iter()
            .filter(|entry| entry.kind == JournalType::EventConsumed);
        assert_eq!(taken.count(), expected.len());
    }
}

async fn ended(client: &AgentClient, run: RunId) -> RunView {
    use futures::StreamExt as _;
    let events = client.follow_run(run, 0).await.unwrap();
    let mut events = std::pin::pin!(events);
    while let Some(event) = events.next().await {
        if let flame_agent_client::RunEvent::End(run) = event.unwrap() {
            return *run;
        }
    }
    panic!("the stream of {run} ends without its end")
}
