//! Pipelines and the files fed into them.

use std::io;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use flame_agent_api::{
    FeedList, FeedQuery, FeedStatus, Operation, PipelineList, PipelineView, Problem,
};
use flame_errors::Code;
use flame_types::{Namespace, WorkflowName};
use futures::{Stream, StreamExt, stream};
use serde::Deserialize;
use tokio::time::timeout;

use crate::http::body::{self, PIECE_TIMEOUT};
use crate::http::failure::{Failure, definition_problem};
use crate::http::parameter::{Parameters, Segments};
use crate::http::router::Context;
use crate::pipeline::{self, FeedRequest, feed_status, pipeline_view};

/// The address of a pipeline.
#[derive(Deserialize)]
pub(in crate::http) struct Address {
    namespace: Namespace,
    name: WorkflowName,
}

impl Address {
    fn unknown(&self) -> Failure {
        Failure::not_found(format_args!("pipeline {}/{}", self.namespace, self.name))
    }
}

/// Of one file alone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct OfIdentity {
    identity: Option<String>,
}

impl From<pipeline::Error> for Failure {
    fn from(error: pipeline::Error) -> Self {
        let code = error.code();
        if code.http_status() >= 500 {
            tracing::error!(%code, error = %error, "a pipeline failed");
        }
        let mut problem = Problem::new(code, error.to_string());
        match &error {
            pipeline::Error::FeedOffset { expected, .. } => {
                problem.expected_offset = Some(*expected);
            }
            pipeline::Error::DefinitionInvalid { problems } => {
                problem.problems = problems.iter().map(definition_problem).collect();
            }
            pipeline::Error::Store(flame_store::Error::FeedOffset { found, .. }) => {
                problem.expected_offset = Some(*found);
            }
            _ => {}
        }
        Self::from(problem)
    }
}

pub(in crate::http) async fn list(
    State(context): State<Context>,
) -> Result<Json<PipelineList>, Failure> {
    let deployed = context.pipelines.deployed_list().await?;
    let items = deployed
        .iter()
        .map(|deployed| pipeline_view(deployed, false))
        .collect();
    Ok(Json(PipelineList { items }))
}

pub(in crate::http) async fn get(
    State(context): State<Context>,
    Segments(address): Segments<Address>,
) -> Result<Json<PipelineView>, Failure> {
    let deployed = context
        .pipelines
        .deployed(&address.namespace, &address.name)
        .await?;
    let deployed = deployed.ok_or_else(|| address.unknown())?;
    Ok(Json(pipeline_view(&deployed, true)))
}

pub(in crate::http) async fn put(
    State(context): State<Context>,
    segments: Result<Segments<Address>, Failure>,
    request: Request,
) -> Result<(StatusCode, Json<PipelineView>), Failure> {
    let address = match segments {
        Ok(Segments(address)) => address,
        Err(failure) => return body::refuse(request, failure).await,
    };
    let taken = body::take(Operation::PutPipeline, request).await?;
    let text = body::text(&taken.bytes)?;
    let path = (&address.namespace, &address.name);
    let (deployed, new) = context.pipelines.deploy(text, taken.media, path).await?;
    let status = if new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(pipeline_view(&deployed, true))))
}

pub(in crate::http) async fn delete(
    State(context): State<Context>,
    Segments(address): Segments<Address>,
) -> Result<StatusCode, Failure> {
    match context
        .pipelines
        .undeploy(&address.namespace, &address.name)
        .await?
    {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(address.unknown()),
    }
}

pub(in crate::http) async fn feed(
    State(context): State<Context>,
    segments: Result<Segments<Address>, Failure>,
    query: Result<Parameters<FeedQuery>, Failure>,
    request: Request,
) -> Result<Json<FeedStatus>, Failure> {
    let read = || {
        let Segments(address) = segments?;
        let Parameters(query) = query?;
        let declared = Operation::Feed.description().body.as_ref();
        let types = declared.map_or(&[][..], |body| body.types);
        Ok((address, query, body::accepted(request.headers(), types)?))
    };
    let (address, query, media) = match read() {
        Ok(read) => read,
        Err(failure) => return body::refuse(request, failure).await,
    };
    let feed = FeedRequest {
        namespace: address.namespace,
        name: address.name,
        identity: query.identity,
        source: query.source,
        offset: query.offset,
        total: query.total,
        media: media.to_owned(),
    };
    let mut rest = request.into_body().into_data_stream();
    let fed = context.pipelines.feed(feed, pieces(&mut rest)).await;
    if fed.is_err() {
        body::discard_rest(rest).await;
    }
    Ok(Json(feed_status(&fed?)))
}

/// The body as it arrives. A sender that pauses too long is cut off; its rows so far are in.
fn pieces(
    rest: &mut axum::body::BodyDataStream,
) -> impl Stream<Item = io::Result<Bytes>> + Send + Unpin {
    Box::pin(stream::unfold(Some(rest), |rest| async move {
        let rest = rest?;
        match timeout(PIECE_TIMEOUT, rest.next()).await {
            Ok(None) => None,
            Ok(Some(Ok(piece))) => Some((Ok(piece), Some(rest))),
            Ok(Some(Err(error))) => Some((Err(io::Error::other(error)), None)),
            Err(_) => {
                let detail = format!("nothing arrived for {} s", PIECE_TIMEOUT.as_secs());
                Some((Err(io::Error::new(io::ErrorKind::TimedOut, detail)), None))
            }
        }
    }))
}

pub(in crate::http) async fn feeds(
    State(context): State<Context>,
    Segments(address): Segments<Address>,
    Parameters(query): Parameters<OfIdentity>,
) -> Result<Json<FeedList>, Failure> {
    let (namespace, name) = (&address.namespace, &address.name);
    if context.pipelines.deployed(namespace, name).await?.is_none() {
        return Err(address.unknown());
    }
    let feeds = context
        .pipelines
        .feeds(namespace, name, query.identity.as_deref())
        .await?;
    if let (Some(identity), true) = (&query.identity, feeds.is_empty()) {
        let detail = format!("{identity:?} was never fed into {namespace}/{name}");
        return Err(Failure::new(Code::NotFound, detail));
    }
    Ok(Json(FeedList {
        items: feeds.iter().map(feed_status).collect(),
    }))
}
