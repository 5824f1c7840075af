//! Runs of the agent, in the window's words.

mod act;
mod browse;
mod timeline;

use flame_agent_client::api::{RunError, RunView, Trigger};
use flame_errors::Code;
use flame_ipc::{DslError, ErrorView, RunSummary, StartKind, StartedBy};
use flame_types::RunId;

use crate::app::now;
use crate::documents::Titles;
use crate::failure::OrView;

pub(crate) use browse::task_of;
pub(crate) use timeline::journal_entry;

pub(crate) fn parse_id(text: &str) -> Result<RunId, ErrorView> {
    text.parse().or_view()
}

/// One run as lists show it.
pub(crate) fn summary(run: &RunView, titles: &Titles) -> RunSummary {
    let name = format!("{}/{}", run.workflow.namespace, run.workflow.name);
    let began = run.started_at.unwrap_or(run.created_at);
    let until = run.ended_at.unwrap_or_else(now);
    let at_fault = run
        .error
        .as_ref()
        .and_then(|error| error.instance.as_deref());
    RunSummary {
        id: run.id.to_string(),
        namespace: run.workflow.namespace.to_string(),
        title: titles
            .get(&name)
            .cloned()
            .unwrap_or_else(|| run.workflow.name.to_string()),
        name: run.workflow.name.to_string(),
        version: run.workflow.version.to_string(),
        subject: run.subject.clone(),
        status: run.status.into(),
        started_by: StartedBy {
            kind: match run.trigger {
                Trigger::Api => StartKind::Api,
                Trigger::Webhook => StartKind::Webhook,
                Trigger::Schedule | Trigger::Event => StartKind::Schedule,
                Trigger::Replay => StartKind::Replay,
                Trigger::Workflow => StartKind::Workflow,
            },
            detail: match (&run.replay_of, &run.parent) {
                (Some(origin), _) => Some(origin.task.clone()),
                (None, parent) => parent.as_ref().map(|parent| parent.task.clone()),
            },
            replay_of: run.replay_of.as_ref().map(|origin| origin.run.to_string()),
        },
        test: run.test,
        created_at: run.created_at.into(),
        ended_at: run.ended_at.map(Into::into),
        duration_ms: crate::documents::millis(until.duration_since(began).as_millis()),
        current_task: run
            .current_tasks
            .first()
            .map(|task| task.name.clone())
            .or_else(|| at_fault.map(last_segment)),
        error: run.error.as_ref().map(error),
    }
}

pub(crate) fn error(error: &RunError) -> DslError {
    DslError {
        kind: error.kind.clone(),
        code: error.detail.as_deref().and_then(code).map(str::to_owned),
        status: error.status,
        title: error.title.clone(),
        detail: error.detail.clone(),
        instance: error.instance.clone(),
    }
}

/// The code that the agent puts before the detail of what has a help page.
fn code(detail: &str) -> Option<&'static str> {
    let (said, _) = detail.split_once(':')?;
    let known = Code::ALL.iter().map(|code| code.as_str());
    known.into_iter().find(|code| *code == said)
}

/// The task's name at the end of a JSON pointer.
fn last_segment(pointer: &str) -> String {
    let last = pointer.rsplit('/').next().unwrap_or_default();
    last.replace("~1", "/").replace("~0", "~")
}
