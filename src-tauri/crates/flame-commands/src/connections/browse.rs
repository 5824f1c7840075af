//! Lists of connections and of what can be connected.

use std::sync::Arc;

use flame_ipc::{
    Connection, ConnectionKind, ConnectionKinds, ConnectionState, ConnectionUser, ConnectionsList,
    ErrorView,
};
use flame_workspace::{Document, DocumentKind, Workspace};

use super::check::Checked;
use super::{body, place};
use crate::app::App;
use crate::documents;
use crate::execute::Execute;
use crate::failure::OrView;

impl Execute for ConnectionKinds {
    async fn execute(self, app: Arc<App>) -> Result<Vec<ConnectionKind>, ErrorView> {
        let list = app.agent().await?.connectors().await.or_view()?;
        Ok(list
            .items
            .into_iter()
            // A connector without settings is called by itself and needs no connection.
            .filter_map(|connector| {
                Some(ConnectionKind {
                    kind: connector.kind,
                    title: connector.title,
                    description: connector.summary,
                    schema: connector.settings_schema?.into(),
                    secret_label: connector.secret,
                })
            })
            .collect())
    }
}

impl Execute for ConnectionsList {
    async fn execute(self, app: Arc<App>) -> Result<Vec<Connection>, ErrorView> {
        let all = app
            .with_workspace(|workspace| {
                let users = users(workspace)?;
                let all = workspace.list(DocumentKind::Connection).or_view()?;
                let with_users = |document| (users_of(&users, &document), document);
                Ok(all.into_iter().map(with_users).collect::<Vec<_>>())
            })
            .await?;
        all.into_iter()
            .map(|(users, document)| view(&document, users, app.checks.of(&document.name)))
            .collect()
    }
}

/// Every document with the connections that it names.
type Users = Vec<(ConnectionUser, Vec<String>)>;

pub(super) fn users(workspace: &Workspace) -> Result<Users, ErrorView> {
    Ok(documents::all(workspace)?
        .iter()
        .map(|document| {
            let facts = documents::facts(document);
            let user = ConnectionUser {
                document_id: document.id.to_string(),
                title: facts.title,
            };
            (user, facts.connections)
        })
        .collect())
}

pub(super) fn users_of(users: &Users, connection: &Document) -> Vec<ConnectionUser> {
    users
        .iter()
        .filter(|(_, named)| named.contains(&connection.name))
        .map(|(user, _)| user.clone())
        .collect()
}

pub(super) fn view(
    document: &Document,
    used_by: Vec<ConnectionUser>,
    checked: Option<Checked>,
) -> Result<Connection, ErrorView> {
    let body = body(document)?;
    Ok(Connection {
        id: document.id.to_string(),
        name: document.name.clone(),
        kind: body.kind,
        place: place(&body.settings),
        settings: body.settings.into(),
        revision: document.revision.into(),
        has_secret: body.secret.is_some(),
        state: match &checked {
            None => ConnectionState::Unchecked,
            Some(checked) if checked.error.is_none() => ConnectionState::Healthy,
            Some(_) => ConnectionState::Failing,
        },
        checked_at: checked.as_ref().map(|checked| checked.at.into()),
        latency_ms: checked.as_ref().map(|checked| checked.took_ms),
        error: checked.and_then(|checked| checked.error),
        used_by,
    })
}
