//! Who says what may run on the machine while the agent runs, over HTTP: what is refused, and a kill in between.

use flame_agent_api::{HostExecutionGrant, HostExecutionPut, SecretText};
use flame_agent_client::AgentClient;
use flame_errors::Code;
use serde_json::json;

use crate::harness::{JSON, Served, problem, workflow};

const PATH: &str = "/api/v1/host-execution";
const BY_API: &[&str] = &["--host-execution-by-api"];
const TASKS: &str = "do: [{greet: {run: {shell: {command: 'echo hello'}}}}]";

/// Everything that the workflow would run.
fn all_of(name: &str, tasks: &str) -> HostExecutionPut {
    let workflow = flame_dsl::parse(&workflow(name, tasks), flame_dsl::Format::Yaml).unwrap();
    let programs = workflow.host_programs();
    HostExecutionPut {
        workflows: vec![HostExecutionGrant {
            namespace: workflow.id.namespace,
            name: workflow.id.name,
            programs: programs.into_iter().map(|program| program.digest).collect(),
        }],
    }
}

fn client(agent: &Served) -> AgentClient {
    let agent = agent.agent();
    AgentClient::new(&agent.url, SecretText::new(agent.token.clone())).unwrap()
}

async fn refused(agent: &Served, body: &'static str, code: Code) -> String {
    let request = agent.request("PUT", PATH).header("content-type", JSON);
    problem(request.body(body).send().await.unwrap(), code)
        .await
        .detail
}

#[tokio::test]
async fn the_command_line_alone_allows_unless_it_says_otherwise() {
    let agent = Served::start();
    let detail = refused(&agent, r#"{"workflows": []}"#, Code::HostExecutionOff).await;
    assert!(detail.contains("command line"), "{detail}");
    let error = client(&agent)
        .put_host_execution(&all_of("greet", TASKS))
        .await;
    assert_eq!(error.unwrap_err().code(), Code::HostExecutionOff);

    let agent = Served::start_with(BY_API);
    let bare = agent.bare("PUT", PATH).header("content-type", JSON);
    problem(
        bare.body(r#"{"workflows": []}"#).send().await.unwrap(),
        Code::Unauthorized,
    )
    .await;
    for body in [
        "",
        "{}",
        r#"{"workflows": [], "any": true}"#,
        r#"{"workflows": [{"namespace": "test", "name": "greet"}]}"#,
        r#"{"workflows": [{"namespace": "test", "name": "gr eet", "programs": []}]}"#,
        r#"{"workflows": [{"namespace": "test", "name": "greet", "programs": ["*"]}]}"#,
        r#"{"workflows": [{"namespace": "test", "name": "greet", "programs": [], "version": "1.0.0"}]}"#,
    ] {
        refused(&agent, body, Code::BodyInvalid).await;
    }
    client(&agent)
        .put_host_execution(&all_of("greet", TASKS))
        .await
        .unwrap();
}

/// What was said is gone with the process, so a run waits until it is said again.
#[tokio::test]
async fn an_agent_that_starts_again_waits_to_be_told() {
    let mut agent = Served::start_with(BY_API);
    agent.deploy("greet", TASKS).await;
    client(&agent)
        .put_host_execution(&all_of("greet", TASKS))
        .await
        .unwrap();
    assert_eq!(agent.run("greet", &json!({})).await["output"], "hello");
    agent.restart();
    let input = json!({});
    let (run, told) = tokio::join!(agent.run("greet", &input), async {
        client(&agent)
            .put_host_execution(&all_of("greet", TASKS))
            .await
    });
    told.unwrap();
    assert_eq!(run["output"], "hello", "{run}");
}

/// Two copies of a command at once would undo each other's work.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_command_does_not_outlive_an_agent_that_is_killed() {
    let place = tempfile::tempdir().unwrap();
    let pids = place.path().join("pids");
    let tasks = format!(
        "do: [{{ quick: {{ run: {{ shell: {{ command: 'true' }} }} }} }},
              {{ long: {{ run: {{ shell: {{ command: 'sleep 1000 & echo $! >> {0}; echo $$ >> {0}; wait' }} }} }} }}]",
        pids.display()
    );
    let mut agent = Served::start_with(&["--allow-host-execution", "test/long"]);
    agent.deploy("long", &tasks).await;
    let id = agent.begin("long", &json!({})).await;
    let begun = async |count: usize| {
        flame_testkit::until("the command begins", || {
            let text = std::fs::read_to_string(&pids).ok()?;
            let found: Vec<String> = text.lines().map(str::to_owned).collect();
            (found.len() == count && text.ends_with('\n')).then_some(found)
        })
        .await
    };
    let first = begun(2).await;
    agent.restart();
    begun(4).await;
    for pid in first {
        flame_testkit::until("the old command has ended", || {
            has_ended(&pid).then_some(())
        })
        .await;
    }
    let cancel = format!("/api/v1/runs/{id}/cancel");
    assert_eq!(
        agent
            .request("POST", &cancel)
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    for pid in begun(4).await {
        flame_testkit::until("the command has ended", || has_ended(&pid).then_some(())).await;
    }
}

/// Gone, or left for somebody to ask how it ended.
#[cfg(target_os = "linux")]
fn has_ended(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| {
        stat.rsplit(')')
            .next()
            .is_some_and(|rest| rest.starts_with(" Z"))
    })
}
