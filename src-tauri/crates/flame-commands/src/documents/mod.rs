//! Workflows and pipelines of the workspace.

mod browse;
mod change;
mod deploy;
mod facts;
mod problems;
mod seed;
mod templates;

pub(crate) use browse::{millis, search, titles};
pub(crate) use deploy::{Deployment, deploy_missing, deployed, ensure_deployed};
pub(crate) use facts::{facts, model};
pub(crate) use seed::{NAME_FACT, NAME_FIRST, sample_file, seed};

use flame_errors::Code;
use flame_ipc::{DocumentKind as KindView, ErrorView};
use flame_workspace::{Document, DocumentId, DocumentKind, Workspace};

use crate::failure::OrView;

/// Titles by `namespace/name`.
pub(crate) type Titles = std::collections::HashMap<String, String>;

const KINDS: [DocumentKind; 2] = [DocumentKind::Workflow, DocumentKind::Pipeline];

pub(crate) fn parse_id(text: &str) -> Result<DocumentId, ErrorView> {
    text.parse().or_view()
}

/// A workflow or pipeline; a connection is not found here.
pub(crate) fn get(workspace: &Workspace, id: DocumentId) -> Result<Document, ErrorView> {
    let document = workspace.get(id).or_view()?;
    if document.kind == DocumentKind::Connection {
        return Err(ErrorView::new(
            Code::NotFound,
            format!("there is no document {id}"),
        ));
    }
    Ok(document)
}

/// All workflows, then all pipelines.
pub(crate) fn all(workspace: &Workspace) -> Result<Vec<Document>, ErrorView> {
    let mut documents = Vec::new();
    for kind in KINDS {
        documents.extend(workspace.list(kind).or_view()?);
    }
    Ok(documents)
}

const fn kind_of(kind: KindView) -> DocumentKind {
    match kind {
        KindView::Workflow => DocumentKind::Workflow,
        KindView::Pipeline => DocumentKind::Pipeline,
    }
}

const fn kind_view(kind: DocumentKind) -> KindView {
    match kind {
        DocumentKind::Pipeline => KindView::Pipeline,
        DocumentKind::Workflow | DocumentKind::Connection => KindView::Workflow,
    }
}
