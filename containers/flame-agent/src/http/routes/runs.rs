//! Runs: start, find, follow, suspend, resume, cancel, retry and replay.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use flame_agent_api::{
    CancelRequest, EventPage, JournalPage, JournalQuery, Operation, ReplayRequest, RunPage,
    RunQuery, RunView, StartQuery,
};
use flame_errors::Code;
use flame_store::{Page, Run, RunFilter};
use flame_types::{RunId, RunStatus, WorkflowId};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::http::failure::Failure;
use crate::http::history::{self, History};
use crate::http::parameter::{self, Parameters, Segments, invalid};
use crate::http::router::Context;
use crate::http::{body, condition, follow, view};
use crate::runtime::{Handle, IdempotencyKey, StartRequest};

pub(in crate::http) async fn start(
    State(runtime): State<Handle>,
    segments: Result<Segments<WorkflowId>, Failure>,
    query: Result<Parameters<StartQuery>, Failure>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Failure> {
    let read = || {
        let Segments(workflow) = segments?;
        let Parameters(query) = query?;
        let wait = query.wait.as_deref().map(parameter::wait).transpose()?;
        Ok((
            workflow,
            wait,
            parameter::idempotency_key(&headers, &["idempotency-key"])?,
        ))
    };
    let (workflow, wait, key) = match read() {
        Ok(read) => read,
        Err(failure) => return body::refuse(request, failure).await,
    };
    let taken = body::take(Operation::StartRun, request).await?;
    let input: Value = if taken.bytes.is_empty() {
        json!({})
    } else {
        body::any_json(&taken.bytes)?
    };
    let body_hash = Sha256::digest(&taken.bytes).into();
    let start = StartRequest {
        idempotency: key.map(|key| IdempotencyKey { key, body_hash }),
        refuse_unfit: true,
        ..StartRequest::new(workflow, input)
    };
    let (started, usual) = match wait {
        None => (runtime.start(start).await?, StatusCode::CREATED),
        Some(wait) => (
            runtime.start_and_wait(start, wait).await?,
            StatusCode::ACCEPTED,
        ),
    };
    let ended = wait.is_some() && started.run.summary.status.is_terminal();
    let existing = wait.is_none() && started.existing;
    let status = if ended || existing {
        StatusCode::OK
    } else {
        usual
    };
    let location = format!("/api/v1/runs/{}", started.run.summary.id);
    let view = whole(&runtime, started.run).await?;
    Ok((status, [(LOCATION, location)], Json(view)).into_response())
}

/// The run with the tasks that it is at.
pub(super) async fn whole(runtime: &Handle, run: Run) -> Result<RunView, Failure> {
    let inspection = runtime.inspect(&run).await?;
    view::run(run, inspection)
}

pub(in crate::http) async fn list(
    State(runtime): State<Handle>,
    Parameters(query): Parameters<RunQuery>,
) -> Result<Json<RunPage>, Failure> {
    let limit = parameter::limit(query.limit, 50, 200)?;
    let after = query.cursor.as_deref().map(run_cursor).transpose()?;
    let conditions = query
        .conditions
        .as_deref()
        .map(condition::all)
        .transpose()?;
    let filter = filter(query)?;
    if let Some(conditions) = conditions {
        let page = Page { after, limit };
        let found = runtime.search_runs(filter, conditions, page).await?;
        let items = found.runs.into_iter().map(view::run_summary);
        return Ok(Json(RunPage {
            items: items.collect::<Result<_, _>>()?,
            next: found.next.map(|run| run.to_string()),
        }));
    }
    // One row more tells whether there is another page.
    let mut rows = runtime
        .runs(
            filter,
            Page {
                after,
                limit: limit + 1,
            },
        )
        .await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|row| row.id.to_string());
    let items = rows
        .into_iter()
        .map(view::run_summary)
        .collect::<Result<_, _>>()?;
    Ok(Json(RunPage { items, next }))
}

fn run_cursor(text: &str) -> Result<RunId, Failure> {
    text.parse().map_err(|_| {
        invalid(format!("cursor is {text:?}")).hint("Give `next` of the page before, unchanged.")
    })
}

fn filter(query: RunQuery) -> Result<RunFilter, Failure> {
    let statuses = query
        .status
        .as_deref()
        .map(statuses)
        .transpose()?
        .unwrap_or_default();
    let mut parts = query
        .workflow
        .as_deref()
        .unwrap_or_default()
        .splitn(3, '/')
        .map(str::to_owned);
    let mut part = || parts.next().filter(|part| !part.is_empty());
    Ok(RunFilter {
        statuses,
        namespace: part(),
        name: part(),
        version: part(),
        created_from: query.since,
        created_before: query.until,
        ended_from: query.ended_since,
        ended_before: query.ended_until,
        text: query.text.filter(|text| !text.is_empty()),
        parent: query.parent,
        ..RunFilter::default()
    })
}

fn statuses(text: &str) -> Result<Vec<RunStatus>, Failure> {
    let read = |word: &str| {
        RunStatus::from_name(word.trim()).ok_or_else(|| {
            let known: Vec<&str> = RunStatus::ALL
                .iter()
                .map(|status| status.as_str())
                .collect();
            invalid(format!("status has {word:?}"))
                .hint(format!("Give one or several of {}.", known.join(", ")))
        })
    };
    text.split(',')
        .filter(|word| !word.trim().is_empty())
        .map(read)
        .collect()
}

