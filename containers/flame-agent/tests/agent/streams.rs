//! Streams: one run's journal as it grows, and everything that changes.

use flame_agent_api::{Changes, JournalType, SecretText};
use flame_agent_client::{AgentClient, RunEvent};
use flame_errors::Code;
use flame_types::RunStatus;
use futures::{Stream, StreamExt};
use serde_json::json;

use crate::harness::{Served, problem};

const WAIT: &str = "do: [{ pause: { wait: PT1H } }]";

fn client(agent: &Served) -> AgentClient {
    let token = SecretText::new(agent.agent().token.clone());
    AgentClient::new(&agent.agent().url, token).unwrap()
}

/// Reads changes until one shows what is looked for.
async fn until(
    changes: &mut (impl Stream<Item = flame_agent_client::Result<Changes>> + Unpin),
    found: impl Fn(&Changes) -> bool,
) -> Changes {
    loop {
        let next = changes.next().await.expect("the stream goes on").unwrap();
        if found(&next) {
            return next;
        }
    }
}

#[tokio::test]
async fn a_run_is_followed_to_its_end() {
    let agent = Served::start();
    agent.deploy("wait", WAIT).await;
    let id = agent.begin("wait", &json!({})).await;
    let client = client(&agent);
    let run = id.parse().unwrap();
    let mut events = Box::pin(client.follow_run(run, 0).await.unwrap());
    let mut seen = Vec::new();
    loop {
        match events.next().await.unwrap().unwrap() {
            RunEvent::Journal(entry) => {
                seen.push(entry.sequence);
                if entry.kind == JournalType::TimerArmed {
                    // It waits now; what follows is written while the stream is open.
                    client.cancel_run(run, false).await.unwrap();
                }
            }
            RunEvent::End(run) => {
                assert_eq!(run.status, RunStatus::Cancelled);
                assert_eq!(Some(&run.sequence), seen.last());
                break;
            }
        }
    }
    assert!(events.next().await.is_none(), "nothing comes after the end");
    assert_eq!(seen, (1..=seen.len() as u64).collect::<Vec<_>>());

    let resumed: Vec<u64> = client
        .follow_run(run, 2)
        .await
        .unwrap()
        .filter_map(async |event| match event.unwrap() {
            RunEvent::Journal(entry) => Some(entry.sequence),
            RunEvent::End(_) => None,
        })
        .collect()
        .await;
    assert_eq!(resumed, seen[2..], "it goes on where the last one stopped");
}

#[tokio::test]
async fn a_place_that_makes_no_sense_is_refused() {
    let agent = Served::start();
    agent.deploy("wait", WAIT).await;
    let id = agent.begin("wait", &json!({})).await;
    let follow = agent.request("GET", &format!("/api/v1/runs/{id}/events"));
    let refused = follow
        .header("last-event-id", "seven")
        .send()
        .await
        .unwrap();
    problem(refused, Code::ParameterInvalid).await;
    let unknown = "/api/v1/runs/01920000-0000-7000-8000-000000000000/events";
    problem(
        agent.request("GET", unknown).send().await.unwrap(),
        Code::NotFound,
    )
    .await;
}

#[tokio::test]
async fn changes_tell_what_to_show_anew() {
    let agent = Served::start();
    let client = client(&agent);
    let mut changes = Box::pin(client.changes().await.unwrap());
    let first = changes.next().await.unwrap().unwrap();
    assert!(first.is_empty(), "the first only says that it follows");
    agent.deploy("wait", WAIT).await;
    until(&mut changes, |changes| changes.workflows).await;
    let id = agent.begin("wait", &json!({})).await;
    let waits = until(&mut changes, |changes| {
        changes
            .runs
            .iter()
            .any(|run| run.status == RunStatus::Waiting)
    })
    .await;
    assert_eq!(waits.runs[0].id.to_string(), id);
    assert_eq!(
        (&waits.runs[0].input, &waits.runs[0].output),
        (&None, &None)
    );
    let put = agent
        .request("PUT", "/api/v1/connections/c")
        .json(&json!({"kind": "secret"}));
    put.send().await.unwrap();
    until(&mut changes, |changes| changes.connections).await;
    let emit =
        "do: [{ tell: { emit: { event: { with: { type: t.x, source: 'https://e.example' } } } } }]";
    agent.deploy("tell", emit).await;
    agent.run("tell", &json!({})).await;
    until(&mut changes, |changes| changes.events).await;
}

#[tokio::test]
async fn streams_end_when_the_agent_stops() {
    let mut agent = Served::start();
    agent.deploy("wait", WAIT).await;
    let id = agent.begin("wait", &json!({})).await;
    let client = client(&agent);
    let mut changes = Box::pin(client.changes().await.unwrap());
    changes.next().await.unwrap().unwrap();
    let mut events = Box::pin(client.follow_run(id.parse().unwrap(), 0).await.unwrap());
    events.next().await.unwrap().unwrap();
    assert_eq!(
        agent.stop(),
        Some(0),
        "open streams do not hold the agent up"
    );
    while let Some(change) = changes.next().await {
        change.unwrap();
    }
    while let Some(event) = events.next().await {
        event.unwrap();
    }
}
