//! Proxies that the environment names: no call goes through one, as nobody would judge where it connects.

use std::io::Write as _;
use std::process::Output;

use serde_json::{Value, json};

use crate::command::agent;
use crate::runtime::document;
use crate::server::{Server, json as answer};

/// Runs one call with every proxy variable set to `proxy`.
async fn run_behind(proxy: &Server, endpoint: &str, input: Value) -> Output {
    let call = format!("- ask: {{ call: http, with: {{ method: get, endpoint: '{endpoint}' }} }}");
    let mut file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    file.write_all(document("ask", &call).as_bytes()).unwrap();
    let mut command = agent();
    command.arg("run").arg(file.path());
    command.args(["--input", &input.to_string()]);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env(name, proxy.url(""));
        command.env(name.to_lowercase(), proxy.url(""));
    }
    command.env_remove("NO_PROXY").env_remove("no_proxy");
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_go_to_their_host_and_not_to_a_proxy() {
    let proxy = Server::saying(answer("200 OK", r#"{"from": "proxy"}"#)).await;
    let server = Server::saying(answer("200 OK", r#"{"from": "server"}"#)).await;

    let named = run_behind(&proxy, &server.url("/"), json!({})).await;
    let output: Value = serde_json::from_slice(&named.stdout).unwrap();
    assert_eq!(output, json!({ "from": "server" }));

    // The proxy could reach what data must not: the host is judged here, and nowhere else.
    let port = server.address.port();
    for host in [format!("127.0.0.1:{port}"), format!("localhost:{port}")] {
        let data = run_behind(&proxy, "http://{+host}/", json!({ "host": host })).await;
        let told = String::from_utf8(data.stderr).unwrap();
        assert_eq!(data.status.code(), Some(1), "{told}");
        assert!(told.contains("private address"), "{told}");
    }
    assert_eq!(server.asked().len(), 1);
    assert_eq!(proxy.asked().len(), 0, "nothing went to the proxy");
}
