//! Trying connections, and what the last try of each found.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use flame_agent_client::api::{ConnectionPut, SecretText};
use flame_errors::Code;
use flame_ipc::{
    Changed, CheckStep, ConnectionCheck, ConnectionReport, ErrorView, Event, StepStatus, Whole,
};
use flame_types::Timestamp;
use flame_workspace::DocumentId;

use super::change::get;
use super::{SecretReference, body, deploy};
use crate::app::{App, lock, now};
use crate::documents::parse_id;
use crate::execute::Execute;
use crate::failure::OrView;

/// What the last check of a connection found.
#[derive(Debug, Clone)]
pub(crate) struct Checked {
    pub(crate) at: Timestamp,
    pub(crate) took_ms: Whole,
    pub(crate) error: Option<ErrorView>,
}

/// Checks of this start of the app by name, and secrets whose connection was deleted.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    by_name: Mutex<HashMap<String, Checked>>,
    doomed: Mutex<HashMap<DocumentId, SecretReference>>,
}

impl Checks {
    pub(super) fn of(&self, name: &str) -> Option<Checked> {
        lock(&self.by_name).get(name).cloned()
    }

    pub(super) fn forget(&self, name: &str) {
        lock(&self.by_name).remove(name);
    }

    fn keep(&self, name: &str, checked: Checked) {
        lock(&self.by_name).insert(name.to_owned(), checked);
    }

    pub(super) fn doom(&self, id: DocumentId, secret: SecretReference) {
        lock(&self.doomed).insert(id, secret);
    }

    pub(super) fn spare(&self, id: DocumentId) {
        lock(&self.doomed).remove(&id);
    }

    pub(super) fn take_doomed(&self) -> Vec<SecretReference> {
        lock(&self.doomed)
            .drain()
            .map(|(_, secret)| secret)
            .collect()
    }
}

impl Execute for ConnectionCheck {
    async fn execute(self, app: Arc<App>) -> Result<ConnectionReport, ErrorView> {
        let agent = app.agent().await?;
        let saved = match self.id.as_deref() {
            Some(id) => Some(get(&app, parse_id(id)?).await?),
            None => None,
        };
        let secret = match (self.secret.filter(|secret| !secret.is_empty()), &saved) {
            (Some(given), _) => Some(SecretText::new(given)),
            (None, Some(saved)) => match body(saved)?.secret {
                Some(reference) => deploy::secret(&app, reference).await?,
                None => None,
            },
            (None, None) => None,
        };
        let draft = ConnectionPut {
            kind: self.kind,
            settings: self.settings.0,
            secret,
        };
        let found = agent
            .check_connection(&self.name, Some(&draft))
            .await
            .or_view()?;
        let took_ms = found.steps.iter().map(|step| step.duration_ms).sum::<u64>();
        let failed = found.steps.iter().find(|step| !step.ok);
        let error = failed.filter(|_| !found.ok).map(|step| {
            let detail = format!("{}: {}", step.name, step.detail);
            ErrorView::new(Code::ConnectionRefused, detail)
        });
        if let Some(saved) = saved {
            let checked = Checked {
                at: now(),
                took_ms: Whole::new(took_ms),
                error,
            };
            app.checks.keep(&saved.name, checked);
            app.emit(&Event::ConnectionsChanged(Changed {
                ids: vec![saved.id.to_string()],
            }));
        }
        Ok(ConnectionReport {
            healthy: found.ok,
            steps: found
                .steps
                .into_iter()
                .map(|step| CheckStep {
                    name: step.name,
                    status: if step.ok {
                        StepStatus::Ok
                    } else {
                        StepStatus::Failed
                    },
                    detail: step.detail,
                    took_ms: Some(Whole::new(step.duration_ms)),
                })
                .collect(),
        })
    }
}
