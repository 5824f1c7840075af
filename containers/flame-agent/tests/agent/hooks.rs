//! Webhooks: what a sender may send, how it proves itself, and what it is told.

use std::io::Write as _;

use flame_errors::Code;
use reqwest::Response;
use serde_json::{Value, json};
use standardwebhooks::Webhook;

use crate::compensations::until;
use crate::harness::{JSON, Served, YAML, hooked, problem};

const ECHO: &str = "do: [{ echo: { set: '${ {got: .} }' } }]";
const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

async fn deploy(agent: &Served, name: &str, webhook: &str, rest: &str) -> Response {
    agent
        .request("PUT", &format!("/api/v1/workflows/test/{name}/1.0.0"))
        .header("content-type", YAML)
        .body(hooked(name, webhook, rest))
        .send()
        .await
        .unwrap()
}

/// An agent with one webhook at `/hooks/in`, and what stands in its declaration beside the path.
async fn serving(declaration: &str, rest: &str) -> Served {
    let agent = Served::start();
    let webhook = format!("path: in{declaration}");
    let deployed = deploy(&agent, "in", &webhook, rest).await;
    let status = deployed.status();
    assert_eq!(status, 201, "{}", deployed.text().await.unwrap());
    agent
}

async fn call(agent: &Served, body: &'static str) -> Response {
    agent
        .bare("POST", "/hooks/in")
        .header("content-type", JSON)
        .body(body)
        .send()
        .await
        .unwrap()
}

