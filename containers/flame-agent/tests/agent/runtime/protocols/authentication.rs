//! Calls of every protocol that prove who makes them, against servers that others wrote, and what goes over the
//! wire.

use std::path::Path;
use std::time::Duration;

use flame_agent::runtime::Handle;
use flame_testkit::{Certificate, Counterpart};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::{call, fault};
use crate::runtime::{deploy, open, options, output, run};
use crate::server::{Server, answer, json as answers};

/// The provider's clients share it.
const SECRET: &str = "a-secret-that-is-long-enough-for-hs256";

fn resource(folder: &Path, name: &str, document: &Value) {
    std::fs::create_dir_all(folder.join("resources")).unwrap();
    std::fs::write(folder.join("resources").join(name), document.to_string()).unwrap();
}

fn oidc(url: &str) -> String {
    format!(
        "{{ oidc: {{ authority: '{url}', grant: client_credentials, client: {{ id: post, secret: {SECRET} }} }} }}"
    )
}

/// A document with one operation, whose path is its id without the slashes.
fn openapi(server: &str, path: &str) -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Shop", "version": "1"},
        "servers": [{"url": server}],
        "paths": {path: {"get": {"operationId": "get", "responses": {"200": {"description": "It"}}}}},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_openapi_call_proves_itself_by_every_scheme() {
    let (Some(httpbin), Some(provider)) = (Counterpart::httpbin(), Counterpart::oidc_provider())
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let user = "{ username: me, password: pass-55 }";
    for (server, path, authentication, member) in [
        (
            &httpbin,
            "/basic-auth/me/pass-55",
            format!("{{ basic: {user} }}"),
            "authenticated",
        ),
        (
            &httpbin,
            "/digest-auth/auth/me/pass-55/SHA-256",
            format!("{{ digest: {user} }}"),
            "authenticated",
        ),
        (
            &httpbin,
            "/bearer",
            "{ bearer: { token: '${ .token }' } }".to_owned(),
            "authenticated",
        ),
        (&provider, "/resource", oidc(provider.address()), "client"),
    ] {
        resource(folder.path(), "shop.json", &openapi(server.address(), path));
        let tasks = call(
            "openapi",
            &format!(
                "document: {{ endpoint: 'file:///shop.json' }}\noperationId: get\nauthentication: {authentication}"
            ),
        );
        let workflow = deploy(&handle, "call", &tasks).await;
        let said = output(&run(&handle, &workflow, json!({"token": "t-1"})).await);
        assert!(
            [json!(true), json!("post")].contains(&said[member]),
            "{path}: {said}"
        );
    }
    resource(
        folder.path(),
        "shop.json",
        &openapi(httpbin.address(), "/basic-auth/me/other"),
    );
    let tasks = call(
        "openapi",
        &format!(
            "document: {{ endpoint: 'file:///shop.json' }}\noperationId: get\nauthentication: {{ basic: {user} }}"
        ),
    );
    let (kind, detail) = fault(&handle, &tasks, json!({})).await;
    assert_eq!(kind, "authentication");
    assert!(!detail.contains("pass-55"), "{detail}");
    handle.drain(Duration::ZERO).await;
}

/// Gives a text to whoever has the password.
async fn guarded(text: String) -> Server {
    Server::start(move |_, asked, mut stream| {
        let bytes = match asked.header("authorization").as_deref() {
            // me:pw
            Some("Basic bWU6cHc=") => answers("200 OK", &text),
            _ => answers("401 Unauthorized", "{}"),
        };
        async move { stream.write_all(&bytes).await.unwrap_or_default() }
    })
    .await
}

/// What a task gives that gets a guarded text from the endpoint it is told, with the password. Without it and with
/// another it faults: nobody else gets what was kept.
async fn with_its_password_alone(
    handle: &Handle,
    guarded: &Server,
    path: &str,
    tasks: impl Fn(&str) -> String,
) -> Value {
    let uri = guarded.url(path);
    let of = |user: &str| tasks(&format!("{{ uri: '{uri}'{user} }}"));
    let with = |password: &str| {
        of(&format!(
            ", authentication: {{ basic: {{ username: me, password: {password} }} }}"
        ))
    };
    let workflow = deploy(handle, "call", &with("pw")).await;
    let said = output(&run(handle, &workflow, json!({})).await);
    for tasks in [with("other"), of("")] {
        let (kind, _) = fault(handle, &tasks, json!({})).await;
        assert_eq!(kind, "authentication", "{tasks}");
    }
    assert_eq!(guarded.asked().len(), 3);
    said
}

