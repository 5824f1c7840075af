//! Giving documents to the agent, and remembering which text it was given.

use std::sync::Arc;

use flame_agent_client::AgentClient;
use flame_agent_client::api::WorkflowView;
use flame_errors::Code;
use flame_ipc::{Changed, Deployed, DocumentDeploy, ErrorView, Event, Whole};
use flame_types::{RunStatus, WorkflowId};
use flame_workspace::{Document, DocumentId, DocumentKind, Workspace};
use serde::{Deserialize, Serialize};

use super::facts::{facts, format_of};
use crate::app::App;
use crate::execute::Execute;
use crate::failure::OrView;
use crate::{connections, feeds};

/// What the agent was last given of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Deployment {
    #[serde(flatten)]
    pub(crate) id: WorkflowId,
    pub(crate) text: String,
}

impl Deployment {
    pub(crate) fn new(id: &WorkflowId, text: &str) -> Self {
        Self {
            id: id.clone(),
            text: text.to_owned(),
        }
    }
}

impl Execute for DocumentDeploy {
    async fn execute(self, app: Arc<App>) -> Result<Deployed, ErrorView> {
        let id = super::parse_id(&self.id)?;
        let document = app
            .with_workspace(move |workspace| super::get(workspace, id))
            .await?;
        deploy(&app, &document).await
    }
}

/// What the agent was given of this document, if anything.
pub(crate) fn deployed(
    workspace: &Workspace,
    id: DocumentId,
) -> Result<Option<Deployment>, ErrorView> {
    let text = workspace.fact(&fact(id)).or_view()?;
    Ok(text.filter(|text| !text.is_empty()).and_then(|text| {
        serde_json::from_str(&text)
            .inspect_err(|error| tracing::warn!(%error, %id, "the note of a deployment is lost"))
            .ok()
    }))
}

pub(crate) fn remember(
    workspace: &Workspace,
    id: DocumentId,
    deployment: &Deployment,
) -> Result<(), ErrorView> {
    let text = serde_json::to_string(deployment)
        .map_err(|error| ErrorView::new(Code::Internal, error.to_string()))?;
    workspace.set_fact(&fact(id), &text).or_view()
}

fn fact(id: DocumentId) -> String {
    format!("deployed:{id}")
}

/// Deploys the saved text when the agent has another one, and says what it is called there.
pub(crate) async fn ensure_deployed(
    app: &Arc<App>,
    document: &Document,
) -> Result<WorkflowId, ErrorView> {
    let id = document.id;
    let known = app
        .with_workspace(move |workspace| deployed(workspace, id))
        .await?;
    match known {
        Some(known) if known.text == document.body => Ok(known.id),
        known => {
            let facts = facts(document);
            match (facts.id, known) {
                (Some(id), _) => deploy(app, document).await.map(|_| id),
                (None, _) => Err(has_errors(facts.errors)),
            }
        }
    }
}

/// Gives the saved text to the agent.
async fn deploy(app: &Arc<App>, document: &Document) -> Result<Deployed, ErrorView> {
    let facts = facts(document);
    let Some(id) = facts.id.clone() else {
        return Err(has_errors(facts.errors));
    };
    refuse_twin(app, document, &facts.full_name()).await?;
    let agent = app.agent().await?;
    for name in &facts.connections {
        connections::deploy_one(app, &agent, name).await?;
    }
    put(&agent, document.kind, &id, &document.body).await?;
    let (document_id, deployment) = (document.id, Deployment::new(&id, &document.body));
    app.with_workspace(move |workspace| remember(workspace, document_id, &deployment))
        .await?;
    feeds::watch_deployed(app).await;
    app.emit(&Event::DocumentsChanged(Changed {
        ids: vec![document.id.to_string()],
    }));
    let runs_on_older = match document.kind {
        DocumentKind::Workflow => runs_on_older(&agent, &id).await?,
        DocumentKind::Pipeline | DocumentKind::Connection => 0,
    };
    Ok(Deployed {
        version: id.version.to_string(),
        runs_on_older: Whole::new(runs_on_older),
    })
}

fn has_errors(count: usize) -> ErrorView {
    let noun = if count == 1 { "error" } else { "errors" };
    ErrorView::new(
        Code::DefinitionInvalid,
        format!("the saved text has {count} {noun}"),
    )
    .with_hint("Repair what the editor marks, then deploy.")
    .with_kept("What is deployed already stays as it is.")
}