async fn set_secret(agent: &Served, secret: &str) {
    let put = agent.request("PUT", "/api/v1/connections/sender");
    let put = put
        .json(&json!({"kind": "secret", "secret": secret}))
        .send()
        .await
        .unwrap();
    assert_eq!(put.status(), 201);
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn an_accepted_request_is_a_committed_run() {
    let mut agent = serving("", ECHO).await;
    let response = call(&agent, "{\"order\": 7}").await;
    assert_eq!(response.status(), 202);
    let body: Value = response.json().await.unwrap();
    let id = body["runId"].as_str().unwrap().to_owned();
    agent.restart();
    let path = format!("/api/v1/runs/{id}");
    agent
        .request("GET", &format!("{path}/events"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let run = agent.get(&path).await;
    assert_eq!(
        (&run["status"], &run["trigger"]),
        (&json!("completed"), &json!("webhook"))
    );
    assert_eq!(run["output"], json!({"got": {"order": 7}}));
}

#[tokio::test]
async fn the_answer_may_be_the_output() {
    let agent = serving(", answer: output", ECHO).await;
    let response = call(&agent, "[1]").await;
    assert_eq!(
        (
            response.status().as_u16(),
            response.json::<Value>().await.unwrap()
        ),
        (200, json!({"got": [1]}))
    );

    let fails = "do: [{ a: { raise: { error: { type: 'https://e.example/odd', status: 418, title: Out of tea, detail: canary-9 } } } }]";
    deploy(&agent, "fails", "path: fails, answer: output", fails).await;
    let request = agent.bare("POST", "/hooks/fails").json(&json!({}));
    let found = problem(request.send().await.unwrap(), Code::RunFaulted).await;
    assert!(
        found.detail.contains("Out of tea") && !found.detail.contains("canary"),
        "{}",
        found.detail
    );
}

#[tokio::test]
async fn method_and_type_are_the_documents() {
    let agent = serving(
        ", method: PUT, contentType: application/cloudevents+json",
        ECHO,
    )
    .await;
    let send = |method: &str, media: &'static str| {
        agent
            .bare(method, "/hooks/in")
            .header("content-type", media)
            .body("{}")
            .send()
    };
    for method in ["POST", "GET", "DELETE", "PATCH"] {
        let response = send(method, "application/cloudevents+json").await.unwrap();
        assert_eq!(response.headers()["allow"], "PUT");
        problem(response, Code::MethodNotAllowed).await;
    }
    for media in [JSON, "text/plain", "application/cloudevents"] {
        problem(
            send("PUT", media).await.unwrap(),
            Code::UnsupportedMediaType,
        )
        .await;
    }
    let untyped = agent
        .bare("PUT", "/hooks/in")
        .body("{}")
        .send()
        .await
        .unwrap();
    problem(untyped, Code::UnsupportedMediaType).await;
    let good = send("PUT", "application/cloudevents+json; charset=utf-8")
        .await
        .unwrap();
    assert_eq!(good.status(), 202);
    problem(
        agent.bare("POST", "/hooks/none").send().await.unwrap(),
        Code::NotFound,
    )
    .await;
    problem(
        agent.bare("POST", "/hooks/").send().await.unwrap(),
        Code::NotFound,
    )
    .await;
}

#[tokio::test]
async fn what_is_not_readable_json_is_refused_and_starts_nothing() {
    let agent = serving("", ECHO).await;
    let send = |body: Vec<u8>, encoding: &'static str| {
        let request = agent.bare("POST", "/hooks/in").header("content-type", JSON);
        request
            .header("content-encoding", encoding)
            .body(body)
            .send()
    };
    let found = problem(call(&agent, "{\"a\": 1,\n}").await, Code::BodyInvalid).await;
    assert_eq!((found.problems[0].line, found.problems[0].column), (2, 1));
    problem(call(&agent, "").await, Code::BodyInvalid).await;
    problem(call(&agent, "<order/>").await, Code::BodyInvalid).await;
    problem(
        send(b"\"\xc3\x28\"".to_vec(), "identity").await.unwrap(),
        Code::BodyInvalid,
    )
    .await;
    problem(
        send(vec![b'['; 900_000], "identity").await.unwrap(),
        Code::BodyInvalid,
    )
    .await;

    let large = vec![b' '; 1024 * 1024 + 1];
    problem(
        send(large.clone(), "identity").await.unwrap(),
        Code::BodyTooLarge,
    )
    .await;
    problem(
        send(packed(&large), "gzip").await.unwrap(),
        Code::BodyTooLarge,
    )
    .await;
    let bomb = packed(&vec![b' '; 200_000_000]);
    assert!(bomb.len() < 1024 * 1024);
    problem(send(bomb, "gzip").await.unwrap(), Code::BodyTooLarge).await;
    let whole = packed(b"{}");
    let cut = whole[..whole.len() - 6].to_vec();
    problem(send(cut, "gzip").await.unwrap(), Code::BodyInvalid).await;
    problem(
        send(b"{}".to_vec(), "gzip").await.unwrap(),
        Code::BodyInvalid,
    )
    .await;
    problem(
        send(b"{}".to_vec(), "br").await.unwrap(),
        Code::UnsupportedMediaType,
    )
    .await;
    assert_eq!(
        agent.get("/api/v1/runs").await["items"],
        json!([]),
        "nothing was started"
    );
    assert_eq!(send(whole, "gzip").await.unwrap().status(), 202);
}

#[tokio::test]
async fn an_input_that_does_not_fit_is_the_senders_to_repair() {
    let schema = "input: { schema: { document: { type: object, required: [id] } } }\n";
    let agent = serving("", &format!("{schema}{ECHO}")).await;
    let found = problem(call(&agent, "{}").await, Code::InputInvalid).await;
    assert!(found.detail.contains("\"id\""), "{}", found.detail);
    assert_eq!(call(&agent, "{\"id\": 1}").await.status(), 202);
}

/// What is wrong at the bottom is told by every level above it, once for each branch: 2^45 times.
#[tokio::test]
async fn what_a_recursive_schema_refuses_far_down_is_refused_at_once() {
    let schema = r##"input: { schema: { document: { $ref: "#/$defs/filter", $defs: { filter: { oneOf: [
  { type: object, required: [op, args], properties: { args: { type: array, items: { $ref: "#/$defs/filter" } }, op: { const: and } } },
  { type: object, required: [op, args], properties: { args: { type: array, items: { $ref: "#/$defs/filter" } }, op: { const: or } } },
  { type: object, required: [field], properties: { field: { type: string } }, additionalProperties: false } ] } } } } }
"##;
    let agent = serving("", &format!("{schema}{ECHO}")).await;
    let filter = |field: Value, levels: usize| {
        (0..levels).fold(
            json!({"field": field}),
            |filter, _| json!({"op": "or", "args": [filter]}),
        )
    };
    let send = |body: Value| {
        let request = agent.bare("POST", "/hooks/in");
        request.json(&body).send()
    };
    let deep = problem(
        send(filter(json!(5), 45)).await.unwrap(),
        Code::InputInvalid,
    )
    .await;
    assert!(
        deep.detail
            .contains("telling where takes more steps than it may"),
        "{}",
        deep.detail
    );
    let near = problem(send(filter(json!(5), 2)).await.unwrap(), Code::InputInvalid).await;
    assert!(near.detail.contains("oneOf"), "{}", near.detail);
    assert_eq!(send(filter(json!("name"), 45)).await.unwrap().status(), 202);
}

