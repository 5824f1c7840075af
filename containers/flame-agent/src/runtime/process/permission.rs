//! Which workflows may start programs on this machine: those of the command line for good, and those that whoever
//! holds the agent names while it runs, each with the programs that it was allowed.
//!
//! What is said while the agent runs is in memory only. Deliberately absent: asking a person.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use flame_dsl::{Task, Workflow};
use flame_types::{Namespace, ProgramDigest, WorkflowId, WorkflowName};
use tokio::sync::watch;

/// Workflows named by namespace and name; a permission holds for every version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostExecution {
    Of(BTreeSet<(Namespace, WorkflowName)>),
    Any,
}

impl HostExecution {
    fn allows(&self, workflow: &WorkflowId) -> bool {
        match self {
            Self::Any => true,
            Self::Of(allowed) => {
                allowed.contains(&(workflow.namespace.clone(), workflow.name.clone()))
            }
        }
    }
}

/// The programs of each workflow that may start on this machine.
pub type HostGrants = BTreeMap<(Namespace, WorkflowName), BTreeSet<ProgramDigest>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Allowed,
    /// Other programs of this workflow are.
    OthersAllowed,
    Off,
}

#[derive(Debug)]
pub(super) struct Permissions {
    standing: HostExecution,
    /// What was said last; `None` before anything was.
    told: Option<watch::Sender<Option<Arc<HostGrants>>>>,
    /// After a start, how long a program waits for that.
    patience: Duration,
    begun: Instant,
}

impl Permissions {
    /// `by_api` is whether they may be told at all.
    pub(super) fn new(standing: HostExecution, by_api: bool, patience: Duration) -> Self {
        Self {
            standing,
            told: by_api.then(|| watch::Sender::new(None)),
            patience,
            begun: Instant::now(),
        }
    }

    pub(super) const fn are_told(&self) -> bool {
        self.told.is_some()
    }

    /// Replaces all that was said before, for every attempt that begins from now on; false where nobody may.
    pub(super) fn tell(&self, grants: HostGrants) -> bool {
        self.told
            .as_ref()
            .map(|told| told.send_replace(Some(Arc::new(grants))))
            .is_some()
    }

    /// Whether a task may start its program on this machine; waits as long as that may still be said.
    pub(super) async fn of(&self, workflow: &Workflow, task: Option<&Task>) -> Verdict {
        if self.standing.allows(&workflow.id) {
            return Verdict::Allowed;
        }
        let Some(grants) = self.grants().await else {
            return Verdict::Off;
        };
        let WorkflowId {
            namespace, name, ..
        } = &workflow.id;
        let Some(allowed) = grants.get(&(namespace.clone(), name.clone())) else {
            return Verdict::Off;
        };
        match task.and_then(|task| workflow.host_program(task)) {
            Some(program) if allowed.contains(&program.digest) => Verdict::Allowed,
            _ => Verdict::OthersAllowed,
        }
    }

    async fn grants(&self) -> Option<Arc<HostGrants>> {
        let mut told = self.told.as_ref()?.subscribe();
        let patience = self.patience.saturating_sub(self.begun.elapsed());
        let heard = tokio::time::timeout(patience, told.wait_for(Option::is_some)).await;
        match heard {
            Ok(Ok(grants)) => grants.clone(),
            // Time is up: one last look, for the common case of no patience at all.
            _ => self.told.as_ref()?.borrow().clone(),
        }
    }
}
