//! `call: a2a`: against the SDK of the protocol, which speaks 0.3 and 1.0, and against agents that misbehave.

use std::time::Duration;

use flame_testkit::Counterpart;
use serde_json::{Value, json};

use super::{call, fault};
use crate::runtime::{deploy, open, output, run};
use crate::server::{Server, answer, json as answers};

fn to(card: &str, method: &str, parameters: &str) -> String {
    call(
        "a2a",
        &format!("agentCard: {{ endpoint: '{card}' }}\nmethod: {method}\nparameters: {parameters}"),
    )
}

fn saying(text: &str) -> String {
    format!(
        "{{ message: {{ kind: message, messageId: '${{ .id }}', role: user, parts: [{{ kind: text, text: '{text}' }}] }} }}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_answers_in_both_versions() {
    let folder = tempfile::tempdir().unwrap();
    let Some(agent) = Counterpart::a2a() else {
        return;
    };
    let url = agent.address();
    let handle = open(folder.path()).await;
    for (version, text, states, task) in [
        ("0.3", "/parts/0/text", "/status/state", "/id"),
        (
            "1.0",
            "/message/parts/0/text",
            "/statusUpdate/status/state",
            "/task/id",
        ),
    ] {
        let card = format!("{url}{version}.json");
        let workflow = deploy(
            &handle,
            "send",
            &to(&card, "message/send", &saying("größe")),
        )
        .await;
        let said = output(&run(&handle, &workflow, json!({"id": "m1"})).await);
        assert_eq!(
            said.pointer(text),
            Some(&json!("heard größe")),
            "{version}: {said}"
        );
        let workflow = deploy(
            &handle,
            "stream",
            &to(&card, "message/stream", &saying("work")),
        )
        .await;
        let events = output(&run(&handle, &workflow, json!({"id": "m2"})).await);
        let events = events.as_array().unwrap();
        assert_eq!(events.len(), 3, "{events:?}");
        let state = events[2].pointer(states).unwrap().as_str().unwrap();
        assert!(state.to_lowercase().ends_with("completed"), "{state}");
        let id = events[0].pointer(task).unwrap().clone();
        let workflow = deploy(
            &handle,
            "get",
            &to(&card, "tasks/get", "{ id: '${ .id }' }"),
        )
        .await;
        let got = output(&run(&handle, &workflow, json!({"id": id})).await);
        assert_eq!(got["id"], id);
        let gone = to(&card, "tasks/get", "{ id: none }");
        let (kind, detail) = fault(&handle, &gone, json!({})).await;
        assert_eq!(kind, "communication");
        assert!(
            detail.contains("tasks/get was answered with error -32001"),
            "{detail}"
        );
    }
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn what_an_agent_does_wrong_is_an_error_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    for (card, kind, expected) in [
        (
            answer("200 OK", "text/html", "<html>"),
            "configuration",
            "the card is not JSON",
        ),
        (
            answers("200 OK", "{}"),
            "configuration",
            "no address for JSON-RPC",
        ),
        (
            answers("404 Not Found", "{}"),
            "communication",
            "answered 404",
        ),
        (
            answers("200 OK", r#"{"url": "http://127.0.0.2:9/"}"#),
            "authorization",
            "private address",
        ),
    ] {
        let server = Server::saying(card).await;
        let tasks = to(&server.url("/card.json"), "message/send", &saying("hi"));
        let (found, detail) = fault(&handle, &tasks, json!({"id": "m"})).await;
        assert_eq!(found, kind, "{detail}");
        assert!(detail.contains(expected), "{detail}");
    }
    for (wrong, expected) in [
        (
            answer("200 OK", "text/html", "<html>"),
            "is the address right?",
        ),
        (answers("200 OK", "[{}]"), "JSON that is no object"),
    ] {
        let page = Server::saying(wrong).await;
        let tasks = call(
            "a2a",
            &format!(
                "server: '{}'\nmethod: tasks/get\nparameters: {{ id: a }}",
                page.url("/")
            ),
        );
        let (kind, detail) = fault(&handle, &tasks, Value::Null).await;
        assert_eq!(kind, "communication");
        assert!(detail.contains(expected), "{detail}");
        assert!(page.asked()[0].header("idempotency-key").is_some());
        assert!(page.asked()[0].body.contains("\"tasks/get\""));
    }
    handle.drain(Duration::ZERO).await;
}
