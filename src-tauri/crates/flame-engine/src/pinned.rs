//! The workflow that a run executes: its definition, with the texts from outside that it began with, and for
//! a test of one task alone that task.

use std::sync::Arc;

use flame_dsl::{Authentication, Externals, Workflow, link};
use flame_types::Timestamp;
use serde_json::Value;

use crate::authentication::Credentials;
use crate::error::Error;
use crate::record::Record;
use crate::run::Run;
use crate::scope::{RunView, Scope};
use crate::test_plan::{TestPlan, alone};

/// A text that is to be fetched before a run can begin.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    pub address: Arc<str>,
    /// JSON pointer of what names it.
    pub reference: Arc<str>,
    /// The document itself names it.
    pub named: bool,
    pub credentials: Option<Box<Credentials>>,
}

/// The workflow behind a record that begins a run; `None` where it is the definition as it is.
pub(crate) fn by_record(workflow: &Workflow, record: &Record) -> Option<Arc<Workflow>> {
    let Record::RunStarted {
        test, externals, ..
    } = record
    else {
        return None;
    };
    of(workflow, externals.as_deref(), test.as_deref())
}

pub(crate) fn of(
    workflow: &Workflow,
    externals: Option<&Externals>,
    test: Option<&TestPlan>,
) -> Option<Arc<Workflow>> {
    // What can't be linked any more is found by the fold, which misses its tasks.
    let linked = externals
        .filter(|externals| **externals != *workflow.externals)
        .and_then(|externals| link(workflow, externals.clone()).ok());
    let alone = test.and_then(|plan| alone(linked.as_ref().unwrap_or(workflow), plan));
    alone.or_else(|| linked.map(Arc::new))
}

impl Run {
    /// What has to be fetched before this run can begin.
    pub fn wanted(&self) -> Result<Vec<Wanted>, Error> {
        let missing = self.workflow.missing.iter();
        missing
            .map(|external| {
                let credentials = external.authentication.as_ref();
                let credentials = credentials.map(|policy| self.credentials(policy));
                Ok(Wanted {
                    address: Arc::clone(&external.address),
                    reference: Arc::clone(&external.reference),
                    named: external.named,
                    credentials: credentials.transpose()?.map(Box::new),
                })
            })
            .collect()
    }

    fn credentials(&self, policy: &Authentication) -> Result<Credentials, Error> {
        let view = RunView {
            id: self.id,
            workflow: &self.workflow,
            state: &self.state,
            descriptor: &self.descriptor,
            secrets: &self.secrets,
            // Credentials hold no durations.
            now: Timestamp::UNIX_EPOCH,
        };
        Credentials::evaluate(&Scope::new(view, &Value::Null), policy, "endpoint")
    }

    /// This run, which has not begun, faults as it begins: what it needs could not be had.
    pub fn refuse(&mut self, error: Error) {
        self.refusal = Some(error);
    }
}
