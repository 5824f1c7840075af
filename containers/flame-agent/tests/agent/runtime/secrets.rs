//! `use.secrets`: held in memory as connections, in every call that names them, in nothing that is kept.

use std::path::Path;
use std::time::Duration;

use flame_agent::runtime::{Handle, Options};
use flame_connector::Connection;
use flame_store::Page;
use flame_types::{RunStatus, Timestamp};
use secrecy::SecretString;
use serde_json::json;

use super::{document, error, id, open, options, output, run, start, until};
use crate::server::{Server, answer, json};

const CANARY: &str = "canary-4711-x";

async fn put(handle: &Handle, name: &str, secret: &str) {
    let connection = Connection {
        name: name.to_owned(),
        kind: "secret".to_owned(),
        settings: json!({}),
        secret: Some(SecretString::from(secret.to_owned())),
    };
    handle
        .connections()
        .put(connection, Timestamp::now())
        .await
        .unwrap();
}

async fn deploy(handle: &Handle, name: &str, tasks: &str) -> flame_types::WorkflowId {
    let text = format!("{}use: {{secrets: [key, login]}}\n", document(name, tasks));
    handle
        .deploy(&text, "application/yaml", None)
        .await
        .unwrap();
    id(name)
}

/// Every file of a folder, one after the other.
fn everything(folder: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text += &everything(&path);
        } else {
            text += &String::from_utf8_lossy(&std::fs::read(&path).unwrap());
        }
    }
    text
}

#[tokio::test]
async fn a_secret_goes_out_and_is_in_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    put(&handle, "key", CANARY).await;
    put(
        &handle,
        "login",
        &json!({"username": "me", "password": CANARY}).to_string(),
    )
    .await;
    let echo = format!(r#"{{"you": "sent {CANARY}"}}"#);
    let server = Server::saying(json("200 OK", &echo)).await;
    let tasks = format!(
        "- keep: {{set: {{a: '${{ $secrets.key }}'}}}}
- tell: {{emit: {{event: {{with: {{type: a.b, data: '${{ $secrets.key }}'}}}}}}}}
- send:
    call: http
    with:
      method: post
      endpoint: {{uri: '{}', authentication: {{basic: {{use: login}}}}}}
      headers: {{x-key: '${{ $secrets.key }}'}}
      output: response
- fail: {{raise: {{error: {{type: a:b, status: 500, detail: '${{ \"was \" + $secrets.key }}'}}}}}}",
        server.url("/")
    );
    let workflow = deploy(&handle, "leak", &tasks).await;
    let ended = run(&handle, &workflow, json!({})).await;
    assert_eq!(error(&ended)["detail"], "was ***");
    let asked = &server.asked()[0];
    assert_eq!(asked.header("x-key").unwrap(), CANARY);
    assert!(asked.header("authorization").unwrap().starts_with("Basic "));
    let journal = handle.journal(ended.summary.id, 0, 100).await.unwrap();
    assert!(
        journal
            .iter()
            .any(|entry| format!("{:?}", entry.record).contains("sent ***"))
    );
    let events = handle
        .store()
        .events(None, None, Page::first(10))
        .await
        .unwrap();
    let events: Vec<_> = events
        .iter()
        .map(|event| String::from_utf8_lossy(&event.body))
        .collect();
    assert!(events[0].contains("***"), "{events:?}");
    let held = handle.connections().list();
    let kept = format!("{journal:?}{events:?}{held:?}");
    assert!(!kept.contains(CANARY), "{kept}");
    let backup = folder.path().join("copy.db");
    handle.store().backup_to(&backup).await.unwrap();
    assert!(backup.is_file());
    handle.drain(Duration::ZERO).await;
    assert!(!everything(folder.path()).contains(CANARY));
}

/// An address, a text of JSON and base64 spell it otherwise.
#[tokio::test]
async fn a_secret_is_seen_in_other_spellings() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let key = "canary/4+7= \"ten\"";
    put(&handle, "key", key).await;
    put(&handle, "login", CANARY).await;
    let echo = format!("{} or Y2FuYXJ5LzQrNz0gInRlbiI=", json!({ "key": key }));
    let server = Server::saying(answer("200 OK", "text/plain", &echo)).await;
    let tasks = format!(
        "- send:
    call: http
    with: {{method: get, endpoint: '{}', query: {{t: '${{ $secrets.key }}'}}, output: response}}
- lost:
    call: http
    with: {{method: get, endpoint: '${{ \"http://127.0.0.1:1/\" + $secrets.key }}'}}",
        server.url("/")
    );
    let workflow = deploy(&handle, "spelt", &tasks).await;
    let ended = run(&handle, &workflow, json!({})).await;
    assert!(server.asked()[0].head.contains("canary%2F4%2B7"));
    let journal = handle.journal(ended.summary.id, 0, 100).await.unwrap();
    let kept = format!("{journal:?}{:?}", error(&ended));
    assert!(kept.contains("***") && !kept.contains("canary"), "{kept}");
    assert!(!kept.contains("Y2FuYXJ5"), "{kept}");
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        connection_patience: Duration::ZERO,
        ..options(folder.path())
    };
    let handle = Handle::open(options).await.unwrap();
    put(&handle, "login", "x").await;
    let workflow = deploy(&handle, "none", "- a: {set: {x: '${ $secrets.key }'}}").await;
    let error = error(&run(&handle, &workflow, json!({})).await);
    assert_eq!(error["title"], "A secret has no value");
    assert!(
        error["detail"]
            .as_str()
            .unwrap()
            .contains("put a connection \"key\""),
        "{error}"
    );
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn a_run_of_before_waits_for_its_secret_after_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let (first, answers) = tokio::sync::watch::channel(false);
    let server = Server::start(move |_, _, mut stream| {
        let mut answers = answers.clone();
        async move {
            if answers.wait_for(|open| *open).await.is_ok() {
                use tokio::io::AsyncWriteExt as _;
                stream
                    .write_all(&json("200 OK", "1"))
                    .await
                    .unwrap_or_default();
            }
        }
    })
    .await;
    let handle = open(folder.path()).await;
    put(&handle, "key", CANARY).await;
    put(&handle, "login", CANARY).await;
    let tasks = format!(
        "- a: {{call: http, with: {{method: get, endpoint: '{}', headers: {{k: '${{ $secrets.key }}'}}}}}}",
        server.url("/")
    );
    let workflow = deploy(&handle, "later", &tasks).await;
    let begun = start(&handle, &workflow, json!({})).await;
    server.until(1).await;
    handle.drain(Duration::ZERO).await;
    drop(handle);
    let handle = open(folder.path()).await;
    first.send_replace(true);
    put(&handle, "key", "changed-meanwhile").await;
    put(&handle, "login", CANARY).await;
    let ended = until(&handle, begun, RunStatus::Completed).await;
    assert_eq!(output(&ended), json!(1));
    let asked = server.asked();
    assert_eq!(
        asked.last().unwrap().header("k").unwrap(),
        "changed-meanwhile"
    );
    assert_eq!(
        asked[0].header("idempotency-key"),
        asked.last().unwrap().header("idempotency-key")
    );
    handle.drain(Duration::ZERO).await;
}
