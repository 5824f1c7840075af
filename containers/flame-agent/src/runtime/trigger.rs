//! Runs that events start: each workflow with `schedule.on` reads the log at its own pace.
//!
//! A start claims its event's place in the log in the commit of the run, and the workflow's own place moves
//! on once all starts of a page are on disk: a crash in between gives the same starts once more, which find
//! their claims taken. Events that can't start a run yet, since too many are in flight, stay in the log.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flame_dsl::{EventTrigger, Schedule, Workflow};
use flame_engine::Gathered;
use flame_store::{DefinitionKey, Operation, Subscription};
use flame_types::{WorkflowId, json};
use futures::StreamExt as _;
use futures::stream;
use serde_json::Value;
use tokio::sync::Notify;

use super::Error;
use super::shared::{Shared, stopping};
use super::start::Begin;
use super::value::{IdempotencyKey, StartRequest, Trigger};

/// Events of a page.
const PAGE_EVENTS: usize = 256;
const PAGE_BYTES: usize = 8 * 1024 * 1024;
/// Starts at once.
const STARTS: usize = 64;
/// Until starts that were refused are tried again.
const REFUSED_INTERVAL: Duration = Duration::from_millis(250);

/// What all the workflows that events start share.
#[derive(Debug)]
pub(super) struct Triggers {
    /// Rings when the log has grown or a workflow was deployed.
    rung: Notify,
    /// The workflows were changed, so the store knows better.
    stale: Mutex<bool>,
    /// Place of the one that is held up, the furthest back; the greatest number where none is.
    held_up: AtomicU64,
}

impl Default for Triggers {
    fn default() -> Self {
        Self {
            rung: Notify::new(),
            stale: Mutex::new(true),
            held_up: AtomicU64::new(u64::MAX),
        }
    }
}

impl Triggers {
    /// The log has grown.
    pub(super) fn ring(&self) {
        self.rung.notify_one();
    }

    /// A workflow was deployed or removed.
    pub(super) fn refresh(&self) {
        *self.stale.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.ring();
    }

