//! Holds the client against the committed OpenAPI document: a server that knows nothing but the
//! document checks every request and answers with what its schemas say.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::future::IntoFuture;
use std::pin::pin;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use flame_agent_client::api::{
    ConnectionPut, ContainerEnd, ContainerOutcome, DeadLetterQuery, EventQuery, FeedQuery,
    HostExecutionGrant, HostExecutionPut, JournalQuery, ReplayRequest, RunQuery, SecretText,
    TestRequest,
};
use flame_agent_client::{AgentClient, Error, Format, RunEvent, StartOptions};
use futures::StreamExt;
use serde_json::{Value, json};

/// Operations that are not for this client: hooks have callers of their own, and the rest is for
/// monitoring and tools.
const NOT_FOR_THE_CLIENT: [&str; 3] = ["hook", "live", "openApi"];

struct Document {
    root: Value,
    called: Mutex<BTreeSet<String>>,
    faults: Mutex<Vec<String>>,
}

impl Document {
    fn load() -> Self {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../flame-agent-api/openapi.json"
        );
        let root = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        Self {
            root,
            called: Mutex::default(),
            faults: Mutex::default(),
        }
    }

    fn operations(&self) -> impl Iterator<Item = (&String, &String, &Value)> {
        self.root["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, item)| {
                let methods = item.as_object().unwrap().iter();
                methods.map(move |(method, operation)| (path, method, operation))
            })
    }

    fn find(&self, method: &str, path: &str) -> Option<&Value> {
        let matches = |template: &str| {
            let (mut left, mut right) = (template.split('/'), path.split('/'));
            loop {
                match (left.next(), right.next()) {
                    (None, None) => return true,
                    (Some(part), Some(value)) if part.starts_with('{') && !value.is_empty() => {}
                    (Some(part), Some(value)) if part == value => {}
                    _ => return false,
                }
            }
        };
        self.operations()
            .find(|(template, verb, _)| verb.eq_ignore_ascii_case(method) && matches(template))
            .map(|(_, _, operation)| operation)
    }

    fn fault(&self, text: String) {
        self.faults.lock().unwrap().push(text);
    }

    /// The smallest value that a schema takes, with every declared property set.
    fn sample(&self, schema: &Value) -> Value {
        if let Some(reference) = schema["$ref"].as_str() {
            return self.sample(
                self.root
                    .pointer(reference.trim_start_matches('#'))
                    .unwrap(),
            );
        }
        if let Some(first) = schema["enum"].as_array().and_then(|words| words.first()) {
            return first.clone();
        }
        if let Some(parts) = schema["allOf"].as_array() {
            let mut whole = serde_json::Map::new();
            for part in parts {
                whole.extend(self.sample(part).as_object().unwrap().clone());
            }
            return Value::Object(whole);
        }
        if let Some(first) = schema["oneOf"]
            .as_array()
            .and_then(|choices| choices.first())
        {
            return self.sample(first);
        }
        let kind = schema["type"]
            .as_str()
            .or_else(|| schema["type"][0].as_str());
        match kind {
            Some("object") => {
                let properties = schema["properties"]
                    .as_object()
                    .cloned()
                    .unwrap_or_default();
                properties
                    .iter()
                    .map(|(name, part)| (name.clone(), self.sample(part)))
                    .collect()
            }
            Some("array") => json!([self.sample(&schema["items"])]),
            Some("integer") => json!(7),
            Some("number") => json!(0.5),
            Some("boolean") => json!(true),
            Some("string") => json!(self.sample_text(schema)),
            _ => json!({"any": "json"}),
        }
    }

    fn sample_text(&self, schema: &Value) -> &'static str {
        match (schema["format"].as_str(), schema["pattern"].as_str()) {
            (Some("uuid"), _) => "0192d3a4-7c1e-7e6b-9a51-3f2b8c1d4e5f",
            (Some("date-time"), _) => "2026-01-02T03:04:05Z",
            (_, Some(pattern)) if pattern.starts_with("^MD-") => "MD-201",
            (_, Some(_)) => "shop",
            _ => "1.0.0",
        }
    }
}

async fn answer(State(document): State<Arc<Document>>, request: Request) -> Response {
    let method = request.method().as_str().to_owned();
    let path = request.uri().path().to_owned();
    let Some(operation) = document.find(&method, &path) else {
        document.fault(format!("{method} {path} is not in the document"));
        return Response::builder().status(404).body(Body::empty()).unwrap();
    };
    let id = operation["operationId"].as_str().unwrap().to_owned();
    check_request(&document, &id, operation, request).await;
    document.called.lock().unwrap().insert(id);
    let (status, described) = operation["responses"]
        .as_object()
        .unwrap()
        .iter()
        .next()
        .unwrap();
    let content = described["content"]
        .as_object()
        .and_then(|content| content.iter().next());
    let response = Response::builder().status(status.as_str());
    let Some((media, content)) = content else {
        return response.body(Body::empty()).unwrap();
    };
    let sample = document.sample(&content["schema"]).to_string();
    let body = match media.as_str() {
        "text/event-stream" => format!(": hello\n\nevent: journal\ndata: {sample}\n\n"),
        _ => sample,
    };
    response
        .header("content-type", media)
        .body(Body::from(body))
        .unwrap()
}

