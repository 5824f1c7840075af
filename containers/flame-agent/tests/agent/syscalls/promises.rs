//! Every kind of promise that the agent makes, and the record that is on the disk before it: of what it
//! acknowledges what it was told, of a call to others that it means to make it.

use flame_agent_api::{ContainerEnd, ContainerOutcome, ReplayRequest};
use flame_agent_client::{AgentClient, Format, StartOptions};
use flame_testkit::{Effects, may_trace};
use flame_types::{RunId, RunStatus};
use futures::StreamExt;
use serde_json::{Value, json};

use super::life::Traced;
use super::scenario::{Document, PATIENCE, deploy, id};
use super::trace::Place::{self, AnswerTo, Sent, Synced};
use super::trace::{self, Call, SHOWN_BYTES, TOLD_BY};
use crate::harness::{hooked, http};

/// A promise.
struct Promise {
    name: &'static str,
    /// What stands in the log for it, and for nothing before it.
    record: &'static str,
    /// Where it is given.
    given: Place,
}

const fn promise(name: &'static str, record: &'static str, given: Place) -> Promise {
    Promise {
        name,
        record,
        given,
    }
}

const PROMISES: [Promise; 14] = [
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
];

const DOCUMENTS: [Document; 7] = [
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
];

#[tokio::test(flavor = "multi_thread")]
async fn what_a_promise_rests_on_is_on_the_disk_before_it() {
    if !may_trace() {
        return;
    }
    let synced = life("full").await;
    let unsynced = life("normal").await;
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
        let Self { name, record, .. } = self;
        let written = Place::Written(record).find(calls);
        written.unwrap_or_else(|| panic!("{name}: {record} was never written"));
        let given = self.given.find(calls);
        let given = given.unwrap_or_else(|| panic!("{name}: it was never given"));
        let synced = Synced(record).find(calls);
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
    start_and_act(&client).await;
    tell(&client).await;
    call_hook(&client, agent.url.as_deref().unwrap()).await;
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
