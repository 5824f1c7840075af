//! What the kernel sees: nothing is acknowledged before it is on the disk, and a kill inside any write or at any
//! point of `points.rs` loses nothing that was acknowledged.
//!
//! `strace` shows the first and does the second. Where it may not trace, these tests say so and pass.

mod aftermath;
mod kills;
mod life;
mod points;
mod promises;
mod scenario;
mod trace;

use std::collections::{BTreeMap, HashMap};

use flame_agent_api::SecretText;
use flame_agent_client::{AgentClient, Format, StartOptions};
use flame_errors::Code;
use flame_testkit::{Agent, Effects, may_trace};
use flame_types::{RunId, RunStatus, WorkflowId};
use serde_json::{Value, json};

use self::life::Traced;
use crate::harness::{hooked, http, program};

/// Calls that put bytes into a file and onto the disk.
const DISK: &str = "pwrite64,fdatasync,fsync";
/// At which of these calls of one thread the agent dies: in the opening, and all over the first commits.
const KILL_POINTS: [u32; 20] = [
    1, 2, 3, 4, 6, 8, 10, 12, 14, 16, 17, 18, 20, 23, 27, 32, 40, 55, 80, 120,
];
/// Runs that each life is asked for.
const STARTS: u64 = 8;

fn workflow() -> WorkflowId {
    WorkflowId {
        namespace: "test".parse().unwrap(),
        name: "order".parse().unwrap(),
        version: "1.0.0".parse().unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_is_on_the_disk() {
    if !may_trace() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (data, log) = (folder.path().join("data"), folder.path().join("trace"));
    let calls = format!("trace={DISK},write,writev,sendto");
    let agent = Traced::start(&data, &log, &["-y", "-s", "40", "-e", &calls]);
    let client = agent.client(&data).unwrap();
    let text = hooked(
        "order",
        "path: order, answer: output",
        "do:\n  - say: { set: { got: '${ .n }' } }",
    );
    client
        .put_workflow(&workflow(), Format::Yaml, &text)
        .await
        .unwrap();
    let http = http();
    let hook = format!("{}/hooks/order", agent.url.as_deref().unwrap());
    for number in 0..20 {
        let answer = http.post(&hook).json(&json!({ "n": number })).send().await;
        let answer: Value = answer.unwrap().json().await.unwrap();
        assert_eq!(answer, json!({ "got": number }));
    }
    agent.end();
    let answers = synced_answers(&std::fs::read_to_string(&log).unwrap());
    assert_eq!(answers, 21, "20 hooks and the definition");
}

/// Reads a trace: at each answer, all that was written to the log is synced, and something was since the
/// answer before. Gives the number of answers.
fn synced_answers(trace: &str) -> u64 {
    let (mut answers, mut written, mut synced) = (0, 0_u64, 0_u64);
    let mut syncing: HashMap<&str, u64> = HashMap::new();
    let mut synced_before = 0;
    for line in trace.lines() {
        let Some((thread, call)) = line.split_once(char::is_whitespace) else {
            continue;
        };
        let call = call.trim_start();
        let to_log = call.contains("agent.db-wal>");
        let is_sync = call.starts_with("fdatasync(") || call.starts_with("fsync(");
        let goes_on =
            call.starts_with("<... fdatasync resumed>") || call.starts_with("<... fsync resumed>");
        if to_log && call.starts_with("pwrite64(") {
            written += 1;
        } else if to_log && is_sync {
            if call.contains("<unfinished ...>") {
                syncing.insert(thread, written);
            } else {
                assert!(call.ends_with("= 0"), "{line}");
                synced = written;
            }
        } else if goes_on && let Some(covered) = syncing.remove(thread) {
            assert!(call.ends_with("= 0"), "{line}");
            synced = synced.max(covered);
        } else if call.contains("\"HTTP/1.1 20") {
            answers += 1;
            assert_eq!(synced, written, "answer {answers} before its fsync: {line}");
            assert!(synced > synced_before, "answer {answers} without a write");
            synced_before = synced;
        }
    }
    answers
}

#[test]
fn the_reading_of_a_trace_notices_what_is_wrong() {
    let write = "7 pwrite64(9</d/agent.db-wal>, \"x\", 24, 0) = 24\n";
    let sync = "7 fdatasync(9</d/agent.db-wal>) = 0\n";
    let answer = "8 sendto(11<socket:[1]>, \"HTTP/1.1 200 OK\\r\\n\", 17, 0) = 17\n";
    let halves = "7 fdatasync(9</d/agent.db-wal> <unfinished ...>\n8 write(3<x>, \"\", 1) = 1\n\
                  7 <... fdatasync resumed>) = 0\n";
    assert_eq!(synced_answers(&[write, sync, answer].concat()), 1);
    assert_eq!(synced_answers(&[write, halves, answer].concat()), 1);
    let half = halves.lines().next().unwrap().to_owned() + "\n";
    for wrong in [
        vec![write, answer],
        vec![write, sync, write, answer],
        vec![write, &half, answer],
        vec![write, sync, answer, answer],
        vec![answer],
    ] {
        let wrong = wrong.concat();
        let noticed = std::panic::catch_unwind(|| synced_answers(&wrong)).is_err();
        assert!(noticed, "{wrong}");
    }
}

/// One folder and many lives, each ended inside a write or an fsync. What was acknowledged goes on to its
/// end, and each run has one effect.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_write_loses_nothing_acknowledged() {
    if !may_trace() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (data, log) = (folder.path().join("data"), folder.path().join("trace"));
    let effects = Effects::start().await.unwrap();
    let first = Agent::start(program(), &data, &[]).unwrap();
    let text = crate::harness::workflow(
        "order",
        &format!(
            "do:\n  - tell:\n      call: http\n      with: {{ method: post, endpoint: '{}/effect', body: {{ n: '${{ .n }}' }} }}\n  \
             - say: {{ set: {{ done: true }} }}",
            effects.url()
        ),
    );
    let secret = SecretText::new(first.token.clone());
    AgentClient::new(&first.url, secret)
        .unwrap()
        .put_workflow(&workflow(), Format::Yaml, &text)
        .await
        .unwrap();
    assert_eq!(first.stop().unwrap().code(), Some(0));

    let mut started: BTreeMap<u64, Option<RunId>> = BTreeMap::new();
    let mut served = 0;
    for point in KILL_POINTS {
        let inject = format!("inject={DISK}:signal=SIGKILL:when={point}");
        let trace = format!("trace={DISK}");
        let agent = Traced::start(&data, &log, &["-e", &trace, "-e", &inject]);
        if let Some(client) = agent.client(&data) {
            served += 1;
            ask(&client, &mut started).await;
        }
        agent.end();
    }
    assert!(served > 5, "most lives got as far as serving");

    let agent = Agent::start(program(), &data, &[]).unwrap();
    let secret = SecretText::new(agent.token.clone());
    let client = AgentClient::new(&agent.url, secret).unwrap();
    for (number, known) in &started {
        let ended = start(&client, *number, true).await.unwrap();
        if let Some(run) = known {
            assert_eq!(ended.0, *run, "the same key gives the same run");
        }
        assert_eq!(ended.1, RunStatus::Completed);
    }
    let by_key = effects.by_key();
    assert_eq!(by_key.len(), started.len(), "one effect for each run");
    assert_eq!(agent.stop().unwrap().code(), Some(0));
}

/// A sync that fails is no commit: nobody is told that he was heard, and what was acknowledged before and after lasts.
#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_fails_acknowledges_nothing() {
    if !may_trace() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (data, log) = (folder.path().join("data"), folder.path().join("trace"));
    // Of the log, by each thread: the writer gets there in the middle of the runs.
    let inject = "inject=fsync,fdatasync:error=EIO:when=9";
    let wal = data.join("agent.db-wal");
    let wal = wal.to_str().unwrap();
    let trace = "trace=fsync,fdatasync";
    let agent = Traced::start(&data, &log, &["-e", trace, "-e", inject, "-P", wal]);
    let client = agent.client(&data).unwrap();
    let text = crate::harness::workflow("order", "do:\n  - say: { set: { done: true } }");
    client
        .put_workflow(&workflow(), Format::Yaml, &text)
        .await
        .unwrap();
    let mut acknowledged = Vec::new();
    let mut refused = 0;
    while acknowledged.len() < 20 {
        let number = acknowledged.len() as u64;
        match start(&client, number, true).await {
            Ok((run, status)) => {
                assert_eq!(status, RunStatus::Completed);
                acknowledged.push(run);
            }
            // Until it knows that what is in the log is safe; then it goes on by itself.
            Err(error) => {
                assert_eq!(error.code(), Code::StorageFailed, "{error}");
                refused += 1;
                assert!(refused < 100_000, "it never goes on");
            }
        }
    }
    assert!(refused > 0, "the sync did not fail");
    agent.end();
    let agent = Agent::start(program(), &data, &[]).unwrap();
    let secret = SecretText::new(agent.token.clone());
    let client = AgentClient::new(&agent.url, secret).unwrap();
    for (number, known) in (0..).zip(acknowledged) {
        let (run, status) = start(&client, number, true).await.unwrap();
        assert_eq!((run, status), (known, RunStatus::Completed));
    }
    assert_eq!(agent.stop().unwrap().code(), Some(0));
}

/// Asks for runs until the agent dies; those that it did not acknowledge first, again.
async fn ask(client: &AgentClient, started: &mut BTreeMap<u64, Option<RunId>>) {
    let unknown = started.iter().filter(|(_, run)| run.is_none());
    let unknown: Vec<u64> = unknown.map(|(number, _)| *number).collect();
    let next = started.len() as u64;
    for number in unknown.into_iter().chain(next..next + STARTS) {
        started.entry(number).or_insert(None);
        let Ok((run, _)) = start(client, number, false).await else {
            return;
        };
        started.insert(number, Some(run));
    }
}

async fn start(
    client: &AgentClient,
    number: u64,
    wait: bool,
) -> Result<(RunId, RunStatus), flame_agent_client::Error> {
    let options = StartOptions {
        wait: wait.then_some(std::time::Duration::from_secs(60)),
        idempotency_key: Some(format!("order-{number}")),
    };
    let input = json!({ "n": number });
    let run = client.start_run(&workflow(), &input, &options).await?;
    let run = run.into_run();
    Ok((run.id, run.status))
}
