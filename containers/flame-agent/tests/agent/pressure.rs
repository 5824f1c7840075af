//! More than the agent takes, as a caller sees it: too many runs, an agent that stops, a full disk.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use flame_errors::Code;
use reqwest::header::RETRY_AFTER;
use serde_json::{Value, json};

use crate::harness::{JSON, Served, YAML, hooked, problem, read_all};
use crate::server::Server;

const SLEEP: &str = "do: [{ sleep: { wait: { hours: 1 } } }]";
const HOOKED: &str = "do: [{ say: { set: { x: 1 } } }]";

/// The tasks of a run that calls a server.
fn asking(server: &Server) -> String {
    format!(
        "do: [{{ ask: {{ call: http, with: {{ method: get, endpoint: '{}' }} }} }}]",
        server.url("/")
    )
}

async fn with_hook(agent: &Served) {
    let put = agent.request("PUT", "/api/v1/workflows/test/hooked/1.0.0");
    let put = put.header("content-type", YAML);
    let answer = put.body(hooked("hooked", "path: in", HOOKED)).send().await;
    assert_eq!(answer.unwrap().status(), 201);
}

async fn hook(agent: &Served) -> reqwest::Response {
    let call = agent.bare("POST", "/hooks/in").header("content-type", JSON);
    call.body("{}").send().await.unwrap()
}

#[tokio::test]
async fn one_run_too_many_is_told_when_to_come_back() {
    let silent = Server::start(|_, _, stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let agent = Served::start_with(&["--in-flight-max", "2"]);
    agent.deploy("ask", &asking(&silent)).await;
    with_hook(&agent).await;
    let first = agent.begin("ask", &json!({})).await;
    agent.begin("ask", &json!({})).await;

    let runs = "/api/v1/workflows/test/ask/1.0.0/runs";
    let third = agent.post(runs, &json!({})).await;
    assert_eq!(third.headers()[RETRY_AFTER], "1");
    let told = problem(third, Code::TooManyRequests).await;
    assert!(told.detail.contains("the limit is 2"), "{}", told.detail);
    problem(hook(&agent).await, Code::TooManyRequests).await;
    let replay = format!("/api/v1/runs/{first}/replay");
    problem(
        agent.post(&replay, &json!({"task": ""})).await,
        Code::TooManyRequests,
    )
    .await;

    let cancel = format!("/api/v1/runs/{first}/cancel");
    let cancelled = agent.request("POST", &cancel).send().await.unwrap();
    assert_eq!(cancelled.status(), 200);
    assert_eq!(hook(&agent).await.status(), 202);
    let listed = agent.get("/api/v1/runs").await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 3, "{listed}");
}

/// A byte now and then keeps nobody's place: the caller is told so, and the hook answers others.
#[tokio::test(flavor = "multi_thread")]
async fn a_hook_whose_body_drips_is_let_go() {
    let agent = Served::start();
    with_hook(&agent).await;
    let mut socket = agent.socket();
    let head = format!(
        "POST /hooks/in HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
         content-length: 1000000\r\n\r\n",
        agent.host()
    );
    socket.write_all(head.as_bytes()).unwrap();
    let mut dripping = socket.try_clone().unwrap();
    let drips = tokio::spawn(async move {
        let mut pace = tokio::time::interval(Duration::from_millis(100));
        // Until nobody listens any more.
        while dripping.write_all(b" ").is_ok() {
            pace.tick().await;
        }
    });
    let answer = tokio::task::spawn_blocking(|| read_all(socket))
        .await
        .unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("\"code\":\"MD-216\""), "{answer}");
    assert!(
        answer.contains("bytes of the body came within 5 s"),
        "{answer}"
    );
    drips.await.unwrap();
    assert_eq!(hook(&agent).await.status(), 202);
    let listed = agent.get("/api/v1/runs").await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
}

/// A request that is half there when SIGTERM comes is refused as a whole; one whose run is under way is
/// told where it stands, and the run goes on with the next start.
#[tokio::test]
async fn an_agent_that_stops_takes_nothing_new() {
    let mut agent = Served::start();
    agent.deploy("sleep", SLEEP).await;
    let runs = "/api/v1/workflows/test/sleep/1.0.0/runs";
    let head = |path: &str, bytes: usize| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: {bytes}\r\n\r\n",
            agent.host(),
            agent.agent().token
        )
    };
    let mut waiting = agent.socket();
    let asked = head(&format!("{runs}?wait=50s"), 2) + "{}";
    waiting.write_all(asked.as_bytes()).unwrap();
    let run = loop {
        let listed = agent.get("/api/v1/runs?status=waiting").await;
        if let Some(id) = listed["items"][0]["id"].as_str() {
            break id.to_owned();
        }
    };
    // Once it says to go on, the agent has the head.
    let mut half = agent.socket();
    let asked = head(runs, 2).replace("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n");
    half.write_all(asked.as_bytes()).unwrap();
    let mut go_on = [0; 25];
    half.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    half.write_all(b"{").unwrap();

    agent.agent().terminate().unwrap();
    let patience = Instant::now() + Duration::from_secs(60);
    while TcpStream::connect(agent.host()).is_ok() {
        assert!(Instant::now() < patience, "the agent goes on listening");
    }
    half.write_all(b"}").unwrap();
    let answer = read_all(half);
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("\r\nretry-after: 1\r\n"), "{answer}");
    assert!(answer.contains("\"code\":\"MD-307\""), "{answer}");
    let answer = read_all(waiting);
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    assert!(answer.contains(&run), "{answer}");
    assert_eq!(agent.stop_and_restart(), Some(0));
    let listed = agent.get("/api/v1/runs").await;
    let ids: Vec<&Value> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| &run["id"])
        .collect();
    assert_eq!(ids, [&json!(run)], "what was refused left nothing");
}