/// Each level of the schema holds what is below against the next one twice: 2^60 times.
fn doubling() -> Value {
    let level = |level: usize| {
        let next = json!({"$ref": format!("#/$defs/l{}", level + 1)});
        json!({"properties": {"a": {"allOf": [next, next]}}})
    };
    let mut parts: serde_json::Map<String, Value> =
        (0..60).map(|at| (format!("l{at}"), level(at))).collect();
    parts.insert("l60".to_owned(), json!({"type": "object"}));
    json!({"$ref": "#/$defs/l0", "$defs": parts})
}

#[tokio::test]
async fn a_schema_that_takes_too_many_steps_refuses_its_input_and_nobody_elses() {
    let schema = format!("input: {{ schema: {{ document: {} }} }}\n", doubling());
    let agent = serving("", &format!("{schema}{ECHO}")).await;
    assert_eq!(
        deploy(&agent, "other", "path: other", ECHO).await.status(),
        201
    );
    let nested = (0..60).fold(json!({}), |inner, _| json!({"a": inner}));
    let send = |path: &'static str, body: &Value| {
        let request = agent.bare("POST", path);
        request.json(body).send()
    };
    let shallow = json!({"a": {"a": {}}});
    let (refused, others, taken) = tokio::join!(
        futures::future::join_all((0..4).map(|_| send("/hooks/in", &nested))),
        futures::future::join_all((0..8).map(|_| send("/hooks/other", &nested))),
        send("/hooks/in", &shallow),
    );
    for answer in refused {
        let found = problem(answer.unwrap(), Code::InputInvalid).await;
        assert!(
            found.detail.contains("more steps than it may (10000000)"),
            "{}",
            found.detail
        );
    }
    for answer in others {
        assert_eq!(answer.unwrap().status(), 202);
    }
    assert_eq!(taken.unwrap().status(), 202);
    let runs = agent.get("/api/v1/runs").await;
    assert_eq!(runs["items"].as_array().unwrap().len(), 9, "{runs:#}");
}

#[tokio::test]
async fn a_secret_is_asked_for_and_compared() {
    let agent = serving(", secret: { connection: sender }", ECHO).await;
    let send = |token: &'static str| {
        let request = agent
            .bare("POST", "/hooks/in")
            .header("content-type", JSON)
            .body("{}");
        if token.is_empty() {
            request.send()
        } else {
            request.bearer_auth(token).send()
        }
    };
    problem(send("s3cret").await.unwrap(), Code::ConnectionUnknown).await;
    set_secret(&agent, "s3cret").await;
    for wrong in ["", "s3cre", "s3cret7", "S3CRET"] {
        let response = send(wrong).await.unwrap();
        assert!(response.headers().contains_key("www-authenticate"));
        problem(response, Code::SignatureInvalid).await;
    }
    assert_eq!(send("s3cret").await.unwrap().status(), 202);
    let api = agent.agent().token.clone();
    let request = agent
        .bare("POST", "/hooks/in")
        .bearer_auth(api)
        .json(&json!({}));
    problem(request.send().await.unwrap(), Code::SignatureInvalid).await;
}

/// A request signed as Standard Webhooks says.
fn signed(agent: &Served, id: &str, at: i64, body: &str, sent: &str) -> reqwest::RequestBuilder {
    let signature = Webhook::new(SECRET)
        .unwrap()
        .sign(id, at, body.as_bytes())
        .unwrap();
    agent
        .bare("POST", "/hooks/in")
        .header("content-type", JSON)
        .header("webhook-id", id)
        .header("webhook-timestamp", at.to_string())
        .header("webhook-signature", format!("v1,bm90IGl0 {signature}"))
        .body(sent.to_owned())
}

