//! Every kind of promise that the agent makes, and the record that is on the disk before it: of what it
//! acknowledges what it was told, of a call to others that it means to make it.

use bytes::Bytes;
use flame_agent_api::{
    ContainerEnd, ContainerOutcome, FeedQuery, FeedState, JournalType, ReplayRequest, TestRequest,
};
use flame_agent_client::{AgentClient, Error, Format, RunEvent, StartOptions};
use flame_testkit::{Effects, may_trace};
use flame_types::{RunId, RunStatus};
use futures::{Stream, StreamExt, stream};
use serde_json::{Value, json};

use super::life::Traced;
use super::scenario::{Document, PATIENCE, deploy, id};
use super::trace::Place::{self, AnswerTo, Sent};
use super::trace::{self, Call, SHOWN_BYTES, TOLD_BY};
use crate::feeds::PIPELINE;
use crate::harness::{hooked, http};

/// A promise.
struct Promise {
    name: &'static str,
    record: Record,
    /// Where it is given.
    given: Place,
}

/// What the log has for a promise.
enum Record {
    /// This text, which stands there for nothing before it.
    Text(&'static str),
    /// What is written first once this is asked for: what goes leaves no text of its own.
    After(&'static str),
}

const fn promise(name: &'static str, text: &'static str, given: Place) -> Promise {
    Promise {
        name,
        record: Record::Text(text),
        given,
    }
}

/// A promise that no text tells: something goes, or a number in its row changes.
const fn change(name: &'static str, request: &'static str) -> Promise {
    Promise {
        name,
        record: Record::After(request),
        given: AnswerTo(request),
    }
}

const PROMISES: [Promise; 25] = [
    promise(
        "a definition",
        "name: patient,",
        AnswerTo("PUT /api/v1/workflows/test/patient/"),
    ),
    promise(
        "a hook that is answered with 202",
        r#""mark":"by hook""#,
        AnswerTo("POST /hooks/hook "),
    ),
    promise(
        "a start",
        r#""mark":"by start""#,
        AnswerTo("/test/patient/1.0.0/runs"),
    ),
    promise(
        "a start that is waited for",
        r#""mark":"waited for""#,
        AnswerTo("/test/say/1.0.0/runs?wait="),
    ),
    promise(
        "events",
        r#""mark":"by event""#,
        AnswerTo("POST /api/v1/events "),
    ),
    promise(
        "a person's answer",
        r#""comment":"by person""#,
        AnswerTo("/answers "),
    ),
    promise("a halt", r#""type":"runSuspended""#, AnswerTo("/suspend ")),
    promise("a going on", r#""type":"runResumed""#, AnswerTo("/resume ")),
    promise("an end", r#""type":"runCancelled""#, AnswerTo("/cancel ")),
    promise("a retry", r#""type":"runRetried""#, AnswerTo("/retry ")),
    promise("a replay", r#""replay":{"run""#, AnswerTo("/replay ")),
    promise(
        "a container's outcome",
        "by container",
        AnswerTo("/outcome "),
    ),
    promise(
        "the intent of a call",
        "/do/1/intended#",
        Sent("POST /intended"),
    ),
    promise(
        "the intent of a compensation",
        "/0/undo#",
        Sent("POST /undo"),
    ),
    promise(
        "a test",
        r#""mark":"by test""#,
        AnswerTo("/say/1.0.0/tests"),
    ),
    promise(
        "a compensation that is tried again",
        r#""attempt":6,"#,
        AnswerTo("/compensations/1/retry "),
    ),
    promise(
        "a compensation that is given up",
        r#""skipped":true"#,
        AnswerTo("/compensations/1/skip "),
    ),
    promise(
        "a pipeline",
        "name: orders, namespace: shop",
        AnswerTo("PUT /api/v1/pipelines/shop/orders "),
    ),
    promise(
        "a file that is fed",
        r#""name":"by feed""#,
        AnswerTo("/shop/orders/feeds?"),
    ),
    promise(
        "another record in a dead letter",
        "2,by hand,none",
        AnswerTo("PUT /api/v1/dead-letters/1 "),
    ),
    change(
        "a dead letter that is refused again",
        "/dead-letters/1/send ",
    ),
    change("a dead letter that is taken", "/dead-letters/2/send "),
    change(
        "a dead letter that is discarded",
        "DELETE /api/v1/dead-letters/3 ",
    ),
    change(
        "a pipeline that goes",
        "DELETE /api/v1/pipelines/shop/orders ",
    ),
    change(
        "a definition that goes",
        "DELETE /api/v1/workflows/test/gone/",
    ),
];

/// The rows that have no amount become the dead letters 1, 2 and 3.
const FED: &str = "id,city,amount\n1,a,1\n2,b,none\n3,c,none\n4,d,none\n";

const DOCUMENTS: [Document; 9] = [
    Document {
        name: "patient",
        tasks: "do: [{ pause: { wait: PT1H } }]",
    },
    Document {
        name: "say",
        tasks: "do: [{ say: { set: { said: true } } }]",
    },
    Document {
        name: "ask",
        tasks: "
do:
  - ask:
      listen: { to: { one: { with: { type: io.mastra.approval.v1 } } } }
      metadata: { mastra.io/person: { title: Well? } }",
    },
    Document {
        name: "fail",
        tasks: "do: [{ fail: { raise: { error: { type: 'https://x.test/no', status: 400 } } } }]",
    },
    Document {
        name: "box",
        tasks: "do: [{ box: { run: { container: { image: img } } } }]",
    },
    Document {
        name: "call",
        tasks: "
do:
  - pause: { wait: PT0.01S }
  - intended: { call: http, with: { method: post, endpoint: 'PARTNER/intended' } }",
    },
    Document {
        name: "saga",
        tasks: "
do:
  - book:
      set: { booked: true }
      metadata: { mastra.io/compensate: [{ undo: { call: http, with: { method: post, endpoint: 'PARTNER/undo' } } }] }
  - fail: { raise: { error: { type: 'https://x.test/full', status: 409 } } }",
    },
    Document {
        name: "stuck",
        tasks: "
do:
  - book:
      set: { booked: true }
      metadata: { mastra.io/compensate: [{ refuse: { raise: { error: { type: 'https://x.test/no', status: 400 } } } }] }
  - fail: { raise: { error: { type: 'https://x.test/full', status: 409 } } }",
    },
    Document {
        name: "gone",
        tasks: "do: [{ say: { set: { said: true } } }]",
    },
];

#[tokio::test(flavor = "multi_thread")]
async fn what_a_promise_rests_on_is_on_the_disk_before_it() {
    if !may_trace() {
        return;
    }
    let (synced, unsynced) = tokio::join!(life("full"), life("normal"));
    for promise in &PROMISES {
        assert!(
            promise.is_kept(&synced),
            "{} before its fsync",
            promise.name
        );
        assert!(
            !promise.is_kept(&unsynced),
            "{}: nothing tells whether it was synced",
            promise.name
        );
    }
}

impl Promise {
    fn is_kept(&self, calls: &[Call]) -> bool {
        let name = self.name;
        let (written, synced) = match self.record {
            Record::Text(text) => (Place::Written(text), Place::Synced(text)),
            Record::After(request) => (Place::WrittenFor(request), Place::SyncedFor(request)),
        };
        assert!(
            written.find(calls).is_some(),
            "{name}: nothing is {written:?}"
        );
        let given = self.given.find(calls);
        let given = given.unwrap_or_else(|| panic!("{name}: it was never given"));
        let synced = synced.find(calls);
        synced.is_some_and(|synced| calls[synced].is_done_before(&calls[given]))
    }
}

/// All that is asked of an agent in this mode, as the kernel saw it.
async fn life(durability: &'static str) -> Vec<Call> {
    let partner = Effects::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (data, log) = (folder.path().join("data"), folder.path().join("trace"));
    let (place, trace) = (data.clone(), log.clone());
    let told_by = format!("trace={TOLD_BY}");
    let agent = tokio::task::spawn_blocking(move || {
        let options = [
            "-yy",
            "-s",
            SHOWN_BYTES,
            "-e",
            "signal=none",
            "-e",
            &told_by,
        ];
        Traced::start_as(durability, &place, &trace, &options)
    });
    let agent = agent.await.unwrap();
    let client = agent.client(&data).unwrap();
    for document in &DOCUMENTS {
        deploy(&client, document, &partner.url()).await.unwrap();
    }
    // It fails for a while until it waits for a person.
    let stuck = start(&client, "stuck", Value::Null).await;
    start_and_act(&client).await;
    tell(&client).await;
    call_hook(&client, agent.url.as_deref().unwrap()).await;
    give_up(&client, stuck).await;
    feed(&client).await;
    take_away(&client).await;
    tokio::task::spawn_blocking(|| agent.end()).await.unwrap();
    trace::read(&String::from_utf8_lossy(&std::fs::read(&log).unwrap()))
}

async fn start_and_act(client: &AgentClient) {
    let run = start(client, "patient", json!({ "mark": "by start" })).await;
    client.suspend_run(run).await.unwrap();
    client.resume_run(run).await.unwrap();
    client.cancel_run(run, false).await.unwrap();

    let said = finish(client, "say", json!({ "mark": "waited for" })).await;
    let replay = ReplayRequest {
        task: "/do/0/say".to_owned(),
        input: None,
        context: None,
    };
    client.replay_run(said.0, &replay).await.unwrap();
    let test = TestRequest {
        input: Some(json!({ "mark": "by test" })),
        ..TestRequest::default()
    };
    client.start_test(&id("say"), &test, None).await.unwrap();

    let (failed, status) = finish(client, "fail", Value::Null).await;
    assert_eq!(status, RunStatus::Faulted);
    client.retry_run(failed).await.unwrap();

    // Their calls are what is looked for.
    finish(client, "call", Value::Null).await;
    finish(client, "saga", Value::Null).await;
}

/// Tells what runs wait for.
async fn tell(client: &AgentClient) {
    let event = json!({ "specversion": "1.0", "id": "1", "source": "/x", "type": "t.x", "mark": "by event" });
    client.post_events(&[event]).await.unwrap();

    let asking = start(client, "ask", Value::Null).await;
    let answer = json!({ "approved": true, "comment": "by person" });
    client.answer(asking, "/do/0/ask", &answer).await.unwrap();

    let mut orders = Box::pin(client.container_orders().await.unwrap());
    start(client, "box", Value::Null).await;
    let order = orders.next().await.unwrap().unwrap();
    let outcome = ContainerOutcome {
        ended: Some(ContainerEnd {
            stdout: "by container".to_owned(),
            ..ContainerEnd::default()
        }),
        fault: None,
    };
    let job = order.run.unwrap();
    assert!(client.tell_container(&job.id, &outcome).await.unwrap());
}

async fn call_hook(client: &AgentClient, url: &str) {
    let text = hooked(
        "hook",
        "path: hook",
        "do: [{ say: { set: { said: true } } }]",
    );
    client
        .put_workflow(&id("hook"), Format::Yaml, &text)
        .await
        .unwrap();
    let http = http();
    let hook = http.post(format!("{url}/hooks/hook"));
    let answer = hook.json(&json!({ "mark": "by hook" })).send().await;
    assert_eq!(answer.unwrap().status(), 202);
}

/// Tries the compensation again on which the run is stuck, and gives it up.
async fn give_up(client: &AgentClient, stuck: RunId) {
    let mut events = Box::pin(client.follow_run(stuck, 0).await.unwrap());
    parked(&mut events).await;
    client.retry_compensation(stuck, 1).await.unwrap();
    parked(&mut events).await;
    client.skip_compensation(stuck, 1).await.unwrap();
}

/// Waits until a compensation waits for a person.
async fn parked(events: &mut (impl Stream<Item = Result<RunEvent, Error>> + Unpin)) {
    while let Some(event) = events.next().await {
        if let RunEvent::Journal(entry) = event.unwrap()
            && entry.kind == JournalType::CompensationParked
        {
            return;
        }
    }
    panic!("nothing waits for a person");
}

async fn feed(client: &AgentClient) {
    let pipeline = client.put_pipeline("shop", "orders", Format::Yaml, PIPELINE);
    pipeline.await.unwrap();
    let query = FeedQuery {
        identity: "1".to_owned(),
        source: Some("by feed".to_owned()),
        offset: 0,
        total: Some(FED.len() as u64),
    };
    let body = stream::iter([Ok(Bytes::from_static(FED.as_bytes()))]);
    let fed = client.feed("shop", "orders", &query, "text/csv", body);
    let fed = fed.await.unwrap();
    assert_eq!((fed.state, fed.dead_letters), (FeedState::Completed, 3));

    client.put_dead_letter(1, "2,by hand,none").await.unwrap();
    let refused = client.send_dead_letter(1).await.unwrap();
    assert_eq!(refused.unwrap().attempts, 2);
    client.put_dead_letter(2, "3,c,3").await.unwrap();
    assert_eq!(client.send_dead_letter(2).await.unwrap(), None);
}

/// Nothing else is at work any more that writes to the log.
async fn take_away(client: &AgentClient) {
    client.discard_dead_letter(3).await.unwrap();
    client.delete_pipeline("shop", "orders").await.unwrap();
    client.delete_workflow(&id("gone")).await.unwrap();
}

async fn start(client: &AgentClient, name: &str, input: Value) -> RunId {
    let options = StartOptions::default();
    let started = client.start_run(&id(name), &input, &options).await;
    started.unwrap().into_run().id
}

async fn finish(client: &AgentClient, name: &str, input: Value) -> (RunId, RunStatus) {
    let options = StartOptions {
        wait: Some(PATIENCE),
        ..StartOptions::default()
    };
    let ended = client.start_run(&id(name), &input, &options).await.unwrap();
    let run = ended.into_run();
    assert!(run.status.is_terminal(), "{name} ends");
    (run.id, run.status)
}