    fn take_stale(&self) -> bool {
        std::mem::take(&mut self.stale.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn is_stale(&self) -> bool {
        *self.stale.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything up to here has started what it starts.
    pub(super) fn held_up(&self) -> u64 {
        self.held_up.load(Ordering::Relaxed)
    }
}

/// One workflow.
struct Reader {
    workflow: Arc<Workflow>,
    /// Everything up to here was looked at and is in the store.
    position: u64,
    gathered: Gathered,
    page: Option<Page>,
}

/// What a page of the log has come to.
struct Page {
    end: u64,
    gathered: Gathered,
    starts: Vec<Start>,
}

#[derive(Clone)]
struct Start {
    sequence: u64,
    input: Arc<Value>,
}

/// Starts runs until the runtime stops.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut readers = BTreeMap::new();
    while shared.is_accepting() {
        let outcome = work(&shared, &mut readers).await;
        let held_up = readers
            .values()
            .filter(|reader: &&Reader| reader.page.is_some())
            .map(|reader| reader.position)
            .min();
        let triggers = &shared.triggers;
        triggers
            .held_up
            .store(held_up.unwrap_or(u64::MAX), Ordering::Relaxed);
        if let Err(error) = &outcome {
            tracing::warn!(%error, "Runs that events start could not be started");
        }
        let again = outcome.is_err() || held_up.is_some();
        tokio::select! {
            () = tokio::time::sleep(REFUSED_INTERVAL), if again => {}
            () = triggers.rung.notified() => {}
            () = stopping(&shared) => {}
        }
    }
}

/// Lets every workflow read on as far as it can.
async fn work(
    shared: &Arc<Shared>,
    readers: &mut BTreeMap<WorkflowId, Reader>,
) -> Result<(), Error> {
    if shared.triggers.take_stale()
        && let Err(error) = load(shared, readers).await
    {
        shared.triggers.refresh();
        return Err(error);
    }
    for (id, reader) in readers.iter_mut() {
        while shared.is_accepting()
            && !shared.triggers.is_stale()
            && reader.advance(shared, id).await?
        {}
    }
    Ok(())
}

/// Takes over what the store says; a workflow that is as it was goes on with its page.
async fn load(
    shared: &Arc<Shared>,
    readers: &mut BTreeMap<WorkflowId, Reader>,
) -> Result<(), Error> {
    let mut stored: BTreeMap<DefinitionKey, Subscription> = shared
        .store
        .subscriptions()
        .await?
        .into_iter()
        .map(|subscription| (subscription.workflow.clone(), subscription))
        .collect();
    let mut known = std::mem::take(readers);
    for id in shared.definitions.triggered() {
        let Some(subscription) = stored.remove(&DefinitionKey::workflow(&id)) else {
            continue;
        };
        let workflow = shared.definitions.workflow(&id).await?;
        if let Some(reader) = known.remove(&id)
            && reader.workflow.hash == workflow.hash
            && subscription.position == Some(reader.position)
        {
            readers.insert(id, reader);
            continue;
        }
        let gathered = serde_json::from_value(subscription.state).unwrap_or_default();
        let reader = Reader {
            workflow,
            position: subscription.position.unwrap_or(0),
            gathered,
            page: None,
        };
        readers.insert(id, reader);
    }
    Ok(())
}

impl Reader {
    /// Reads a page, starts what it starts, moves on; `false` where it is at the end or held up.
    async fn advance(&mut self, shared: &Arc<Shared>, id: &WorkflowId) -> Result<bool, Error> {
        let mut page = match self.page.take() {
            Some(page) => page,
            None => match self.read(shared).await? {
                Some(page) => page,
                None => return Ok(false),
            },
        };
        page.starts = start_all(shared, id, std::mem::take(&mut page.starts)).await;
        if !page.starts.is_empty() {
            self.page = Some(page);
            return Ok(false);
        }
        let state = serde_json::to_value(&page.gathered).unwrap_or_default();
        let subscription = Subscription {
            workflow: DefinitionKey::workflow(id),
            position: Some(page.end),
            state,
        };
        let moved = Operation::PutSubscription(Box::new(subscription));
        if let Err(error) = shared.store.commit(moved).await {
            self.page = Some(page);
            return Err(error.into());
        }
        self.position = page.end;
        self.gathered = page.gathered;
        Ok(true)
    }

    async fn read(&self, shared: &Shared) -> Result<Option<Page>, Error> {
        let Some(Schedule::On(trigger)) = &self.workflow.schedule else {
            return Ok(None);
        };
        let trigger: &EventTrigger = trigger;
        let types = trigger
            .to
            .types()
            .map(|types| types.iter().map(|kind| kind.to_string()).collect());
        let events = shared
            .store
            .events_after(self.position, types, PAGE_EVENTS, PAGE_BYTES)
            .await?;
        let Some(end) = events.last().map(|event| event.sequence) else {
            return Ok(None);
        };
        let mut gathered = self.gathered.clone();
        let mut starts = Vec::new();
        for stored in &events {
            let Ok(event) = json::from_slice(&stored.body) else {
                continue;
            };
            match gathered.offer(trigger, &self.workflow, &Arc::new(event)) {
                Ok(None) => {}
                Ok(Some(input)) => starts.push(Start {
                    sequence: stored.sequence,
                    input: Arc::new(input),
                }),
                Err(error) => {
                    tracing::warn!(workflow = %self.workflow.id, sequence = stored.sequence, %error, "An event was passed over");
                }
            }
        }
        Ok(Some(Page {
            end,
            gathered,
            starts,
        }))
    }
}

/// Starts runs; gives those that are to be tried again.
async fn start_all(shared: &Arc<Shared>, id: &WorkflowId, starts: Vec<Start>) -> Vec<Start> {
    let outcomes = stream::iter(starts)
        .map(|start| async move {
            match begin(shared, id, &start).await {
                Ok(()) => None,
                Err(error) if is_passing(&error) => Some(start),
                Err(error) => {
                    tracing::error!(workflow = %id, sequence = start.sequence, %error, "An event can't start a run");
                    None
                }
            }
        })
        .buffered(STARTS);
    outcomes.filter_map(std::future::ready).collect().await
}

async fn begin(shared: &Arc<Shared>, id: &WorkflowId, start: &Start) -> Result<(), Error> {
    let request = StartRequest {
        trigger: Trigger::Event,
        idempotency: Some(IdempotencyKey {
            key: format!("event/{}", start.sequence),
            body_hash: [0; 32],
        }),
        ..StartRequest::new(id.clone(), Arc::clone(&start.input))
    };
    Begin::of(shared, request, Vec::new())
        .await?
        .send(shared)
        .await
        .map(drop)
}

fn is_passing(error: &Error) -> bool {
    match error {
        Error::TooManyRequests { .. } | Error::ShuttingDown => true,
        Error::Store(error) => error.is_transient(),
        _ => false,
    }
}
