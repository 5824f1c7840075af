//! The event log.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use flame_agent_api::{EventPage, EventQuery, EventsTaken, Operation};
use flame_store::Page;

use crate::http::failure::Failure;
use crate::http::parameter::{self, Parameters};
use crate::http::{body, cloud_event, view};
use crate::runtime::Handle;

pub(in crate::http) async fn list(
    State(runtime): State<Handle>,
    Parameters(query): Parameters<EventQuery>,
) -> Result<Json<EventPage>, Failure> {
    let limit = parameter::limit(query.limit, 100, 999)?;
    let page = Page {
        after: query.after,
        limit: limit + 1,
    };
    let mut rows = runtime.store().events(None, query.kind, page).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|row| row.sequence);
    let items = rows
        .into_iter()
        .map(view::event)
        .collect::<Result<_, _>>()?;
    Ok(Json(EventPage { items, next }))
}

pub(in crate::http) async fn post(
    State(runtime): State<Handle>,
    request: Request,
) -> Result<(StatusCode, Json<EventsTaken>), Failure> {
    let headers = request.headers().clone();
    let taken = body::take(Operation::PostEvents, request).await?;
    let events = cloud_event::read(&headers, taken.media, &taken.bytes)?;
    let count = events.len() as u64;
    runtime.publish(events).await?;
    Ok((StatusCode::ACCEPTED, Json(EventsTaken { events: count })))
}
