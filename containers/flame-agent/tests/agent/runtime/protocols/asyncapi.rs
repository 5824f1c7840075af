//! `call: asyncapi`: against nats-server, against Python's websockets, and over HTTP; and what goes wrong.

use std::path::Path;
use std::time::Duration;

use flame_agent::runtime::Options;
use flame_testkit::Counterpart;
use flame_types::RunStatus;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::{call, fault};
use crate::runtime::{deploy, open, options, output, run};
use crate::server::{Server, answer, json as answers};

/// A document with one channel on one server, in the resources folder.
fn describe(folder: &Path, protocol: &str, host: &str, address: &str) {
    let document = json!({
        "asyncapi": "3.0.0",
        "servers": {"main": {"host": host, "protocol": protocol}},
        "channels": {"stock": {"address": address}},
        "operations": {"stock": {"action": "send", "channel": {"$ref": "#/channels/stock"}}},
    });
    std::fs::create_dir_all(folder.join("resources")).unwrap();
    std::fs::write(folder.join("resources/stock.json"), document.to_string()).unwrap();
}

fn to(more: &str) -> String {
    call(
        "asyncapi",
        &format!("document: {{ endpoint: 'file:///stock.json' }}\noperation: stock\n{more}"),
    )
}

fn subscribe(consume: &str) -> String {
    to(&format!("subscription: {{ {consume} }}"))
}

/// A client of NATS that is not ours to test: bytes as the protocol's own page has them.
async fn raw(address: &str, said: &str) -> BufReader<TcpStream> {
    let mut stream = BufReader::new(TcpStream::connect(address).await.unwrap());
    let greeting = format!("CONNECT {{\"verbose\":false,\"headers\":true}}\r\n{said}PING\r\n");
    stream.write_all(greeting.as_bytes()).await.unwrap();
    until(&mut stream, "PONG").await;
    stream
}

