//! Connections and the connectors behind them. A secret goes in and never comes out.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use flame_agent_api::{
    CheckStep, ConnectionCheck, ConnectionList, ConnectionPut, ConnectionView, ConnectorList,
    ConnectorView, Operation, OperationView,
};
use flame_connector::{Connection, Connector};
use flame_errors::Code;
use flame_types::Timestamp;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::http::body;
use crate::http::failure::Failure;
use crate::http::parameter::{Segments, invalid};
use crate::runtime::{Change, ConnectionEntry, Handle};

const NAME_MAX: usize = 100;

pub(in crate::http) async fn connectors(State(runtime): State<Handle>) -> Json<ConnectorList> {
    let connectors = runtime.connections().connectors();
    let mut items: Vec<ConnectorView> = connectors
        .iter()
        .map(|connector| connector_view(connector.as_ref()))
        .collect();
    items.sort_by(|a, b| a.kind.cmp(&b.kind));
    Json(ConnectorList { items })
}

fn connector_view(connector: &dyn Connector) -> ConnectorView {
    let spec = connector.spec();
    let (kind, connection) = (spec.kind, spec.connection.as_ref());
    ConnectorView {
        kind: kind.to_owned(),
        title: spec.title.to_owned(),
        summary: spec.summary.to_owned(),
        settings_schema: connection.map(|spec| spec.settings.clone()),
        secret: connection.and_then(|spec| spec.secret).map(str::to_owned),
        operations: spec
            .operations
            .iter()
            .map(|operation| OperationView {
                call: format!("{kind}.{}:{}@default", operation.name, operation.version),
                summary: operation.description.to_owned(),
                arguments_schema: operation.arguments.clone(),
            })
            .collect(),
    }
}

pub(in crate::http) async fn list(State(runtime): State<Handle>) -> Json<ConnectionList> {
    Json(ConnectionList {
        items: runtime.connections().list().iter().map(view).collect(),
    })
}

fn view(entry: &ConnectionEntry) -> ConnectionView {
    let connection = &entry.connection;
    ConnectionView {
        name: connection.name.clone(),
        kind: connection.kind.clone(),
        settings: connection.settings.clone(),
        has_secret: connection.secret.is_some(),
        updated_at: entry.updated,
    }
}

pub(in crate::http) async fn get(
    State(runtime): State<Handle>,
    Segments(name): Segments<String>,
) -> Result<Json<ConnectionView>, Failure> {
    known(&runtime, &name).map(|entry| Json(view(&entry)))
}

fn known(runtime: &Handle, name: &str) -> Result<ConnectionEntry, Failure> {
    runtime
        .connections()
        .get(name)
        .ok_or_else(|| Failure::not_found(format_args!("connection {name:?}")))
}

pub(in crate::http) async fn put(
    State(runtime): State<Handle>,
    Segments(name): Segments<String>,
    request: Request,
) -> Result<(StatusCode, Json<ConnectionView>), Failure> {
    if let Err(failure) = check_name(&name) {
        return body::refuse(request, failure).await;
    }
    let put = body::take_json(Operation::PutConnection, request).await?;
    let put = put.ok_or_else(|| Failure::new(Code::BodyInvalid, "the request has no body"))?;
    let connection = connection(&name, put);
    let new = runtime
        .connections()
        .put(connection, Timestamp::now())
        .await?;
    runtime.announce(Change::Connections);
    let status = if new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(view(&known(&runtime, &name)?))))
}

/// Names stand in documents, paths and messages: letters, digits, hyphen, dot and underscore.
fn check_name(name: &str) -> Result<(), Failure> {
    let fits = (1..=NAME_MAX).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    if fits {
        return Ok(());
    }
    Err(
        invalid(format!("{name:?} is not a name for a connection")).hint(format!(
            "Use 1 to {NAME_MAX} letters, digits, hyphens, dots or underscores."
        )),
    )
}

fn connection(name: &str, put: ConnectionPut) -> Connection {
    let settings = if put.settings == Value::Null {
        json!({})
    } else {
        put.settings
    };
    Connection {
        name: name.to_owned(),
        kind: put.kind,
        settings,
        secret: put
            .secret
            .map(|secret| SecretString::from(secret.expose().to_owned())),
    }
}

pub(in crate::http) async fn delete(
    State(runtime): State<Handle>,
    Segments(name): Segments<String>,
) -> Result<StatusCode, Failure> {
    if !runtime.connections().delete(&name).await {
        return Err(Failure::not_found(format_args!("connection {name:?}")));
    }
    runtime.announce(Change::Connections);
    Ok(StatusCode::NO_CONTENT)
}

pub(in crate::http) async fn check(
    State(runtime): State<Handle>,
    Segments(name): Segments<String>,
    request: Request,
) -> Result<Json<ConnectionCheck>, Failure> {
    let instead = body::take_json::<ConnectionPut>(Operation::CheckConnection, request).await?;
    let connection = match instead {
        None => known(&runtime, &name)?.connection,
        Some(put) => {
            // An edited connection without a secret keeps the one that is set.
            let held = runtime.connections().get(&name);
            let mut connection = connection(&name, put);
            let held = held.and_then(|entry| entry.connection.secret.clone());
            connection.secret = connection.secret.or(held);
            connection.into()
        }
    };
    let check = runtime.connections().check(&connection).await?;
    Ok(Json(ConnectionCheck {
        ok: check.passed(),
        steps: check
            .steps
            .into_iter()
            .map(|step| CheckStep {
                name: step.title,
                ok: step.passed,
                detail: step.detail,
                duration_ms: step.elapsed_ms,
            })
            .collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::check_name;

    #[test]
    fn names_are_plain() {
        for good in ["orders-db", "a", "PG_1.main"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a/b", "ä", "a\n", &"x".repeat(101)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
