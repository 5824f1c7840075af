//! `call: mcp`: against the reference server of the protocol, and against servers that misbehave.

use std::time::Duration;

use flame_agent::runtime::Options;
use flame_testkit::Peer;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::{call, fault};
use crate::runtime::{deploy, open, options, output, run};
use crate::server::{Server, answer, json as answers};

/// The reference server; gives its address too. It takes its port from outside and can't be given 0.
fn everything() -> Option<(Peer, String)> {
    let mut command = Peer::node("@modelcontextprotocol/server-everything/dist/index.js")?;
    let command = command.arg("streamableHttp");
    for _ in 0..10 {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        // Somebody else may have taken it meanwhile.
        if let Ok(server) = Peer::start(command.env("PORT", port.to_string()), "listening on port")
        {
            return Some((server, format!("http://127.0.0.1:{port}/mcp")));
        }
    }
    panic!("no port is free");
}

fn to(url: &str, method: &str, more: &str) -> String {
    call(
        "mcp",
        &format!(
            "method: {method}\ntransport: {{ http: {{ endpoint: '{url}', headers: {{ x-shop: main }} }} }}\n{more}"
        ),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_server_is_called_by_every_method() {
    let folder = tempfile::tempdir().unwrap();
    let Some((_server, url)) = everything() else {
        return;
    };
    let handle = open(folder.path()).await;
    let names = |list: &Value| -> Vec<String> {
        let list = list.as_array().unwrap().iter();
        list.map(|item| item["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let mut asked = Vec::new();
    for (method, more) in [
        ("tools/list", ""),
        (
            "tools/call",
            "parameters: { name: echo, arguments: { message: '${ .said }' } }\nprotocolVersion: '2025-03-26'\nclient: { name: shop, version: '2' }\ntimeout: PT20S",
        ),
        (
            "tools/call",
            "parameters: '${ {name: \"get-sum\", arguments: {a: 2, b: 40}} }'",
        ),
        ("prompts/list", ""),
        ("resources/list", ""),
        ("resources/templates/list", ""),
    ] {
        let workflow = deploy(&handle, "call", &to(&url, method, more)).await;
        asked.push(output(
            &run(&handle, &workflow, json!({"said": "größe"})).await,
        ));
    }
    assert!(names(&asked[0]["tools"]).contains(&"echo".to_owned()));
    assert_eq!(asked[1]["content"][0]["text"], "Echo: größe");
    assert!(
        asked[2]["content"][0]["text"]
            .as_str()
            .unwrap()
            .contains("42")
    );
    let prompt = names(&asked[3]["prompts"]).remove(0);
    let resource = asked[4]["resources"][0]["uri"].as_str().unwrap();
    assert!(asked[5]["resourceTemplates"].is_array());
    for (method, more, member) in [
        (
            "prompts/get",
            format!("parameters: {{ name: {prompt} }}"),
            "messages",
        ),
        (
            "resources/read",
            format!("parameters: {{ uri: '{resource}' }}"),
            "contents",
        ),
    ] {
        let workflow = deploy(&handle, "call", &to(&url, method, &more)).await;
        let got = output(&run(&handle, &workflow, json!({})).await);
        assert!(!got[member].as_array().unwrap().is_empty(), "{got}");
    }
    let unknown = "parameters: { name: nothing }";
    let (kind, detail) = fault(&handle, &to(&url, "tools/call", unknown), json!({})).await;
    assert!(
        ["validation", "runtime"].contains(&kind.as_str()),
        "{detail}"
    );
    assert!(detail.contains("nothing"), "{detail}");
    handle.drain(Duration::ZERO).await;
}

/// A server that answers the handshake, and everything else with `answer`.
async fn speaking(answer: Vec<u8>) -> Server {
    Server::start(move |_, asked, mut stream| {
        let bytes = if asked.body.contains("\"initialize\"") {
            let hello = r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18"}}"#;
            let text = String::from_utf8(answers("200 OK", hello)).unwrap();
            text.replace("\r\n\r\n", "\r\nmcp-session-id: s7\r\n\r\n")
                .into_bytes()
        } else if asked.body.contains("notifications/") || asked.head.starts_with("DELETE") {
            b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec()
        } else {
            answer.clone()
        };
        async move { stream.write_all(&bytes).await.unwrap_or_default() }
    })
    .await
}

#[tokio::test]
async fn a_call_has_a_session_its_key_and_its_headers() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let stream = "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n\
                  data: {\"jsonrpc\":\"2.0\",\"id\":2,\ndata: \"result\":{\"done\":true}}\n\n";
    let server = speaking(answer("200 OK", "text/event-stream", stream)).await;
    let workflow = deploy(&handle, "call", &to(&server.url("/"), "tools/list", "")).await;
    let ended = run(&handle, &workflow, json!({})).await;
    assert_eq!(output(&ended), json!({"done": true}));
    let asked = server.asked();
    let verbs: Vec<&str> = asked
        .iter()
        .map(|a| a.head.split(' ').next().unwrap())
        .collect();
    assert_eq!(verbs, ["POST", "POST", "POST", "DELETE"]);
    assert_eq!(asked[2].header("mcp-session-id").unwrap(), "s7");
    assert_eq!(
        asked[2].header("mcp-protocol-version").unwrap(),
        "2025-06-18"
    );
    assert_eq!(asked[2].header("x-shop").unwrap(), "main");
    let key = asked[2].header("idempotency-key").unwrap();
    assert!(key.contains(&ended.summary.id.to_string()), "{key}");
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn what_a_server_does_wrong_is_an_error_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut options: Options = options(folder.path());
    options.outbound.timeout = Duration::from_secs(5);
    options.outbound.response_bytes_max = 1000;
    let handle = flame_agent::runtime::Handle::open(options).await.unwrap();
    let failing = r#"{"jsonrpc":"2.0","id":2,"result":{"isError":true,"content":[{"type":"text","text":"no stock"}]}}"#;
    let refusing = r#"{"jsonrpc":"2.0","id":2,"error":{"code":-32602,"message":"no such tool"}}"#;
    for (answer, kind, expected) in [
        (answers("200 OK", failing), "runtime", "said: no stock"),
        (answers("200 OK", refusing), "validation", "error -32602: no such tool"),
        (answer("200 OK", "text/html", "<html>"), "communication", "is the address right?"),
        (answers("200 OK", "{"), "communication", "EOF"),
        (answers("200 OK", "{}"), "communication", "ended before the answer came"),
        (answer("200 OK", "text/event-stream", "data: {}\n\n"), "communication", "ended before"),
        (answer("200 OK", "text/event-stream", &"data: 1\n\n".repeat(200)), "communication", "more than 1000 bytes"),
        (answers("500 Internal Server Error", "{}"), "communication", "answered 500"),
        (
            b"HTTP/1.1 302 Found\r\nlocation: http://10.0.0.1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec(),
            "communication",
            "answered 302",
        ),
    ] {
        let server = speaking(answer).await;
        let tasks = to(&server.url("/"), "tools/call", "parameters: { name: sell }");
        let (found, detail) = fault(&handle, &tasks, json!({})).await;
        assert_eq!(found, kind, "{detail}");
        assert!(detail.contains(expected), "{detail}");
    }
    let hanging = Server::start(|_, _, stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let tasks = to(
        &hanging.url("/"),
        "tools/list",
        "timeout: { milliseconds: 100 }",
    );
    let (kind, detail) = fault(&handle, &tasks, json!({})).await;
    assert_eq!(kind, "timeout");
    assert!(detail.contains("within 100 ms"), "{detail}");
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn programs_are_not_started_and_private_hosts_out_of_data_not_called() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let stdio = call(
        "mcp",
        "method: tools/list\ntransport: { stdio: { command: touch, arguments: [here] } }",
    );
    let (kind, detail) = fault(&handle, &stdio, json!({})).await;
    assert_eq!(kind, "configuration");
    assert!(detail.contains("over stdio"), "{detail}");
    let server = speaking(answers("200 OK", "{}")).await;
    let tasks = to("${ .where }", "tools/list", "");
    let (kind, _) = fault(&handle, &tasks, json!({"where": server.url("/")})).await;
    assert_eq!(kind, "authorization");
    assert_eq!(server.asked().len(), 0);
    handle.drain(Duration::ZERO).await;
}
