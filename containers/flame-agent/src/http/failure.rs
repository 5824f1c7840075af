//! How anything that goes wrong becomes an answer: problem details with a stable code.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use flame_agent_api::{DefinitionProblem, Problem, Severity, media};
use flame_errors::Code;
use futures::FutureExt;

use crate::runtime;

/// What to do where the disk is full.
pub(super) const SPACE: &str = "Free some space; runs in flight go on by themselves.";

/// A refusal on its way out. The outermost layer writes it, with the path that was asked for.
#[derive(Debug, Clone)]
pub(super) struct Failure(Box<Problem>);

impl Failure {
    pub(super) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self(Box::new(Problem::new(code, detail)))
    }

    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub(super) fn problems(mut self, problems: Vec<DefinitionProblem>) -> Self {
        self.0.problems = problems;
        self
    }

    pub(super) fn not_found(what: impl std::fmt::Display) -> Self {
        Self::new(Code::NotFound, format!("there is no {what}"))
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl From<flame_store::Error> for Failure {
    fn from(error: flame_store::Error) -> Self {
        Self::from(runtime::Error::from(error))
    }
}

impl From<runtime::Error> for Failure {
    fn from(error: runtime::Error) -> Self {
        let code = error.code();
        if code.http_status() >= 500 {
            tracing::error!(%code, error = %error, "a request failed");
        }
        let failure = Self::new(code, error.to_string());
        match &error {
            runtime::Error::DefinitionInvalid { problems } => {
                definition_invalid(&failure, problems)
            }
            runtime::Error::InputInvalid { problems } => {
                failure.problems(problems.iter().map(misfit).collect())
            }
            runtime::Error::Store(flame_store::Error::Full { .. }) => failure.hint(SPACE),
            _ => failure,
        }
    }
}

/// The code of the whole is that of its first problem, where that has one.
fn definition_invalid(failure: &Failure, problems: &[flame_dsl::Problem]) -> Failure {
    let code = problems
        .iter()
        .find_map(|problem| problem.code)
        .unwrap_or(Code::DefinitionInvalid);
    Failure::new(code, failure.0.detail.clone())
        .hint("Correct the places below and put the document again.")
        .problems(problems.iter().map(definition_problem).collect())
}

/// A problem of a document in the words of the wire.
pub(super) fn definition_problem(problem: &flame_dsl::Problem) -> DefinitionProblem {
    DefinitionProblem {
        severity: match problem.severity {
            flame_dsl::Severity::Error => Severity::Error,
            flame_dsl::Severity::Warning => Severity::Warning,
        },
        rule: serde_json::to_value(problem.rule)
            .ok()
            .and_then(|rule| rule.as_str().map(str::to_owned))
            .unwrap_or_default(),
        message: problem.message.clone(),
        hint: problem.hint.clone(),
        value: problem.value.clone(),
        pointer: problem.pointer.clone(),
        line: problem.line,
        column: problem.column,
        end_line: problem.end_line,
        end_column: problem.end_column,
    }
}

/// A problem that has no place in a text.
fn misfit(misfit: &runtime::Misfit) -> DefinitionProblem {
    DefinitionProblem {
        severity: Severity::Error,
        rule: "schema".to_owned(),
        message: misfit.message.clone(),
        hint: None,
        value: None,
        pointer: misfit.pointer.clone(),
        line: 0,
        column: 0,
        end_line: 0,
        end_column: 0,
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Gives every refusal its body, and a panic in a handler an answer.
pub(super) async fn write<F: Future<Output = Response>>(
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let address = request.uri().clone();
    let answered = AssertUnwindSafe(next(request)).catch_unwind().await;
    let mut response = answered.unwrap_or_else(|_| {
        Failure::new(Code::Internal, "a handler panicked; the log has the place").into_response()
    });
    let Some(Failure(mut problem)) = response.extensions_mut().remove::<Failure>() else {
        return response;
    };
    problem.instance = Some(address.path().to_owned());
    let body = serde_json::to_vec(&*problem).unwrap_or_default();
    *response.body_mut() = Body::from(body);
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media::PROBLEM));
    if matches!(problem.code, Code::TooManyRequests | Code::ShuttingDown) {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if problem.status == StatusCode::UNAUTHORIZED.as_u16() {
        let challenge = HeaderValue::from_static("Bearer realm=\"flame-agent\"");
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    response
}
