//! Containers of a real agent, run by the worker in a Podman of this test, over crashes of both.
//!
//! Wants root and Podman; says so and passes over the test where one is missing.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use flame_agent_client::api::{RunView, SecretText};
use flame_agent_client::{AgentClient, Format, RunEvent, StartOptions};
use flame_commands::{ContainerWorker, WorkerOptions};
use flame_testkit::{Agent, Podman, agent_program};
use flame_types::{RunId, RunStatus, WorkflowId};
use futures::StreamExt as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// Far more than any of it takes: a test that waits this long hangs.
const PATIENCE: Duration = Duration::from_secs(60);

struct Stage {
    podman: Podman,
    agent: Option<Agent>,
    client: AgentClient,
    image: String,
    arguments: Vec<String>,
    folder: TempDir,
}

/// An agent whose Python and shell commands run in images that this Podman has.
fn stage() -> Option<Stage> {
    let podman = match Podman::start() {
        Ok(podman) => podman,
        Err(reason) => {
            flame_testkit::skipped(reason);
            return None;
        }
    };
    let image = podman.shell_image();
    let arguments = ["--shell-image", &image].map(str::to_owned).to_vec();
    let folder = tempfile::tempdir().unwrap();
    let (agent, client) = serve(folder.path(), &arguments);
    Some(Stage {
        podman,
        agent: Some(agent),
        client,
        image,
        arguments,
        folder,
    })
}

fn serve(folder: &Path, arguments: &[String]) -> (Agent, AgentClient) {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let program = agent_program().unwrap();
    let agent = Agent::start(program, &folder.join("agent"), &arguments).unwrap();
    let client = AgentClient::new(&agent.url, SecretText::new(agent.token.clone())).unwrap();
    (agent, client)
}

fn worker_options(folder: &Path, socket: &Path) -> WorkerOptions {
    WorkerOptions {
        workspace: "test".to_owned(),
        podman: Some(socket.display().to_string()),
        volumes: Some(folder.join("agent/files")),
        marks: folder.join("marks"),
    }
}

impl Stage {
    fn worker(&self) -> JoinHandle<()> {
        self.worker_at(self.podman.socket())
    }

    fn worker_at(&self, socket: &Path) -> JoinHandle<()> {
        let options = worker_options(self.folder.path(), socket);
        let client = self.client.clone();
        tokio::spawn(async move { ContainerWorker::new(options).work(&client).await })
    }

    fn kill_agent(&mut self) {
        self.agent.take().unwrap().kill();
    }

    fn serve_again(&mut self) {
        let (agent, client) = serve(self.folder.path(), &self.arguments);
        (self.agent, self.client) = (Some(agent), client);
    }

    /// Starts a run of one task, `r`, that runs this.
    async fn begin(&self, name: &str, what: &str) -> RunId {
        let id = WorkflowId {
            namespace: "test".parse().unwrap(),
            name: name.parse().unwrap(),
            version: "1.0.0".parse().unwrap(),
        };
        let text = format!(
            "document: {{ dsl: '1.0.3', namespace: test, name: {name}, version: 1.0.0 }}\n\
             do: [ {{ r: {{ run: {{ {} }} }} }} ]\n",
            what.replace("IMAGE", &self.image)
        );
        self.client
            .put_workflow(&id, Format::Yaml, &text)
            .await
            .unwrap();
        let (input, options) = (json!({"a": 1}), StartOptions::default());
        let started = self.client.start_run(&id, &input, &options);
        started.await.unwrap().into_run().id
    }

    async fn end(&self, run: RunId) -> RunView {
        let ended = async {
            let mut stream = std::pin::pin!(self.client.follow_run(run, 0).await.unwrap());
            loop {
                if let RunEvent::End(view) = stream.next().await.unwrap().unwrap() {
                    return *view;
                }
            }
        };
        tokio::time::timeout(PATIENCE, ended)
            .await
            .expect("the run ends")
    }

    async fn run(&self, name: &str, what: &str) -> RunView {
        let run = self.begin(name, what).await;
        self.end(run).await
    }

