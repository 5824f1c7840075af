//! What a test run does otherwise than a real one: pinned tasks, mocked calls, one task alone.
//!
//! The plan stands in the run's first record, so a fold of the journal knows it. Deliberately absent: any
//! other shelter from the world. A call that is neither pinned nor mocked is made.

use std::collections::BTreeMap;
use std::sync::Arc;

use flame_dsl::{Filter, Flow, Task, TaskKind, TaskList, Workflow};
use flame_types::json;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::action::Call;
use crate::error::Error;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TestPlan {
    /// Outputs of tasks that are not executed, by the JSON pointer of the task.
    #[serde(
        default,
        deserialize_with = "json::read",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub pins: BTreeMap<String, Arc<Value>>,
    /// The first that fits a call answers it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mocks: Vec<Mock>,
    /// JSON pointer of the only task that runs; the run's input is what flows into it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// `$context` at the beginning; without it the input, if that is an object.
    #[serde(
        default,
        deserialize_with = "json::read",
        skip_serializing_if = "Option::is_none"
    )]
    pub context: Option<Arc<Value>>,
}

/// The answer of a call that is not made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mock {
    /// The JSON pointer of the task, the beginning of the URL, or a function such as `sqlite.upsert`. A
    /// process answers with `{code, stdout, stderr}`, a child run with its output.
    pub call: String,
    pub answer: MockAnswer,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MockAnswer {
    #[serde(deserialize_with = "json::read")]
    Output(Arc<Value>),
    Error(Error),
}

/// Why a test can't be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTestable {
    #[error(
        "the workflow has no task {0}; a task is given by its place and name, such as /do/2/ship"
    )]
    UnknownTask(String),
    #[error("the task {task} is a {kind}, which makes no call to mock; pin its output instead")]
    NoCall { task: String, kind: &'static str },
}

impl TestPlan {
    /// Refuses tasks that the workflow does not have.
    pub(crate) fn check(&self, workflow: &Workflow) -> Result<(), NotTestable> {
        let task = |reference: &str| {
            workflow
                .task(reference)
                .ok_or_else(|| NotTestable::UnknownTask(reference.to_owned()))
        };
        for reference in self.pins.keys().chain(&self.task) {
            task(reference)?;
        }
        for mock in self.mocks.iter().filter(|mock| mock.call.starts_with('/')) {
            let found = task(&mock.call)?;
            let kind = found.kind.name();
            if !kind.starts_with("call") && !kind.starts_with("run") {
                let task = mock.call.clone();
                return Err(NotTestable::NoCall { task, kind });
            }
        }
        Ok(())
    }

    pub(crate) fn pinned(&self, task: &Task) -> Option<&Arc<Value>> {
        self.pins.get(&*task.reference)
    }

    pub(crate) fn mocked(&self, task: &Task, call: &Call) -> Option<Result<Arc<Value>, Error>> {
        let fits = |wanted: &str| match call {
            _ if wanted == &*task.reference => true,
            Call::Http(request) => wanted.contains("://") && request.url.starts_with(wanted),
            Call::Function {
                connector,
                operation,
                ..
            } => wanted.split_once('.') == Some((connector, operation)),
            Call::Protocol(request) => {
                wanted.split_once('.') == Some((request.protocol.name(), request.operation()))
            }
            Call::Process(_) | Call::Workflow(_) => false,
        };
        let mock = self.mocks.iter().find(|mock| fits(&mock.call))?;
        Some(match &mock.answer {
            MockAnswer::Output(output) => Ok(Arc::clone(output)),
            MockAnswer::Error(error) => Err(error.clone()),
        })
    }
}

/// The workflow that a run of one task alone executes: that task, without what the whole takes and gives.
pub(crate) fn alone(workflow: &Workflow, plan: &TestPlan) -> Option<Arc<Workflow>> {
    let mut task = workflow.task(plan.task.as_deref()?)?.clone();
    // Wherever the flow would go, the run is over.
    task.then = Flow::End;
    match &mut task.kind {
        TaskKind::Switch(cases) => cases.iter_mut().for_each(|case| case.then = Flow::End),
        TaskKind::Try(definition) => definition.catch.then = None,
        _ => {}
    }
    Some(Arc::new(Workflow {
        tasks: TaskList(vec![task]),
        input: Filter::default(),
        output: Filter::default(),
        timeout: None,
        ..workflow.clone()
    }))
}
