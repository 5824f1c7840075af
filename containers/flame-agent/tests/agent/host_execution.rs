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
