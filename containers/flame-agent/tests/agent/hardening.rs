//! Who may ask, with what, and how much: Host and Origin lists, the token, types and limits.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use flame_agent_api::{Access, Operation, Problem};
use flame_errors::Code;

use crate::harness::{JSON, Served, YAML, problem, program, read_all};

/// Paths of each kind: open, hook, API, stream, metrics, and one that does not exist.
const PATHS: [&str; 7] = [
    "/health/live",
    "/hooks/none",
    "/api/v1/status",
    "/api/v1/changes",
    "/metrics",
    "/api/v1/openapi.json",
    "/none",
];

fn problem_in(answer: &str) -> (u16, Problem) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(head.contains("application/problem+json"), "{answer}");
    (status, serde_json::from_str(body).unwrap())
}

#[test]
fn a_foreign_host_is_refused_everywhere() {
    let agent = Served::start();
    let port = agent.host().rsplit(':').next().unwrap().to_owned();
    let token = &agent.agent().token;
    let ask = |line: &str, hosts: &str| {
        agent.raw(
            format!(
                "{line} HTTP/1.1\r\n{hosts}authorization: Bearer {token}\r\nconnection: close\r\n\r\n"
            )
            .as_bytes(),
        )
    };
    for path in PATHS {
        let (status, found) = problem_in(&ask(&format!("GET {path}"), "host: evil.example\r\n"));
        assert_eq!((status, found.code), (403, Code::ForeignHost), "{path}");
        assert!(found.detail.contains("evil.example") && found.hint.is_some());
    }
    for hosts in [
        String::new(),
        "host: 127.0.0.1\r\n".to_owned(),
        format!("host: evil.example:{port}\r\n"),
        format!("host: 127.0.0.1.nip.io:{port}\r\n"),
        format!("host: 0.0.0.0:{port}\r\n"),
        format!("host: localhost:{port}.evil.example\r\n"),
        format!("host: 127.0.0.1:{port}\r\nhost: evil.example\r\n"),
        format!("host: evil.example\r\nx-forwarded-host: 127.0.0.1:{port}\r\n"),
    ] {
        let (status, found) = problem_in(&ask("GET /api/v1/status", &hosts));
        assert_eq!((status, found.code), (403, Code::ForeignHost), "{hosts:?}");
    }
    let absolute = format!("GET http://evil.example:{port}/api/v1/status");
    let (status, _) = problem_in(&ask(&absolute, &format!("host: 127.0.0.1:{port}\r\n")));
    assert_eq!(status, 403, "an absolute address names a host of its own");
    for host in ["127.0.0.1", "LocalHost", "[::1]"] {
        let answer = ask("GET /api/v1/status", &format!("host: {host}:{port}\r\n"));
        assert!(answer.starts_with("HTTP/1.1 200 "), "{host}: {answer}");
    }
}

#[tokio::test]
async fn a_host_given_at_launch_is_taken() {
    let agent = Served::start_with(&["--allow-host", "mastra.local:8080"]);
    let ask = |host: &'static str| {
        agent
            .request("GET", "/api/v1/status")
            .header("host", host)
            .send()
    };
    assert_eq!(ask("mastra.local:8080").await.unwrap().status(), 200);
    problem(ask("mastra.local").await.unwrap(), Code::ForeignHost).await;
}

