//! The agent itself: health, metrics, status and what changes.

use std::sync::LazyLock;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use flame_agent_api::{
    AgentStatus, Operation, OutboundList, RunLoad, StorageState, StorageStatus, media,
};
use flame_errors::Code;
use flame_store::DeadLetterState;
use flame_types::Timestamp;

use crate::http::failure::{Failure, SPACE};
use crate::http::router::Context;
use crate::http::{body, follow, metrics as exposition, process, view};
use crate::runtime::Handle;

/// The document is the same for as long as the agent runs.
static OPENAPI: LazyLock<String> = LazyLock::new(flame_agent_api::openapi_json);

pub(in crate::http) async fn live() -> StatusCode {
    StatusCode::NO_CONTENT
}

pub(in crate::http) async fn ready(State(runtime): State<Handle>) -> Result<StatusCode, Failure> {
    if !runtime.is_accepting() {
        return Err(Failure::new(
            Code::ShuttingDown,
            "the agent is shutting down",
        ));
    }
    let health = runtime.store().health();
    if health.full {
        return Err(Failure::new(
            Code::StorageFull,
            "the disk that holds the data folder is full",
        )
        .hint(SPACE));
    }
    match health.failure {
        Some(failure) => Err(Failure::new(Code::StorageFailed, failure)),
        None => Ok(StatusCode::NO_CONTENT),
    }
}

pub(in crate::http) async fn metrics(State(context): State<Context>) -> Response {
    (
        [(CONTENT_TYPE, media::PROMETHEUS)],
        exposition::exposition(&context),
    )
        .into_response()
}

pub(in crate::http) async fn openapi() -> Response {
    ([(CONTENT_TYPE, media::JSON)], OPENAPI.as_str()).into_response()
}

pub(in crate::http) async fn status(
    State(context): State<Context>,
) -> Result<Json<AgentStatus>, Failure> {
    let runtime = &context.runtime;
    let load = runtime.load();
    let letters = runtime.store().dead_letter_counts().await?;
    let now = Timestamp::now();
    let uptime = now.as_second().saturating_sub(context.started.as_second());
    Ok(Json(AgentStatus {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        started_at: context.started,
        uptime_seconds: u64::try_from(uptime).unwrap_or(0),
        storage: storage(runtime),
        runs: RunLoad {
            in_flight: load.in_flight,
            running: load.running,
            waiting: load.waiting,
            suspended: load.suspended,
            in_flight_max: load.in_flight_max,
        },
        memory: process::memory(),
        dead_letters: letters
            .iter()
            .filter(|(_, state, _)| *state == DeadLetterState::Open)
            .map(|(_, _, count)| count)
            .sum(),
    }))
}

fn storage(runtime: &Handle) -> StorageStatus {
    let (store, folder) = (runtime.store(), &runtime.options().data_folder);
    let health = store.health();
    let (state, detail) = match (health.full, health.failure) {
        (true, _) => {
            let detail = "the disk is full; free some space, the work goes on by itself";
            (StorageState::Full, Some(detail.to_owned()))
        }
        (false, Some(failure)) => (StorageState::Failed, Some(failure)),
        (false, None) => (StorageState::Ok, None),
    };
    StorageStatus {
        durability: health.durability,
        state,
        detail,
        commit_ms: health.sync_average.as_secs_f64() * 1_000.0,
        queue_depth: u64::try_from(health.queue_depth).unwrap_or(u64::MAX),
        data_dir: folder.display().to_string(),
        data_bytes: store.file_bytes(),
        free_bytes: process::free_bytes(folder),
    }
}

pub(in crate::http) async fn changes(
    State(context): State<Context>,
    request: Request,
) -> Result<Response, Failure> {
    body::none(Operation::Changes, request).await?;
    follow::changes(&context)
}

pub(in crate::http) async fn outbound(State(runtime): State<Handle>) -> Json<OutboundList> {
    Json(OutboundList {
        items: runtime.outbound().into_iter().map(view::outbound).collect(),
    })
}