#[tokio::test]
async fn a_document_is_got_with_its_own_credentials_and_kept_for_them_alone() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let shop = Server::saying(answers("200 OK", "{\"left\": 3}")).await;
    let documents = guarded(openapi(&shop.url(""), "/stock").to_string()).await;
    let said = with_its_password_alone(&handle, &documents, "/shop.json", |endpoint| {
        let document = format!("document: {{ endpoint: {endpoint} }}\noperationId: get");
        call("openapi", &document)
    });
    assert_eq!(said.await, json!({"left": 3}));
    let asked = shop.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].header("authorization"), None);
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn a_document_of_asyncapi_is_got_with_its_own_credentials() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let shop = Server::saying(answers("200 OK", "{\"left\": 3}")).await;
    let document = channels("http", &shop.address.to_string(), "/stock");
    let documents = guarded(document.to_string()).await;
    let said = with_its_password_alone(&handle, &documents, "/shop.json", |endpoint| {
        let message = "channel: stock\nmessage: { payload: { sold: 1 } }";
        let document = format!("document: {{ endpoint: {endpoint} }}\n{message}");
        call("asyncapi", &document)
    });
    assert_eq!(said.await, json!({"left": 3}));
    let asked = shop.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].header("authorization"), None);
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn a_schema_is_got_with_its_own_credentials() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let schemas = guarded(json!({"required": ["left"]}).to_string()).await;
    let said = with_its_password_alone(&handle, &schemas, "/order.json", |endpoint| {
        format!(
            "- say: {{ set: {{ left: 3 }}, output: {{ schema: {{ resource: {{ endpoint: {endpoint} }} }} }} }}"
        )
    });
    assert_eq!(said.await, json!({"left": 3}));
    handle.drain(Duration::ZERO).await;
}

/// grpcio with a service that wants a token; it refuses the first that it sees, as if that were stale.
const GRPC: &str = r#"
import sys, grpc
from concurrent import futures
sys.path.insert(0, sys.argv[1])
protos, services = grpc.protos_and_services("who.proto")
seen = []
class Doors(services.DoorsServicer):
    def Enter(self, request, context):
        said = dict(context.invocation_metadata()).get("authorization", "")
        seen.append(said)
        if not said or seen.count(said) == len(seen) == 2: context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you?")
        return protos.Said(text=said, count=len(seen))
