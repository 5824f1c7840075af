//! What the runtime and the store hold, in the words of the wire.

use std::time::Duration;

use flame_agent_api::{
    CompensationView, CurrentTask, OutboundHost, ParentRun, ReplayOf, RunCounts, RunError, RunView,
    ScheduleView, Trigger, WebhookAnswer, WebhookProtection, WebhookView, WorkflowView,
};
use flame_dsl::{Schedule, Webhook};
use flame_errors::Code;
use flame_store::{Run, RunSummary};
use flame_types::json::AsWritten;
use flame_types::{RunStatus, Timestamp};
use jiff::SignedDuration;
use serde_json::Value;

use super::failure::Failure;
use crate::runtime::{self, Deployed, Inspection};

/// A run with everything.
pub(super) fn run(run: Run, inspection: Inspection) -> Result<RunView, Failure> {
    let AsWritten(input) = stored("input", &run.input)?;
    let output = run
        .output
        .as_deref()
        .map(|bytes| stored("output", bytes))
        .transpose()?
        .map(|AsWritten(output)| output);
    let tasks = inspection.tasks.into_iter().map(current_task).collect();
    let compensation = inspection.compensation.map(|progress| CompensationView {
        undone: progress.undone,
        skipped: progress.skipped,
        left: progress.left,
        parked: progress.parked,
    });
    Ok(RunView {
        input: Some(input),
        output,
        current_tasks: tasks,
        compensation,
        ..run_summary(run.summary)?
    })
}

/// A run as lists show it: without input and output, and with the first of its tasks alone.
pub(super) fn run_summary(run: RunSummary) -> Result<RunView, Failure> {
    let error = run
        .error
        .as_deref()
        .map(|bytes| stored::<RunError>("error", bytes))
        .transpose()?;
    let waits = matches!(run.status, RunStatus::Waiting);
    let due = run.wakes.filter(|_| waits);
    let (status, created) = (run.status, stored_time(run.created));
    let task = run
        .task
        .filter(|_| !status.is_terminal())
        .map(|task| CurrentTask {
            name: task.rsplit('/').next().unwrap_or_default().to_owned(),
            task,
            status,
            due,
            parked: None,
        });
    Ok(RunView {
        id: run.id,
        workflow: run.workflow.into(),
        definition_hash: run.hash,
        status,
        trigger: trigger(&run.trigger),
        test: run.trigger == runtime::Trigger::Test.as_str(),
        subject: run.subject,
        replay_of: run.replay_of.map(|(run, task)| ReplayOf { run, task }),
        parent: run.parent.map(|(run, task)| ParentRun { run, task }),
        input: None,
        output: None,
        error,
        created_at: created,
        started_at: (status != RunStatus::Pending).then_some(created),
        ended_at: run.ended.map(stored_time),
        current_tasks: task.into_iter().collect(),
        compensation: None,
        sequence: run.records,
    })
}

/// A time as the store keeps it, in microseconds: it reads the same before and after it was stored.
fn stored_time(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}

/// A word of another version counts as the API's: who started a run is never a reason not to show it.
fn trigger(word: &str) -> Trigger {
    match runtime::Trigger::from_name(word) {
        Some(runtime::Trigger::Webhook) => Trigger::Webhook,
        Some(runtime::Trigger::Schedule) => Trigger::Schedule,
        Some(runtime::Trigger::Event) => Trigger::Event,
        Some(runtime::Trigger::Replay) => Trigger::Replay,
        Some(runtime::Trigger::Workflow) => Trigger::Workflow,
        Some(runtime::Trigger::Api | runtime::Trigger::Test) | None => Trigger::Api,
    }
}

fn current_task(task: runtime::CurrentTask) -> CurrentTask {
    CurrentTask {
        task: task.reference.to_string(),
        name: task.name.to_string(),
        status: task.status,
        due: task.due,
        parked: task.parked,
    }
}

