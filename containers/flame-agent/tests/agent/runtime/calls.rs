//! Calls to HTTP servers: what goes out, what comes back, and every way in which it can go wrong.

use std::time::Duration;

use flame_agent::runtime::{Handle, Options};
use flame_types::RunStatus;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::{deploy, error, open, options, output, run, start, until};
use crate::server::{Server, answer, json};

/// A `call` task with these lines below `with:`.
fn call(with: &str) -> String {
    let with: String = with
        .trim_matches('\n')
        .lines()
        .map(|line| format!("      {line}\n"))
        .collect();
    format!("- call:\n    call: http\n    with:\n{with}")
}

fn get(url: &str) -> String {
    call(&format!("method: get\nendpoint: '{url}'"))
}

/// Runs one call to its fault and gives the error object.
async fn fault(handle: &Handle, tasks: &str, input: Value) -> Value {
    let workflow = deploy(handle, "call", tasks).await;
    let ended = run(handle, &workflow, input).await;
    let error = error(&ended);
    assert_ne!(error, Value::Null, "{:?}", ended.output);
    error
}

fn kind(error: &Value) -> &str {
    error["type"].as_str().unwrap().rsplit('/').next().unwrap()
}

#[tokio::test]
async fn a_call_sends_what_the_document_says_and_a_key_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let server = Server::saying(json("200 OK", r#"{"stock": 7}"#)).await;
    let tasks = call(&format!(
        "method: post\nendpoint: '{}'\nheaders: {{ x-shop: '${{ .shop }}' }}\nquery: {{ q: a b }}\nbody: {{ id: '${{ .id }}' }}",
        server.url("/orders/{id}")
    ));
    let workflow = deploy(&handle, "call", &tasks).await;
    let ended = run(&handle, &workflow, json!({"id": 9, "shop": "Köln"})).await;
    assert_eq!(output(&ended), json!({"stock": 7}));
    let asked = &server.asked()[0];
    assert!(
        asked.head.starts_with("POST /orders/9?q=a+b HTTP/1.1"),
        "{}",
        asked.head
    );
    assert_eq!(asked.header("content-type").unwrap(), "application/json");
    assert_eq!(asked.body, r#"{"id":9}"#);
    let key = asked.header("idempotency-key").unwrap();
    assert!(key.contains(&ended.summary.id.to_string()), "{key}");
    let ledger = handle.outbound();
    assert_eq!(
        (ledger[0].host.as_str(), ledger[0].calls),
        (server.address.to_string().as_str(), 1)
    );
    assert_eq!(ledger[0].callers, ["test/call/1.0.0"]);
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn a_documents_own_key_and_content_type_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let server = Server::saying(json("200 OK", "1")).await;
    let tasks = call(&format!(
        "method: put\nendpoint: '{}'\nheaders: {{ Idempotency-Key: mine, Content-Type: text/csv }}\nbody: 'a;b'",
        server.url("/")
    ));
    let workflow = deploy(&handle, "call", &tasks).await;
    run(&handle, &workflow, json!({})).await;
    let asked = &server.asked()[0];
    assert_eq!(asked.header("idempotency-key").unwrap(), "mine");
    assert_eq!(
        (
            asked.header("content-type").unwrap().as_str(),
            asked.body.as_str()
        ),
        ("text/csv", "a;b")
    );
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn how_a_message_is_framed_is_not_the_documents_to_say() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let server = Server::saying(json("200 OK", "1")).await;
    let tasks = call(&format!(
        "method: post\nendpoint: '{}'\nheaders: '${{ .h }}'\nbody: {{ whole: true }}",
        server.url("/")
    ));
    for (name, value) in [
        ("Content-Length", "3"),
        ("transfer-encoding", "chunked"),
        ("Connection", "close"),
    ] {
        let found = fault(&handle, &tasks, json!({"h": {name: value}})).await;
        assert_eq!(kind(&found), "configuration", "{found}");
        let detail = found["detail"].as_str().unwrap();
        assert!(detail.contains(&format!("{name:?}")), "{detail}");
    }
    assert_eq!(server.asked().len(), 0);
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn an_answer_becomes_content_bytes_or_the_whole_response() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let with_output = |server: &Server, output: &str| {
        call(&format!(
            "method: get\nendpoint: '{}'\noutput: {output}\nheaders: {{ authorization: Bearer s3cret }}",
            server.url("/")
        ))
    };
    let plain = Server::saying(answer("200 OK", "text/plain", "hello")).await;
    let nothing = Server::saying("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await;
    let vendor = Server::saying(answer(
        "201 Created",
        "application/vnd.x+json; charset=utf-8",
        "[1]",
    ))
    .await;
    for (server, kind, expected) in [
        (&plain, "content", json!("hello")),
        (&plain, "raw", json!("aGVsbG8=")),
        (&nothing, "content", Value::Null),
        (&vendor, "content", json!([1])),
    ] {
        let workflow = deploy(&handle, "call", &with_output(server, kind)).await;
        assert_eq!(
            output(&run(&handle, &workflow, json!({})).await),
            expected,
            "{kind}"
        );
    }
    let workflow = deploy(&handle, "call", &with_output(&vendor, "response")).await;
    let whole = output(&run(&handle, &workflow, json!({})).await);
    assert_eq!(
        (&whole["statusCode"], &whole["content"]),
        (&json!(201), &json!([1]))
    );
    assert_eq!(
        whole["request"]["headers"]["authorization"], "***",
        "no secret in a journal"
    );
    assert!(
        whole["headers"]["content-type"]
            .as_str()
            .unwrap()
            .starts_with("application/vnd.x+json")
    );
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn an_answer_that_is_no_success_is_an_error_with_its_status_and_host() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let server = Server::saying(json("503 Service Unavailable", r#"{"why":"tired"}"#)).await;
    let fault = fault(&handle, &get(&server.url("/x")), json!({})).await;
    assert_eq!(
        (kind(&fault), &fault["status"]),
        ("communication", &json!(503))
    );
    let detail = fault["detail"].as_str().unwrap();
    assert!(
        detail.contains(&server.address.to_string()) && detail.contains("tired"),
        "{detail}"
    );
    assert_eq!(fault["instance"], "/do/0/call");
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn a_redirect_is_taken_as_it_is_or_refused_and_never_followed() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let target = Server::saying(json("200 OK", "1")).await;
    let server = Server::saying(format!(
        "HTTP/1.1 302 Found\r\nlocation: {}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        target.url("/")
    ))
    .await;
    let refused = fault(&handle, &get(&server.url("/")), json!({})).await;
    assert_eq!(
        (kind(&refused), &refused["status"]),
        ("communication", &json!(302))
    );
    let tasks = call(&format!(
        "method: get\nendpoint: '{}'\nredirect: true\noutput: response",
        server.url("/")
    ));
    let workflow = deploy(&handle, "call", &tasks).await;
    let taken = output(&run(&handle, &workflow, json!({})).await);
    assert_eq!(taken["headers"]["location"], target.url("/"));
    assert_eq!(target.asked().len(), 0);
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn nobody_there_is_a_communication_error_that_names_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let refused = fault(&handle, &get(&format!("http://{free}/")), json!({})).await;
    assert_eq!(kind(&refused), "communication");
    assert!(
        refused["detail"]
            .as_str()
            .unwrap()
            .contains(&free.to_string()),
        "{refused}"
    );
    let unknown = fault(&handle, &get("http://nobody.invalid/"), json!({})).await;
    assert_eq!(kind(&unknown), "communication");
    assert!(
        unknown["detail"]
            .as_str()
            .unwrap()
            .contains("nobody.invalid"),
        "{unknown}"
    );
    handle.drain(Duration::ZERO).await;
}

/// Silence, a drip without end, a connection that breaks, a lie about JSON, and too much.
#[tokio::test]
async fn servers_that_misbehave_are_errors_in_bounded_time_and_memory() {
    let folder = tempfile::tempdir().unwrap();
    let mut limited: Options = options(folder.path());
    limited.outbound.timeout = Duration::from_millis(300);
    limited.outbound.response_bytes_max = 1_000;
    let handle = Handle::open(limited).await.unwrap();

    let silent = Server::start(|_, _, stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let dripping = Server::start(|_, _, mut stream| async move {
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n")
            .await;
        while stream.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    for server in [&silent, &dripping] {
        let timed_out = fault(&handle, &get(&server.url("/")), json!({})).await;
        assert_eq!(
            (kind(&timed_out), &timed_out["status"]),
            ("timeout", &json!(408)),
            "{timed_out}"
        );
    }
    let broken = Server::saying("HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\nhalf").await;
    let lying = Server::saying(json("200 OK", "{\"half\": ")).await;
    let chatty = Server::saying(answer("200 OK", "text/plain", &"x".repeat(2_000))).await;
    let endless = Server::start(|_, _, mut stream| async move {
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            .await;
        while stream.write_all(b"4\r\nwhat\r\n").await.is_ok() {}
    })
    .await;
    let garbage = Server::saying("220 smtp ready\r\n").await;
    for (server, word) in [
        (&broken, ""),
        (&lying, "JSON"),
        (&chatty, "1000"),
        (&endless, "1000"),
        (&garbage, ""),
    ] {
        let fault = fault(&handle, &get(&server.url("/")), json!({})).await;
        assert_eq!(kind(&fault), "communication", "{fault}");
        assert!(fault["detail"].as_str().unwrap().contains(word), "{fault}");
    }
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn data_leads_no_call_to_a_private_address() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let server = Server::saying(json("200 OK", "1")).await;
    let tasks = call("method: get\nendpoint: '${ .url }'");
    for url in [
        server.url("/"),
        server.url("/").replace("127.0.0.1", "localhost"),
    ] {
        let refused = fault(&handle, &tasks, json!({ "url": url })).await;
        assert_eq!(kind(&refused), "authorization", "{refused}");
        assert!(
            refused["detail"].as_str().unwrap().contains("private"),
            "{refused}"
        );
    }
    let metadata = "http://169.254.169.254/latest/meta-data";
    let refused = fault(&handle, &get(metadata), json!({})).await;
    assert!(
        refused["detail"].as_str().unwrap().contains("metadata"),
        "{refused}"
    );
    assert_eq!(server.asked().len(), 0);
    // The document may name any host, in an expression too.
    let tasks = call(&format!(
        "method: get\nendpoint: '${{ \"{}\" + .path }}'",
        server.url("/")
    ));
    let workflow = deploy(&handle, "call", &tasks).await;
    assert_eq!(
        output(&run(&handle, &workflow, json!({"path": "a"})).await),
        json!(1)
    );
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn what_is_no_http_address_is_a_configuration_error() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let tasks = call("method: get\nendpoint: '${ .url }'");
    for url in [
        "ftp://example.com/",
        "file:///etc/passwd",
        "orders",
        "http://",
    ] {
        let fault = fault(&handle, &tasks, json!({ "url": url })).await;
        assert_eq!(kind(&fault), "configuration", "{url}: {fault}");
    }
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn every_attempt_of_a_retry_carries_the_same_key() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let server = Server::start(|number, _, mut stream| async move {
        let bytes = if number < 2 {
            json("500 Oops", "1")
        } else {
            json("200 OK", "\"done\"")
        };
        let _ = stream.write_all(&bytes).await;
    })
    .await;
    let tasks = format!(
        "- attempt:\n    try:\n      - call:\n          call: http\n          with: {{ method: post, endpoint: '{}' }}\n    catch:\n      errors: {{ with: {{ status: 500 }} }}\n      retry: {{ delay: {{ milliseconds: 1 }}, limit: {{ attempt: {{ count: 5 }} }} }}",
        server.url("/")
    );
    let workflow = deploy(&handle, "retrying", &tasks).await;
    assert_eq!(
        output(&run(&handle, &workflow, json!({})).await),
        json!("done")
    );
    let keys: Vec<_> = server
        .asked()
        .iter()
        .map(|asked| asked.header("idempotency-key"))
        .collect();
    assert_eq!(keys.len(), 3);
    assert!(
        keys.iter().all(|key| key.is_some() && *key == keys[0]),
        "{keys:?}"
    );
    handle.drain(Duration::ZERO).await;
}

const STORE: &str = "
- store:
    call: sqlite.upsert:1.0.0@default
    with: { connection: shop, table: orders, key: [id], record: { id: 1 } }";

#[tokio::test]
async fn a_call_to_an_unknown_connection_says_which() {
    let folder = tempfile::tempdir().unwrap();
    let hasty = Options {
        connection_patience: Duration::ZERO,
        ..options(folder.path())
    };
    let handle = Handle::open(hasty).await.unwrap();
    let fault = fault(&handle, STORE, json!({})).await;
    assert_eq!(kind(&fault), "configuration");
    assert!(
        fault["detail"].as_str().unwrap().contains("shop"),
        "{fault}"
    );
    handle.drain(Duration::ZERO).await;
}

/// Connections are in memory only: after a start a call waits for whoever puts its connection.
#[tokio::test]
async fn a_call_waits_for_its_connection_after_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let workflow = deploy(&handle, "store", STORE).await;
    let waiting = start(&handle, &workflow, json!({})).await;
    assert_eq!(
        handle.run(waiting).await.unwrap().unwrap().summary.status,
        RunStatus::Running
    );
    let file = folder.path().join("databases").join("shop.db");
    let connection = flame_connector::Connection {
        name: "shop".to_owned(),
        kind: "sqlite".to_owned(),
        settings: json!({ "path": file }),
        secret: None,
    };
    let new = handle
        .connections()
        .put(connection, flame_types::Timestamp::now())
        .await
        .unwrap();
    assert!(new);
    output(&until(&handle, waiting, RunStatus::Completed).await);
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn a_connection_that_fits_no_connector_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let put = async |kind: &str, settings: Value| {
        let connection = flame_connector::Connection {
            name: "shop".to_owned(),
            kind: kind.to_owned(),
            settings,
            secret: None,
        };
        handle
            .connections()
            .put(connection, flame_types::Timestamp::now())
            .await
    };
    let error = put("oracle", json!({})).await.unwrap_err();
    assert!(error.to_string().contains("postgres"), "{error}");
    let error = put("sqlite", json!({ "nonsense": 1 })).await.unwrap_err();
    assert!(error.to_string().contains("nonsense"), "{error}");
    assert_eq!(handle.connections().list().len(), 0);
    assert!(
        put("secret", json!({})).await.unwrap(),
        "a webhook's secret needs no connector"
    );
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn a_connector_writes_into_the_folders_of_the_workspace() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let tasks = "
- store:
    call: sqlite.upsert:1.0.0@default
    with: { database: shop.db, table: orders, key: [id], record: { id: '${ .id }', total: 12.5 } }
- file:
    call: file.write:1.0.0@default
    with: { path: out/order.json, content: { id: '${ $workflow.input.id }' } }";
    let workflow = deploy(&handle, "store", tasks).await;
    output(&run(&handle, &workflow, json!({"id": 3})).await);
    assert!(folder.path().join("databases/shop.db").is_file());
    assert!(folder.path().join("files/out/order.json").is_file());
    handle.drain(Duration::ZERO).await;
}
