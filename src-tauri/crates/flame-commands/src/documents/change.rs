//! Saving, making, copying and deleting documents.

use std::sync::Arc;

use flame_ipc::{
    Changed, DocumentCreate, DocumentDelete, DocumentDuplicate, DocumentRestore, DocumentSave,
    DocumentSummary, ErrorView, Event, Undo,
};
use flame_workspace::{Document, DocumentKind, NewDocument, UndoToken, Workspace};

use super::browse::summary;
use super::deploy::{deployed, withdraw};
use super::facts::{facts, facts_of};
use super::{kind_of, parse_id};
use crate::app::{App, new_id, now};
use crate::execute::Execute;
use crate::failure::OrView;
use crate::{feeds, host_execution};

/// Copies that are tried for a free name.
const COPIES_MAX: u32 = 1_000;

impl Execute for DocumentSave {
    async fn execute(self, app: Arc<App>) -> Result<DocumentSummary, ErrorView> {
        let id = parse_id(&self.id)?;
        let saved = app
            .with_workspace(move |workspace| {
                let before = super::get(workspace, id)?;
                let name = facts_of(before.kind, &self.text, &before.name).full_name();
                let base = self.base_revision.get();
                let document = workspace
                    .save(id, base, &name, &self.text, now())
                    .or_view()?;
                summarise(workspace, &document)
            })
            .await?;
        changed(&app, &saved.id);
        Ok(saved)
    }
}

impl Execute for DocumentCreate {
    async fn execute(self, app: Arc<App>) -> Result<DocumentSummary, ErrorView> {
        let made = app
            .with_workspace(move |workspace| create(workspace, kind_of(self.kind), &self.text))
            .await?;
        changed(&app, &made.id);
        Ok(made)
    }
}

impl Execute for DocumentDuplicate {
    async fn execute(self, app: Arc<App>) -> Result<DocumentSummary, ErrorView> {
        let id = parse_id(&self.id)?;
        let made = app
            .with_workspace(move |workspace| {
                let document = super::get(workspace, id)?;
                let text = copy_of(workspace, &document)?;
                create(workspace, document.kind, &text)
            })
            .await?;
        changed(&app, &made.id);
        Ok(made)
    }
}

impl Execute for DocumentDelete {
    async fn execute(self, app: Arc<App>) -> Result<Undo, ErrorView> {
        let id = parse_id(&self.id)?;
        let document = app
            .with_workspace(move |workspace| super::get(workspace, id))
            .await?;
        withdraw(&app, &document).await?;
        // Whatever has the name next is asked about, also after an undo.
        host_execution::forbid(&app, &document.name).await?;
        let token = app
            .with_workspace(move |workspace| workspace.delete(id, now()).or_view())
            .await?;
        feeds::watch_deployed(&app).await;
        changed(&app, &self.id);
        Ok(Undo {
            undo_token: token.to_string(),
        })
    }
}

impl Execute for DocumentRestore {
    async fn execute(self, app: Arc<App>) -> Result<DocumentSummary, ErrorView> {
        let token: UndoToken = self.undo_token.parse().or_view()?;
        let back = app
            .with_workspace(move |workspace| {
                let document = workspace.restore(token, now()).or_view()?;
                summarise(workspace, &document)
            })
            .await?;
        if let Some(agent) = app.agent_now() {
            super::deploy_missing(&app, &agent).await?;
        }
        feeds::watch_deployed(&app).await;
        changed(&app, &back.id);
        Ok(back)
    }
}

fn create(
    workspace: &Workspace,
    kind: DocumentKind,
    text: &str,
) -> Result<DocumentSummary, ErrorView> {
    let name = facts_of(kind, text, "").full_name();
    let new = NewDocument {
        id: new_id(),
        kind,
        name: &name,
        body: text,
        sample: false,
    };
    let document = workspace.create(&new, now()).or_view()?;
    summarise(workspace, &document)
}

fn summarise(workspace: &Workspace, document: &Document) -> Result<DocumentSummary, ErrorView> {
    let known = deployed(workspace, document.id)?;
    Ok(summary(document, facts(document), known.as_ref()))
}

fn changed(app: &App, id: &str) {
    app.emit(&Event::DocumentsChanged(Changed {
        ids: vec![id.to_owned()],
    }));
}

/// The text under a free name. Only the line that names it changes, so comments and order stay; a
/// text that can't be read is copied as it is.
fn copy_of(workspace: &Workspace, document: &Document) -> Result<String, ErrorView> {
    let facts = facts(document);
    if facts.id.is_none() {
        return Ok(document.body.clone());
    }
    let taken: Vec<String> = workspace
        .list(document.kind)
        .or_view()?
        .into_iter()
        .map(|other| other.name)
        .collect();
    let free = (1..=COPIES_MAX)
        .map(|number| match number {
            1 => format!("{}-copy", facts.name),
            _ => format!("{}-copy-{number}", facts.name),
        })
        .find(|name| !taken.contains(&format!("{}/{name}", facts.namespace)));
    Ok(free.map_or_else(
        || document.body.clone(),
        |free| rename(&document.body, document.kind, &facts.full_name(), &free),
    ))
}

/// Tries each place where the old name stands and takes the first that renames the document.
fn rename(text: &str, kind: DocumentKind, full_name: &str, new_name: &str) -> String {
    let (namespace, old) = full_name.split_once('/').unwrap_or(("", full_name));
    let wanted = format!("{namespace}/{new_name}");
    text.match_indices(old)
        .map(|(at, _)| format!("{}{new_name}{}", &text[..at], &text[at + old.len()..]))
        .find(|renamed| facts_of(kind, renamed, "").full_name() == wanted)
        .unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_changes_its_name_and_nothing_else() {
        let text = "# orders of the shop\ndocument:\n  dsl: 1.0.3\n  namespace: shop\n  \
                    name: orders # orders\n  version: 1.0.0\ndo:\n  - orders: {set: {a: orders}}\n";
        let copy = rename(text, DocumentKind::Workflow, "shop/orders", "orders-copy");
        assert_eq!(copy, text.replace("name: orders #", "name: orders-copy #"));
    }
}
