//! Test runs.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use flame_agent_api::{Mock, Operation, RunError, StartQuery, TestRequest};
use flame_engine::{MockAnswer, TestPlan};
use flame_errors::Code;
use flame_types::WorkflowId;
use serde_json::{Value, json};

use super::runs::whole;
use crate::http::body;
use crate::http::failure::Failure;
use crate::http::parameter::{self, Parameters, Segments};
use crate::runtime::{Handle, StartRequest};

pub(in crate::http) async fn start(
    State(runtime): State<Handle>,
    segments: Result<Segments<WorkflowId>, Failure>,
    query: Result<Parameters<StartQuery>, Failure>,
    request: Request,
) -> Result<Response, Failure> {
    let read = || {
        let Segments(workflow) = segments?;
        let Parameters(query) = query?;
        Ok((
            workflow,
            query.wait.as_deref().map(parameter::wait).transpose()?,
        ))
    };
    let (workflow, wait) = match read() {
        Ok(read) => read,
        Err(failure) => return body::refuse(request, failure).await,
    };
    let test = body::take_json::<TestRequest>(Operation::StartTest, request).await?;
    let mut test = test.unwrap_or_default();
    let input: Value = test.input.take().unwrap_or_else(|| json!({}));
    let start = StartRequest {
        refuse_unfit: true,
        ..StartRequest::test(workflow, input, plan(test)?)
    };
    let (started, usual) = match wait {
        None => (runtime.start(start).await?, StatusCode::CREATED),
        Some(wait) => (
            runtime.start_and_wait(start, wait).await?,
            StatusCode::ACCEPTED,
        ),
    };
    let ended = wait.is_some() && started.run.summary.status.is_terminal();
    let status = if ended { StatusCode::OK } else { usual };
    let location = format!("/api/v1/runs/{}", started.run.summary.id);
    let view = whole(&runtime, started.run).await?;
    Ok((status, [(LOCATION, location)], Json(view)).into_response())
}

fn plan(test: TestRequest) -> Result<TestPlan, Failure> {
    let pins = test.pins.into_iter();
    Ok(TestPlan {
        pins: pins
            .map(|(task, output)| (task, Arc::new(output)))
            .collect(),
        mocks: test.mocks.into_iter().map(mock).collect::<Result<_, _>>()?,
        task: test.task,
        context: test.context.map(Arc::new),
    })
}

fn mock(mock: Mock) -> Result<flame_engine::Mock, Failure> {
    let answer = match (mock.output, mock.error) {
        (output, None) => MockAnswer::Output(Arc::new(output.unwrap_or_default())),
        (None, Some(error)) => MockAnswer::Error(dsl_error(error)),
        (Some(_), Some(_)) => {
            let detail = format!("the mock of {:?} has an output and an error", mock.call);
            return Err(Failure::new(Code::BodyInvalid, detail).hint("Give one of the two."));
        }
    };
    Ok(flame_engine::Mock {
        call: mock.call,
        answer,
    })
}

fn dsl_error(error: RunError) -> flame_engine::Error {
    flame_engine::Error {
        kind: error.kind,
        status: error.status,
        title: error.title,
        detail: error.detail,
        instance: error.instance,
    }
}