#[tokio::test]
async fn a_web_page_is_refused_even_with_the_token() {
    let agent = Served::start_with(&["--allow-origin", "https://mastra.example"]);
    let own = agent.agent().url.clone();
    for path in PATHS {
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("origin", "https://mastra.example.evil.example"),
            ("origin", "http://mastra.example"),
            ("origin", own.as_str()),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            let response = agent
                .request("GET", path)
                .header(name, value)
                .send()
                .await
                .unwrap();
            assert!(
                !response
                    .headers()
                    .contains_key("access-control-allow-origin")
            );
            problem(response, Code::ForeignOrigin).await;
        }
    }
    let twice = agent
        .request("GET", "/api/v1/status")
        .header("origin", "https://mastra.example")
        .header("origin", "https://evil.example");
    problem(twice.send().await.unwrap(), Code::ForeignOrigin).await;
    let typed = agent
        .request("GET", "/api/v1/status")
        .header("sec-fetch-site", "none");
    assert_eq!(typed.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_allowed_origin_gets_its_own_name_and_nothing_wild() {
    let agent = Served::start_with(&["--allow-origin", "https://mastra.example"]);
    let preflight = agent
        .bare("OPTIONS", "/api/v1/runs")
        .header("origin", "https://mastra.example")
        .header("access-control-request-method", "GET");
    let preflight = preflight.send().await.unwrap();
    assert_eq!(preflight.status(), 204);
    assert_eq!(
        preflight.headers()["access-control-allow-origin"],
        "https://mastra.example"
    );
    let response = agent
        .request("GET", "/api/v1/runs")
        .header("origin", "https://mastra.example")
        .header("sec-fetch-site", "cross-site");
    let response = response.send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(
        response.headers()["access-control-allow-origin"],
        "https://mastra.example"
    );
    assert_eq!(response.headers()["vary"], "Origin");
    for name in ["set-cookie", "access-control-allow-credentials"] {
        assert!(!response.headers().contains_key(name), "{name}");
    }
    let stranger = agent
        .bare("OPTIONS", "/api/v1/runs")
        .header("origin", "https://evil.example")
        .header("access-control-request-method", "GET");
    problem(stranger.send().await.unwrap(), Code::ForeignOrigin).await;
    let bare = agent
        .bare("GET", "/api/v1/runs")
        .header("origin", "https://mastra.example");
    problem(bare.send().await.unwrap(), Code::Unauthorized).await;
}

#[tokio::test]
async fn without_the_token_nothing_is_told() {
    let agent = Served::start();
    let token = agent.agent().token.clone();
    for operation in Operation::ALL {
        let description = operation.description();
        let path = description.path.replace(['{', '}'], "");
        let response = agent
            .bare(description.method.as_str(), &path)
            .send()
            .await
            .unwrap();
        match description.access {
            Access::Token => {
                assert_eq!(
                    response.headers()["www-authenticate"],
                    "Bearer realm=\"flame-agent\""
                );
                problem(response, Code::Unauthorized).await;
            }
            Access::Open | Access::Hook => assert_ne!(response.status(), 401, "{path}"),
        }
    }
    problem(
        agent.bare("GET", "/none").send().await.unwrap(),
        Code::Unauthorized,
    )
    .await;
    for bad in [
        String::new(),
        token.clone(),
        format!("Basic {token}"),
        format!("Bearer {}", &token[1..]),
        format!("Bearer {token}x"),
        format!("Bearer {}", token.to_uppercase()),
        "Bearer ".to_owned(),
    ] {
        let request = agent
            .bare("GET", "/api/v1/status")
            .header("authorization", &bad);
        problem(request.send().await.unwrap(), Code::Unauthorized).await;
    }
    let twice = agent
        .request("GET", "/api/v1/status")
        .header("authorization", "Bearer x");
    problem(twice.send().await.unwrap(), Code::Unauthorized).await;
    let query = agent.bare("GET", &format!("/api/v1/status?access_token={token}"));
    problem(query.send().await.unwrap(), Code::Unauthorized).await;
    assert!(
        !agent.agent().log().contains(&token),
        "the token is not logged"
    );
}

#[tokio::test]
async fn each_route_takes_its_declared_types_alone() {
    let agent = Served::start();
    for operation in Operation::ALL {
        let description = operation.description();
        if *operation == Operation::Hook || description.method.as_str() == "GET" {
            continue;
        }
        let path = description
            .path
            .replace("{id}", "01920000-0000-7000-8000-000000000000")
            .replace("{letter}", "7")
            .replace("{number}", "7")
            .replace("{version}", "1.0.0")
            .replace(['{', '}'], "");
        let path = if *operation == Operation::Feed {
            format!("{path}?identity=i")
        } else {
            path
        };
        if description.method.as_str() == "DELETE" {
            continue;
        }
        let declared = description.body.as_ref().map_or(&[][..], |body| body.types);
        for media in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            JSON,
            YAML,
        ] {
            if declared.contains(&media) {
                continue;
            }
            let request = agent.request(description.method.as_str(), &path);
            let response = request
                .header("content-type", media)
                .body("a=1")
                .send()
                .await
                .unwrap();
            problem(response, Code::UnsupportedMediaType).await;
        }
        let untyped = agent.request(description.method.as_str(), &path).body("{}");
        problem(untyped.send().await.unwrap(), Code::UnsupportedMediaType).await;
        if let Some(first) = declared.first() {
            let latin = format!("{first}; charset=iso-8859-1");
            let request = agent.request(description.method.as_str(), &path);
            let response = request
                .header("content-type", latin)
                .body("{}")
                .send()
                .await
                .unwrap();
            problem(response, Code::UnsupportedMediaType).await;
            let packed = agent
                .request(description.method.as_str(), &path)
                .header("content-type", *first)
                .header("content-encoding", "gzip")
                .body("{}");
            problem(packed.send().await.unwrap(), Code::UnsupportedMediaType).await;
        }
    }
}

