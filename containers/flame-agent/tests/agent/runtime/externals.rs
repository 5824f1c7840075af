//! Functions and schemas from outside: fetched when a run begins, and as they were then for as long as it lives.

use std::time::Duration;

use flame_types::RunStatus;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::{deploy, error, open, output, run, start, until};
use crate::server::{Asked, Server, answer};

fn yaml(text: &str) -> Vec<u8> {
    answer("200 OK", "application/yaml", text)
}

/// Answers with another function each time: it adds the number of the request.
async fn changing() -> Server {
    Server::start(|number, _, mut stream| async move {
        let text = format!("set: '${{ .n + {number} }}'");
        stream.write_all(&yaml(&text)).await.unwrap_or_default();
    })
    .await
}

#[tokio::test]
async fn a_run_keeps_the_text_that_it_began_with() {
    let folder = tempfile::tempdir().unwrap();
    let server = changing().await;
    let tasks = format!(
        "- rest: {{ listen: {{ to: {{ one: {{ with: {{ type: t.go }} }} }} }}, output: {{ as: '${{ {{n: 10}} }}' }} }}\n\
         - call: {{ call: '{}' }}",
        server.url("/f.yaml")
    );
    let handle = open(folder.path()).await;
    let workflow = deploy(&handle, "pinned", &tasks).await;
    let old = start(&handle, &workflow, json!({})).await;
    until(&handle, old, RunStatus::Waiting).await;
    assert_eq!(server.asked().len(), 1);
    handle.drain(Duration::ZERO).await;
    drop(handle);

    // What was kept of the text is gone with the process: a new run fetches, the old one does not.
    let handle = open(folder.path()).await;
    let new = start(&handle, &workflow, json!({})).await;
    until(&handle, new, RunStatus::Waiting).await;
    assert_eq!(server.asked().len(), 2);
    let go = json!({"specversion": "1.0", "id": "1", "source": "/t", "type": "t.go"});
    handle.publish(vec![go]).await.unwrap();
    let of = async |run| output(&until(&handle, run, RunStatus::Completed).await);
    assert_eq!((of(old).await, of(new).await), (json!(10), json!(11)));
    let replay = handle.replay(old, "/do/1/call", None, None).await.unwrap();
    let replayed = until(&handle, replay.summary.id, RunStatus::Completed).await;
    assert_eq!(
        output(&replayed),
        json!(10),
        "a replay has the text of its run"
    );
    assert_eq!(server.asked().len(), 2);
    handle.drain(Duration::ZERO).await;
}

/// The server answers as the user's own network would: only the document itself may lead there.
#[tokio::test]
async fn a_function_out_of_the_network_does_not_reach_the_users_own() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let inner = Server::saying(crate::server::json("200 OK", "{}")).await;
    let call = format!(
        "call: http\nwith: {{ method: get, endpoint: '{}' }}",
        inner.url("/")
    );
    let there = Server::saying(yaml(&call)).await;
    // The text names 127.0.0.1 by another name than the document does.
    let address = there.url("/f.yaml").replace("127.0.0.1", "localhost");
    let workflow = deploy(
        &handle,
        "foreign",
        &format!("- call: {{ call: '{address}' }}"),
    )
    .await;
    let error = error(&run(&handle, &workflow, json!({})).await);
    assert_ne!(error, Value::Null);
    assert_eq!(there.asked().len(), 1, "{error}");
    assert!(inner.asked().is_empty(), "{error}");
    handle.drain(Duration::ZERO).await;
}

/// What a schema refers to is fetched beside it, but not from the user's own network.
#[tokio::test]
async fn a_schema_out_of_the_network_does_not_reach_the_users_own() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let inner = Server::saying(crate::server::json("200 OK", "{}")).await;
    let private = inner.url("/inner.json");
    let there = Server::start(move |_, request, mut stream| {
        let text = match request.path() {
            "/order.json" => json!({"$ref": "id.json"}),
            _ => json!({"$ref": private}),
        };
        async move {
            let answer = crate::server::json("200 OK", &text.to_string());
            stream.write_all(&answer).await.unwrap_or_default();
        }
    })
    .await;
    // The texts name 127.0.0.1 by another name than the document does.
    let address = there.url("/order.json").replace("127.0.0.1", "localhost");
    let tasks = format!(
        "- say: {{ set: {{ x: 1 }}, output: {{ schema: {{ document: {{ $ref: '{address}' }} }} }} }}"
    );
    let workflow = deploy(&handle, "foreign", &tasks).await;
    let error = error(&run(&handle, &workflow, json!({})).await);
    assert!(
        error["type"].as_str().unwrap().ends_with("/authorization"),
        "{error}"
    );
    assert_eq!(error["instance"], "/do/0/say/output/schema/document");
    let asked = there.asked();
    let asked: Vec<&str> = asked.iter().map(Asked::path).collect();
    assert_eq!(asked, ["/order.json", "/id.json"]);
    assert!(inner.asked().is_empty(), "{error}");
    handle.drain(Duration::ZERO).await;
}
