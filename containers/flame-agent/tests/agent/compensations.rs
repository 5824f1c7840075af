//! Runs that undo what they did: over HTTP, through crashes, with a person.

use flame_errors::Code;
use flame_testkit::Effects;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::harness::{Served, problem};
use crate::server::{Server, json as json_answer};

const STEPS: usize = 12;

fn saga(effects: &str, end: &str) -> String {
    format!(
        "
do:
  - book:
      for: {{ each: n, in: '${{ [range({STEPS})] }}' }}
      do:
        - seat:
            call: http
            with: {{ method: post, endpoint: '${{ \"{effects}/book/\" + ($n | tostring) }}' }}
            metadata:
              mastra.io/compensate:
                - free: {{ call: http, with: {{ method: post, endpoint: '${{ \"{effects}/free/\" + ($n | tostring) }}' }} }}
  - {end}"
    )
}

const FAIL: &str = "fail: { raise: { error: { type: 'https://x.test/full', status: 409 } } }";

/// Waits until the run has ended.
async fn ended(agent: &Served, id: &str) -> Value {
    let path = format!("/api/v1/runs/{id}/events");
    let events = agent.request("GET", &path).send().await.unwrap();
    events.text().await.unwrap();
    agent.get(&format!("/api/v1/runs/{id}")).await
}

/// Answers two requests and leaves the third to the one who kills the agent.
async fn partner() -> Server {
    Server::start(async |number, asked, mut stream| {
        if number % 3 == 2 {
            return std::future::pending().await;
        }
        let answer = json_answer("200 OK", &json!({"path": asked.path()}).to_string());
        stream.write_all(&answer).await.unwrap_or_default();
    })
    .await
}

#[tokio::test]
async fn a_faulted_run_undoes_each_booking_once_whatever_kills_the_agent() {
    let partner = partner().await;
    let mut agent = Served::start();
    agent.deploy("saga", &saga(&partner.url(""), FAIL)).await;
    let id = agent.begin("saga", &json!({})).await;
    // Each life makes two effects, and dies while it makes the third.
    for life in 1..STEPS {
        partner.until(3 * life).await;
        agent.restart();
    }
    let run = ended(&agent, &id).await;
    assert_eq!(
        (&run["status"], &run["error"]["status"]),
        (&json!("faulted"), &json!(409))
    );
    assert_eq!(
        run["compensation"],
        json!({"undone": STEPS, "skipped": 0, "left": 0})
    );
    let mut effects: Vec<(String, String)> = Vec::new();
    for asked in partner.asked() {
        let key = asked.header("idempotency-key").unwrap();
        match effects.iter().find(|(known, _)| *known == key) {
            None => effects.push((key, asked.path().to_owned())),
            Some((_, path)) => assert_eq!(path, asked.path(), "one effect under one key"),
        }
    }
    let made: Vec<String> = effects.into_iter().map(|(_, path)| path).collect();
    let booked = (0..STEPS).map(|seat| format!("/book/{seat}"));
    let freed = (0..STEPS).rev().map(|seat| format!("/free/{seat}"));
    assert_eq!(made, booked.chain(freed).collect::<Vec<_>>());

    let retry = format!("/api/v1/runs/{id}/retry");
    let retry = agent.request("POST", &retry).send().await.unwrap();
    problem(retry, Code::RunNotInState).await;
    let journal = format!("/api/v1/runs/{id}/journal?limit=999");
    let journal = agent.get(&journal).await;
    let entries = journal["items"].as_array().unwrap().iter();
    let began = entries.filter(|entry| entry["type"] == "compensationBegan");
    let seats: Vec<&Value> = began.map(|entry| &entry["iteration"][0]).collect();
    let expected: Vec<Value> = (0..STEPS).rev().map(Value::from).collect();
    assert_eq!(seats, expected.iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_cancel_undoes_what_was_done_where_it_is_asked_to() {
    let effects = Effects::start().await.unwrap();
    let agent = Served::start();
    agent
        .deploy("saga", &saga(&effects.url(), "rest: { wait: PT1H }"))
        .await;
    for (compensate, requests) in [(true, 2 * STEPS), (false, STEPS)] {
        let before = usize::try_from(effects.count()).unwrap();
        let path = "/api/v1/workflows/test/saga/1.0.0/runs?wait=1ms";
        let run: Value = agent.post(path, &json!({})).await.json().await.unwrap();
        let id = run["id"].as_str().unwrap();
        let events = agent.request("GET", &format!("/api/v1/runs/{id}/events"));
        until(events.send().await.unwrap(), "timerArmed").await;
        let cancel = format!("/api/v1/runs/{id}/cancel");
        let response = agent
            .post(&cancel, &json!({"compensate": compensate}))
            .await;
        assert_eq!(response.status(), 200);
        let run = ended(&agent, id).await;
        assert_eq!(run["status"], "cancelled");
        assert_eq!(run["compensation"]["undone"].as_u64().is_some(), compensate);
        assert_eq!(usize::try_from(effects.count()).unwrap() - before, requests);
        problem(
            agent.post(&cancel, &json!({"compensate": true})).await,
            Code::RunNotInState,
        )
        .await;
    }
    let run = agent.begin("saga", &json!({})).await;
    let cancel = format!("/api/v1/runs/{run}/cancel");
    problem(
        agent.post(&cancel, &json!({"undo": true})).await,
        Code::BodyInvalid,
    )
    .await;
}

/// Reads a stream of events until a type comes.
pub(crate) async fn until(mut events: reqwest::Response, kind: &str) {
    let mut text = String::new();
    while !text.contains(kind) {
        let chunk = events.chunk().await.unwrap().expect("the stream goes on");
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
}

#[tokio::test]
async fn a_compensation_that_fails_waits_for_a_person_through_a_crash() {
    let mut agent = Served::start();
    // Nobody answers there.
    let tasks = format!(
        "do:\n  - a: {{ set: {{ n: 1 }}, metadata: {{ mastra.io/compensate: [{{ undo: {{ call: http, with: \
         {{ method: post, endpoint: 'http://127.0.0.1:1/' }} }} }}] }} }}\n  - {FAIL}"
    );
    agent.deploy("parked", &tasks).await;
    let id = agent.begin("parked", &json!({})).await;
    let events = agent.request("GET", &format!("/api/v1/runs/{id}/events"));
    until(events.send().await.unwrap(), "compensationParked").await;
    agent.restart();
    let path = format!("/api/v1/runs/{id}");
    let run = agent.get(&path).await;
    assert_eq!(run["status"], "waiting");
    assert_eq!(
        run["compensation"],
        json!({"undone": 0, "skipped": 0, "left": 1, "parked": 1})
    );
    assert_eq!(
        (
            &run["currentTasks"][0]["name"],
            &run["currentTasks"][0]["parked"]
        ),
        (&json!("a"), &json!(1))
    );
    let act = async |what: &str| {
        let path = format!("{path}/compensations/{what}");
        agent.request("POST", &path).send().await.unwrap()
    };
    problem(act("2/skip").await, Code::RunNotInState).await;
    problem(act("one/skip").await, Code::ParameterInvalid).await;
    let events = agent
        .request("GET", &format!("{path}/events"))
        .header("last-event-id", run["sequence"].to_string());
    assert_eq!(act("1/retry").await.status(), 200);
    until(events.send().await.unwrap(), "compensationParked").await;
    assert_eq!(act("1/skip").await.status(), 200);
    let run = ended(&agent, &id).await;
    assert_eq!(run["status"], "faulted");
    assert_eq!(
        run["compensation"],
        json!({"undone": 0, "skipped": 1, "left": 0})
    );
}