#[tokio::test]
async fn bodies_have_limits_announced_or_not() {
    let agent = Served::start();
    for operation in Operation::ALL {
        let description = operation.description();
        let Some(body) = &description.body else {
            continue;
        };
        let (Some(bytes_max), Some(media)) = (body.bytes_max, body.types.first()) else {
            continue;
        };
        let code = if description.codes.contains(&Code::DefinitionTooLarge) {
            Code::DefinitionTooLarge
        } else {
            Code::BodyTooLarge
        };
        let path = description
            .path
            .replace("{id}", "01920000-0000-7000-8000-000000000000")
            .replace("{letter}", "7")
            .replace("{number}", "7")
            .replace("{version}", "1.0.0")
            .replace(['{', '}'], "");
        let send = |body: reqwest::Body| {
            let request = agent.request(description.method.as_str(), &path);
            request.header("content-type", *media).body(body).send()
        };
        let large = vec![b' '; bytes_max + 1];
        let found = problem(send(large.clone().into()).await.unwrap(), code).await;
        assert!(
            found.detail.contains(&bytes_max.to_string()),
            "{}",
            found.detail
        );
        let pieces = futures::stream::iter([Ok::<_, std::io::Error>(bytes::Bytes::from(large))]);
        problem(
            send(reqwest::Body::wrap_stream(pieces)).await.unwrap(),
            code,
        )
        .await;
    }
}

#[tokio::test]
async fn cut_off_and_malformed_requests_leave_the_agent_well() {
    let agent = Served::start();
    let (host, token) = (agent.host().to_owned(), agent.agent().token.clone());
    let head = format!(
        "POST /api/v1/validate HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/yaml\r\ncontent-length: 100\r\n\r\n"
    );
    let mut socket = agent.socket();
    socket.write_all(format!("{head}do: [").as_bytes()).unwrap();
    socket.shutdown(Shutdown::Write).unwrap();
    let answer = read_all(socket);
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 400 "),
        "{answer}"
    );
    drop(agent.socket());
    let large = format!(
        "GET / HTTP/1.1\r\nhost: {host}\r\nx-a: {}\r\n\r\n",
        "a".repeat(80 * 1024)
    );
    let many: String = (0..200).map(|n| format!("x-{n}: 1\r\n")).collect();
    for (bytes, status) in [
        (large, "431"),
        (
            format!("GET / HTTP/1.1\r\nhost: {host}\r\n{many}\r\n"),
            "431",
        ),
        ("hello\r\n\r\n".to_owned(), "400"),
        (
            format!("GET / HTTP/1.1\r\nhost: {host}\r\ncontent-length: -1\r\n\r\n"),
            "400",
        ),
        (
            format!(
                "POST / HTTP/1.1\r\nhost: {host}\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello"
            ),
            "400",
        ),
    ] {
        let mut socket = agent.socket();
        // The agent may close before all of it is written.
        let _ = socket.write_all(bytes.as_bytes());
        let _ = socket.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        let _ = std::io::Read::read_to_end(&mut socket, &mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(
            answer.is_empty() || answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{status}: {answer}"
        );
    }
    assert_eq!(
        agent
            .request("GET", "/api/v1/status")
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
}

#[tokio::test]
async fn a_method_that_an_address_does_not_take_is_told() {
    let agent = Served::start();
    let response = agent
        .request("PATCH", "/api/v1/workflows/a/b/1.0.0")
        .send()
        .await
        .unwrap();
    let allow = response.headers()["allow"].to_str().unwrap().to_owned();
    problem(response, Code::MethodNotAllowed).await;
    for method in ["GET", "PUT", "DELETE"] {
        assert!(allow.contains(method), "{allow}");
    }
    let response = agent
        .request("TRACE", "/api/v1/status")
        .send()
        .await
        .unwrap();
    problem(response, Code::MethodNotAllowed).await;
    let response = agent
        .request("OPTIONS", "/api/v1/status")
        .send()
        .await
        .unwrap();
    problem(response, Code::MethodNotAllowed).await;
    problem(
        agent
            .request("GET", "/api/v1/../../etc")
            .send()
            .await
            .unwrap(),
        Code::NotFound,
    )
    .await;
}

/// Whoever connects and says nothing keeps nobody out: the one that waits longest makes room.
#[test]
fn silent_connections_make_room() {
    let agent = Served::start();
    let mut held: Vec<_> = (0..600).map(|_| agent.socket()).collect();
    let health = format!("GET /health/live HTTP/1.1\r\nhost: {}\r\n", agent.host());
    for socket in &mut held[100..] {
        socket.write_all(health.as_bytes()).unwrap();
    }
    let answer = agent.raw(format!("{health}connection: close\r\n\r\n").as_bytes());
    assert!(answer.contains(" 204 "), "{answer}");
    assert_eq!(read_all(held.remove(0)), "", "the first has gone");
    let mut last = held.pop().unwrap();
    last.write_all(b"connection: close\r\n\r\n").unwrap();
    assert!(read_all(last).contains(" 204 "), "the last is still there");
}

#[test]
fn one_connection_too_many_is_turned_away_and_the_next_is_welcome() {
    let agent = Served::start();
    let mut held: Vec<_> = (0..512).map(|_| agent.socket()).collect();
    let upload = format!(
        "POST /api/v1/validate HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\
         content-type: application/yaml\r\ncontent-length: 9\r\nexpect: 100-continue\r\n\r\n",
        agent.host(),
        agent.agent().token
    );
    for socket in &mut held {
        socket.write_all(upload.as_bytes()).unwrap();
    }
    for socket in &mut held {
        // "100 Continue": this one's request is under way.
        socket.read_exact(&mut [0; 12]).unwrap();
    }
    let answer = read_all(agent.socket());
    let (status, found) = problem_in(&answer);
    assert_eq!((status, found.code), (429, Code::TooManyRequests));
    drop(held);
    let line = format!(
        "GET /health/live HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
        agent.host()
    );
    let welcome = (0..1_000)
        .map(|_| agent.raw(line.as_bytes()))
        .find(|answer| answer.contains(" 204 "));
    assert!(welcome.is_some(), "closed connections are given back");
}

/// Runs `serve` to its end; gives exit code and stderr.
fn refused(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(program())
        .arg("serve")
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.stdout.is_empty(), "it never said that it listens");
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[test]
fn a_taken_port_and_a_bad_token_file_stop_the_start() {
    let agent = Served::start();
    let other = tempfile::tempdir().unwrap();
    let data = other.path().join("data");
    let data = data.to_str().unwrap();
    let (code, text) = refused(&["--data-dir", data, "--listen", agent.host()]);
    assert_eq!(code, Some(3), "{text}");
    assert!(
        text.contains("MD-306") && text.contains(agent.host()),
        "{text}"
    );

    let token = other.path().join("t");
    std::fs::write(&token, "a".repeat(64)).unwrap();
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o644)).unwrap();
    let token = token.to_str().unwrap();
    let (code, text) = refused(&[
        "--data-dir",
        data,
        "--listen",
        "127.0.0.1:0",
        "--token-file",
        token,
    ]);
    assert_eq!(code, Some(3), "{text}");
    assert!(
        text.contains("MD-202") && text.contains("chmod 600"),
        "{text}"
    );
    let none = format!("{token}-none");
    let (code, text) = refused(&[
        "--data-dir",
        data,
        "--listen",
        "127.0.0.1:0",
        "--token-file",
        &none,
    ]);
    assert_eq!((code, text.contains(&none)), (Some(3), true), "{text}");
    let (code, text) = refused(&["--data-dir", data, "--allow-origin", "*"]);
    assert_eq!((code, text.contains("MD-211")), (Some(3), true), "{text}");
}