/// Two documents of one name would overwrite each other on the agent.
async fn refuse_twin(app: &App, document: &Document, name: &str) -> Result<(), ErrorView> {
    let (kind, id, wanted) = (document.kind, document.id, name.to_owned());
    let twin = app
        .with_workspace(move |workspace| {
            for other in workspace.list(kind).or_view()? {
                let is_twin = other.id != id
                    && deployed(workspace, other.id)?.is_some_and(|deployment| {
                        wanted == format!("{}/{}", deployment.id.namespace, deployment.id.name)
                    });
                if is_twin {
                    return Ok(true);
                }
            }
            Ok(false)
        })
        .await?;
    if twin {
        return Err(ErrorView::new(
            Code::ParameterInvalid,
            format!("another document is deployed as {name}"),
        )
        .with_value(name)
        .with_hint("Change document.name, or deploy a new version from the other document."));
    }
    Ok(())
}

async fn put(
    agent: &AgentClient,
    kind: DocumentKind,
    id: &WorkflowId,
    text: &str,
) -> Result<(), ErrorView> {
    let format = match format_of(text) {
        flame_dsl::Format::Json => flame_agent_client::Format::Json,
        flame_dsl::Format::Yaml => flame_agent_client::Format::Yaml,
    };
    match kind {
        DocumentKind::Pipeline => agent
            .put_pipeline(id.namespace.as_str(), id.name.as_str(), format, text)
            .await
            .map(drop)
            .or_view(),
        DocumentKind::Workflow | DocumentKind::Connection => agent
            .put_workflow(id, format, text)
            .await
            .map(drop)
            .or_view(),
    }
}

async fn runs_on_older(agent: &AgentClient, id: &WorkflowId) -> Result<u64, ErrorView> {
    let all = agent.workflows().await.or_view()?;
    Ok(all
        .items
        .iter()
        .filter(|view| is_named(view, id) && view.id.version != id.version)
        .map(in_flight)
        .sum())
}

fn is_named(view: &WorkflowView, id: &WorkflowId) -> bool {
    view.id.namespace == id.namespace && view.id.name == id.name
}

fn in_flight(view: &WorkflowView) -> u64 {
    let runs = view.runs;
    runs.pending + runs.running + runs.waiting + runs.suspended
}

/// Takes every version of a document off the agent; refuses while runs of it are in flight.
pub(super) async fn withdraw(app: &App, document: &Document) -> Result<(), ErrorView> {
    let id = document.id;
    let Some(known) = app
        .with_workspace(move |workspace| deployed(workspace, id))
        .await?
    else {
        return Ok(());
    };
    let agent = app.agent().await?;
    let gone = |result: flame_agent_client::Result<()>| match result {
        Err(error) if error.code() == Code::NotFound => Ok(()),
        other => other.or_view(),
    };
    if document.kind == DocumentKind::Pipeline {
        let (namespace, name) = (known.id.namespace.as_str(), known.id.name.as_str());
        return gone(agent.delete_pipeline(namespace, name).await);
    }
    let all = agent.workflows().await.or_view()?;
    let versions: Vec<_> = all
        .items
        .iter()
        .filter(|view| is_named(view, &known.id))
        .collect();
    let busy: u64 = versions.iter().map(|view| in_flight(view)).sum();
    if busy > 0 {
        let status = RunStatus::Running;
        return Err(ErrorView::new(
            Code::WorkflowInUse,
            format!("{busy} of its runs have not ended ({status} or waiting)"),
        )
        .with_hint("Wait for them, or cancel them in Runs."));
    }
    for view in versions {
        gone(agent.delete_workflow(&view.id.clone().into()).await)?;
    }
    Ok(())
}

/// Gives the agent what it lacks of what was deployed before: after its data folder was made anew.
pub(crate) async fn deploy_missing(app: &Arc<App>, agent: &AgentClient) -> Result<(), ErrorView> {
    let known = app
        .with_workspace(|workspace| {
            let mut known = Vec::new();
            for document in super::all(workspace)? {
                known.extend(deployed(workspace, document.id)?.map(|note| (document.kind, note)));
            }
            Ok(known)
        })
        .await?;
    let workflows = agent.workflows().await.or_view()?;
    let pipelines = agent.pipelines().await.or_view()?;
    for (kind, deployment) in known {
        let id = &deployment.id;
        let is_there = match kind {
            DocumentKind::Pipeline => pipelines.items.iter().any(|view| {
                view.namespace == id.namespace.as_str() && view.name == id.name.as_str()
            }),
            DocumentKind::Workflow | DocumentKind::Connection => workflows
                .items
                .iter()
                .any(|view| &WorkflowId::from(view.id.clone()) == id),
        };
        if !is_there && let Err(error) = put(agent, kind, id, &deployment.text).await {
            // One that the agent refuses must not keep the others away.
            tracing::warn!(%id, %error, "a document could not be deployed again");
        }
    }
    Ok(())
}