/// JSON that the store holds.
pub(super) fn stored<T: serde::de::DeserializeOwned>(
    what: &str,
    bytes: &[u8],
) -> Result<T, Failure> {
    serde_json::from_slice(bytes).map_err(|error| {
        Failure::new(
            Code::StorageCorrupt,
            format!("the stored {what} can't be read: {error}"),
        )
    })
}

/// An error of the DSL.
pub(super) fn run_error(error: &flame_engine::Error) -> RunError {
    RunError {
        kind: error.kind.clone(),
        status: error.status,
        title: error.title.clone(),
        detail: error.detail.clone(),
        instance: error.instance.clone(),
    }
}

/// A workflow; its text only where it is asked for alone.
pub(super) fn workflow(deployed: &Deployed, runs: RunCounts, text: bool) -> WorkflowView {
    let workflow = &deployed.workflow;
    WorkflowView {
        id: workflow.id.clone().into(),
        title: workflow.title.clone(),
        summary: workflow.summary.clone(),
        hash: workflow.hash.to_string(),
        deployed_at: stored_time(deployed.updated),
        text: text.then(|| deployed.text.to_string()),
        webhook: deployed.webhook().map(webhook),
        schedule: workflow
            .schedule
            .as_ref()
            .map(|kind| schedule(kind, deployed.next)),
        runs,
    }
}

fn schedule(schedule: &Schedule, next: Option<Timestamp>) -> ScheduleView {
    let iso = |duration: &Duration| {
        SignedDuration::try_from(*duration).map_or_else(|_| String::new(), |text| text.to_string())
    };
    let mut view = ScheduleView {
        next,
        ..ScheduleView::default()
    };
    match schedule {
        Schedule::Cron(cron) => view.cron = Some(cron.to_string()),
        Schedule::Every(every) => view.every = Some(iso(every)),
        Schedule::After(after) => view.after = Some(iso(after)),
        Schedule::On(trigger) => {
            let types = trigger.to.types().unwrap_or_default();
            view.on = Some(types.iter().map(ToString::to_string).collect());
        }
    }
    view
}

fn webhook(webhook: &Webhook) -> WebhookView {
    let (protection, connection) = match &webhook.protection {
        flame_dsl::WebhookProtection::None => (WebhookProtection::None, None),
        flame_dsl::WebhookProtection::Secret { connection } => {
            (WebhookProtection::Secret, Some(connection.clone()))
        }
        flame_dsl::WebhookProtection::StandardWebhooks { connection } => (
            WebhookProtection::StandardWebhooks,
            Some(connection.clone()),
        ),
    };
    WebhookView {
        path: format!("/hooks/{}", webhook.path),
        method: webhook.method.clone(),
        content_type: webhook.content_type.clone(),
        protection,
        connection,
        answer: match webhook.answer {
            flame_dsl::WebhookAnswer::Accepted => WebhookAnswer::Accepted,
            flame_dsl::WebhookAnswer::Output => WebhookAnswer::Output,
        },
    }
}

/// Adds runs of one status.
pub(super) fn count(counts: &mut RunCounts, status: RunStatus, runs: u64) {
    let counter = match status {
        RunStatus::Pending => &mut counts.pending,
        RunStatus::Running => &mut counts.running,
        RunStatus::Waiting => &mut counts.waiting,
        RunStatus::Suspended => &mut counts.suspended,
        RunStatus::Cancelled => &mut counts.cancelled,
        RunStatus::Faulted => &mut counts.faulted,
        RunStatus::Completed => &mut counts.completed,
    };
    *counter += runs;
}

pub(super) fn outbound(host: runtime::OutboundHost) -> OutboundHost {
    OutboundHost {
        host: host.host,
        calls: host.calls,
        failures: host.failures,
        last_at: host.last,
        callers: host.callers,
    }
}

/// An event as it was stored.
pub(super) fn event(
    event: flame_store::StoredEvent,
) -> Result<flame_agent_api::EventView, Failure> {
    let AsWritten::<Value>(body) = stored("event", &event.body)?;
    Ok(flame_agent_api::EventView {
        offset: event.sequence,
        run: event.run,
        event: body,
    })
}
