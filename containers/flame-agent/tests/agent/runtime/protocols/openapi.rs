//! `call: openapi`: against Prism, which answers and judges requests by the same document, and against
//! servers that misbehave.

use std::path::Path;
use std::time::Duration;

use flame_agent::runtime::Options;
use flame_testkit::Counterpart;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::{call, fault};
use crate::runtime::{deploy, open, options, output, run};
use crate::server::{Server, answer, json as answers};

/// The same shop in both standards; Prism refuses with 422 what does not fit.
const OPENAPI: &str = r"
openapi: 3.1.0
info: {title: Shop, version: '1'}
servers: [{url: 'http://127.0.0.1:{port}', variables: {port: {default: 'PORT'}}}]
paths:
  /orders/{id}:
    parameters: [{$ref: '#/components/parameters/Id'}]
    get:
      operationId: getOrder
      parameters:
        - {name: fields, in: query, explode: false, schema: {type: array, items: {enum: [id, total]}}}
        - {name: X-Shop, in: header, required: true, schema: {type: string, minLength: 2}}
      responses:
        '200': {description: The order, content: {application/json: {schema: {type: object}, example: {id: 7, total: 12.5}}}}
    put:
      operationId: putOrder
      requestBody:
        required: true
        content: {application/json: {schema: {type: object, required: [total], properties: {total: {type: number}}}}}
      responses:
        '200': {description: Taken, content: {application/json: {schema: {type: object}, example: {taken: true}}}}
components:
  parameters:
    Id: {name: id, in: path, required: true, schema: {type: integer}}
";

const SWAGGER: &str = r"
swagger: '2.0'
info: {title: Shop, version: '1'}
host: 127.0.0.1:PORT
schemes: [http]
consumes: [application/json]
produces: [application/json]
paths:
  /orders/{id}:
    put:
      operationId: putOrder
      parameters:
        - {name: id, in: path, required: true, type: integer}
        - {name: order, in: body, required: true, schema: {type: object, required: [total], properties: {total: {type: number}}}}
      responses:
        '200': {description: Taken, schema: {type: object}, examples: {application/json: {taken: true}}}
";

/// Prism over a document, which is put into the resources folder with Prism's own address as its server.
fn prism(folder: &Path, document: &str) -> Option<Counterpart> {
    let mut command = Counterpart::node("@stoplight/prism-cli/dist/index.js")?;
    let file = folder.join("shop.yaml");
    std::fs::write(&file, document.replace("PORT", "80")).unwrap();
    let mock = command.args(["mock", "--errors", "-h", "127.0.0.1", "-p", "0"]);
    let prism = Counterpart::start(mock.arg(&file), "listening on");
    let port = prism.address().rsplit(':').next().unwrap();
    let port: String = port.chars().take_while(char::is_ascii_digit).collect();
    let resources = folder.join("resources");
    std::fs::create_dir_all(&resources).unwrap();
    std::fs::write(resources.join("shop.yaml"), document.replace("PORT", &port)).unwrap();
    Some(prism)
}

fn to(operation: &str, parameters: &str) -> String {
    call(
        "openapi",
        &format!(
            "document: {{ endpoint: 'file:///shop.yaml' }}\noperationId: {operation}\nparameters: {parameters}"
        ),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn prism_takes_what_an_openapi_document_describes() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_prism) = prism(folder.path(), OPENAPI) else {
        return;
    };
    let handle = open(folder.path()).await;
    let get = to(
        "getOrder",
        "{ id: '${ .id }', fields: [id, total], X-Shop: main }",
    );
    let workflow = deploy(&handle, "get", &get).await;
    let ended = run(&handle, &workflow, json!({"id": 7})).await;
    assert_eq!(output(&ended), json!({"id": 7, "total": 12.5}));
    let put = to("putOrder", "{ id: 7, body: { total: 12.5 } }");
    let workflow = deploy(&handle, "put", &put).await;
    assert_eq!(
        output(&run(&handle, &workflow, json!({})).await),
        json!({"taken": true})
    );
    // Prism judges by the document: what it refuses is the server's refusal, with its status.
    let (kind, detail) = fault(
        &handle,
        &to("putOrder", "{ id: 7, body: { total: much } }"),
        json!({}),
    )
    .await;
    assert_eq!(kind, "communication");
    assert!(detail.contains("422"), "{detail}");
    handle.drain(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prism_takes_what_a_swagger_2_document_describes() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_prism) = prism(folder.path(), SWAGGER) else {
        return;
    };
    let handle = open(folder.path()).await;
    let put = to("putOrder", "{ id: 7, order: { total: 12.5 } }");
    let workflow = deploy(&handle, "put", &put).await;
    assert_eq!(
        output(&run(&handle, &workflow, json!({})).await),
        json!({"taken": true})
    );
    handle.drain(Duration::ZERO).await;
}

/// A server that has a document at `/openapi.json` and answers everything else with `answer`.
async fn describing(document: Value, answer: Vec<u8>) -> Server {
    let document = answers("200 OK", &document.to_string());
    Server::start(move |_, asked, mut stream| {
        let bytes = match asked.path() {
            "/openapi.json" => document.clone(),
            _ => answer.clone(),
        };
        async move { stream.write_all(&bytes).await.unwrap_or_default() }
    })
    .await
}

fn document(more: Value) -> Value {
    let mut document = json!({
        "openapi": "3.0.3",
        "paths": {"/stock": {"get": {
            "operationId": "getStock",
            "responses": {"200": {"description": "", "content": {"application/json": {}}}},
        }}},
    });
    if let (Value::Object(document), Value::Object(more)) = (&mut document, more) {
        document.extend(more);
    }
    document
}

