//! Dead letters: list, edit, send again, discard.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use flame_agent_api::{DeadLetter, DeadLetterPage, DeadLetterPut, DeadLetterQuery, Operation};
use flame_errors::Code;
use flame_store::Page;
use flame_types::{Namespace, WorkflowName};

use crate::http::body;
use crate::http::failure::Failure;
use crate::http::parameter::{self, Parameters, Segments, invalid};
use crate::http::router::Context;
use crate::pipeline::{Sent, dead_letter};

pub(in crate::http) async fn list(
    State(context): State<Context>,
    Parameters(query): Parameters<DeadLetterQuery>,
) -> Result<Json<DeadLetterPage>, Failure> {
    let limit = parameter::limit(query.limit, 50, 200)?;
    let after = query.cursor.as_deref().map(cursor).transpose()?;
    let pipeline = query.pipeline.as_deref().map(address).transpose()?;
    let pipeline = pipeline.as_ref().map(|(namespace, name)| (namespace, name));
    let page = context
        .pipelines
        .letters(pipeline, Page { after, limit })
        .await?;
    Ok(Json(DeadLetterPage {
        items: page.letters.iter().map(dead_letter).collect(),
        next: page.next.map(|id| id.to_string()),
        total: page.total,
    }))
}

fn cursor(text: &str) -> Result<u64, Failure> {
    text.parse().map_err(|_| {
        invalid(format!("cursor is {text:?}")).hint("Give `next` of the page before, unchanged.")
    })
}

fn address(text: &str) -> Result<(Namespace, WorkflowName), Failure> {
    let parse = || {
        let (namespace, name) = text.split_once('/')?;
        Some((namespace.parse().ok()?, name.parse().ok()?))
    };
    parse().ok_or_else(|| {
        invalid(format!("pipeline is {text:?}")).hint("Give namespace/name, such as shop/orders.")
    })
}

pub(in crate::http) async fn get(
    State(context): State<Context>,
    Segments(id): Segments<u64>,
) -> Result<Json<DeadLetter>, Failure> {
    Ok(Json(dead_letter(&context.pipelines.letter(id).await?)))
}

pub(in crate::http) async fn put(
    State(context): State<Context>,
    segments: Result<Segments<u64>, Failure>,
    request: Request,
) -> Result<Json<DeadLetter>, Failure> {
    let id = match segments {
        Ok(Segments(id)) => id,
        Err(failure) => return body::refuse(request, failure).await,
    };
    let put = body::take_json::<DeadLetterPut>(Operation::PutDeadLetter, request).await?;
    let put = put.ok_or_else(|| Failure::new(Code::BodyInvalid, "the request has no body"))?;
    Ok(Json(dead_letter(
        &context.pipelines.edit(id, &put.record).await?,
    )))
}

pub(in crate::http) async fn send(
    State(context): State<Context>,
    Segments(id): Segments<u64>,
    request: Request,
) -> Result<Response, Failure> {
    body::none(Operation::SendDeadLetter, request).await?;
    Ok(match context.pipelines.send(id).await? {
        Sent::Taken => StatusCode::NO_CONTENT.into_response(),
        Sent::Refused(letter) => Json(dead_letter(&letter)).into_response(),
    })
}

pub(in crate::http) async fn discard(
    State(context): State<Context>,
    Segments(id): Segments<u64>,
) -> Result<StatusCode, Failure> {
    context.pipelines.discard(id).await?;
    Ok(StatusCode::NO_CONTENT)
}
