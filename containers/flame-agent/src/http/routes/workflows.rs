//! Workflows, and the check of a document that is kept nowhere.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use flame_agent_api::{
    DocumentKind, Operation, RunCounts, Validation, WorkflowList, WorkflowView, media,
};
use flame_dsl::Format;
use flame_errors::Code;
use flame_store::DefinitionKey;
use flame_types::WorkflowId;

use crate::http::failure::{Failure, definition_problem};
use crate::http::parameter::Segments;
use crate::http::{body, view};
use crate::runtime::Handle;

pub(in crate::http) async fn list(
    State(runtime): State<Handle>,
) -> Result<Json<WorkflowList>, Failure> {
    let mut counts = counts(&runtime).await?;
    let deployed = runtime.deployed_list().await?;
    let items = deployed
        .iter()
        .map(|deployed| {
            let key = DefinitionKey::workflow(&deployed.workflow.id);
            view::workflow(deployed, counts.remove(&key).unwrap_or_default(), false)
        })
        .collect();
    Ok(Json(WorkflowList { items }))
}

async fn counts(runtime: &Handle) -> Result<HashMap<DefinitionKey, RunCounts>, Failure> {
    let mut counts: HashMap<DefinitionKey, RunCounts> = HashMap::new();
    for (key, status, runs) in runtime.store().workflow_run_counts().await? {
        view::count(counts.entry(key).or_default(), status, runs);
    }
    Ok(counts)
}

async fn counts_of(runtime: &Handle, workflow: &WorkflowId) -> Result<RunCounts, Failure> {
    let key = DefinitionKey::workflow(workflow);
    Ok(counts(runtime).await?.remove(&key).unwrap_or_default())
}

pub(in crate::http) async fn get(
    State(runtime): State<Handle>,
    Segments(id): Segments<WorkflowId>,
) -> Result<Json<WorkflowView>, Failure> {
    let deployed = runtime
        .deployed(&id)
        .await?
        .ok_or_else(|| Failure::not_found(format_args!("workflow {id}")))?;
    Ok(Json(view::workflow(
        &deployed,
        counts_of(&runtime, &id).await?,
        true,
    )))
}

pub(in crate::http) async fn put(
    State(runtime): State<Handle>,
    segments: Result<Segments<WorkflowId>, Failure>,
    request: Request,
) -> Result<(StatusCode, Json<WorkflowView>), Failure> {
    let id = match segments {
        Ok(Segments(id)) => id,
        Err(failure) => return body::refuse(request, failure).await,
    };
    let taken = body::take(Operation::PutWorkflow, request).await?;
    let text = body::text(&taken.bytes)?;
    let (deployed, new) = runtime.deploy(text, taken.media, Some(&id)).await?;
    let status = if new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((
        status,
        Json(view::workflow(
            &deployed,
            counts_of(&runtime, &id).await?,
            true,
        )),
    ))
}

pub(in crate::http) async fn delete(
    State(runtime): State<Handle>,
    Segments(id): Segments<WorkflowId>,
) -> Result<StatusCode, Failure> {
    if runtime.undeploy(&id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Failure::not_found(format_args!("workflow {id}")))
    }
}

pub(in crate::http) async fn validate(request: Request) -> Result<Json<Validation>, Failure> {
    let taken = body::take(Operation::Validate, request).await?;
    let text = body::text(&taken.bytes)?.to_owned();
    let format = if taken.media == media::JSON {
        Format::Json
    } else {
        Format::Yaml
    };
    // Large documents take a while; other requests must not wait for them.
    let checked = tokio::task::spawn_blocking(move || check(&text, format)).await;
    checked
        .map(Json)
        .map_err(|_| Failure::new(Code::Internal, "the check of the document panicked"))
}

fn check(text: &str, format: Format) -> Validation {
    let (kind, problems) = match flame_dsl::document_kind(text, format) {
        flame_dsl::DocumentKind::Pipeline => (
            DocumentKind::Pipeline,
            flame_dsl::examine_pipeline(text, format).problems,
        ),
        flame_dsl::DocumentKind::Workflow => (
            DocumentKind::Workflow,
            flame_dsl::examine(text, format).problems,
        ),
    };
    Validation {
        valid: problems
            .iter()
            .all(|problem| problem.severity != flame_dsl::Severity::Error),
        kind,
        problems: problems.iter().map(definition_problem).collect(),
    }
}
