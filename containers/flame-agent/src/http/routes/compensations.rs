//! Compensations that wait for a person.

use axum::Json;
use axum::extract::{Request, State};
use flame_agent_api::{Operation, RunView};
use flame_types::RunId;

use super::runs::whole;
use crate::http::body;
use crate::http::failure::Failure;
use crate::http::parameter::Segments;
use crate::runtime::Handle;

pub(in crate::http) async fn retry(
    State(runtime): State<Handle>,
    Segments((id, number)): Segments<(RunId, u64)>,
    request: Request,
) -> Result<Json<RunView>, Failure> {
    body::none(Operation::RetryCompensation, request).await?;
    let run = runtime.retry_compensation(id, number).await?;
    whole(&runtime, run).await.map(Json)
}

pub(in crate::http) async fn skip(
    State(runtime): State<Handle>,
    Segments((id, number)): Segments<(RunId, u64)>,
    request: Request,
) -> Result<Json<RunView>, Failure> {
    body::none(Operation::SkipCompensation, request).await?;
    let run = runtime.skip_compensation(id, number).await?;
    whole(&runtime, run).await.map(Json)
}
