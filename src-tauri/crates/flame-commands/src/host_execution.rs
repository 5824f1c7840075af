//! What workflows may run on this computer outside of containers: asked of a person, kept by this device's
//! workspace, told to the agent at each of its starts and whenever it changes.
//!
//! A permission is for `namespace/name` and for the programs that the person saw. A version that would run
//! anything else is asked about anew.

use std::collections::BTreeSet;
use std::sync::Arc;

use flame_agent_client::AgentClient;
use flame_agent_client::api::{HostExecutionGrant, HostExecutionPut};
use flame_errors::Code;
use flame_ipc::{
    Changed, ErrorView, Event, HostExecution, HostExecutionAllow, HostExecutionForbid,
    HostExecutionGet, HostPermission, HostPermissionsList, HostProgram, HostProgramKind,
    RuntimeMode,
};
use flame_types::{Namespace, ProgramDigest, WorkflowName};
use flame_workspace::{Document, DocumentKind, PROGRAMS_MAX, Workspace};

use crate::app::{App, now};
use crate::documents;
use crate::execute::Execute;
use crate::failure::OrView;

impl Execute for HostExecutionGet {
    async fn execute(self, app: Arc<App>) -> Result<HostExecution, ErrorView> {
        let id = documents::parse_id(&self.document_id)?;
        app.with_workspace(move |workspace| view(workspace, &documents::get(workspace, id)?))
            .await
    }
}

impl Execute for HostExecutionAllow {
    async fn execute(self, app: Arc<App>) -> Result<HostExecution, ErrorView> {
        let id = documents::parse_id(&self.document_id)?;
        let shown: BTreeSet<String> = self.programs.into_iter().collect();
        let view = app
            .with_workspace(move |workspace| {
                let document = documents::get(workspace, id)?;
                allow(workspace, &document, &shown)?;
                view(workspace, &document)
            })
            .await?;
        tell(&app).await?;
        app.emit(&Event::DocumentsChanged(Changed {
            ids: vec![id.to_string()],
        }));
        Ok(view)
    }
}

impl Execute for HostExecutionForbid {
    async fn execute(self, app: Arc<App>) -> Result<Vec<HostPermission>, ErrorView> {
        forbid(&app, &self.workflow).await?;
        app.emit(&Event::DocumentsChanged(Changed { ids: Vec::new() }));
        app.with_workspace(list).await
    }
}

impl Execute for HostPermissionsList {
    async fn execute(self, app: Arc<App>) -> Result<Vec<HostPermission>, ErrorView> {
        app.with_workspace(list).await
    }
}

/// Takes back what was allowed for `namespace/name`.
pub(crate) async fn forbid(app: &Arc<App>, workflow: &str) -> Result<(), ErrorView> {
    let Some((namespace, name)) = parts(workflow) else {
        return Ok(());
    };
    let was_allowed = app
        .with_workspace(move |workspace| workspace.forbid_host(&namespace, &name).or_view())
        .await?;
    if was_allowed {
        tell(app).await.map_err(|error| {
            error.with_kept("It is taken back here, and the agent is told when it starts next.")
        })?;
    }
    Ok(())
}

/// Tells the agent that is ready, if there is one; the others are told when they get ready.
pub(crate) async fn tell(app: &Arc<App>) -> Result<(), ErrorView> {
    match app.agent_now() {
        Some(agent) => deploy(app, &agent).await,
        None => Ok(()),
    }
}

/// Tells an agent all that is allowed. One in a container is told nothing: this computer is out of its reach.
pub(crate) async fn deploy(app: &Arc<App>, agent: &AgentClient) -> Result<(), ErrorView> {
    if app.runtime.mode() == RuntimeMode::Podman {
        return Ok(());
    }
    // Of two that tell at once the later one must have read the later state.
    let _alone = app.host_execution.lock().await;
    let permissions = app
        .with_workspace(|workspace| workspace.host_permissions().or_view())
        .await?;
    let grant = |permission: flame_workspace::HostPermission| HostExecutionGrant {
        namespace: permission.namespace,
        name: permission.name,
        programs: permission.programs,
    };
    let allowed = HostExecutionPut {
        workflows: permissions.into_iter().map(grant).collect(),
    };
    agent.put_host_execution(&allowed).await.or_view()
}