async fn check_request(document: &Document, id: &str, operation: &Value, request: Request) {
    let secured = operation["security"].is_array();
    let bearer = request
        .headers()
        .get("authorization")
        .is_some_and(|v| v == "Bearer the-token");
    if secured && !bearer {
        document.fault(format!("{id}: no token"));
    }
    let declared: BTreeSet<&str> = operation["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|parameter| parameter["in"] == "query")
        .map(|parameter| parameter["name"].as_str().unwrap())
        .collect();
    for pair in request
        .uri()
        .query()
        .unwrap_or("")
        .split('&')
        .filter(|pair| !pair.is_empty())
    {
        let name = pair.split('=').next().unwrap();
        if !declared.contains(name) {
            document.fault(format!("{id}: the parameter {name} is not in the document"));
        }
    }
    let media = request
        .headers()
        .get("content-type")
        .map(|v| v.to_str().unwrap().to_owned());
    let body: Bytes = axum::body::to_bytes(request.into_body(), 1 << 20)
        .await
        .unwrap();
    match (&operation["requestBody"], media) {
        (Value::Null, None) if body.is_empty() => {}
        (Value::Null, _) => document.fault(format!("{id}: the document knows no body")),
        (described, Some(media)) => {
            if described["content"].get(&media).is_none() {
                document.fault(format!("{id}: {media} is not in the document"));
            }
        }
        (described, None) => {
            if described["required"] == true {
                document.fault(format!("{id}: the body is missing"));
            }
        }
    }
}

async fn call_everything(client: &AgentClient) -> Result<(), Error> {
    let id = flame_types::WorkflowId {
        namespace: "shop".parse().unwrap(),
        name: "orders".parse().unwrap(),
        version: "1.0.0".parse().unwrap(),
    };
    let run = "0192d3a4-7c1e-7e6b-9a51-3f2b8c1d4e5f".parse().unwrap();
    client.ready().await?;
    client.status().await?;
    client.metrics().await?;
    let changes: Vec<_> = client.changes().await?.collect().await;
    assert!(matches!(changes.as_slice(), [Ok(_)]), "{changes:?}");
    client.outbound().await?;
    client
        .events(&EventQuery {
            after: Some(1),
            kind: Some("a b".into()),
            limit: Some(2),
        })
        .await?;
    client.validate(Format::Yaml, "do: []").await?;
    client.workflows().await?;
    client.workflow(&id).await?;
    client.put_workflow(&id, Format::Json, "{}").await?;
    client.delete_workflow(&id).await?;
    let wait = Some(std::time::Duration::from_secs(30));
    let options = StartOptions {
        wait,
        idempotency_key: Some("k".into()),
    };
    client.start_run(&id, &json!({"a": 1}), &options).await?;
    let test = TestRequest {
        task: Some("/do/0/a".into()),
        ..TestRequest::default()
    };
    client.start_test(&id, &test, wait).await?;
    let query = RunQuery {
        text: Some("ö&=".into()),
        conditions: Some("input/a=1 and output/b~x".into()),
        limit: Some(5),
        ..RunQuery::default()
    };
    client.runs(&query).await?;
    client.run(run).await?;
    client
        .journal(
            run,
            &JournalQuery {
                after: Some(3),
                limit: Some(4),
            },
        )
        .await?;
    client
        .lifecycle(
            run,
            &JournalQuery {
                after: Some(3),
                limit: Some(4),
            },
        )
        .await?;
    let events: Vec<_> = client.follow_run(run, 3).await?.collect().await;
    assert!(
        matches!(events.as_slice(), [Ok(RunEvent::Journal(_))]),
        "{events:?}"
    );
    client.cancel_run(run, true).await?;
    client.retry_compensation(run, 1).await?;
    client.skip_compensation(run, 1).await?;
    let event = json!({
        "specversion": "1.0",
        "id": "1",
        "source": "/shop",
        "type": "com.example.placed",
    });
    client.post_events(&[event]).await?;
    client.person_tasks().await?;
    pin!(client.container_orders().await?)
        .next()
        .await
        .unwrap()?;
    let ended = ContainerOutcome {
        ended: Some(ContainerEnd::default()),
        fault: None,
    };
    assert!(client.tell_container("0a1b", &ended).await?);
    let allowed = HostExecutionPut {
        workflows: vec![HostExecutionGrant {
            namespace: "shop".parse().unwrap(),
            name: "orders".parse().unwrap(),
            programs: vec!["0f".repeat(32).parse().unwrap()],
        }],
    };
    client.put_host_execution(&allowed).await?;
    client
        .answer(run, "/do/0/ask", &json!({"approved": true}))
        .await?;
    client.suspend_run(run).await?;
    client.resume_run(run).await?;
    client.retry_run(run).await?;
    client
        .replay_run(
            run,
            &ReplayRequest {
                task: "/do/0/a".into(),
                input: None,
                context: Some(json!({"n": 1})),
            },
        )
        .await?;
    call_the_rest(client).await
}

async fn call_the_rest(client: &AgentClient) -> Result<(), Error> {
    let connection = ConnectionPut {
        kind: "postgres".into(),
        settings: json!({"host": "localhost"}),
        secret: Some(SecretText::new("s")),
    };
    client.connectors().await?;
    client.connections().await?;
    client.connection("db").await?;
    client.put_connection("db", &connection).await?;
    client.check_connection("db", None).await?;
    client.check_connection("db", Some(&connection)).await?;
    client.delete_connection("db").await?;
    client
        .dead_letters(&DeadLetterQuery {
            limit: Some(3),
            ..Default::default()
        })
        .await?;
    client.dead_letter(7).await?;
    client.put_dead_letter(7, "a,b").await?;
    client.send_dead_letter(7).await?;
    client.discard_dead_letter(7).await?;
    client.pipelines().await?;
    client.pipeline("shop", "rows").await?;
    client
        .put_pipeline("shop", "rows", Format::Yaml, "a: 1")
        .await?;
    client.delete_pipeline("shop", "rows").await?;
    let query = FeedQuery {
        identity: "i".into(),
        offset: 9,
        ..FeedQuery::default()
    };
    let body = futures::stream::iter([Ok(Bytes::from("a,b\n")), Ok(Bytes::from("1,2\n"))]);
    client
        .feed("shop", "rows", &query, "text/csv", body)
        .await?;
    client.feeds("shop", "rows", Some("i")).await?;
    Ok(())
}

#[tokio::test]
async fn every_call_is_as_the_document_says() {
    let document = Arc::new(Document::load());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new()
        .fallback(answer)
        .with_state(Arc::clone(&document));
    let server = tokio::spawn(axum::serve(listener, router).into_future());

    let client = AgentClient::new(&base, SecretText::new("the-token")).unwrap();
    let outcome = call_everything(&client).await;
    let faults = document.faults.lock().unwrap().clone();
    assert!(faults.is_empty(), "{faults:#?}");
    outcome.unwrap();

    let called = document.called.lock().unwrap().clone();
    let described: BTreeSet<String> = document
        .operations()
        .map(|(_, _, operation)| operation["operationId"].as_str().unwrap().to_owned())
        .filter(|id| !NOT_FOR_THE_CLIENT.contains(&id.as_str()))
        .collect();
    assert_eq!(
        called, described,
        "each operation of the document has its call"
    );
    server.abort();
}

#[tokio::test]
async fn a_problem_keeps_its_code_and_a_stranger_is_told_apart() {
    let router = Router::new()
        .route(
            "/api/v1/status",
            axum::routing::get(async || {
                let problem = flame_agent_client::api::Problem::new(
                    flame_errors::Code::Unauthorized,
                    "the token is wrong",
                );
                Response::builder()
                    .status(401)
                    .header("content-type", "application/problem+json")
                    .body(Body::from(serde_json::to_string(&problem).unwrap()))
                    .unwrap()
            }),
        )
        .fallback(async || "hello from another server");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(axum::serve(listener, router).into_future());
    let client = AgentClient::new(&base, SecretText::new("x")).unwrap();
    let error = client.status().await.unwrap_err();
    assert_eq!(error.code(), flame_errors::Code::Unauthorized);
    assert_eq!(error.problem().unwrap().detail, "the token is wrong");
    assert!(matches!(
        client.workflows().await.unwrap_err(),
        Error::Unexpected { .. }
    ));
    server.abort();
    let _ = server.await;
    let error = client.status().await.unwrap_err();
    assert!(
        matches!(error, Error::Unreachable { .. } | Error::Unexpected { .. }),
        "{error}"
    );
}

#[tokio::test]
#[ignore = "run by `no_proxy_of_the_environment_sees_the_token`, behind one"]
async fn an_agent_is_asked() {
    let router = Router::new().fallback(async || "the agent itself");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(axum::serve(listener, router).into_future());
    let client = AgentClient::new(&base, SecretText::new("x")).unwrap();
    let error = client.status().await.unwrap_err();
    assert!(
        matches!(error, Error::Unexpected { status: 200, .. }),
        "{error}"
    );
    server.abort();
}

/// The variables belong to a process, so the case runs in one of its own.
#[test]
fn no_proxy_of_the_environment_sees_the_token() {
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let mut case = std::process::Command::new(std::env::current_exe().unwrap());
    case.args(["--exact", "an_agent_is_asked", "--ignored"])
        .env_remove("NO_PROXY")
        .env_remove("no_proxy");
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        case.env(name, &address).env(name.to_lowercase(), &address);
    }
    let output = case.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && told.contains("1 passed"),
        "{told}"
    );
    let nobody = proxy.accept().unwrap_err();
    assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock);
}
