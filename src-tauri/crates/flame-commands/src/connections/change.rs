//! Saving and deleting connections.

use std::sync::Arc;

use flame_errors::Code;
use flame_ipc::{
    Changed, Connection, ConnectionDelete, ConnectionRestore, ConnectionSave, ErrorView, Event,
    Undo,
};
use flame_workspace::{Document, DocumentId, DocumentKind, NewDocument, UndoToken};
use secrecy::SecretString;

use super::browse::{users, users_of, view};
use super::{Body, SecretReference, body, deploy, text};
use crate::app::{App, new_id, now};
use crate::documents::parse_id;
use crate::execute::Execute;
use crate::failure::OrView;
use crate::feeds;

const NAME_CHARACTERS_MAX: usize = 63;

impl Execute for ConnectionSave {
    async fn execute(self, app: Arc<App>) -> Result<Connection, ErrorView> {
        check_name(&self.name)?;
        let id = self.id.as_deref().map(parse_id).transpose()?;
        let before = match id {
            Some(id) => Some(get(&app, id).await?),
            None => None,
        };
        let document_id = id.unwrap_or_else(new_id);
        let mut secret = match &before {
            Some(before) => body(before)?.secret,
            None => None,
        };
        if let Some(given) = self.secret.filter(|secret| !secret.is_empty()) {
            let (name, given) = (document_id.to_string(), SecretString::from(given));
            let kept = name.clone();
            let place = app
                .with_vault(move |vault| vault.put(&name, &given))
                .await?;
            secret = Some(SecretReference::new(place, &kept));
        }
        let body = Body {
            kind: self.kind,
            settings: self.settings.0,
            secret,
        };
        let (name, text) = (self.name, text(&body)?);
        let base = self.base_revision.map(flame_ipc::Whole::get);
        let old_name = before.as_ref().map(|before| before.name.clone());
        let saved = app
            .with_workspace(move |workspace| match before {
                Some(before) => {
                    let base = base.unwrap_or(before.revision);
                    workspace
                        .save(before.id, base, &name, &text, now())
                        .or_view()
                }
                None => {
                    let kind = DocumentKind::Connection;
                    let new = NewDocument {
                        id: document_id,
                        kind,
                        name: &name,
                        body: &text,
                        sample: false,
                    };
                    workspace.create(&new, now()).or_view()
                }
            })
            .await?;
        if let Some(agent) = app.agent_now() {
            if let Some(old) = old_name.filter(|old| *old != saved.name)
                && let Err(error) = agent.delete_connection(&old).await
            {
                tracing::debug!(%error, "the old name was not on the agent");
            }
            deploy::put(&app, &agent, &saved).await?;
            // Files that were refused for what was wrong with it.
            feeds::try_again(&app).await;
        }
        app.checks.forget(&saved.name);
        changed(&app, saved.id);
        shown(&app, saved).await
    }
}

impl Execute for ConnectionDelete {
    async fn execute(self, app: Arc<App>) -> Result<Undo, ErrorView> {
        let id = parse_id(&self.id)?;
        let document = get(&app, id).await?;
        let token = app
            .with_workspace(move |workspace| workspace.delete(id, now()).or_view())
            .await?;
        if let Some(agent) = app.agent_now()
            && let Err(error) = agent.delete_connection(&document.name).await
        {
            tracing::debug!(%error, "the connection was not on the agent");
        }
        if let Some(secret) = body(&document)?.secret {
            app.checks.doom(id, secret);
        }
        changed(&app, id);
        Ok(Undo {
            undo_token: token.to_string(),
        })
    }
}

impl Execute for ConnectionRestore {
    async fn execute(self, app: Arc<App>) -> Result<Connection, ErrorView> {
        let token: UndoToken = self.undo_token.parse().or_view()?;
        let back = app
            .with_workspace(move |workspace| workspace.restore(token, now()).or_view())
            .await?;
        app.checks.spare(back.id);
        if let Some(agent) = app.agent_now() {
            deploy::put(&app, &agent, &back).await?;
        }
        changed(&app, back.id);
        shown(&app, back).await
    }
}

/// Deletes the secrets of connections whose delete was not undone while the app was open.
pub(crate) async fn forget_deleted_secrets(app: &App) {
    for secret in app.checks.take_doomed() {
        let Some(place) = secret.place() else {
            continue;
        };
        let deleted = app
            .with_vault(move |vault| vault.delete(place, &secret.name))
            .await;
        if let Err(error) = deleted {
            tracing::warn!(%error, "the secret of a deleted connection is still kept");
        }
    }
}

pub(super) async fn get(app: &App, id: DocumentId) -> Result<Document, ErrorView> {
    let document = app
        .with_workspace(move |workspace| workspace.get(id).or_view())
        .await?;
    if document.kind != DocumentKind::Connection {
        return Err(ErrorView::new(
            Code::NotFound,
            format!("there is no connection {id}"),
        ));
    }
    Ok(document)
}

async fn shown(app: &App, document: Document) -> Result<Connection, ErrorView> {
    let checked = app.checks.of(&document.name);
    app.with_workspace(move |workspace| {
        let users = users_of(&users(workspace)?, &document);
        view(&document, users, checked)
    })
    .await
}

fn changed(app: &App, id: DocumentId) {
    app.emit(&Event::ConnectionsChanged(Changed {
        ids: vec![id.to_string()],
    }));
}

/// Documents refer to the name, so it must be writable there without quotes.
fn check_name(name: &str) -> Result<(), ErrorView> {
    let is_good = !name.is_empty()
        && name.chars().count() <= NAME_CHARACTERS_MAX
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if is_good {
        return Ok(());
    }
    Err(ErrorView::new(
        Code::ParameterInvalid,
        format!("a name has 1 to {NAME_CHARACTERS_MAX} letters, digits, hyphens or underscores"),
    )
    .with_value(name)
    .with_hint("Choose a name such as orders-db."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_into_documents() {
        for good in ["a", "orders-db", "A_1", &"x".repeat(63)] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a/b", "ä", &"x".repeat(64)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
