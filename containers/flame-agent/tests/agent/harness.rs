//! A served agent with a client that shows problems as they are, and raw sockets for what no client sends.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use flame_agent_api::Problem;
use flame_errors::Code;
use flame_testkit::Agent;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;
use tempfile::TempDir;

/// Far more than anything here takes: a test that waits this long hangs.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const YAML: &str = "application/yaml";
pub(crate) const JSON: &str = "application/json";

/// The program under test.
pub(crate) fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_flame-agent"))
}

/// A client that asks loopback itself.
pub(crate) fn http() -> reqwest::Client {
    // Another test of this process may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder().no_proxy().timeout(PATIENCE);
    builder.build().unwrap()
}

/// A served agent in a folder of its own.
pub(crate) struct Served {
    agent: Option<Agent>,
    /// Removed with this value, after the agent has ended.
    _folder: Option<TempDir>,
    http: reqwest::Client,
    arguments: Vec<String>,
}

impl Served {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let served = Self::start_in(&folder.path().join("data"), arguments);
        Self {
            _folder: Some(folder),
            ..served
        }
    }

    /// In a data folder that outlives this value.
    pub(crate) fn start_in(data: &Path, arguments: &[&str]) -> Self {
        let agent = Agent::start(program(), data, arguments).unwrap();
        let http = http();
        let arguments = arguments.iter().map(|text| (*text).to_owned()).collect();
        Self {
            agent: Some(agent),
            _folder: None,
            http,
            arguments,
        }
    }

    /// `kill -9`, and a start on the same folder.
    pub(crate) fn restart(&mut self) {
        let agent = self.agent.take().unwrap();
        let folder = agent.data_dir().to_owned();
        agent.kill();
        self.begin_on(&folder);
    }

    /// SIGTERM, and a start on the same folder; gives the exit code.
    pub(crate) fn stop_and_restart(&mut self) -> Option<i32> {
        let agent = self.agent.take().unwrap();
        let folder = agent.data_dir().to_owned();
        let code = agent.stop().unwrap().code();
        self.begin_on(&folder);
        code
    }

    fn begin_on(&mut self, folder: &Path) {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        self.agent = Some(Agent::start(program(), folder, &arguments).unwrap());
    }

    /// SIGTERM; gives the exit code.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        self.agent.take().unwrap().stop().unwrap().code()
    }

    pub(crate) fn agent(&self) -> &Agent {
        self.agent.as_ref().unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.agent().url)
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn host(&self) -> &str {
        self.agent().url.strip_prefix("http://").unwrap()
    }

    /// A request with the token.
    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.bare(method, path).bearer_auth(&self.agent().token)
    }

    /// A request without the token.
    pub(crate) fn bare(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.http.request(method, self.url(path))
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let response = self.request("GET", path).send().await.unwrap();
        assert_eq!(response.status(), 200, "GET {path}");
        response.json().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        self.request("POST", path).json(body).send().await.unwrap()
    }

    /// Deploys a workflow `test/<name>/1.0.0` with these tasks and what stands at its top.
    pub(crate) async fn deploy(&self, name: &str, rest: &str) {
        let response = self.put(name, rest).await;
        let status = response.status();
        assert!(
            status.is_success(),
            "{status}: {}",
            response.text().await.unwrap()
        );
    }

    pub(crate) async fn put(&self, name: &str, rest: &str) -> Response {
        self.request("PUT", &format!("/api/v1/workflows/test/{name}/1.0.0"))
            .header("content-type", YAML)
            .body(workflow(name, rest))
            .send()
            .await
            .unwrap()
    }

    /// Starts a run and waits for its end.
    pub(crate) async fn run(&self, name: &str, input: &Value) -> Value {
        let path = format!("/api/v1/workflows/test/{name}/1.0.0/runs?wait=60s");
        let response = self.post(&path, input).await;
        assert_eq!(response.status(), 200, "the run of {name} ends");
        response.json().await.unwrap()
    }

    /// Starts a run and gives its id.
    pub(crate) async fn begin(&self, name: &str, input: &Value) -> String {
        let path = format!("/api/v1/workflows/test/{name}/1.0.0/runs");
        let response = self.post(&path, input).await;
        assert_eq!(response.status(), 201);
        let run: Value = response.json().await.unwrap();
        run["id"].as_str().unwrap().to_owned()
    }

    /// Bytes over a socket, and all that comes back until the agent closes.
    pub(crate) fn raw(&self, bytes: &[u8]) -> String {
        let mut socket = self.socket();
        socket.write_all(bytes).unwrap();
        read_all(socket)
    }

    pub(crate) fn socket(&self) -> TcpStream {
        let socket = TcpStream::connect(self.host()).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    }
}

pub(crate) fn read_all(mut socket: TcpStream) -> String {
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// The text of a workflow `test/<name>/1.0.0`.
pub(crate) fn workflow(name: &str, rest: &str) -> String {
    format!(
        "document: {{ dsl: '1.0.3', namespace: test, name: {name}, version: 1.0.0 }}\n{}\n",
        rest.trim_start_matches('\n')
    )
}

/// The text of a workflow with a webhook; `webhook` is in YAML's flow style, without braces.
pub(crate) fn hooked(name: &str, webhook: &str, rest: &str) -> String {
    format!(
        "document:\n  dsl: '1.0.3'\n  namespace: test\n  name: {name}\n  version: 1.0.0\n  \
         metadata:\n    mastra.io/webhook: {{ {webhook} }}\n{}\n",
        rest.trim_start_matches('\n')
    )
}

/// The problem that an answer holds; its form is the same for every refusal.
pub(crate) async fn problem(response: Response, code: Code) -> Problem {
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let text = response.text().await.unwrap();
    assert_eq!(
        headers["content-type"], "application/problem+json",
        "{status} {text}"
    );
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(headers["cache-control"], "no-store");
    let problem: Problem = serde_json::from_str(&text).unwrap();
    assert_eq!((problem.code, status), (code, code.http_status()), "{text}");
    assert_eq!(problem.status, status, "{text}");
    assert_eq!(problem.title, code.title());
    assert!(
        problem.instance.is_some() && !problem.detail.is_empty(),
        "{text}"
    );
    problem
}