async fn known(runtime: &Handle, id: RunId) -> Result<Run, Failure> {
    runtime
        .run(id)
        .await?
        .ok_or_else(|| Failure::not_found(format_args!("run {id}")))
}

pub(in crate::http) async fn get(
    State(runtime): State<Handle>,
    Segments(id): Segments<RunId>,
) -> Result<Json<RunView>, Failure> {
    let run = known(&runtime, id).await?;
    whole(&runtime, run).await.map(Json)
}

pub(in crate::http) async fn journal(
    State(runtime): State<Handle>,
    Segments(id): Segments<RunId>,
    Parameters(query): Parameters<JournalQuery>,
) -> Result<Json<JournalPage>, Failure> {
    let limit = parameter::limit(query.limit, 200, 1_000)?;
    let after = query.after.unwrap_or(0);
    let mut history = History::open(&runtime, id, after).await?;
    let mut items = history.after(&runtime, after, limit + 1).await?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|entry| entry.sequence);
    Ok(Json(JournalPage {
        items,
        next,
        compacted: history.compacted(),
    }))
}

/// Each page is read on its own, from the last snapshot before it.
pub(in crate::http) async fn lifecycle(
    State(runtime): State<Handle>,
    Segments(id): Segments<RunId>,
    Parameters(query): Parameters<JournalQuery>,
) -> Result<Json<EventPage>, Failure> {
    let limit = parameter::limit(query.limit, 200, 1_000)?;
    history::lifecycle(&runtime, id, query.after.unwrap_or(0), limit)
        .await
        .map(Json)
}

pub(in crate::http) async fn follow(
    State(context): State<Context>,
    Segments(id): Segments<RunId>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let after = match headers.get("last-event-id") {
        None => 0,
        Some(value) => value
            .to_str()
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| {
                invalid(format!("Last-Event-ID is {value:?}"))
                    .hint("Give the id of the last event that arrived, or leave the header out.")
            })?,
    };
    follow::run(&context, id, after).await
}

pub(in crate::http) async fn cancel(
    State(runtime): State<Handle>,
    Segments(id): Segments<RunId>,
    request: Request,
) -> Result<Json<RunView>, Failure> {
    let cancel = body::take_json::<CancelRequest>(Operation::CancelRun, request).await?;
    let compensate = cancel.unwrap_or_default().compensate;
    let run = runtime.cancel(id, compensate).await?;
    whole(&runtime, run).await.map(Json)
}

pub(in crate::http) async fn suspend(
    State(runtime): State<Handle>,
    Segments(id): Segments<RunId>,
    request: Request,
) -> Result<Json<RunView>, Failure> {
    body::none(Operation::SuspendRun, request).await?;
    let run = runtime.suspend(id).await?;
    whole(&runtime, run).await.map(Json)
}

pub(in crate::http) async fn resume(
    State(runtime): State<Handle>,
    Segments(id): Segments<RunId>,
    request: Request,
) -> Result<Json<RunView>, Failure> {
    body::none(Operation::ResumeRun, request).await?;
    let run = runtime.resume(id).await?;
    whole(&runtime, run).await.map(Json)
}

pub(in crate::http) async fn retry(
    State(runtime): State<Handle>,
    Segments(id): Segments<RunId>,
    request: Request,
) -> Result<Json<RunView>, Failure> {
    body::none(Operation::RetryRun, request).await?;
    let run = runtime.retry(id).await?;
    whole(&runtime, run).await.map(Json)
}

pub(in crate::http) async fn replay(
    State(runtime): State<Handle>,
    segments: Result<Segments<RunId>, Failure>,
    request: Request,
) -> Result<Response, Failure> {
    let id = match segments {
        Ok(Segments(id)) => id,
        Err(failure) => return body::refuse(request, failure).await,
    };
    let Some(replay) = body::take_json::<ReplayRequest>(Operation::ReplayRun, request).await?
    else {
        return Err(Failure::new(Code::BodyInvalid, "the request has no body")
            .hint("Send {\"task\": \"/do/0/name\"}, with \"input\" or \"context\" to edit them."));
    };
    let run = runtime
        .replay(id, &replay.task, replay.input, replay.context)
        .await?;
    let location = format!("/api/v1/runs/{}", run.summary.id);
    let view = whole(&runtime, run).await?;
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(view)).into_response())
}

#[cfg(test)]
mod tests {
    use flame_agent_api::RunQuery;
    use flame_types::RunStatus;

    use super::filter;

    #[test]
    fn filters_come_out_of_the_query() {
        let query = RunQuery {
            status: Some("faulted, running".into()),
            workflow: Some("shop/orders".into()),
            text: Some(String::new()),
            ..RunQuery::default()
        };
        let filter = filter(query).unwrap();
        assert_eq!(filter.statuses, [RunStatus::Faulted, RunStatus::Running]);
        assert_eq!(filter.namespace.as_deref(), Some("shop"));
        assert_eq!(filter.name.as_deref(), Some("orders"));
        assert_eq!((filter.version, filter.text), (None, None));
    }

    #[test]
    fn an_unknown_status_is_named() {
        let query = RunQuery {
            status: Some("done".into()),
            ..RunQuery::default()
        };
        let failure = format!("{:?}", filter(query).unwrap_err());
        assert!(
            failure.contains("done") && failure.contains("completed"),
            "{failure}"
        );
    }
}