    async fn output(&self, name: &str, what: &str) -> Value {
        let run = self.run(name, what).await;
        assert_eq!(run.status, RunStatus::Completed, "{what}: {:?}", run.error);
        run.output.unwrap_or_default()
    }

    fn containers(&self) -> usize {
        let mut list = self.podman.command();
        let output = list.args(["ps", "--all", "--quiet"]).output().unwrap();
        assert!(output.status.success());
        output
            .stdout
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .count()
    }

    /// What has happened to containers of this name, all with none, and what happens.
    fn events(&self, what: &str, name: &str) -> Events {
        let mut events = self.podman.command();
        events.args(["events", "--since", "1h", "--format", "{{.Status}}"]);
        events.args(["--filter", &format!("event={what}")]);
        if !name.is_empty() {
            events.args(["--filter", &format!("container={name}")]);
        }
        let mut child = events.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Events { child, lines }
    }

    fn file(&self, path: &str) -> PathBuf {
        self.folder.path().join("agent/files").join(path)
    }
}

/// Podman's word on containers; a line for each.
struct Events {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Events {
    fn next(&mut self) {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "the events go on");
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_run_in_containers_and_leave_nothing_behind() {
    let Some(stage) = stage() else { return };
    let worker = stage.worker();
    let mut removed = stage.events("remove", "");
    let container = "container: { image: IMAGE, command: 'cat; echo \" $1 $WORD\"; echo bad >&2; exit $CODE', \
                     stdin: in, arguments: [one], environment: { WORD: two, CODE: 0 } }";
    assert_eq!(stage.output("stdout", container).await, "in one two");
    assert_eq!(
        stage
            .output("stderr", &format!("{container}, return: stderr"))
            .await,
        "bad"
    );
    assert_eq!(
        stage
            .output("none", &format!("{container}, return: none"))
            .await,
        Value::Null
    );
    let failing = container.replace("CODE: 0", "CODE: 7");
    assert_eq!(
        stage
            .output("code", &format!("{failing}, return: code"))
            .await,
        7
    );
    assert_eq!(
        stage
            .output("all", &format!("{failing}, return: all"))
            .await,
        json!({"code": 7, "stdout": "in one two", "stderr": "bad"})
    );
    let error = stage.run("failing", &failing).await.error.unwrap();
    assert_eq!(error.detail.as_deref(), Some("it ended with code 7: bad"));
    let unawaited = "container: { image: IMAGE, command: 'echo 1 >/out/done', volumes: { out: /out } }, await: false";
    assert_eq!(stage.output("unawaited", unawaited).await, json!({"a": 1}));
    let shell = "shell: { command: 'id -u; echo \"$1\"', arguments: [x] }";
    assert_eq!(stage.output("shell", shell).await, "65532\nx");
    for _ in 0..8 {
        removed.next();
    }
    assert_eq!(stage.containers(), 0);
    assert_eq!(
        std::fs::read_to_string(stage.file("out/done")).unwrap(),
        "1\n"
    );
    worker.abort();
}

/// Where the worker of `works_for_an_agent` finds its agent and Podman.
const AGENT: &str = "MASTRA_TEST_AGENT";
const TOKEN: &str = "MASTRA_TEST_TOKEN";
const FOLDER: &str = "MASTRA_TEST_FOLDER";
const SOCKET: &str = "MASTRA_TEST_SOCKET";

#[tokio::test]
#[ignore = "run by `a_crash_of_agent_or_worker_starts_no_second_container`, which kills it"]
async fn works_for_an_agent() {
    let variable = |name: &str| std::env::var(name).unwrap();
    let token = SecretText::new(variable(TOKEN));
    let client = AgentClient::new(&variable(AGENT), token).unwrap();
    let (folder, socket) = (variable(FOLDER), variable(SOCKET));
    let options = worker_options(Path::new(&folder), Path::new(&socket));
    ContainerWorker::new(options).work(&client).await;
}

/// A worker that can be killed.
fn worker_process(stage: &Stage) -> Child {
    let agent = stage.agent.as_ref().unwrap();
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "containers::works_for_an_agent", "--ignored"])
        .env(AGENT, &agent.url)
        .env(TOKEN, &agent.token)
        .env(FOLDER, stage.folder.path())
        .env(SOCKET, stage.podman.socket())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

fn kill(mut worker: Child) {
    worker.kill().unwrap();
    worker.wait().unwrap();
}

/// The container may end once the gate is open.
const GATED: &str = "container: { image: IMAGE, name: NAME, volumes: { NAME: /gate }, command: 'echo once \
                     >>/gate/starts; until [ -e /gate/open ]; do sleep 0.05; done; echo done; echo bad >&2' }, \
                     return: all";

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_of_agent_or_worker_starts_no_second_container() {
    let Some(mut stage) = stage() else { return };
    // Who is killed, and whether the container ends meanwhile.
    for (name, agent, worker, ends_alone) in [
        ("agent", true, false, false),
        ("worker", false, true, false),
        ("both", true, true, false),
        ("agent-later", true, false, true),
        ("worker-later", false, true, true),
        ("both-later", true, true, true),
    ] {
        let open = |stage: &Stage| {
            std::fs::write(stage.file(name).join("open"), "").unwrap();
        };
        let process = worker.then(|| worker_process(&stage));
        let task = (!worker).then(|| stage.worker());
        let run = stage.begin(name, &GATED.replace("NAME", name)).await;
        stage.events("start", name).next();
        process.into_iter().for_each(kill);
        if agent {
            stage.kill_agent();
        }
        // Its agent is gone: the app lets it go and starts another one.
        task.iter().for_each(JoinHandle::abort);
        if ends_alone {
            open(&stage);
            stage.events("died", name).next();
        }
        if agent {
            stage.serve_again();
        }
        let task = stage.worker();
        if !ends_alone {
            open(&stage);
        }
        let view = stage.end(run).await;
        assert_eq!(
            view.status,
            RunStatus::Completed,
            "{name}: {:?}",
            view.error
        );
        let expected = json!({"code": 0, "stdout": "done", "stderr": "bad"});
        assert_eq!(view.output.unwrap(), expected, "{name}");
        let starts = std::fs::read_to_string(stage.file(name).join("starts")).unwrap();
        assert_eq!(starts, "once\n", "{name}");
        stage.events("remove", name).next();
        task.abort();
    }
    assert_eq!(stage.containers(), 0);
}

/// What was given up while nobody worked is ended by the next worker.
#[tokio::test(flavor = "multi_thread")]
async fn containers_of_cancelled_runs_end() {
    let Some(stage) = stage() else { return };
    let worker = stage.worker();
    let run = stage
        .begin("cancelled", &GATED.replace("NAME", "cancelled"))
        .await;
    stage.events("start", "cancelled").next();
    stage.client.cancel_run(run, false).await.unwrap();
    stage.events("remove", "cancelled").next();

    let run = stage.begin("left", &GATED.replace("NAME", "left")).await;
    stage.events("start", "left").next();
    worker.abort();
    stage.client.cancel_run(run, false).await.unwrap();
    stage.end(run).await;
    let worker = stage.worker();
    stage.events("remove", "left").next();
    worker.abort();
    assert_eq!(stage.containers(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_podman_a_task_says_what_the_doctor_says() {
    let Some(stage) = stage() else { return };
    let container = "container: { image: nobody.invalid/none, pullPolicy: never }";
    let worker = stage.worker_at(&stage.folder.path().join("none.sock"));
    let error = stage.run("none", container).await.error.unwrap();
    let detail = error.detail.unwrap();
    assert!(
        detail.starts_with("MD-602: nothing answers at "),
        "{detail}"
    );
    worker.abort();

    let worker = stage.worker();
    for (name, what, said) in [
        (
            "image",
            container,
            "MD-608: the image nobody.invalid/none is not on this machine",
        ),
        (
            "python",
            "script: { language: python, code: print(1) }",
            "MD-608: the image docker.io/library/python:3-slim is not on this machine",
        ),
        (
            "folder",
            "container: { image: IMAGE, volumes: { /etc: /etc } }",
            "MD-609: the container may not have \"/etc\"",
        ),
    ] {
        let detail = stage.run(name, what).await.error.unwrap().detail.unwrap();
        assert!(detail.starts_with(said), "{detail}");
    }
    worker.abort();
    assert_eq!(stage.containers(), 0);
}
