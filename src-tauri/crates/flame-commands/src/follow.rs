//! Keeps up with the agent: what to give it when it is ready, and what it tells from then on.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use flame_agent_client::api::{Changes, SecretText};
use flame_agent_client::{AgentClient, RunEvent};
use flame_ipc::{
    Changed, DeadLettersChangedPayload, Event, RunEntriesPayload, RunsChangedPayload, Whole,
};
use flame_launcher::agent::Endpoint;
use flame_types::{RunId, RunStatus};
use futures::StreamExt;
use tokio::task::AbortHandle;

use crate::app::{App, Connected, lock};
use crate::containers::ContainerWorker;
use crate::{connections, dead_letters, documents, feeds, host_execution, runs};

/// Runs whose journals are followed at once.
const FOLLOWED_MAX: usize = 8;
/// A window sees at most ten updates a second.
const UPDATE_EVERY: Duration = Duration::from_millis(100);
/// Figures such as memory have no news of their own.
const FIGURES_EVERY: Duration = Duration::from_secs(2);
/// Between a stream that ended and the next try.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Until the app is gone: prepares each agent that gets ready and follows it until it is lost.
pub(crate) async fn agent(app: Weak<App>) {
    let Some(mut state) = app.upgrade().map(|app| app.runtime.state()) else {
        return;
    };
    loop {
        let endpoint = state.borrow_and_update().endpoint.clone();
        let Some(app) = app.upgrade() else { return };
        app.emit(&Event::RuntimeChanged(app.runtime_status().await));
        match endpoint {
            None => {
                app.set_agent(None);
                drop(app);
                if state.changed().await.is_err() {
                    return;
                }
            }
            Some(endpoint) => {
                let follows = follow(&app, &endpoint);
                tokio::select! {
                    () = follows => {}
                    changed = state.changed() => if changed.is_err() { return },
                }
            }
        }
    }
}

async fn follow(app: &Arc<App>, endpoint: &Endpoint) {
    let token = SecretText::new(endpoint.token.expose());
    let client = match AgentClient::new(&endpoint.base, token) {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(%error, "no client for the agent");
            return std::future::pending().await;
        }
    };
    // The runs of before go on at once, and their scripts wait for this.
    permit(app, &client).await;
    connections::deploy_all(app, &client).await;
    if let Err(error) = documents::deploy_missing(app, &client).await {
        tracing::warn!(%error, "documents could not be deployed");
    }
    app.set_agent(Some(Connected {
        endpoint: endpoint.clone(),
        client: client.clone(),
    }));
    // Until here nobody told this agent what was taken back.
    permit(app, &client).await;
    app.emit(&Event::RuntimeChanged(app.runtime_status().await));
    feeds::try_again(app).await;
    let worker = ContainerWorker::new(app.worker_options());
    tokio::join!(worker.work(&client), changes(app, &client));
}

async fn permit(app: &Arc<App>, client: &AgentClient) {
    if let Err(error) = host_execution::deploy(app, client).await {
        tracing::warn!(%error, "the agent was not told what may run on this computer");
    }
}