fn stock(server: &Server, more: &str) -> String {
    let endpoint = server.url("/openapi.json");
    call(
        "openapi",
        &format!("document: {{ endpoint: '{endpoint}' }}\noperationId: getStock\n{more}"),
    )
}

#[tokio::test]
async fn a_fetched_document_is_kept_and_its_calls_carry_their_keys() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let server = describing(document(json!({})), answers("200 OK", r#"{"left": 3}"#)).await;
    let workflow = deploy(&handle, "call", &stock(&server, "output: response")).await;
    for _ in 0..2 {
        let answered = output(&run(&handle, &workflow, json!({})).await);
        assert_eq!(answered["statusCode"], 200);
        assert_eq!(answered["content"], json!({"left": 3}));
    }
    let asked = server.asked();
    let paths: Vec<&str> = asked.iter().map(|asked| asked.path()).collect();
    assert_eq!(paths, ["/openapi.json", "/stock", "/stock"]);
    assert_eq!(asked[0].header("idempotency-key"), None);
    let keys = [&asked[1], &asked[2]].map(|asked| asked.header("idempotency-key").unwrap());
    assert_ne!(keys[0], keys[1]);
    assert_eq!(
        handle.outbound()[0].calls,
        3,
        "document and calls are in the ledger"
    );
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn an_unknown_operation_is_told_with_its_near_name() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let server = describing(document(json!({})), answers("200 OK", "1")).await;
    let tasks = stock(&server, "").replace("getStock", "getStok");
    let (kind, detail) = fault(&handle, &tasks, json!({})).await;
    assert_eq!(kind, "configuration");
    assert!(
        detail.contains("there is no operation \"getStok\"; did you mean 'getStock'?"),
        "{detail}"
    );
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn html_for_json_is_an_error_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let page = answer("200 OK", "text/html", "<html>Sign in</html>");
    let server = describing(document(json!({})), page).await;
    let (kind, detail) = fault(&handle, &stock(&server, ""), json!({})).await;
    assert_eq!(kind, "communication");
    assert!(
        detail.contains("\"text/html\" where the document promises JSON"),
        "{detail}"
    );
    let wrong = Server::saying(answer("200 OK", "text/html", "<html>Sign in</html>")).await;
    let (kind, detail) = fault(&handle, &stock(&wrong, ""), json!({})).await;
    assert_eq!(kind, "configuration");
    assert!(detail.contains("/openapi.json: "), "{detail}");
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn a_document_may_not_lead_to_private_addresses_but_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let victim = Server::saying(answers("200 OK", "1")).await;
    let other = victim.url("").replace("127.0.0.1", "127.0.0.2");
    for url in [other, "http://169.254.169.254/latest".to_owned()] {
        let servers = json!({"servers": [{"url": url}]});
        let server = describing(document(servers), answers("200 OK", "1")).await;
        let (kind, detail) = fault(&handle, &stock(&server, ""), json!({})).await;
        assert_eq!(kind, "authorization", "{detail}");
    }
    assert_eq!(victim.asked().len(), 0);
    // Nor may the document itself be at one, unless the workflow names it.
    let tasks = stock(&victim, "").replace(&victim.url("/openapi.json"), "${ .where }");
    let (kind, _) = fault(
        &handle,
        &tasks,
        json!({"where": victim.url("/openapi.json")}),
    )
    .await;
    assert_eq!(kind, "authorization");
    assert_eq!(victim.asked().len(), 0);
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn documents_that_hang_move_or_are_endless_end_their_own_task_only() {
    let folder = tempfile::tempdir().unwrap();
    let mut options: Options = options(folder.path());
    options.outbound.timeout = Duration::from_millis(300);
    let handle = flame_agent::runtime::Handle::open(options).await.unwrap();
    let hanging = Server::start(|_, _, stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let (kind, detail) = fault(&handle, &stock(&hanging, ""), json!({})).await;
    assert_eq!(kind, "timeout", "{detail}");
    let moved = Server::saying(
        "HTTP/1.1 301 Moved Permanently\r\nlocation: http://10.0.0.1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    )
    .await;
    let (kind, detail) = fault(&handle, &stock(&moved, ""), json!({})).await;
    assert_eq!(kind, "communication");
    assert!(
        detail.contains("write its new address, http://10.0.0.1/"),
        "{detail}"
    );
    let endless = Server::saying(
        "HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\nconnection: close\r\n\r\n{",
    )
    .await;
    let (kind, detail) = fault(&handle, &stock(&endless, ""), json!({})).await;
    assert_eq!(kind, "communication");
    assert!(detail.contains("more than 16777216 bytes"), "{detail}");
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn a_file_stays_in_the_resources_folder() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    for (name, expected) in [
        ("file:///../token", "leaves the resources folder"),
        ("file:///%2e%2e/token", "leaves the resources folder"),
        ("file:///none.yaml", "can't be read"),
    ] {
        let tasks = to("getOrder", "{}").replace("file:///shop.yaml", name);
        let (kind, detail) = fault(&handle, &tasks, json!({})).await;
        assert_eq!(kind, "configuration", "{name}");
        assert!(detail.contains(expected), "{name}: {detail}");
    }
    std::fs::create_dir_all(folder.path().join("resources")).unwrap();
    std::os::unix::fs::symlink("../token", folder.path().join("resources/shop.yaml")).unwrap();
    std::fs::write(folder.path().join("token"), "secret").unwrap();
    let (_, detail) = fault(&handle, &to("getOrder", "{}"), json!({})).await;
    assert!(
        detail.contains("is a link out of the resources folder"),
        "{detail}"
    );
    handle.drain(Duration::ZERO).await;
}
