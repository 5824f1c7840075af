//! `call: a2a`: against the SDK of the protocol, which speaks 0.3 and 1.0, and against agents that misbehave.

use std::time::Duration;

use flame_testkit::Peer;
use serde_json::{Value, json};

use super::{call, fault};
use crate::runtime::{deploy, open, output, run};
use crate::server::{Server, answer, json as answers};

/// An agent that says what it was told, as a message or, asked for `work`, as a task.
const AGENT: &str = r#"
import socket, uvicorn
from starlette.applications import Starlette
from a2a.helpers.proto_helpers import new_task_from_user_message, new_text_message, new_text_status_update_event
from a2a.server.agent_execution.agent_executor import AgentExecutor
from a2a.server.request_handlers import DefaultRequestHandlerV2
from a2a.server.routes.jsonrpc_routes import create_jsonrpc_routes
from a2a.server.routes.agent_card_routes import create_agent_card_routes
from a2a.server.tasks import InMemoryTaskStore
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, TaskState

class Echo(AgentExecutor):
    async def execute(self, context, queue):
        said = context.get_user_input()
        if said != "work":
            return await queue.enqueue_event(new_text_message("heard " + said))
        task = new_task_from_user_message(context.message)
        await queue.enqueue_event(task)
        for state in (TaskState.TASK_STATE_WORKING, TaskState.TASK_STATE_COMPLETED):
            await queue.enqueue_event(new_text_status_update_event(task.id, task.context_id, state, "on it"))
    async def cancel(self, context, queue): pass

taken = socket.socket()
taken.bind(("127.0.0.1", 0))
taken.listen()
url = "http://127.0.0.1:%d/" % taken.getsockname()[1]
def card(version):
    return AgentCard(name="Echo", description="Says it again", version="1", default_input_modes=["text"],
        default_output_modes=["text"], capabilities=AgentCapabilities(streaming=True),
        supported_interfaces=[AgentInterface(url=url, protocol_binding="JSONRPC", protocol_version=version)])
handler = DefaultRequestHandlerV2(agent_executor=Echo(), task_store=InMemoryTaskStore(), agent_card=card("1.0"))
routes = create_agent_card_routes(card("1.0"), card_url="/1.0.json")
routes += create_agent_card_routes(card("0.3"), card_url="/0.3.json")
routes += create_jsonrpc_routes(handler, "/", enable_v0_3_compat=True)
print("serving", url, flush=True)
uvicorn.Server(uvicorn.Config(Starlette(routes=routes), log_level="error")).run(sockets=[taken])
"#;

/// The agent; gives its address too.
fn sdk() -> Option<(Peer, String)> {
    let mut python = Peer::python()?;
    let agent = Peer::start(python.args(["-c", AGENT]), "serving").unwrap();
    let url = agent.ready.rsplit(' ').next().unwrap().to_owned();
    Some((agent, url))
}

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
    let Some((_agent, url)) = sdk() else {
        return;
    };
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
    let page = Server::saying(answer("200 OK", "text/html", "<html>")).await;
    let tasks = call(
        "a2a",
        &format!(
            "server: '{}'\nmethod: tasks/get\nparameters: {{ id: a }}",
            page.url("/")
        ),
    );
    let (kind, detail) = fault(&handle, &tasks, Value::Null).await;
    assert_eq!(kind, "communication");
    assert!(detail.contains("is the address right?"), "{detail}");
    assert!(page.asked()[0].header("idempotency-key").is_some());
    assert!(page.asked()[0].body.contains("\"tasks/get\""));
    handle.drain(Duration::ZERO).await;
}
