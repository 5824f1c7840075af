//! The API as its document describes it, over real HTTP.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::Stdio;

use flame_agent_api::Operation;
use flame_errors::Code;
use flame_testkit::Effects;
use serde_json::{Value, json};

use crate::harness::{Served, YAML, problem, workflow};

const DOUBLE: &str = "do: [{ double: { set: { twice: '${ .n * 2 }' } } }]";
const WAIT: &str = "do: [{ pause: { wait: PT1H } }, { after: { set: { done: true } } }]";

#[tokio::test]
async fn workflows_are_put_read_listed_and_deleted() {
    let agent = Served::start();
    let path = "/api/v1/workflows/test/double/1.0.0";
    problem(
        agent.request("GET", path).send().await.unwrap(),
        Code::NotFound,
    )
    .await;
    for expected in [201, 200] {
        assert_eq!(agent.put("double", DOUBLE).await.status(), expected);
    }
    let view = agent.get(path).await;
    assert_eq!(view["text"], workflow("double", DOUBLE));
    assert_eq!(
        (&view["namespace"], &view["name"]),
        (&json!("test"), &json!("double"))
    );
    agent.run("double", &json!({"n": 4})).await;
    let list = agent.get("/api/v1/workflows").await;
    assert_eq!(list["items"][0]["hash"], view["hash"]);
    assert_eq!(list["items"][0]["runs"]["completed"], 1);
    assert_eq!(list["items"][0].get("text"), None);

    assert_eq!(
        agent.request("DELETE", path).send().await.unwrap().status(),
        204
    );
    problem(
        agent.request("DELETE", path).send().await.unwrap(),
        Code::NotFound,
    )
    .await;
    problem(
        agent.request("GET", path).send().await.unwrap(),
        Code::NotFound,
    )
    .await;
    let runs = agent.get("/api/v1/runs").await;
    assert_eq!(
        runs["items"].as_array().unwrap().len(),
        1,
        "ended runs stay readable"
    );
}

#[tokio::test]
async fn a_definition_may_be_json() {
    let agent = Served::start();
    let document = json!({
        "document": {"dsl": "1.0.3", "namespace": "test", "name": "j", "version": "1.0.0"},
        "do": [{"a": {"set": {"b": 1}}}],
    });
    let put = agent.request("PUT", "/api/v1/workflows/test/j/1.0.0");
    assert_eq!(put.json(&document).send().await.unwrap().status(), 201);
    assert_eq!(agent.run("j", &json!({})).await["output"], json!({"b": 1}));
}

#[tokio::test]
async fn path_and_document_must_agree() {
    let agent = Served::start();
    let put = |path: &str| {
        agent
            .request("PUT", &format!("/api/v1/workflows/{path}"))
            .header("content-type", YAML)
            .body(workflow("double", DOUBLE))
            .send()
    };
    for path in [
        "other/double/1.0.0",
        "test/other/1.0.0",
        "test/double/1.0.1",
    ] {
        let found = problem(put(path).await.unwrap(), Code::PathMismatch).await;
        assert!(
            found.detail.contains("test/double/1.0.0"),
            "{}",
            found.detail
        );
    }
    for path in ["te_st/double/1.0.0", "test/double/one", "test/double/1.0"] {
        problem(put(path).await.unwrap(), Code::ParameterInvalid).await;
    }
    assert_eq!(agent.get("/api/v1/workflows").await["items"], json!([]));
}

#[tokio::test]
async fn every_problem_of_a_definition_is_listed_with_its_place() {
    let agent = Served::start();
    let broken =
        "do:\n  - a: { set: { x: '${ .y | }' } }\n  - a: { nope: 1 }\n  - b: { set: {}, then: c }";
    let found = problem(agent.put("broken", broken).await, Code::DefinitionInvalid).await;
    assert!(found.problems.len() >= 3, "{:#?}", found.problems);
    for one in &found.problems {
        assert!(
            one.line >= 3 && one.column > 0 && !one.message.is_empty(),
            "{one:#?}"
        );
    }
    let cut = &workflow("cut", "do:\n  - a: { set: { x: [1, 2");
    let put = agent
        .request("PUT", "/api/v1/workflows/test/cut/1.0.0")
        .header("content-type", YAML);
    let found = put.body(cut.clone()).send().await.unwrap();
    let found = problem(found, Code::DefinitionInvalid).await;
    assert!(found.problems[0].line >= 3, "{:#?}", found.problems);
}