#[tokio::test]
async fn a_standard_webhooks_signature_covers_id_time_and_body() {
    let agent = serving(
        ", signature: { standardWebhooks: { connection: sender } }",
        ECHO,
    )
    .await;
    let now = flame_types::Timestamp::now().as_second();
    let body = "{\"amount\": 10}";
    let unset = signed(&agent, "msg_1", now, body, body)
        .send()
        .await
        .unwrap();
    problem(unset, Code::ConnectionUnknown).await;
    set_secret(&agent, SECRET).await;

    let refused = async |request: reqwest::RequestBuilder, word: &str| {
        let found = problem(request.send().await.unwrap(), Code::SignatureInvalid).await;
        assert!(found.detail.contains(word), "{word}: {}", found.detail);
    };
    refused(
        signed(&agent, "msg_1", now, body, "{\"amount\": 99}"),
        "signature",
    )
    .await;
    refused(signed(&agent, "msg_1", now - 301, body, body), "ago").await;
    refused(signed(&agent, "msg_1", now + 360, body, body), "ahead").await;
    let bare = agent
        .bare("POST", "/hooks/in")
        .header("content-type", JSON)
        .body(body);
    refused(bare, "webhook-id").await;
    let signature = Webhook::new(SECRET)
        .unwrap()
        .sign("msg_1", now, body.as_bytes())
        .unwrap();
    let other = agent
        .bare("POST", "/hooks/in")
        .header("content-type", JSON)
        .body(body);
    let other = other
        .header("webhook-id", "msg_2")
        .header("webhook-timestamp", now.to_string())
        .header("webhook-signature", signature);
    refused(other, "signature").await;

    let first = signed(&agent, "msg_1", now, body, body)
        .send()
        .await
        .unwrap();
    assert_eq!(first.status(), 202);
    let first: Value = first.json().await.unwrap();
    let again = signed(&agent, "msg_1", now + 1, body, body)
        .send()
        .await
        .unwrap();
    assert_eq!(
        again.json::<Value>().await.unwrap()["runId"],
        first["runId"],
        "a message counts once"
    );
    let overheard = signed(&agent, "msg_1", now, body, body).header("idempotency-key", "other");
    let replayed: Value = overheard.send().await.unwrap().json().await.unwrap();
    assert_eq!(
        replayed["runId"], first["runId"],
        "a key that nobody signed makes no second run"
    );
    let changed = signed(&agent, "msg_1", now, "{}", "{}")
        .send()
        .await
        .unwrap();
    problem(changed, Code::IdempotencyConflict).await;
    let packed_body = packed(body.as_bytes());
    let packed = signed(&agent, "msg_3", now, body, "").header("content-encoding", "gzip");
    assert_eq!(packed.body(packed_body).send().await.unwrap().status(), 202);
}

#[tokio::test]
async fn a_secret_that_is_no_signing_key_is_told_to_its_owner() {
    let agent = serving(
        ", signature: { standardWebhooks: { connection: sender } }",
        ECHO,
    )
    .await;
    set_secret(&agent, "not base64!").await;
    let now = flame_types::Timestamp::now().as_second();
    let response = signed(&agent, "m", now, "{}", "{}").send().await.unwrap();
    let found = problem(response, Code::ConnectionUnknown).await;
    assert!(found.hint.unwrap().contains("whsec_"));
}

