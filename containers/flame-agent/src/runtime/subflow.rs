//! Child runs: what `run: workflow` starts, waits for and cancels.
//!
//! A child's id follows from its parent's journal, so that a start which a crash interrupted finds the
//! child that is there. Deliberately absent: deciding anything about the parent, which hears of its child
//! as of any other effect.

use std::sync::Arc;
use std::time::Duration;

use flame_engine::{Error as Fault, Event, Run as EngineRun, StandardError, SubflowCall};
use flame_store::{Child, Page, Run};
use flame_types::{RunId, RunStatus, WorkflowId, json};
use serde_json::Value;
use tokio::sync::oneshot;

use super::Error;
use super::load::Hold;
use super::message::{Command, Message};
use super::shared::{Shared, now, stopping};
use super::start::{Begin, First, complete, subject};
use super::value::Trigger;

/// Until something is tried again that the store could not take, or a child that is parked looked at.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);
/// Children that are looked at together after a start.
const PAGE: usize = 500;

/// Starts the child unless it is there, and waits for its end where the call says so. `None` where the
/// agent stops first, or nobody waits any more: `abandoned` is told, and the child cancelled, when the
/// parent has no use for it; it is dropped when the parent leaves the memory.
pub(super) async fn run(
    shared: &Arc<Shared>,
    call: &SubflowCall,
    abandoned: oneshot::Receiver<()>,
) -> Option<Result<Arc<Value>, Fault>> {
    if let Err(error) = start(shared, call).await {
        return match error {
            Error::ShuttingDown => None,
            error => Some(Err(fault(&error))),
        };
    }
    if !call.awaits {
        return Some(Ok(Arc::default()));
    }
    tokio::select! {
        ended = end(shared, call.run) => ended.map(|run| outcome(&run)),
        told = abandoned => {
            if told.is_ok() {
                cancel(shared, call.run).await;
            }
            None
        }
    }
}

async fn start(shared: &Arc<Shared>, call: &SubflowCall) -> Result<(), Error> {
    let mut hold = None;
    loop {
        if shared.store.run(call.run).await?.is_some() {
            return Ok(());
        }
        match begin(shared, call).await?.send(shared).await {
            Ok(_) | Err(Error::Store(flame_store::Error::RunExists { .. })) => return Ok(()),
            Err(Error::Store(error)) if error.is_transient() => {
                shared.counters.hold(&mut hold, &error);
                pause(shared, hold.as_ref().map_or(RETRY_INTERVAL, Hold::pause)).await?;
            }
            Err(error) => return Err(error),
        }
    }
}

async fn begin(shared: &Shared, call: &SubflowCall) -> Result<Begin, Error> {
    let (namespace, name) = (&call.namespace, &call.name);
    let id =
        match &call.version {
            Some(version) => WorkflowId {
                namespace: namespace.clone(),
                name: name.clone(),
                version: version.clone(),
            },
            None => shared.definitions.newest(namespace, name).ok_or_else(|| {
                Error::WorkflowMissing {
                    namespace: namespace.to_string(),
                    name: name.to_string(),
                }
            })?,
        };
    let workflow = shared.definitions.workflow(&id).await?;
    shared.await_secrets(&workflow).await;
    let (workflow, refusal) = complete(shared, workflow).await;
    let mut run = EngineRun::new(call.run, workflow);
    if let Some(error) = refusal {
        run.refuse(error);
    }
    // A run that waits for a child keeps its own place, so the child always gets one: to wait for places
    // would be to wait for itself. Nobody waits for the others, and so they are admitted as any run is.
    let place = call.awaits.then(|| shared.counters.readmit());
    Ok(Begin {
        run,
        first: First::Event(Event::StartChild {
            input: Arc::clone(&call.input),
            parent: call.parent.clone(),
        }),
        subject: subject(&call.input),
        input: Arc::clone(&call.input),
        trigger: Trigger::Workflow,
        replay_of: None,
        child: Some(Child {
            run: call.run,
            parent: call.parent.run,
            task: call.parent.task.clone(),
            awaited: call.awaits,
        }),
        created: now(),
        claim: None,
        extra: Vec::new(),
        place,
        reply: None,
        end: None,
    })
}

