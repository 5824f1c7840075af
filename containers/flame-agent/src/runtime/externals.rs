//! Texts from outside that a workflow needs: fetched before a run begins, and pinned in its first record.
//!
//! They go out by the rules of calls: the filter of addresses, limits, credentials, the ledger. A run that
//! can't have them begins and faults at once, so that whoever looks finds why. Deliberately absent: fetching
//! for a run that has begun; it has what it began with, also after a crash.

use std::sync::Arc;

use flame_dsl::{Externals, Workflow, link};
use flame_engine::{Error, Run as EngineRun, StandardError};

use super::shared::Shared;

/// The workflow with everything that it needs; one that needs nothing is given back as it is.
pub(super) async fn linked(
    shared: &Shared,
    workflow: Arc<Workflow>,
) -> Result<Arc<Workflow>, Error> {
    let mut workflow = workflow;
    // Each round brings at least one of a limited number of texts, so it ends.
    while !workflow.missing.is_empty() {
        workflow = Arc::new(with_missing(shared, workflow).await?);
    }
    Ok(workflow)
}

async fn with_missing(shared: &Shared, workflow: Arc<Workflow>) -> Result<Workflow, Error> {
    let mut probe = EngineRun::new(shared.lanes.new_id(), Arc::clone(&workflow));
    if let Some(secrets) = shared.secrets(&workflow) {
        probe.know(secrets);
    }
    let mut texts: Externals = (*workflow.externals).clone();
    let first = workflow
        .missing
        .first()
        .map(|missing| Arc::clone(&missing.reference));
    for wanted in probe.wanted()? {
        let text = shared.calls.text(&workflow, &wanted).await;
        let text = text.map_err(|error| error.at(&wanted.reference))?;
        texts.insert(Arc::clone(&wanted.address), text.into());
    }
    let linked = tokio::task::spawn_blocking(move || link(&workflow, texts)).await;
    let refused = |detail: String| {
        let error = StandardError::Configuration.with("A text from outside can't be used", detail);
        error.at(first.as_deref().unwrap_or("/"))
    };
    linked
        .map_err(|error| refused(error.to_string()))?
        .map_err(|problems| refused(problems[0].message.clone()))
}
