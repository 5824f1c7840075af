//! `call: mcp`: against the reference server of the protocol, and against servers that misbehave.

use std::time::Duration;

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use flame_agent::runtime::{Handle, HostExecution, Options};
use flame_testkit::Counterpart;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::{call, fault};
use crate::runtime::{deploy, document, open, options, output, run, start};
use crate::server::{Server, answer, json as answers};

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
    let Some((_server, url)) = Counterpart::mcp() else {
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
async fn the_handshake_names_the_version_and_the_client_that_the_document_names() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let done = answers("200 OK", r#"{"jsonrpc":"2.0","id":2,"result":{}}"#);
    for (more, version, client) in [
        (
            "protocolVersion: '2024-11-05'\nclient: { name: shop, version: '2.1' }",
            "2024-11-05",
            json!({"name": "shop", "version": "2.1"}),
        ),
        (
            "",
            "2025-06-18",
            json!({"name": "mastra", "version": env!("CARGO_PKG_VERSION")}),
        ),
    ] {
        let server = speaking(done.clone()).await;
        let workflow = deploy(&handle, "call", &to(&server.url("/"), "tools/list", more)).await;
        output(&run(&handle, &workflow, json!({})).await);
        let hello: Value = serde_json::from_str(&server.asked()[0].body).unwrap();
        assert_eq!(hello["method"], "initialize");
        assert_eq!(
            hello["params"],
            json!({"protocolVersion": version, "capabilities": {}, "clientInfo": client})
        );
    }
    handle.drain(Duration::ZERO).await;
}

/// A call of a program.
fn started(command: &str, arguments: &[&str], method: &str, more: &str) -> String {
    let environment = "{ SHOP: '${ .shop }' }";
    let stdio =
        format!("{{ command: '{command}', arguments: {arguments:?}, environment: {environment} }}");
    call(
        "mcp",
        &format!("method: {method}\ntransport: {{ stdio: {stdio} }}\n{more}"),
    )
}

fn permitting(folder: &Path) -> Options {
    let mut options = options(folder);
    options.processes.host_execution =
        HostExecution::Of([("test".parse().unwrap(), "call".parse().unwrap())].into());
    options
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_server_is_called_as_a_program() {
    let Some(server) = Counterpart::mcp_program() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let handle = Handle::open(permitting(folder.path())).await.unwrap();
    let program = server.get_program().to_str().unwrap();
    let script = server.get_args().next().unwrap().to_str().unwrap();
    let echo = "parameters: { name: echo, arguments: { message: '${ .said }' } }\ntimeout: PT20S";
    let environment = "parameters: { name: get-env }";
    let mut said = Vec::new();
    for (method, more) in [
        ("tools/list", ""),
        ("tools/call", echo),
        ("tools/call", environment),
    ] {
        let tasks = started(program, &[script, "stdio"], method, more);
        let workflow = deploy(&handle, "call", &tasks).await;
        let ended = run(&handle, &workflow, json!({"said": "größe", "shop": "main"})).await;
        said.push((output(&ended), ended.summary.id.to_string()));
    }
    assert!(said[0].0["tools"].as_array().unwrap().len() > 3);
    assert_eq!(said[1].0["content"][0]["text"], "Echo: größe");
    let environment: Value =
        serde_json::from_str(said[2].0["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(environment["SHOP"], "main");
    assert!(
        environment["IDEMPOTENCY_KEY"]
            .as_str()
            .unwrap()
            .contains(&said[2].1)
    );
    assert_eq!(
        environment["HOME"],
        Value::Null,
        "nothing of the agent's own"
    );
    let (kind, detail) = fault(
        &handle,
        &started(
            program,
            &[script, "stdio"],
            "tools/call",
            "parameters: { name: nothing }",
        ),
        json!({}),
    )
    .await;
    assert!(
        ["validation", "runtime"].contains(&kind.as_str()),
        "{detail}"
    );
    assert!(detail.contains("nothing"), "{detail}");
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn what_a_program_does_wrong_is_an_error_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = permitting(folder.path());
    options.processes.output_bytes_max = 1000;
    let handle = Handle::open(options).await.unwrap();
    for (script, kind, expected) in [
        ("exit 3", "communication", "ended before it answered"),
        (
            "echo no licence >&2",
            "communication",
            "and said: no licence",
        ),
        (
            "echo hello; cat",
            "communication",
            "\"hello\", which is no message of MCP",
        ),
        ("head -c 5000 /dev/zero", "runtime", "more than 1000 bytes"),
        (
            r#"echo "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,\"message\":\"old\"}}"; cat"#,
            "validation",
            "error -32602: old",
        ),
    ] {
        let tasks = started("sh", &["-c", script], "tools/list", "");
        let (found, detail) = fault(&handle, &tasks, json!({})).await;
        assert_eq!(found, kind, "{detail}");
        assert!(detail.contains(expected), "{detail}");
    }
    let tasks = started("no-such-program", &[], "tools/list", "");
    let (kind, detail) = fault(&handle, &tasks, json!({})).await;
    assert_eq!(kind, "runtime");
    assert!(
        detail.contains("\"no-such-program\" can't be started"),
        "{detail}"
    );
    handle.drain(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_ends_with_its_task() {
    let folder = tempfile::tempdir().unwrap();
    let handle = Handle::open(permitting(folder.path())).await.unwrap();
    let pipe = folder.path().join("alive");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    // Comes to its end when no process of the call has it open any more.
    let path = pipe.clone();
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let reading = tokio::task::spawn_blocking(move || {
        let mut pipe = BufReader::new(std::fs::File::open(path).unwrap());
        let mut line = String::new();
        pipe.read_line(&mut line).unwrap();
        begun.send(line).unwrap();
        pipe.read_to_string(&mut String::new()).unwrap()
    });
    let script = format!(
        "exec 9>'{}'; echo begun >&9; sleep 1000 & sleep 1000",
        pipe.display()
    );
    let tasks = started("sh", &["-c", &script], "tools/list", "");
    let workflow = deploy(&handle, "call", &tasks).await;
    let waiting = start(&handle, &workflow, json!({})).await;
    assert_eq!(has_begun.await.unwrap(), "begun\n");
    handle.cancel(waiting, false).await.unwrap();
    assert_eq!(reading.await.unwrap(), 0);
    let limited = started(
        "sleep",
        &["1000"],
        "tools/list",
        "timeout: { milliseconds: 50 }",
    );
    let (kind, detail) = fault(&handle, &limited, json!({})).await;
    assert_eq!(kind, "timeout");
    assert!(detail.contains("sleep: no answer within 50 ms"), "{detail}");
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
async fn programs_start_where_they_may_and_private_hosts_out_of_data_are_not_called() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let trace = folder.path().join("trace");
    let stdio = started("touch", &[trace.to_str().unwrap()], "tools/list", "");
    let (kind, detail) = fault(&handle, &stdio, json!({})).await;
    assert_eq!(kind, "configuration");
    assert!(
        detail.contains("MD-407") && detail.contains("--allow-host-execution test/call"),
        "{detail}"
    );
    assert!(!trace.exists());
    let mut options = options(folder.path());
    options.connection_patience = Duration::ZERO;
    options.processes.host_execution_by_api = true;
    options.data_folder = folder.path().join("told");
    let told = Handle::open(options).await.unwrap();
    let text = document("call", &stdio);
    let workflow = flame_dsl::parse(&text, flame_dsl::Format::Yaml).unwrap();
    let programs = workflow.host_programs().into_iter();
    let name = (workflow.id.namespace.clone(), workflow.id.name.clone());
    assert!(told.permit_host_execution([(name, programs.map(|p| p.digest).collect())].into()));
    fault(&told, &stdio, json!({})).await;
    assert!(trace.exists(), "it was allowed, though it speaks no MCP");
    told.drain(Duration::ZERO).await;
    let server = speaking(answers("200 OK", "{}")).await;
    let tasks = to("${ .where }", "tools/list", "");
    let (kind, _) = fault(&handle, &tasks, json!({"where": server.url("/")})).await;
    assert_eq!(kind, "authorization");
    assert_eq!(server.asked().len(), 0);
    handle.drain(Duration::ZERO).await;
}