#[tokio::test]
async fn huge_and_deep_definitions_are_refused_and_the_agent_goes_on() {
    let agent = Served::start();
    let put = |body: reqwest::Body| {
        let put = agent.request("PUT", "/api/v1/workflows/test/huge/1.0.0");
        put.header("content-type", YAML).body(body).send()
    };
    let huge = vec![b' '; 100 * 1024 * 1024];
    problem(put(huge.into()).await.unwrap(), Code::DefinitionTooLarge).await;
    // The same without a length, as a stream.
    let piece = bytes::Bytes::from(vec![b' '; 1024 * 1024]);
    let pieces =
        futures::stream::iter((0..100).map(move |_| Ok::<_, std::io::Error>(piece.clone())));
    let streamed = put(reqwest::Body::wrap_stream(pieces)).await.unwrap();
    problem(streamed, Code::DefinitionTooLarge).await;
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let refused = put(deep.into()).await.unwrap();
    assert!([413, 422].contains(&refused.status().as_u16()));
    assert_eq!(agent.put("double", DOUBLE).await.status(), 201);
}

#[tokio::test]
async fn connections_hold_secrets_and_never_show_them() {
    let agent = Served::start();
    let path = "/api/v1/connections/orders-db";
    let put = |body: Value| agent.request("PUT", path).json(&body).send();
    let good = json!({"kind": "secret", "secret": "canary-4711"});
    assert_eq!(put(good.clone()).await.unwrap().status(), 201);
    let replaced = put(good).await.unwrap();
    assert_eq!(replaced.status(), 200);
    assert!(!replaced.text().await.unwrap().contains("canary"));
    let view = agent.get(path).await;
    assert_eq!(
        (&view["kind"], &view["hasSecret"]),
        (&json!("secret"), &json!(true))
    );
    let list = agent.get("/api/v1/connections").await;
    assert_eq!(list["items"], json!([view]));

    problem(
        put(json!({"kind": "oracle"})).await.unwrap(),
        Code::ParameterInvalid,
    )
    .await;
    let unfit = put(json!({"kind": "postgres", "settings": {"port": "x"}, "secret": "canary-2"}));
    let found = problem(unfit.await.unwrap(), Code::ParameterInvalid).await;
    assert!(!format!("{found:?}").contains("canary"), "{found:?}");
    problem(
        put(json!({"kind": "secret", "sekret": "canary-3"}))
            .await
            .unwrap(),
        Code::BodyInvalid,
    )
    .await;
    let bad = agent
        .request("PUT", "/api/v1/connections/a%20b")
        .json(&json!({"kind": "secret"}));
    problem(bad.send().await.unwrap(), Code::ParameterInvalid).await;

    assert_eq!(
        agent.request("DELETE", path).send().await.unwrap().status(),
        204
    );
    problem(
        agent.request("DELETE", path).send().await.unwrap(),
        Code::NotFound,
    )
    .await;
    problem(
        agent.request("GET", path).send().await.unwrap(),
        Code::NotFound,
    )
    .await;
    let check = agent
        .request("POST", &format!("{path}/check"))
        .send()
        .await
        .unwrap();
    problem(check, Code::NotFound).await;
    assert!(
        !agent.agent().log().contains("canary"),
        "{}",
        agent.agent().log()
    );
    for entry in std::fs::read_dir(agent.agent().data_dir()).unwrap() {
        let entry = entry.unwrap().path();
        if entry.is_file() {
            let bytes = std::fs::read(&entry).unwrap();
            assert!(
                !bytes.windows(6).any(|part| part == b"canary"),
                "{}",
                entry.display()
            );
        }
    }
}