#[tokio::test]
async fn one_path_has_one_workflow() {
    let agent = serving("", ECHO).await;
    let taken = deploy(&agent, "other", "path: in", ECHO).await;
    let found = problem(taken, Code::HookConflict).await;
    assert!(
        found.detail.contains("test/in/1.0.0") && found.detail.contains("in"),
        "{}",
        found.detail
    );
    assert_eq!(
        agent.get("/api/v1/workflows").await["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        deploy(&agent, "in", "path: in", ECHO).await.status(),
        200,
        "its own is no conflict"
    );
    let request = agent.request("DELETE", "/api/v1/workflows/test/in/1.0.0");
    assert_eq!(request.send().await.unwrap().status(), 204);
    problem(call(&agent, "{}").await, Code::NotFound).await;
    assert_eq!(
        deploy(&agent, "other", "path: in", ECHO).await.status(),
        201
    );
}

#[tokio::test]
async fn paths_queries_forms_and_text_become_input() {
    let agent = serving("", ECHO).await;
    for (name, webhook) in [
        ("deep", "path: shop/orders/new, answer: output"),
        ("query", "path: q, method: GET, answer: output"),
        (
            "form",
            "path: f, contentType: application/x-www-form-urlencoded, answer: output",
        ),
        ("text", "path: t, contentType: text/plain, answer: output"),
    ] {
        assert_eq!(
            deploy(&agent, name, webhook, ECHO).await.status(),
            201,
            "{name}"
        );
    }
    let answer = async |request: reqwest::RequestBuilder| {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.json::<Value>().await.unwrap()["got"].clone()
    };
    let deep = agent
        .bare("POST", "/hooks/shop/orders/new")
        .json(&json!({"a": 1}));
    assert_eq!(answer(deep).await, json!({"a": 1}));
    assert_eq!(
        answer(agent.bare("GET", "/hooks/q?a=1&b=x%20y&a=2")).await,
        json!({"a": ["1", "2"], "b": "x y"})
    );
    let form = agent
        .bare("POST", "/hooks/f")
        .header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(
        answer(form.body("text=a+b&n=1")).await,
        json!({"text": "a b", "n": "1"})
    );
    let text = agent
        .bare("POST", "/hooks/t")
        .header("content-type", "text/plain");
    assert_eq!(
        answer(text.body("gr\u{fc}\u{df}e")).await,
        json!("gr\u{fc}\u{df}e")
    );
    let body = agent
        .bare("GET", "/hooks/q")
        .body("{}")
        .send()
        .await
        .unwrap();
    problem(body, Code::UnsupportedMediaType).await;
}

#[tokio::test]
async fn hooks_pass_the_lists_but_need_no_token() {
    let agent = serving("", ECHO).await;
    let post = || agent.bare("POST", "/hooks/in").json(&json!({}));
    let foreign = post().header("host", "evil.example").send().await.unwrap();
    problem(foreign, Code::ForeignHost).await;
    let page = post()
        .header("origin", "https://evil.example")
        .send()
        .await
        .unwrap();
    problem(page, Code::ForeignOrigin).await;
    assert_eq!(post().send().await.unwrap().status(), 202);
}

/// `serde_json` has a meaning of its own for this key in a build with the window.
#[tokio::test]
async fn data_comes_back_as_it_went_in_whatever_its_keys_are() {
    const ODD: &str = r#"{"$serde_json::private::RawValue":"[1, 2"}"#;
    let partner = axum::Router::new().fallback(async || ([("content-type", JSON)], ODD));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let partner = tokio::spawn(async move { axum::serve(listener, partner).await });
    let mut agent = serving(
        ", answer: output",
        &format!(
            "do:
  - read: {{ set: {{ sent: '${{ .sent }}', parsed: '${{ .text | fromjson }}', hold: '${{ .hold }}' }} }}
  - own: {{ set: {{ sent: '${{ .sent }}', parsed: '${{ .parsed }}', hold: '${{ .hold }}', own: {{ '$serde_json::private::RawValue': '[1, 2' }} }} }}
  - ask: {{ call: http, with: {{ method: get, endpoint: 'http://{address}/' }}, output: {{ as: '${{ $input + {{got: .}} }}' }} }}
  - hold: {{ if: .hold, wait: {{ hours: 1 }} }}
"
        ),
    )
    .await;
    let body = |hold: bool| {
        format!(
            "{{\"sent\":{ODD},\"text\":{},\"hold\":{hold}}}",
            Value::from(ODD)
        )
    };
    let answer = agent
        .bare("POST", "/hooks/in")
        .header("content-type", JSON)
        .body(body(false))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(
        answer.text().await.unwrap(),
        format!("{{\"sent\":{ODD},\"parsed\":{ODD},\"hold\":false,\"own\":{ODD},\"got\":{ODD}}}")
    );

    let begun = agent
        .request("POST", "/api/v1/workflows/test/in/1.0.0/runs")
        .header("content-type", JSON)
        .body(body(true))
        .send()
        .await
        .unwrap();
    assert_eq!(begun.status(), 201);
    let path = begun.headers()["location"].to_str().unwrap().to_owned();
    let text = async |agent: &Served, path: &str| {
        let answer = agent.request("GET", path).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.text().await.unwrap()
    };
    let events = agent.request("GET", &format!("{path}/events")).send();
    until(events.await.unwrap(), "timerArmed").await;
    agent.restart();
    let input = format!("\"input\":{}", body(true));
    assert!(text(&agent, &path).await.contains(&input));
    let journal = text(&agent, &format!("{path}/journal")).await;
    assert!(journal.contains(&format!("\"got\":{ODD}")), "{journal}");
    let cancelled = agent
        .request("POST", &format!("{path}/cancel"))
        .send()
        .await
        .unwrap();
    assert_eq!(cancelled.status(), 200);
    partner.abort();
}
