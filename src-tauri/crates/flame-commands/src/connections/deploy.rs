//! Giving connections with their secrets to the agent, which keeps secrets in memory only.

use std::sync::Arc;

use flame_agent_client::AgentClient;
use flame_agent_client::api::{ConnectionPut, SecretText};
use flame_ipc::ErrorView;
use flame_workspace::{Document, DocumentKind};
use secrecy::ExposeSecret;

use super::{SecretReference, body};
use crate::app::App;
use crate::failure::OrView;

/// Gives all connections. One that fails keeps no other away.
pub(crate) async fn deploy_all(app: &Arc<App>, agent: &AgentClient) {
    let all = app
        .with_workspace(|workspace| workspace.list(DocumentKind::Connection).or_view())
        .await;
    let all = match all {
        Ok(all) => all,
        Err(error) => {
            tracing::error!(%error, "the connections can't be read");
            return;
        }
    };
    for document in all {
        if let Err(error) = put(app, agent, &document).await {
            tracing::warn!(connection = document.name, %error, "a connection was not deployed");
        }
    }
}

/// Gives the connection of that name, if there is one; the run says when there is none.
pub(crate) async fn deploy_one(
    app: &Arc<App>,
    agent: &AgentClient,
    name: &str,
) -> Result<(), ErrorView> {
    let wanted = name.to_owned();
    let found = app
        .with_workspace(move |workspace| {
            workspace.find(DocumentKind::Connection, &wanted).or_view()
        })
        .await?;
    match found {
        Some(document) => put(app, agent, &document).await,
        None => Ok(()),
    }
}

pub(super) async fn put(
    app: &App,
    agent: &AgentClient,
    document: &Document,
) -> Result<(), ErrorView> {
    let body = body(document)?;
    let secret = match body.secret {
        Some(reference) => match secret(app, reference).await {
            Ok(secret) => secret,
            Err(error) => {
                // Without its secret the connection is known, and a run that needs it says so.
                tracing::warn!(connection = document.name, %error, "its secret can't be read");
                None
            }
        },
        None => None,
    };
    let put = ConnectionPut {
        kind: body.kind,
        settings: body.settings,
        secret,
    };
    agent
        .put_connection(&document.name, &put)
        .await
        .map(drop)
        .or_view()
}

pub(super) async fn secret(
    app: &App,
    reference: SecretReference,
) -> Result<Option<SecretText>, ErrorView> {
    let Some(place) = reference.place() else {
        return Ok(None);
    };
    let found = app
        .with_vault(move |vault| vault.get(place, &reference.name))
        .await?;
    Ok(found.map(|secret| SecretText::new(secret.expose_secret())))
}