#[tokio::test]
async fn a_check_says_which_step_fails() {
    let agent = Served::start();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let settings =
        json!({"host": "127.0.0.1", "port": port, "database": "d", "user": "u", "tls": "off"});
    let body = json!({"kind": "postgres", "settings": settings, "secret": "canary-5"});
    let checked = agent.post("/api/v1/connections/new/check", &body).await;
    assert_eq!(checked.status(), 200);
    let check: Value = checked.json().await.unwrap();
    let steps = check["steps"].as_array().unwrap();
    assert_eq!(
        (&check["ok"], &steps.last().unwrap()["ok"]),
        (&json!(false), &json!(false)),
        "{check}"
    );
    assert!(!check.to_string().contains("canary"), "{check}");
    let none = agent
        .request("GET", "/api/v1/connections/new")
        .send()
        .await
        .unwrap();
    problem(none, Code::NotFound).await;
}

#[tokio::test]
async fn connectors_tell_what_they_take() {
    let agent = Served::start();
    let list = agent.get("/api/v1/connectors").await;
    let items = list["items"].as_array().unwrap();
    let kinds: Vec<&str> = items
        .iter()
        .map(|item| item["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["file", "postgres", "sqlite"]);
    let calls: Vec<&str> = items
        .iter()
        .flat_map(|item| item["operations"].as_array().unwrap())
        .map(|operation| operation["call"].as_str().unwrap())
        .collect();
    for call in [
        "file.write:1.0.0@default",
        "postgres.upsert:1.0.0@default",
        "sqlite.upsert:1.0.0@default",
    ] {
        assert!(calls.contains(&call), "{calls:?}");
    }
    assert_eq!(
        (
            items[1]["settingsSchema"]["type"].as_str(),
            items[1]["secret"].is_string()
        ),
        (Some("object"), true)
    );
}

#[tokio::test]
async fn documents_are_checked_and_kept_nowhere() {
    let agent = Served::start();
    let check = async |text: String| -> Value {
        let request = agent
            .request("POST", "/api/v1/validate")
            .header("content-type", YAML);
        let response = request.body(text).send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.json().await.unwrap()
    };
    let good = check(workflow("double", DOUBLE)).await;
    assert_eq!(
        (&good["valid"], &good["kind"]),
        (&json!(true), &json!("workflow"))
    );
    let bad = check(workflow("double", "do: [{ a: { sett: {} } }]")).await;
    assert_eq!(bad["valid"], false);
    assert_eq!(
        (&bad["problems"][0]["line"], &bad["problems"][0]["severity"]),
        (&json!(2), &json!("error"))
    );
    let pipeline = check("pipeline: { namespace: a, name: b }\nsource: { csv: {} }\n".into()).await;
    assert_eq!(
        (&pipeline["valid"], &pipeline["kind"]),
        (&json!(false), &json!("pipeline"))
    );
    assert_eq!(agent.get("/api/v1/workflows").await["items"], json!([]));
}

#[tokio::test]
async fn the_status_and_the_ledger_tell_the_truth() {
    let agent = Served::start();
    let effects = Effects::start().await.unwrap();
    let call = format!(
        "do: [{{ call: {{ call: http, with: {{ method: post, endpoint: '{}/pay' }} }} }}]",
        effects.url()
    );
    agent.deploy("calls", &call).await;
    agent.deploy("wait", WAIT).await;
    agent.run("calls", &json!({})).await;
    agent.begin("wait", &json!({})).await;
    let status = agent.get("/api/v1/status").await;
    assert_eq!(status["pid"], agent.agent().pid());
    assert_eq!(status["storage"]["durability"], "full");
    assert_eq!(status["storage"]["state"], "ok");
    assert_eq!(
        status["storage"]["dataDir"],
        agent.agent().data_dir().to_str().unwrap()
    );
    assert_eq!(status["runs"]["inFlight"], 1);
    for number in [
        &status["storage"]["dataBytes"],
        &status["storage"]["freeBytes"],
        &status["memory"]["rssBytes"],
    ] {
        assert!(number.as_u64().unwrap() > 0, "{status}");
    }
    let ledger = agent.get("/api/v1/outbound").await;
    let host = effects.url();
    assert_eq!(
        ledger["items"][0]["host"],
        host.strip_prefix("http://").unwrap()
    );
    assert_eq!(
        (
            &ledger["items"][0]["calls"],
            &ledger["items"][0]["failures"]
        ),
        (&json!(1), &json!(0))
    );
}

#[tokio::test]
async fn metrics_keep_the_rules_of_the_format() {
    let agent = Served::start();
    agent.deploy("double", DOUBLE).await;
    agent.run("double", &json!({"n": 1})).await;
    let response = agent.request("GET", "/metrics").send().await.unwrap();
    assert_eq!(
        response.headers()["content-type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    let mut text = response.text().await.unwrap();
    check_exposition(&text);
    check_with_promtool(&text);
    let has = |text: &str, line: &str| text.lines().any(|found| found == line);
    // A run is counted right after its answer went out.
    for _ in 0..1_000 {
        if has(&text, "flame_runs_ended_total{status=\"completed\"} 1") {
            break;
        }
        text = agent
            .request("GET", "/metrics")
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
    }
    for line in [
        "flame_runs_started_total 1",
        "flame_runs_ended_total{status=\"completed\"} 1",
        "flame_http_requests_total{operation=\"startRun\",status=\"2xx\"} 1",
    ] {
        assert!(has(&text, line), "{line}\n{text}");
    }
}

/// The judge that others wrote, where `cargo xtask test` put it.
fn check_with_promtool(text: &str) {
    let Some(mut promtool) = flame_testkit::Counterpart::promtool() else {
        return;
    };
    let mut child = promtool
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// What `promtool check metrics` holds a text to.
fn check_exposition(text: &str) {
    let mut kinds = std::collections::BTreeMap::new();
    let mut helped = BTreeSet::new();
    let mut samples = BTreeSet::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(!help.is_empty() && helped.insert(name), "{line}");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(kinds.insert(name, kind).is_none(), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            assert!(samples.insert(series), "{series} comes twice");
            assert!(value.parse::<f64>().unwrap().is_finite(), "{line}");
            let name = series.split('{').next().unwrap();
            assert!(
                name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
                "{name}"
            );
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .filter_map(|suffix| name.strip_suffix(suffix))
                .find(|family| kinds.get(family) == Some(&"histogram"))
                .unwrap_or(name);
            assert!(
                kinds.contains_key(family) && helped.contains(family),
                "{line}"
            );
        }
    }
    assert!(kinds.len() > 10, "{text}");
}

#[tokio::test]
async fn each_address_of_the_document_answers() {
    let agent = Served::start();
    let served = agent
        .request("GET", "/api/v1/openapi.json")
        .send()
        .await
        .unwrap();
    assert_eq!(
        served.text().await.unwrap(),
        flame_agent_api::openapi_json()
    );
    for operation in Operation::ALL {
        let description = operation.description();
        let method = description.method.as_str();
        let path: Vec<String> = description.path.split('/').map(filled).collect();
        let path = path.join("/");
        let response = agent.request(method, &path).send().await.unwrap();
        let status = response.status().as_u16();
        let described: BTreeSet<u16> = description
            .answers
            .iter()
            .map(|answer| answer.status)
            .chain(description.codes.iter().map(|code| code.http_status()))
            .chain([415])
            .collect();
        assert!(
            described.contains(&status),
            "{method} {path} answers {status}"
        );
        if status == 404 {
            let found = problem(response, Code::NotFound).await;
            assert!(
                !found.detail.contains("no address"),
                "{method} {path}: {}",
                found.detail
            );
        }
        let stranger = agent.request("PATCH", &path).send().await.unwrap().status();
        assert!(
            [404, 405].contains(&stranger.as_u16()),
            "PATCH {path} answers {stranger}"
        );
    }
}

fn filled(part: &str) -> String {
    match part {
        "{id}" => "01920000-0000-7000-8000-000000000000".to_owned(),
        "{letter}" | "{number}" => "7".to_owned(),
        "{version}" => "1.0.0".to_owned(),
        variable if variable.starts_with('{') => "none".to_owned(),
        fixed => fixed.to_owned(),
    }
}

#[tokio::test]
async fn health_needs_no_token_and_sigterm_ends_in_order() {
    let mut agent = Served::start();
    for path in ["/health/live", "/health/ready"] {
        let response = agent.bare("GET", path).send().await.unwrap();
        assert_eq!(response.status(), 204);
    }
    assert_eq!(agent.stop(), Some(0));
}
