//! Connections: documents of the workspace, secrets in the vault, both given to the agent.

mod browse;
mod change;
mod check;
mod deploy;

pub(crate) use change::forget_deleted_secrets;
pub(crate) use check::Checks;
pub(crate) use deploy::{deploy_all, deploy_one};

use std::net::IpAddr;

use flame_errors::Code;
use flame_ipc::ErrorView;
use flame_types::json;
use flame_vault::Place;
use flame_workspace::{Document, DocumentKind, Workspace};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::failure::OrView;

/// The body of a connection document. Holds a reference to the secret, never the secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    kind: String,
    #[serde(default, deserialize_with = "json::read")]
    settings: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<SecretReference>,
}

/// Where a secret is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct SecretReference {
    /// `keychain` or `vault`.
    place: String,
    name: String,
}

impl SecretReference {
    fn new(place: Place, name: &str) -> Self {
        Self {
            place: place.as_str().to_owned(),
            name: name.to_owned(),
        }
    }

    /// The place, unless a newer version wrote one that this one does not know.
    fn place(&self) -> Option<Place> {
        Place::from_name(&self.place)
    }
}

fn body(document: &Document) -> Result<Body, ErrorView> {
    serde_json::from_str(&document.body).map_err(|error| {
        let detail = format!("the connection {} can't be read: {error}", document.name);
        ErrorView::new(Code::WorkspaceFailed, detail)
            .with_hint("Delete the connection and make it again.")
    })
}

fn text(body: &Body) -> Result<String, ErrorView> {
    serde_json::to_string_pretty(body)
        .map_err(|error| ErrorView::new(Code::Internal, error.to_string()))
}

/// Names of the connections whose host is the machine that the agent runs on: in a container, that is
/// the container.
pub(crate) fn to_own_machine(workspace: &Workspace) -> Result<Vec<String>, ErrorView> {
    let all = workspace.list(DocumentKind::Connection).or_view()?;
    let is_own =
        |document: &&Document| body(document).is_ok_and(|body| is_loopback(&body.settings));
    Ok(all
        .iter()
        .filter(is_own)
        .map(|document| document.name.clone())
        .collect())
}

fn is_loopback(settings: &Value) -> bool {
    let host = settings
        .get("host")
        .and_then(Value::as_str)
        .unwrap_or_default();
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Host and database, or path, for showing.
fn place(settings: &Value) -> String {
    let field = |key: &str| match settings.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let host = field("host");
    if host.is_empty() {
        return ["path", "file", "database", "url"]
            .into_iter()
            .map(field)
            .find(|text| !text.is_empty())
            .unwrap_or_default();
    }
    let port = field("port");
    let database = field("database");
    let port = if port.is_empty() {
        port
    } else {
        format!(":{port}")
    };
    let database = if database.is_empty() {
        database
    } else {
        format!("/{database}")
    };
    format!("{host}{port}{database}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_place_names_host_and_database_or_the_file() {
        let postgres = json!({"host": "db.example.com", "port": 5432, "database": "orders"});
        assert_eq!(place(&postgres), "db.example.com:5432/orders");
        assert_eq!(place(&json!({"host": "db"})), "db");
        assert_eq!(place(&json!({"path": "/data/a.db"})), "/data/a.db");
        assert_eq!(place(&Value::Null), "");
    }

    #[test]
    fn the_own_machine_is_known_by_name_and_by_address() {
        for host in ["localhost", "LocalHost", "127.0.0.1", "127.1.2.3", "::1"] {
            assert!(is_loopback(&json!({"host": host})), "{host}");
        }
        for host in [
            "db.example.com",
            "10.0.0.1",
            "localhost.example",
            "",
            "/run/postgresql",
        ] {
            assert!(!is_loopback(&json!({"host": host})), "{host}");
        }
    }
}