/// Tells everything that changes at the agent.
async fn changes(app: &Arc<App>, client: &AgentClient) {
    let mut missed = true;
    loop {
        match client.changes().await {
            Ok(stream) => {
                let mut stream = std::pin::pin!(stream);
                while let Some(Ok(mut changes)) = stream.next().await {
                    changes.missed |= std::mem::take(&mut missed);
                    tell(app, client, changes).await;
                }
            }
            Err(error) => tracing::debug!(%error, "the agent's changes can't be followed"),
        }
        // What happened in between was not seen: lists are read again.
        missed = true;
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

async fn tell(app: &Arc<App>, client: &AgentClient, changes: Changes) {
    if (!changes.runs.is_empty() || changes.missed)
        && let Ok(titles) = documents::titles(app).await
    {
        let runs = changes
            .runs
            .iter()
            .map(|run| runs::summary(run, &titles))
            .collect();
        app.emit(&Event::RunsChanged(RunsChangedPayload {
            runs,
            more: changes.missed,
        }));
    }
    feeds::take_figures(app, &changes.feeds);
    if changes.workflows || changes.pipelines || changes.missed {
        app.emit(&Event::DocumentsChanged(Changed { ids: Vec::new() }));
    }
    if changes.connections || changes.missed {
        app.emit(&Event::ConnectionsChanged(Changed { ids: Vec::new() }));
    }
    if (changes.dead_letters || changes.missed)
        && let Ok(total) = dead_letters::total(client).await
    {
        let total = Whole::new(total);
        app.emit(&Event::DeadLettersChanged(DeadLettersChangedPayload {
            total,
        }));
    }
}

/// Tells the figures of the agent whenever they changed.
pub(crate) async fn figures(app: Weak<App>) {
    let mut ticks = tokio::time::interval(FIGURES_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut last = None;
    loop {
        ticks.tick().await;
        let Some(app) = app.upgrade() else { return };
        if app.agent_now().is_none() {
            continue;
        }
        app.runtime.measure().await;
        let status = app.runtime_status().await;
        if last.as_ref() != Some(&status) {
            app.emit(&Event::RuntimeChanged(status.clone()));
            last = Some(status);
        }
    }
}

/// The runs whose journals the window follows, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Followers(Mutex<VecDeque<(RunId, AbortHandle)>>);

impl Followers {
    pub(crate) fn follow(&self, app: &Arc<App>, agent: AgentClient, run: RunId, after: u64) {
        self.unfollow(run);
        let task = tokio::spawn(journal(Arc::downgrade(app), agent, run, after));
        let mut followed = lock(&self.0);
        followed.push_back((run, task.abort_handle()));
        if followed.len() > FOLLOWED_MAX
            && let Some((_, oldest)) = followed.pop_front()
        {
            oldest.abort();
        }
    }

    pub(crate) fn unfollow(&self, run: RunId) {
        lock(&self.0).retain(|(followed, task)| {
            if *followed == run {
                task.abort();
            }
            *followed != run
        });
    }

    pub(crate) fn clear(&self) {
        for (_, task) in lock(&self.0).drain(..) {
            task.abort();
        }
    }
}

/// Tells new entries of one run, gathered over a tenth of a second, until the run ends.
async fn journal(app: Weak<App>, agent: AgentClient, run: RunId, mut after: u64) {
    loop {
        match agent.follow_run(run, after).await {
            Ok(stream) => {
                let mut stream = std::pin::pin!(stream);
                let mut ticks = tokio::time::interval(UPDATE_EVERY);
                ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
                let mut gathered = Vec::new();
                loop {
                    tokio::select! {
                        event = stream.next() => match event {
                            Some(Ok(RunEvent::Journal(entry))) => {
                                after = entry.sequence;
                                gathered.push(runs::journal_entry(&entry));
                            }
                            Some(Ok(RunEvent::End(view))) => {
                                tell_entries(&app, run, view.status, &mut gathered, true);
                                return;
                            }
                            Some(Err(_)) | None => break,
                        },
                        _ = ticks.tick() => {
                            tell_entries(&app, run, RunStatus::Running, &mut gathered, false);
                        }
                    }
                }
                tell_entries(&app, run, RunStatus::Running, &mut gathered, false);
            }
            Err(error) => tracing::debug!(%error, %run, "the run can't be followed"),
        }
        if app.upgrade().is_none() {
            return;
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

fn tell_entries(
    app: &Weak<App>,
    run: RunId,
    status: RunStatus,
    gathered: &mut Vec<flame_ipc::JournalEntry>,
    is_end: bool,
) {
    if gathered.is_empty() && !is_end {
        return;
    }
    if let Some(app) = app.upgrade() {
        app.emit(&Event::RunEntries(RunEntriesPayload {
            run: run.to_string(),
            status: status.into(),
            entries: std::mem::take(gathered),
        }));
    }
}