fn allow(
    workspace: &Workspace,
    document: &Document,
    shown: &BTreeSet<String>,
) -> Result<(), ErrorView> {
    let Some(workflow) = documents::model(&document.body) else {
        let detail = "the saved text has errors, so nobody can say what it would run";
        return Err(ErrorView::new(Code::DefinitionInvalid, detail)
            .with_hint("Repair what the editor marks, then allow it."));
    };
    let programs: Vec<ProgramDigest> = workflow
        .host_programs()
        .into_iter()
        .map(|program| program.digest)
        .collect();
    if programs.len() > PROGRAMS_MAX {
        let detail = format!(
            "it would run {} programs, and {PROGRAMS_MAX} can be allowed for one workflow",
            programs.len()
        );
        return Err(ErrorView::new(Code::ParameterInvalid, detail)
            .with_hint("Put a part of it into a workflow of its own."));
    }
    let found: BTreeSet<String> = programs.iter().map(ToString::to_string).collect();
    if found.is_empty() || found != *shown {
        let detail = "its saved text would run something else than what was shown";
        return Err(ErrorView::new(Code::DocumentConflict, detail)
            .with_hint("Look at what it would run now, then allow that.")
            .with_kept("Nothing was allowed."));
    }
    let (namespace, name) = (&workflow.id.namespace, &workflow.id.name);
    workspace
        .allow_host(namespace, name, &programs, now())
        .or_view()
}

fn view(workspace: &Workspace, document: &Document) -> Result<HostExecution, ErrorView> {
    let workflow = match document.kind {
        DocumentKind::Workflow => documents::model(&document.body),
        DocumentKind::Pipeline | DocumentKind::Connection => None,
    };
    let Some(workflow) = workflow else {
        return Ok(HostExecution {
            workflow: document.name.clone(),
            programs: Vec::new(),
            allowed: false,
            changed: false,
        });
    };
    let id = &workflow.id;
    let permissions = workspace.host_permissions().or_view()?;
    let permission = permissions
        .iter()
        .find(|permission| permission.namespace == id.namespace && permission.name == id.name);
    let programs: Vec<HostProgram> = workflow
        .host_programs()
        .into_iter()
        .map(|program| HostProgram {
            kind: kind(program.kind),
            name: program.name.to_string(),
            task: program.task.to_string(),
            text: program.text,
            given: program.given,
            allowed: permission.is_some_and(|known| known.programs.contains(&program.digest)),
            digest: program.digest.into(),
        })
        .collect();
    let allowed = !programs.is_empty() && programs.iter().all(|program| program.allowed);
    Ok(HostExecution {
        workflow: format!("{}/{}", id.namespace, id.name),
        changed: permission.is_some() && !programs.is_empty() && !allowed,
        programs,
        allowed,
    })
}

const fn kind(kind: flame_dsl::HostProgramKind) -> HostProgramKind {
    match kind {
        flame_dsl::HostProgramKind::Shell => HostProgramKind::Shell,
        flame_dsl::HostProgramKind::Python => HostProgramKind::Python,
        flame_dsl::HostProgramKind::PythonSource => HostProgramKind::PythonSource,
        flame_dsl::HostProgramKind::McpServer => HostProgramKind::McpServer,
    }
}

fn list(workspace: &Workspace) -> Result<Vec<HostPermission>, ErrorView> {
    workspace
        .host_permissions()
        .or_view()?
        .into_iter()
        .map(|permission| {
            let workflow = format!("{}/{}", permission.namespace, permission.name);
            let document = workspace
                .find(DocumentKind::Workflow, &workflow)
                .or_view()?;
            Ok(HostPermission {
                workflow,
                document_id: document.map(|document| document.id.to_string()),
                programs: permission.programs.len().into(),
                allowed_at: permission.allowed.into(),
            })
        })
        .collect()
}

fn parts(workflow: &str) -> Option<(Namespace, WorkflowName)> {
    let (namespace, name) = workflow.split_once('/')?;
    Some((namespace.parse().ok()?, name.parse().ok()?))
}