server = grpc.server(futures.ThreadPoolExecutor(1))
services.add_DoorsServicer_to_server(Doors(), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print("serving", port, flush=True)
server.wait_for_termination()
"#;

const PROTO: &str = r#"
syntax = "proto3";
package doors;
service Doors { rpc Enter(Said) returns (Said); }
message Said { string text = 1; int32 count = 2; }
"#;

/// Serves that at a port of its own.
fn doors(folder: &Path) -> Option<Counterpart> {
    let mut python = Counterpart::python()?;
    let resources = folder.join("resources");
    std::fs::create_dir_all(&resources).unwrap();
    std::fs::write(resources.join("who.proto"), PROTO).unwrap();
    Some(Counterpart::begin(
        python.args(["-c", GRPC]).arg(&resources),
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proto_is_got_with_its_own_credentials() {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = doors(folder.path()) else {
        return;
    };
    let port = server.address();
    let handle = open(folder.path()).await;
    let protos = guarded(PROTO.to_owned()).await;
    let said = with_its_password_alone(&handle, &protos, "/doors.proto", |endpoint| {
        let service = format!("name: doors.Doors, host: 127.0.0.1, port: {port}");
        let token = "authentication: { bearer: { token: t } }";
        call(
            "grpc",
            &format!(
                "proto: {{ endpoint: {endpoint} }}\nmethod: Enter\nservice: {{ {service}, {token} }}"
            ),
        )
    });
    assert_eq!(said.await, json!({"text": "Bearer t", "count": 1}));
    handle.drain(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn grpcio_is_told_who_calls_and_a_stale_token_is_got_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (Some(server), Some(provider)) = (doors(folder.path()), Counterpart::oidc_provider())
    else {
        return;
    };
    let port = server.address();
    let handle = open(folder.path()).await;
    let tasks = |authentication: &str| {
        call(
            "grpc",
            &format!(
                "proto: {{ endpoint: 'file:///who.proto' }}\nmethod: Enter\n\
                 service: {{ name: doors.Doors, host: 127.0.0.1, port: {port}{authentication} }}"
            ),
        )
    };
    let with_token = tasks(&format!(", authentication: {}", oidc(provider.address())));
    let workflow = deploy(&handle, "call", &with_token).await;
    let first = output(&run(&handle, &workflow, json!({})).await);
    // The second time the server refuses what it took before.
    let second = output(&run(&handle, &workflow, json!({})).await);
    let (kind, detail) = fault(&handle, &tasks(""), json!({})).await;
    assert!(
        first["text"].as_str().unwrap().starts_with("Bearer "),
        "{first}"
    );
    assert_ne!(first["text"], second["text"], "another token");
    assert_eq!((&first["count"], &second["count"]), (&json!(1), &json!(3)));
    assert_eq!(kind, "authentication");
    assert!(detail.contains("who are you?"), "{detail}");
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn every_request_of_an_mcp_session_is_proved() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let server = Server::start(|_, asked, mut stream| {
        let bytes = if asked.header("authorization").as_deref() != Some("Bearer t-7") {
            answers("401 Unauthorized", "{}")
        } else if asked.body.contains("\"initialize\"") {
            let hello = r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18"}}"#;
            let text = String::from_utf8(answers("200 OK", hello)).unwrap();
            text.replace("\r\n\r\n", "\r\nmcp-session-id: s7\r\n\r\n")
                .into_bytes()
        } else if asked.body.contains("tools/list") {
            answers(
                "200 OK",
                r#"{"jsonrpc":"2.0","id":2,"result":{"tools":[]}}"#,
            )
        } else {
            answer("202 Accepted", "text/plain", "")
        };
        async move { stream.write_all(&bytes).await.unwrap_or_default() }
    })
    .await;
    let tasks = |token: &str| {
        call(
            "mcp",
            &format!(
                "method: tools/list\ntransport: {{ http: {{ endpoint: {{ uri: '{}', authentication: \
                 {{ bearer: {{ token: {token} }} }} }} }} }}",
                server.url("/")
            ),
        )
    };
    let workflow = deploy(&handle, "call", &tasks("t-7")).await;
    assert_eq!(
        output(&run(&handle, &workflow, json!({})).await),
        json!({"tools": []})
    );
    assert_eq!(server.asked().len(), 4, "the end of the session too");
    let (kind, _) = fault(&handle, &tasks("t-8"), json!({})).await;
    assert_eq!(kind, "authentication");
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn an_agent_s_card_and_the_agent_have_credentials_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let said = r#"{"jsonrpc":"2.0","id":1,"result":{"id":"t"}}"#;
    let elsewhere = Server::saying(answers("200 OK", said)).await;
    let agent = Server::start(move |_, asked, mut stream| {
        let host = asked.header("host").unwrap();
        let bytes = match asked.path() {
            "/card.json" => answers(
                "200 OK",
                &json!({"url": format!("http://{host}/")}).to_string(),
            ),
            _ => answers("200 OK", said),
        };
        async move { stream.write_all(&bytes).await.unwrap_or_default() }
    })
    .await;
    let card = format!(
        "agentCard: {{ endpoint: {{ uri: '{}', authentication: {{ bearer: {{ token: of-card }} }} }} }}",
        agent.url("/card.json")
    );
    let rest = "method: tasks/get\nparameters: { id: t }";
    let server = |authentication: &str| {
        format!(
            "server: {{ uri: '{}'{authentication} }}",
            elsewhere.url("/")
        )
    };
    for more in [
        String::new(),
        server(""),
        server(", authentication: { bearer: { token: of-agent } }"),
    ] {
        let tasks = call("a2a", &format!("{card}\n{more}\n{rest}"));
        let workflow = deploy(&handle, "call", &tasks).await;
        assert_eq!(
            output(&run(&handle, &workflow, json!({})).await),
            json!({"id": "t"})
        );
    }
    let proofs = |server: &Server| -> Vec<Option<String>> {
        let asked = server.asked();
        asked
            .iter()
            .map(|asked| asked.header("authorization"))
            .collect()
    };
    let of_card = Some("Bearer of-card".to_owned());
    assert_eq!(
        proofs(&agent),
        [of_card.clone(), of_card],
        "whoever gave the card"
    );
    assert_eq!(
        proofs(&elsewhere),
        [None, Some("Bearer of-agent".to_owned())]
    );
    handle.drain(Duration::ZERO).await;
}

/// A document of AsyncAPI with one channel.
fn channels(protocol: &str, host: &str, address: &str) -> Value {
    json!({
        "asyncapi": "3.0.0",
        "servers": {"main": {"host": host, "protocol": protocol}},
        "channels": {"stock": {"address": address}},
    })
}

/// The same in the resources folder.
fn channel(folder: &Path, protocol: &str, host: &str, address: &str) {
    resource(folder, "stock.json", &channels(protocol, host, address));
}

fn send(authentication: &str) -> String {
    call(
        "asyncapi",
        &format!(
            "document: {{ endpoint: 'file:///stock.json' }}\nchannel: stock\n\
             message: {{ payload: {{ left: 3 }} }}\nauthentication: {authentication}"
        ),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_server_takes_passwords_and_tokens_also_within_tls() {
    let folder = tempfile::tempdir().unwrap();
    let made = Certificate::of_localhost().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (certificate, key) = (file("nats.pem"), file("nats.key"));
    std::fs::write(&certificate, made.text).unwrap();
    std::fs::write(&key, made.key).unwrap();
    let mut options = options(folder.path());
    options.outbound.authorities = vec![certificate.clone().into()];
    let handle = Handle::open(options).await.unwrap();
    let user = ["--user", "me", "--pass", "pass-55"];
    let secure = ["--tls", "--tlscert", &certificate, "--tlskey", &key];
    let by_user = "{ basic: { username: me, password: pass-55 } }";
    let by_token = "{ bearer: { token: t-1 } }";
    for (settings, right, wrong, host) in [
        (
            user.to_vec(),
            by_user,
            "{ basic: { username: me, password: pass-56 } }",
            "127.0.0.1",
        ),
        (vec!["--auth", "t-1"], by_token, by_user, "127.0.0.1"),
        (
            [&user[..], &secure].concat(),
            by_user,
            by_token,
            "localhost",
        ),
    ] {
        let Some(server) = Counterpart::nats(&settings) else {
            return;
        };
        channel(
            folder.path(),
            "nats",
            &server.address().replace("127.0.0.1", host),
            "stock",
        );
        let workflow = deploy(&handle, "send", &send(right)).await;
        let sent = output(&run(&handle, &workflow, json!({})).await);
        assert_eq!(sent["payload"], json!({"left": 3}), "{settings:?}");
        let (kind, detail) = fault(&handle, &send(wrong), json!({})).await;
        assert_eq!(kind, "authentication", "{detail}");
        assert!(!detail.contains("pass-5"), "{detail}");
        let (kind, detail) = fault(
            &handle,
            &send("{ digest: { username: a, password: b } }"),
            json!({}),
        )
        .await;
        assert_eq!(kind, "configuration", "{detail}");
    }
    handle.drain(Duration::ZERO).await;
}

const WEB_SOCKETS: &str = r#"
import asyncio, websockets
from websockets.asyncio.server import basic_auth
async def talk(socket):
    async for text in socket: pass
async def main():
    guard = basic_auth(credentials=("me", "pass-55"))
    async with websockets.serve(talk, "127.0.0.1", 0, process_request=guard) as server:
        print("serving", "%s:%d" % server.sockets[0].getsockname()[:2], flush=True)
        await asyncio.Future()
asyncio.run(main())
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_web_socket_s_handshake_and_a_post_are_proved() {
    let (Some(mut python), Some(httpbin)) = (Counterpart::python(), Counterpart::httpbin()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let server = Counterpart::begin(python.args(["-c", WEB_SOCKETS]));
    channel(folder.path(), "ws", server.address(), "/in");
    let user = |password: &str| format!("{{ basic: {{ username: me, password: {password} }} }}");
    let workflow = deploy(&handle, "send", &send(&user("pass-55"))).await;
    output(&run(&handle, &workflow, json!({})).await);
    let (kind, detail) = fault(&handle, &send(&user("pass-56")), json!({})).await;
    assert_eq!(kind, "authentication", "{detail}");
    let host = httpbin.address().strip_prefix("http://").unwrap();
    channel(folder.path(), "http", host, "/post");
    let workflow = deploy(&handle, "send", &send("{ bearer: { token: t-1 } }")).await;
    let said = output(&run(&handle, &workflow, json!({})).await);
    assert_eq!(said["headers"]["Authorization"], "Bearer t-1", "{said}");
    handle.drain(Duration::ZERO).await;
}