#[test]
fn a_second_agent_on_one_folder_leaves_the_first_its_token() {
    let agent = Served::start();
    let data = agent.agent().data_dir().to_str().unwrap().to_owned();
    let (code, text) = refused(&["--data-dir", &data, "--listen", "127.0.0.1:0"]);
    assert_eq!((code, text.contains("MD-304")), (Some(3), true), "{text}");
    let file = std::fs::read_to_string(agent.agent().data_dir().join("token")).unwrap();
    assert_eq!(file.trim(), agent.agent().token);
}

#[tokio::test]
async fn a_token_file_is_read_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t");
    let token = "0123456789abcdef".repeat(4);
    std::fs::write(&file, format!("{token}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let data = folder.path().join("data");
    let mut child = Command::new(program())
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(&data)
        .arg("--token-file")
        .arg(&file)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
    let ready: flame_agent_api::Listening = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (ready.pid, ready.token_file.as_str()),
        (child.id(), file.to_str().unwrap())
    );
    assert_eq!(ready.data_dir, data.to_str().unwrap());
    let client = flame_agent_client::AgentClient::new(
        &ready.listening,
        flame_agent_api::SecretText::new(token.clone()),
    );
    let status = client.unwrap().status().await;
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(status.unwrap().pid, ready.pid);
    assert_eq!(std::fs::read_to_string(&file).unwrap().trim(), token);
    assert!(
        !data.join("token").exists(),
        "none is made where one is given"
    );
}