/// The run once it has ended; `None` where the agent stops first.
async fn end(shared: &Shared, run: RunId) -> Option<Run> {
    loop {
        match shared.stored(run).await {
            Ok(stored) if stored.summary.status.is_terminal() => return Some(stored),
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%run, %error, "A child run can't be read; it is tried again")
            }
        }
        let (ended, told) = oneshot::channel();
        shared.send(run, Message::Watch { run, ended });
        let parked = tokio::select! {
            told = told => told.is_err(),
            () = stopping(shared) => return None,
        };
        if parked {
            pause(shared, RETRY_INTERVAL).await.ok()?;
        }
    }
}

/// What the end of a child is to the task that waits for it.
fn outcome(run: &Run) -> Result<Arc<Value>, Fault> {
    let unreadable = |error: serde_json::Error| {
        let detail = format!("the stored result of the run {}: {error}", run.summary.id);
        StandardError::Runtime.with("The child run's result can't be read", detail)
    };
    match run.summary.status {
        RunStatus::Completed => match &run.output {
            Some(output) => json::from_slice(output).map_err(unreadable),
            None => Ok(Arc::default()),
        },
        RunStatus::Faulted => {
            let error = run.summary.error.as_deref().unwrap_or_default();
            Err(serde_json::from_slice::<Fault>(error).unwrap_or_else(unreadable))
        }
        _ => {
            let (id, workflow) = (run.summary.id, &run.summary.workflow);
            let detail = format!("the run {id} of {workflow} was cancelled before its end");
            Err(StandardError::Runtime.with("The child run was cancelled", detail))
        }
    }
}

/// Cancels a child for which nobody waits, however long the store takes to hear of it.
async fn cancel(shared: &Shared, run: RunId) {
    loop {
        let (reply, outcome) = oneshot::channel();
        let command = Command::Cancel;
        shared.send(
            run,
            Message::Command {
                run,
                command,
                reply,
            },
        );
        match outcome.await {
            Ok(Err(Error::Store(error))) if error.is_transient() => {
                if pause(shared, RETRY_INTERVAL).await.is_err() {
                    return;
                }
            }
            Ok(Err(Error::RunNotInState { .. }) | Ok(())) => return,
            Ok(Err(error)) => {
                tracing::error!(%run, %error, "A child run could not be cancelled");
                return;
            }
            // The agent stops; its next start looks at the child again.
            Err(_) => return,
        }
    }
}

/// After a start: cancels the children whose parents have no use for them any more, which a crash between
/// a parent's commit and its child's may leave.
pub(super) async fn cancel_abandoned(shared: &Arc<Shared>) -> Result<(), Error> {
    let mut page = Page::first(PAGE);
    loop {
        let children = shared.store.awaited_children(page).await?;
        let Some(last) = children.last() else {
            return Ok(());
        };
        page = Page::after(last.run, PAGE);
        for child in children {
            if is_abandoned(shared, &child).await? {
                tracing::info!(run = %child.run, parent = %child.parent, "A child run is cancelled: its parent goes on without it");
                cancel(shared, child.run).await;
            }
        }
    }
}

async fn is_abandoned(shared: &Shared, child: &Child) -> Result<bool, Error> {
    let parent = shared.store.run(child.parent).await?;
    if parent.is_none_or(|parent| parent.summary.status.is_terminal()) {
        return Ok(true);
    }
    let (reply, awaited) = oneshot::channel();
    shared.send(
        child.parent,
        Message::Awaits {
            run: child.parent,
            child: child.run,
            reply,
        },
    );
    // A parent that is parked says nothing: its child is left as it is.
    Ok(awaited.await.is_ok_and(|awaited| !awaited))
}

async fn pause(shared: &Shared, pause: Duration) -> Result<(), Error> {
    tokio::select! {
        () = tokio::time::sleep(pause) => Ok(()),
        () = stopping(shared) => Err(Error::ShuttingDown),
    }
}

/// Why a child could not be started, as the task's error.
fn fault(error: &Error) -> Fault {
    let standard = match error {
        Error::WorkflowUnknown { .. } | Error::WorkflowMissing { .. } => {
            StandardError::Configuration
        }
        _ => StandardError::Runtime,
    };
    standard.with("The child run can't be started", error.to_string())
}