#[cfg(target_os = "linux")]
mod full_disk {
    use super::*;
    use crate::feeds;
    use crate::server::json as answer;
    use crate::tmpfs::Tmpfs;
    use tokio::io::AsyncWriteExt as _;

    #[tokio::test]
    async fn new_runs_are_refused_and_those_in_flight_wait_for_space() {
        let Some(mount) = Tmpfs::small() else { return };
        let (go, wait) = tokio::sync::watch::channel(false);
        let server = Server::start(move |_, _, mut stream| {
            let mut wait = wait.clone();
            async move {
                let _ = wait.wait_for(|go| *go).await;
                let _ = stream.write_all(&answer("200 OK", "\"done\"")).await;
            }
        })
        .await;
        let agent = Served::start_in(&mount.path().join("data"), &[]);
        with_hook(&agent).await;
        agent.deploy("ask", &asking(&server)).await;
        agent
            .deploy(
                "fat",
                "do: [{ say: { set: { text: '${ [range(20000)] | tojson }' } } }]",
            )
            .await;
        let asking = agent.begin("ask", &json!({})).await;
        server.until(1).await;

        let ballast = mount.fill(0);
        // The database has slack of its own.
        let refused = loop {
            let runs = "/api/v1/workflows/test/fat/1.0.0/runs";
            let answer = agent.post(runs, &json!({})).await;
            if answer.status() != 201 {
                break answer;
            }
        };
        problem(refused, Code::StorageFull).await;
        problem(hook(&agent).await, Code::StorageFull).await;
        problem(agent.put("more", SLEEP).await, Code::StorageFull).await;
        let ready = agent.bare("GET", "/health/ready").send().await.unwrap();
        problem(ready, Code::StorageFull).await;
        go.send(true).unwrap();
        until_held(&agent).await;
        let held = agent.get(&format!("/api/v1/runs/{asking}")).await;
        assert_eq!(held["status"], "running", "nothing ends falsely");

        std::fs::remove_file(&ballast).unwrap();
        let ended = loop {
            let run = agent.get(&format!("/api/v1/runs/{asking}")).await;
            if run["status"] != "running" {
                break run;
            }
        };
        assert_eq!(
            (&ended["status"], &ended["output"]),
            (&json!("completed"), &json!("done"))
        );
        assert_eq!(hook(&agent).await.status(), 202);
        agent.run("fat", &json!({})).await;
        assert_eq!(server.asked().len(), 1, "the call was made once");
    }

    /// The metrics say that a run waits for the store.
    async fn until_held(agent: &Served) {
        loop {
            let metrics = agent.request("GET", "/metrics").send().await.unwrap();
            let text = metrics.text().await.unwrap();
            let held = text
                .lines()
                .find_map(|line| line.strip_prefix("flame_runs_held "))
                .expect("the metrics count runs that wait for the store");
            if held != "0" {
                return;
            }
        }
    }

    #[tokio::test]
    async fn a_feed_stops_and_goes_on_where_it_was() {
        const ROWS: u64 = 100_000;
        let Some(mount) = Tmpfs::small() else { return };
        let (_agent, client) = feeds::with_pipeline(mount.path(), feeds::PIPELINE).await;
        let file = feeds::file(ROWS);
        let ballast = mount.fill(2 * 1024 * 1024);
        let refused = feeds::feed(&client, &file, 0, None).await.unwrap_err();
        assert_eq!(refused.code(), Code::StorageFull, "{refused}");
        let offset = feeds::checkpoint(&client).await;
        assert!(
            offset > 0 && offset < file.len() as u64,
            "some of it is in: {offset}"
        );
        let again = feeds::feed(&client, &file, offset, None).await.unwrap_err();
        assert_eq!(again.code(), Code::StorageFull, "{again}");

        std::fs::remove_file(&ballast).unwrap();
        let offset = feeds::checkpoint(&client).await;
        let status = feeds::feed(&client, &file, offset, None).await.unwrap();
        feeds::assert_whole(mount.path(), &client, &status, ROWS).await;
    }
}
