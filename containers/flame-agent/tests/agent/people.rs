//! Tasks that wait for a person, over HTTP: what is listed, what is refused, and a kill in between.

use flame_agent_api::SecretText;
use flame_agent_client::AgentClient;
use flame_errors::Code;
use serde_json::{Value, json};

use crate::harness::{Served, problem};

fn client(agent: &Served) -> AgentClient {
    let agent = agent.agent();
    AgentClient::new(&agent.url, SecretText::new(agent.token.clone())).unwrap()
}

#[tokio::test]
async fn a_person_is_asked_once_and_answers_once_over_a_kill() {
    let mut agent = Served::start();
    let tasks = "do: [{approve: {
        listen: {to: {one: {with: {type: io.mastra.approval.v1}}}},
        output: {as: '.[0]'},
        metadata: {mastra.io/person: {title: 'Ship ${ .id }?', assignee: ada}}}}]";
    agent.deploy("ask", tasks).await;
    let first = agent.begin("ask", &json!({"id": 7})).await;
    let second = agent.begin("ask", &json!({"id": 8})).await;
    agent.restart();
    let listed = async |agent: &Served| client(agent).person_tasks().await.unwrap().items;
    let open = loop {
        // The runs of before are taken up beside the first answers.
        let open = listed(&agent).await;
        if open.len() == 2 {
            break open;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(open[0].run.to_string(), first);
    assert_eq!(
        (open[0].title.as_str(), open[0].assignee.as_deref()),
        ("Ship 7?", Some("ada"))
    );
    assert_eq!(open[0].task, "/do/0/approve");
    assert_eq!(open[0].schema["required"], json!(["approved"]));
    let path = format!("/api/v1/runs/{first}/answers");
    let answer = |data: Value| json!({"task": "/do/0/approve", "data": data});
    let refused = agent
        .post(&path, &answer(json!({"approved": "yes", "more": 1})))
        .await;
    let refused = problem(refused, Code::InputInvalid).await;
    let places: Vec<&str> = refused
        .problems
        .iter()
        .map(|problem| &*problem.pointer)
        .collect();
    assert_eq!(places, ["/approved", ""], "{refused:?}");
    let missing = agent.post(&path, &answer(json!({}))).await;
    let missing = problem(missing, Code::InputInvalid).await;
    assert_eq!(
        missing.problems[0].pointer, "/approved",
        "the place of what is missing"
    );
    let elsewhere = agent
        .post(&path, &json!({"task": "/do/9/x", "data": {}}))
        .await;
    problem(elsewhere, Code::RunNotInState).await;
    let unknown = "/api/v1/runs/01920000-0000-7000-8000-000000000000/answers";
    problem(
        agent.post(unknown, &answer(json!({}))).await,
        Code::NotFound,
    )
    .await;
    // An event of the same type is no answer: it would answer every run at once.
    let event = json!({"specversion": "1.0", "id": "1", "source": "/x", "type": "io.mastra.approval.v1", "data": {"approved": true}});
    client(&agent).post_events(&[event]).await.unwrap();
    let run = open[0].run;
    client(&agent)
        .answer(run, "/do/0/approve", &json!({"approved": true}))
        .await
        .unwrap();
    agent.restart();
    let ended = client(&agent).run(run).await.unwrap();
    assert_eq!(ended.output, Some(json!({"approved": true})));
    problem(
        agent.post(&path, &answer(json!({"approved": true}))).await,
        Code::RunNotInState,
    )
    .await;
    let left = loop {
        let open = listed(&agent).await;
        if !open.is_empty() {
            break open;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].run.to_string(), second);
}