async fn until(stream: &mut BufReader<TcpStream>, word: &str) -> String {
    loop {
        let mut line = String::new();
        assert_ne!(
            stream.read_line(&mut line).await.unwrap(),
            0,
            "the connection ended"
        );
        if line.starts_with(word) {
            return line;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_server_passes_on_what_is_sent_with_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = Counterpart::nats(&[]) else {
        return;
    };
    let address = server.address();
    describe(folder.path(), "nats", address, "stock.main");
    let mut receiver = raw(address, "SUB stock.* 1\r\n").await;
    let handle = open(folder.path()).await;
    let tasks = to("message: { payload: { left: '${ .left }' }, headers: { X-Shop: main } }");
    let workflow = deploy(&handle, "send", &tasks).await;
    let ended = run(&handle, &workflow, json!({"left": 3})).await;
    assert_eq!(
        output(&ended),
        json!({"payload": {"left": 3}, "headers": {"X-Shop": "main"}})
    );
    let line = until(&mut receiver, "HMSG stock.main 1").await;
    let bytes: usize = line.trim().rsplit(' ').next().unwrap().parse().unwrap();
    let mut text = vec![0; bytes];
    receiver.read_exact(&mut text).await.unwrap();
    let text = String::from_utf8(text).unwrap();
    let id = ended.summary.id.to_string();
    assert!(text.contains(&format!("Nats-Msg-Id: {id}")), "{text}");
    assert!(
        text.contains("X-Shop: main\r\n") && text.ends_with(r#"{"left":3}"#),
        "{text}"
    );
    handle.drain(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_server_fills_subscriptions_of_every_kind() {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = Counterpart::nats(&[]) else {
        return;
    };
    let address = server.address();
    describe(folder.path(), "nats", address, "stock.>");
    let handle = open(folder.path()).await;
    for (consume, length) in [
        (
            "consume: { amount: 3 }, filter: '${ .payload.n % 2 == 0 }'",
            Some(3),
        ),
        (
            "consume: { while: '${ ($context.consumedMessages | length) < 4 }' }",
            Some(4),
        ),
        (
            "consume: { until: '${ ($context.consumedMessages | length) == 2 }' }",
            Some(2),
        ),
        (
            "consume: { until: '${ .payload.n >= $input.least and .payload.n % 5 == 0 }' }",
            None,
        ),
    ] {
        let workflow = deploy(&handle, "receive", &subscribe(consume)).await;
        let mut sender = raw(address, "").await;
        // Goes on until the run has ended: nobody says when the subscription has begun.
        let sending = async {
            for n in 1.. {
                let payload = json!({"n": n}).to_string();
                let head = "NATS/1.0\r\ncorrelationId: c7\r\n\r\n";
                let message = format!(
                    "HPUB stock.main {} {}\r\n{head}{payload}\r\nPING\r\n",
                    head.len(),
                    head.len() + payload.len()
                );
                sender.write_all(message.as_bytes()).await.unwrap();
                until(&mut sender, "PONG").await;
            }
        };
        let ended = tokio::select! {
            ended = run(&handle, &workflow, json!({"least": 1})) => ended,
            () = sending => unreachable!("it sends for ever"),
        };
        let messages = output(&ended);
        let messages = messages.as_array().unwrap();
        if let Some(length) = length {
            assert_eq!(messages.len(), length, "{consume}");
        }
        let step = if consume.contains("% 2") { 2 } else { 1 };
        for pair in messages.windows(2) {
            let [a, b] = [&pair[0], &pair[1]].map(|m| m["payload"]["n"].as_i64().unwrap());
            assert_eq!(b - a, step, "in order, none left out: {consume}");
        }
        if let Some(first) = messages.first() {
            assert_eq!(first["correlationId"], "c7");
        }
        assert!(
            messages
                .iter()
                .all(|m| length.is_some() || m["payload"]["n"] != 5)
        );
    }
    handle.drain(Duration::ZERO).await;
}

const WEB_SOCKETS: &str = r#"
import asyncio, json, websockets
kept = []
async def talk(socket):
    if socket.request.path == "/in":
        async for text in socket:
            kept.append({"text": text, "key": socket.request.headers.get("Idempotency-Key"),
                "shop": socket.request.headers.get("X-Shop")})
    elif socket.request.path == "/kept":
        for message in kept: await socket.send(json.dumps(message))
        await socket.wait_closed()
    else:
        for n in range(3): await socket.send(json.dumps({"n": n}))
async def main():
    async with websockets.serve(talk, "127.0.0.1", 0) as server:
        print("serving", "%s:%d" % server.sockets[0].getsockname()[:2], flush=True)
        await asyncio.Future()
asyncio.run(main())
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_web_socket_is_sent_to_and_received_from() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut python) = Counterpart::python() else {
        return;
    };
    let server = Counterpart::begin(python.args(["-c", WEB_SOCKETS]));
    let address = server.address();
    let handle = open(folder.path()).await;
    describe(folder.path(), "ws", address, "/in");
    let tasks = to("message: { payload: { left: 3 }, headers: { X-Shop: main } }");
    let workflow = deploy(&handle, "send", &tasks).await;
    let ended = run(&handle, &workflow, json!({})).await;
    assert_eq!(output(&ended)["payload"], json!({"left": 3}));
    describe(folder.path(), "ws", address, "/kept");
    let workflow = deploy(&handle, "receive", &subscribe("consume: { amount: 1 }")).await;
    let kept = output(&run(&handle, &workflow, json!({})).await);
    let kept = &kept[0]["payload"];
    assert_eq!(
        (&kept["text"], &kept["shop"]),
        (&json!("{\"left\":3}"), &json!("main"))
    );
    let key = kept["key"].as_str().unwrap();
    assert!(key.contains(&ended.summary.id.to_string()), "{key}");
    // Time that runs out is no error where the document sets it; a connection that ends early is one.
    let wait = "consume: { amount: 9, for: { seconds: 1 } }";
    let workflow = deploy(&handle, "wait", &subscribe(wait)).await;
    assert_eq!(
        output(&run(&handle, &workflow, json!({})).await)
            .as_array()
            .unwrap()
            .len(),
        1
    );
    describe(folder.path(), "ws", address, "/count");
    let (kind, detail) = fault(&handle, &subscribe("consume: { amount: 9 }"), json!({})).await;
    assert_eq!(kind, "communication");
    assert!(detail.contains("it ended after 3 messages"), "{detail}");
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn http_is_posted_to_and_streams_of_every_form_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let taken = Server::saying(answers("200 OK", r#"{"taken": true}"#)).await;
    describe(folder.path(), "http", &taken.address.to_string(), "stock");
    let tasks = to("message: { payload: { left: 3 }, headers: { X-Shop: main } }");
    let workflow = deploy(&handle, "send", &tasks).await;
    assert_eq!(
        output(&run(&handle, &workflow, json!({})).await),
        json!({"taken": true})
    );
    let asked = &taken.asked()[0];
    assert!(
        asked.head.starts_with("POST /stock HTTP/1.1"),
        "{}",
        asked.head
    );
    assert_eq!(asked.header("x-shop").unwrap(), "main");
    assert!(asked.header("idempotency-key").is_some());
    assert_eq!(asked.body, r#"{"left":3}"#);
    assert_eq!(handle.outbound()[0].calls, 1);
    for (kind, body) in [
        (
            "text/event-stream",
            "data: {\"n\":1}\n\ndata: {\"n\":2}\n\ndata: {\"n\":3}\n\n",
        ),
        ("application/x-ndjson", "{\"n\":1}\n\n{\"n\":2}"),
        ("application/json", "[{\"n\":1},{\"n\":2},{\"n\":3}]"),
    ] {
        let stream = Server::saying(answer("200 OK", kind, body)).await;
        describe(folder.path(), "http", &stream.address.to_string(), "stock");
        let workflow = deploy(&handle, "receive", &subscribe("consume: { amount: 2 }")).await;
        let messages = output(&run(&handle, &workflow, json!({})).await);
        let numbers: Vec<&Value> = messages
            .as_array()
            .unwrap()
            .iter()
            .map(|message| &message["payload"]["n"])
            .collect();
        assert_eq!(numbers, [1, 2], "{kind}");
    }
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn servers_that_do_something_else_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let mut options: Options = options(folder.path());
    options.outbound.timeout = Duration::from_millis(500);
    options.outbound.response_bytes_max = 1000;
    let handle = flame_agent::runtime::Handle::open(options).await.unwrap();
    let page = Server::saying(answer("200 OK", "text/html", "<html>")).await;
    let long = format!("data: {}\n\n", "x".repeat(2000));
    let endless = Server::saying(answer("200 OK", "text/event-stream", &long)).await;
    let greeting = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let rude = greeting.local_addr().unwrap().to_string();
    let greets = tokio::spawn(async move {
        loop {
            let (mut stream, _) = greeting.accept().await.unwrap();
            let words = b"INFO {\"tls_required\":true}\r\n";
            stream.write_all(words).await.unwrap_or_default();
        }
    });
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silence = silent.local_addr().unwrap().to_string();
    let page_address = page.address.to_string();
    let receive = subscribe("consume: { amount: 1 }");
    let send = to("message: { payload: {} }");
    for (protocol, address, channel, tasks, kind, expected) in [
        (
            "http",
            page_address.as_str(),
            "a",
            &receive,
            "communication",
            "\"text/html\"",
        ),
        (
            "http",
            &endless.address.to_string(),
            "a",
            &receive,
            "communication",
            "more than 1000 bytes",
        ),
        (
            "ws",
            &page_address,
            "a",
            &send,
            "communication",
            "answered 200 without a WebSocket",
        ),
        ("nats", &rude, "a", &send, "communication", &rude),
        ("nats", &silence, "a", &send, "timeout", "within 500 ms"),
        (
            "nats",
            &rude,
            "a b",
            &send,
            "configuration",
            "is no NATS subject",
        ),
        (
            "nats",
            &rude,
            "a.*",
            &send,
            "configuration",
            "is no NATS subject",
        ),
        (
            "nats",
            "169.254.169.254:4222",
            "a",
            &send,
            "authorization",
            "metadata",
        ),
        (
            "kafka",
            "127.0.0.1:9092",
            "a",
            &send,
            "configuration",
            "AsyncAPI over kafka is not supported yet",
        ),
    ] {
        describe(folder.path(), protocol, address, channel);
        let (found, detail) = fault(&handle, tasks, json!({})).await;
        assert_eq!(found, kind, "{protocol}: {detail}");
        assert!(detail.contains(expected), "{protocol}: {detail}");
    }
    greets.abort();
    drop(silent);
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn a_fetched_document_may_not_lead_to_private_hosts_but_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let victim = tokio::net::TcpListener::bind("127.0.0.2:0").await.unwrap();
    let document = json!({
        "asyncapi": "3.0.0",
        "servers": {"main": {"host": victim.local_addr().unwrap().to_string(), "protocol": "nats"}},
        "channels": {"stock": {"address": "a"}},
    });
    let server = Server::saying(answers("200 OK", &document.to_string())).await;
    let tasks = call(
        "asyncapi",
        &format!(
            "document: {{ endpoint: '{}' }}\nchannel: stock\nmessage: {{ payload: {{}} }}",
            server.url("/")
        ),
    );
    let (kind, detail) = fault(&handle, &tasks, json!({})).await;
    assert_eq!(kind, "authorization", "{detail}");
    handle.drain(Duration::ZERO).await;
}

const KEEPS: &str = "foreach: { item: m, do: [{ keep: { call: http, with: { method: post, endpoint: 'SHOP', body: \
                     '${ $m.payload }' }, output: { as: '${ .kept }' } } }] }";

/// Answers each post with what it was sent.
async fn shop() -> Server {
    Server::start(|_, asked, mut stream| async move {
        let said = answers("200 OK", &format!("{{\"kept\": {}}}", asked.body));
        stream.write_all(&said).await.unwrap_or_default();
    })
    .await
}

fn bodies(server: &Server) -> Vec<Value> {
    let asked = server.asked();
    asked
        .iter()
        .map(|asked| serde_json::from_str(&asked.body).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_message_of_nats_is_handled_in_order_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = Counterpart::nats(&[]) else {
        return;
    };
    let address = server.address();
    describe(folder.path(), "nats", address, "stock.>");
    let (handle, shop) = (open(folder.path()).await, shop().await);
    let tasks = subscribe(&format!("consume: {{ amount: 20 }}, {KEEPS}"));
    let tasks = tasks.replace("SHOP", &shop.url("/"));
    let workflow = deploy(&handle, "each", &tasks).await;
    let mut sender = raw(address, "").await;
    let sending = async {
        for n in 1.. {
            let payload = n.to_string();
            let message = format!("PUB stock.main {}\r\n{payload}\r\nPING\r\n", payload.len());
            sender.write_all(message.as_bytes()).await.unwrap();
            until(&mut sender, "PONG").await;
        }
    };
    let ended = tokio::select! {
        ended = run(&handle, &workflow, json!({})) => ended,
        () = sending => unreachable!("it sends for ever"),
    };
    let kept = output(&ended);
    let first = kept[0].as_i64().unwrap();
    let expected: Vec<i64> = (first..first + 20).collect();
    assert_eq!(kept, json!(expected));
    assert_eq!(json!(bodies(&shop)), json!(expected));
    handle.drain(Duration::ZERO).await;
}

/// The list's server and the shop count what they are asked; a process that is gone opens again.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_no_message_is_handled_again() {
    let events = "id: a\ndata: 1\n\nid: b\ndata: 2\n\nid: c\ndata: 3\n\n";
    let rest = "id: c\ndata: 3\n\n";
    for (kind, whole, then) in [
        ("application/json", "[1,2,3]", "[1,2,3]"),
        ("text/event-stream", events, rest),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let source = Server::start(move |number, _, mut stream| async move {
            let body = if number == 0 { whole } else { then };
            let said = answer("200 OK", kind, body);
            stream.write_all(&said).await.unwrap_or_default();
        })
        .await;
        describe(folder.path(), "http", &source.address.to_string(), "stock");
        // The second message's call is never answered in the first life.
        let shop = Server::start(|number, asked, mut stream| async move {
            if number == 1 {
                return std::future::pending().await;
            }
            let said = answers("200 OK", &format!("{{\"kept\": {}}}", asked.body));
            stream.write_all(&said).await.unwrap_or_default();
        })
        .await;
        let tasks = subscribe(&format!("consume: {{ amount: 3 }}, {KEEPS}"));
        let tasks = tasks.replace("SHOP", &shop.url("/"));
        let handle = open(folder.path()).await;
        let workflow = deploy(&handle, "each", &tasks).await;
        let started = crate::runtime::start(&handle, &workflow, json!({})).await;
        shop.until(2).await;
        handle.drain(Duration::ZERO).await;

        let handle = open(folder.path()).await;
        let ended = crate::runtime::until(&handle, started, RunStatus::Completed).await;
        assert_eq!(output(&ended), json!([1, 2, 3]), "{kind}");
        assert_eq!(json!(bodies(&shop)), json!([1, 2, 2, 3]), "{kind}");
        let keys: Vec<_> = shop
            .asked()
            .iter()
            .map(|asked| asked.header("idempotency-key"))
            .collect();
        assert_eq!(keys[1], keys[2]);
        let asked = source.asked();
        assert_eq!(asked.len(), 2);
        if kind == "text/event-stream" {
            assert_eq!(asked[1].header("last-event-id").as_deref(), Some("b"));
        }
        handle.drain(Duration::ZERO).await;
    }
}

/// Each of two servers takes one token of the authority, which gives another each time.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_nats_refuses_is_got_anew_once() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Server::start(|number, _, mut stream| async move {
        let token = format!("{{\"access_token\": \"t-{number}\", \"expires_in\": 3600}}");
        let said = answers("200 OK", &token);
        stream.write_all(&said).await.unwrap_or_default();
    })
    .await;
    let handle = open(folder.path()).await;
    let policy = format!(
        "authentication: {{ oauth2: {{ authority: '{}', grant: client_credentials, client: {{ id: shop, secret: s }} }} }}",
        authority.url("")
    );
    let tasks = to(&format!("message: {{ payload: {{ left: 3 }} }}\n{policy}"));
    for (taken, asked) in [("t-0", 1), ("t-1", 2)] {
        let Some(server) = Counterpart::nats(&["--auth", taken]) else {
            return;
        };
        describe(folder.path(), "nats", server.address(), "stock.main");
        let workflow = deploy(&handle, "send", &tasks).await;
        let ended = run(&handle, &workflow, json!({})).await;
        assert_eq!(output(&ended)["payload"], json!({"left": 3}), "{taken}");
        assert_eq!(authority.asked().len(), asked, "{taken}");
    }
    // One that refuses a new one too is not asked again.
    let Some(server) = Counterpart::nats(&["--auth", "t-99"]) else {
        return;
    };
    describe(folder.path(), "nats", server.address(), "stock.main");
    let (kind, _) = fault(&handle, &tasks, json!({})).await;
    assert_eq!(kind, "authentication");
    assert_eq!(authority.asked().len(), 3);
    handle.drain(Duration::ZERO).await;
}
