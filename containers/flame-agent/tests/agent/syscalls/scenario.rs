//! What is asked of an agent, so that it comes by the places at which it is killed.

use std::time::Duration;

use flame_agent_api::{EventQuery, RunQuery, RunView};
use flame_agent_client::{AgentClient, Error, Format, StartOptions};
use flame_types::{RunId, RunStatus, WorkflowId};
use futures::StreamExt;
use serde_json::{Value, json};

use crate::harness::workflow;

/// Far longer than anything here takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Where documents name the partner.
const PARTNER: &str = "PARTNER";

/// Something that a client asks for, the same after a crash as before.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// A workflow is put.
    Deploy(&'static Document),
    /// A run is started, and nobody waits for it.
    Start(&'static str),
    /// A run is started, under the key of `Start`, and waited for.
    Run(&'static str),
    /// An event is sent.
    Post,
    /// A run that nobody asked for comes to its end.
    Ended(&'static str),
}

/// A workflow `test/<name>/1.0.0`.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) name: &'static str,
    pub(super) tasks: &'static str,
}

/// How far a client has come.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// What was acknowledged: a run, or something else.
    pub(super) acknowledged: Vec<Option<RunId>>,
}

pub(super) fn id(name: &str) -> WorkflowId {
    WorkflowId {
        namespace: "test".parse().unwrap(),
        name: name.parse().unwrap(),
        version: "1.0.0".parse().unwrap(),
    }
}

pub(super) async fn deploy(
    client: &AgentClient,
    document: &Document,
    partner: &str,
) -> Result<(), Error> {
    let text = workflow(document.name, &document.tasks.replace(PARTNER, partner));
    let id = id(document.name);
    client
        .put_workflow(&id, Format::Yaml, &text)
        .await
        .map(drop)
}

/// The one event of this world.
fn event() -> Value {
    json!({"specversion": "1.0", "id": "1", "source": "/crash", "type": "t.x"})
}

impl Progress {
    /// Asks for what was not acknowledged, in order, until it is or the agent is gone.
    pub(super) async fn go_on(
        &mut self,
        client: &AgentClient,
        steps: &[Step],
        partner: &str,
    ) -> Result<(), Error> {
        for step in &steps[self.acknowledged.len()..] {
            let run = ask(client, *step, partner).await?;
            self.acknowledged.push(run);
        }
        Ok(())
    }

    /// Nothing that was acknowledged is lost.
    pub(super) async fn assert_kept(&self, client: &AgentClient, steps: &[Step], label: &str) {
        for (step, acknowledged) in steps.iter().zip(&self.acknowledged) {
            match (step, acknowledged) {
                (Step::Deploy(document), _) => {
                    let held = client.workflow(&id(document.name)).await;
                    held.unwrap_or_else(|error| panic!("{label}: {step:?}: {error}"));
                }
                (Step::Post, _) => {
                    let log = client.events(&EventQuery::default()).await.unwrap();
                    let held = log.items.iter().filter(|held| held.event == event());
                    assert_eq!(held.count(), 1, "{label}: {step:?}");
                }
                (_, Some(run)) => {
                    let held = client.run(*run).await;
                    held.unwrap_or_else(|error| panic!("{label}: {step:?}: {error}"));
                }
                (Step::Start(_) | Step::Run(_) | Step::Ended(_), None) => {}
            }
        }
    }
}

async fn ask(client: &AgentClient, step: Step, partner: &str) -> Result<Option<RunId>, Error> {
    match step {
        Step::Deploy(document) => deploy(client, document, partner).await.map(|()| None),
        Step::Start(name) => start(client, name, None).await.map(Some),
        Step::Run(name) => start(client, name, Some(PATIENCE)).await.map(Some),
        Step::Post => client.post_events(&[event()]).await.map(|_| None),
        Step::Ended(name) => tokio::time::timeout(PATIENCE, ended(client, name))
            .await
            .unwrap_or_else(|_| panic!("no run of {name} ends"))
            .map(Some),
    }
}

async fn start(client: &AgentClient, name: &str, wait: Option<Duration>) -> Result<RunId, Error> {
    let options = StartOptions {
        wait,
        idempotency_key: Some(name.to_owned()),
    };
    let started = client.start_run(&id(name), &json!({}), &options).await?;
    Ok(started.into_run().id)
}

/// Follows what changes until a run of the workflow has ended.
async fn ended(client: &AgentClient, name: &str) -> Result<RunId, Error> {
    let mut changes = Box::pin(client.changes().await?);
    loop {
        let ended = |run: &RunView| run.workflow.name.as_str() == name && run.status.is_terminal();
        if let Some(run) = runs(client).await?.into_iter().find(ended) {
            return Ok(run.id);
        }
        // Where the stream ends the agent is gone, and the next question shows why.
        changes.next().await.transpose()?;
    }
}

async fn runs(client: &AgentClient) -> Result<Vec<RunView>, Error> {
    Ok(client.runs(&RunQuery::default()).await?.items)
}

/// Workflow and status of all runs, in alphabetical order.
pub(super) async fn outcomes(client: &AgentClient) -> Vec<(RunId, String, RunStatus)> {
    let runs = runs(client).await.unwrap().into_iter();
    let mut outcomes: Vec<_> = runs
        .map(|run| (run.id, run.workflow.name.to_string(), run.status))
        .collect();
    outcomes.sort_by(|one, other| one.1.cmp(&other.1));
    outcomes
}
