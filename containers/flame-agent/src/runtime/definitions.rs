//! Deployed workflows: stored as text, parsed when first needed, shared by all runs that are pinned to one.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use flame_dsl::{Format, LifecycleSet, Retention, Schedule, Workflow};
use flame_store::{
    Commit, Definition, DefinitionKey, Operation, Page, RunFilter, Store, Subscription,
};
use flame_types::{Namespace, RunStatus, Timestamp, WorkflowId, WorkflowName, json};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Error;
use super::schedule::{self, Timing};
use super::value::Deployed;

const KIND: &str = "workflow";
/// Definitions read at once when the agent starts.
const PAGE: usize = 200;

#[derive(Debug)]
pub(super) struct Definitions {
    store: Store,
    table: RwLock<Table>,
    /// By hash: what runs are pinned to, as long as one of them lives.
    pinned: Mutex<HashMap<Arc<str>, Weak<Workflow>>>,
    /// Lifecycle events that a workflow here listens to, or one that runs are pinned to. None is taken back
    /// before the next start: a run in flight may be about to listen.
    observed: AtomicU32,
    /// Two deployments at once could claim one webhook path.
    deploying: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Table {
    by_id: BTreeMap<WorkflowId, Slot>,
    hooks: HashMap<String, WorkflowId>,
}

#[derive(Debug, Clone)]
struct Slot {
    hash: String,
    content_type: String,
    text: Arc<str>,
    updated: Timestamp,
    detail: Detail,
    /// `None` until somebody needs it.
    workflow: Option<Arc<Workflow>>,
}

/// What the start-up needs of a definition without parsing it; stored beside the text.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Detail {
    /// Path of the webhook.
    hook: Option<String>,
    cron: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retention: Option<Retention>,
    /// `schedule.every`.
    every_ms: Option<u64>,
    /// `schedule.after`.
    after_ms: Option<u64>,
    /// `schedule.on` as it stands in the document.
    #[serde(deserialize_with = "json::read")]
    on: Option<Value>,
    /// Lifecycle events that it listens to, as [`LifecycleSet::bits`].
    #[serde(skip_serializing_if = "Option::is_none")]
    observes: Option<u32>,
}

impl Detail {
    fn of(workflow: &Workflow) -> Self {
        let mut detail = Self {
            hook: workflow
                .webhook
                .as_ref()
                .map(|webhook| webhook.path.clone()),
            retention: workflow.retention,
            observes: Some(workflow.observes.bits()).filter(|bits| *bits != 0),
            ..Self::default()
        };
        let ms =
            |duration: &Duration| Some(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
        match &workflow.schedule {
            Some(Schedule::Cron(cron)) => detail.cron = Some(cron.to_string()),
            Some(Schedule::Every(every)) => detail.every_ms = ms(every),
            Some(Schedule::After(after)) => detail.after_ms = ms(after),
            Some(Schedule::On(_)) => {
                detail.on = workflow.definition.pointer("/schedule").cloned();
            }
            None => {}
        }
        detail
    }

    /// When the clock starts runs.
    fn timing(&self) -> Option<Timing> {
        let cron = || self.cron.clone().map(Timing::Cron);
        let every = || self.every_ms.map(Duration::from_millis).map(Timing::Every);
        let after = || self.after_ms.map(Duration::from_millis).map(Timing::After);
        cron().or_else(every).or_else(after)
    }
}

impl Definitions {
    /// Reads what is deployed.
    pub(super) async fn open(store: Store) -> Result<Self, Error> {
        let mut table = Table::default();
        let mut page = Page::first(PAGE);
        loop {
            let definitions = store.definitions(KIND, page).await?;
            let count = definitions.len();
            page = match definitions.last() {
                Some(last) => Page::after(last.key.clone(), PAGE),
                None => break,
            };
            for definition in definitions {
                table.add(definition)?;
            }
            if count < PAGE {
                break;
            }
        }
        let observed = table.by_id.values().filter_map(|slot| slot.detail.observes);
        Ok(Self {
            store,
            observed: AtomicU32::new(observed.fold(0, |all, of_one| all | of_one)),
            table: RwLock::new(table),
            pinned: Mutex::default(),
            deploying: tokio::sync::Mutex::default(),
        })
    }

    /// Parses and stores a workflow; true where its address is new.
    pub(super) async fn deploy(
        &self,
        text: &str,
        content_type: &str,
        path: Option<&WorkflowId>,
        now: Timestamp,
    ) -> Result<(WorkflowId, bool), Error> {
        let workflow = Arc::new(parse(text, content_type).await?);
        let id = workflow.id.clone();
        if let Some(path) = path.filter(|path| **path != id) {
            return Err(Error::PathMismatch {
                path: Box::new(path.clone()),
                document: Box::new(id),
            });
        }
        let _one_at_a_time = self.deploying.lock().await;
        let detail = Detail::of(&workflow);
        let before = self.read(|table| {
            table
                .hook_conflict(&id, &detail)
                .map(|()| table.by_id.get(&id).cloned())
        })?;
        let slot = Slot {
            hash: workflow.hash.to_string(),
            content_type: content_type.to_owned(),
            text: text.into(),
            updated: now,
            detail,
            workflow: Some(Arc::clone(&workflow)),
        };
        let mut commit = Commit::from(put(&id, &slot));
        let before_detail = before.as_ref().map(|before| &before.detail);
        let timing = slot.detail.timing();
        if before_detail.is_none_or(|before| before.timing() != timing) {
            commit = commit.with(schedule_of(&id, timing.as_ref(), now)?);
        }
        if before_detail.is_none_or(|before| before.on != slot.detail.on) {
            commit = commit.with(subscription_of(&id, &slot.detail));
        }
        self.store.commit(commit).await?;
        self.pin(&workflow);
        self.write(|table| table.insert(id.clone(), slot));
        Ok((id, before.is_none()))
    }

    /// What the document at an address says about ended runs.
    pub(super) fn retention(&self, id: &WorkflowId) -> Option<Retention> {
        self.read(|table| table.by_id.get(id)?.detail.retention)
    }

    /// Removes a workflow without runs in flight; false where there was none.
    pub(super) async fn undeploy(&self, id: &WorkflowId) -> Result<bool, Error> {
        let _one_at_a_time = self.deploying.lock().await;
        if self.read(|table| !table.by_id.contains_key(id)) {
            return Ok(false);
        }
        let filter = RunFilter {
            statuses: RunStatus::ALL
                .into_iter()
                .filter(|status| !status.is_terminal())
                .collect(),
            namespace: Some(id.namespace.to_string()),
            name: Some(id.name.to_string()),
            version: Some(id.version.to_string()),
            ..RunFilter::default()
        };
        let runs = self.store.runs(filter, Page::first(1_000)).await?.len();
        if runs > 0 {
            return Err(Error::WorkflowInUse {
                workflow: id.clone(),
                runs: runs as u64,
            });
        }
        self.store
            .commit(Operation::DeleteDefinition(DefinitionKey::workflow(id)))
            .await?;
        self.write(|table| table.remove(id));
        Ok(true)
    }

    /// The workflow at an address, parsed.
    pub(super) async fn workflow(&self, id: &WorkflowId) -> Result<Arc<Workflow>, Error> {
        let held = self.read(|table| table.by_id.get(id)?.workflow.clone());
        match held {
            Some(workflow) => Ok(workflow),
            // Rare and large: whoever asks does not carry it along.
            None => Box::pin(self.parsed(id)).await,
        }
    }

    async fn parsed(&self, id: &WorkflowId) -> Result<Arc<Workflow>, Error> {
        let slot = self.read(|table| table.by_id.get(id).cloned());
        let slot = slot.ok_or_else(|| Error::WorkflowUnknown {
            workflow: id.clone(),
        })?;
        let workflow = Arc::new(parse(&slot.text, &slot.content_type).await?);
        self.pin(&workflow);
        self.write(|table| {
            if let Some(slot) = table
                .by_id
                .get_mut(id)
                .filter(|held| held.hash == slot.hash)
            {
                slot.workflow = Some(Arc::clone(&workflow));
            }
        });
        Ok(workflow)
    }

    pub(super) async fn deployed(
        &self,
        id: &WorkflowId,
        next: Option<Timestamp>,
    ) -> Result<Option<Deployed>, Error> {
        let Some(slot) = self.read(|table| table.by_id.get(id).cloned()) else {
            return Ok(None);
        };
        let workflow = self.workflow(id).await?;
        Ok(Some(Deployed {
            workflow,
            content_type: slot.content_type,
            text: slot.text,
            updated: slot.updated,
            next,
        }))
    }

    pub(super) fn ids(&self) -> Vec<WorkflowId> {
        self.read(|table| table.by_id.keys().cloned().collect())
    }

    /// The newest version of a workflow: the highest release, or the highest of all where none is released.
    pub(super) fn newest(&self, namespace: &Namespace, name: &WorkflowName) -> Option<WorkflowId> {
        let order = |id: &&WorkflowId| {
            let version = semver::Version::parse(id.version.as_str()).ok();
            (
                version.as_ref().map(|version| version.pre.is_empty()),
                version,
            )
        };
        self.read(|table| {
            let versions = table
                .by_id
                .keys()
                .filter(|id| id.namespace == *namespace && id.name == *name);
            versions.max_by_key(order).cloned()
        })
    }

    /// The workflow that answers at a webhook path.
    pub(super) async fn at_hook(&self, path: &str) -> Result<Option<Arc<Workflow>>, Error> {
        let Some(id) = self.read(|table| table.hooks.get(path).cloned()) else {
            return Ok(None);
        };
        match self.workflow(&id).await {
            // Deleted since.
            Err(Error::WorkflowUnknown { .. }) => Ok(None),
            found => found.map(Some),
        }
    }

    /// Workflows that the clock starts.
    pub(super) fn scheduled(&self) -> Vec<(WorkflowId, Timing)> {
        self.read(|table| {
            let timing =
                |(id, slot): (&WorkflowId, &Slot)| Some((id.clone(), slot.detail.timing()?));
            table.by_id.iter().filter_map(timing).collect()
        })
    }

    /// When the clock starts one workflow.
    pub(super) fn timing(&self, id: &WorkflowId) -> Option<Timing> {
        self.read(|table| table.by_id.get(id)?.detail.timing())
    }

    /// Workflows that events start.
    pub(super) fn triggered(&self) -> Vec<WorkflowId> {
        self.read(|table| {
            let of_events = table
                .by_id
                .iter()
                .filter(|(_, slot)| slot.detail.on.is_some());
            of_events.map(|(id, _)| id.clone()).collect()
        })
    }

    /// The definition of a hash, also after it was replaced at its address.
    pub(super) async fn pinned(&self, hash: &str) -> Result<Option<Arc<Workflow>>, Error> {
        let held = self
            .pinned
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(hash)
            .and_then(Weak::upgrade);
        if let Some(workflow) = held {
            return Ok(Some(workflow));
        }
        let Some((content_type, body)) = self.store.definition_text(KIND, hash).await? else {
            return Ok(None);
        };
        let text = String::from_utf8_lossy(&body);
        let workflow = Arc::new(parse(&text, &content_type).await?);
        self.pin(&workflow);
        Ok(Some(workflow))
    }

    /// The lifecycle events that are to be published.
    pub(super) fn observed(&self) -> LifecycleSet {
        LifecycleSet::from_bits(self.observed.load(Ordering::Relaxed))
    }

    fn pin(&self, workflow: &Arc<Workflow>) {
        let observes = workflow.observes.bits();
        self.observed.fetch_or(observes, Ordering::Relaxed);
        let mut pinned = self.pinned.lock().unwrap_or_else(PoisonError::into_inner);
        // Forget those that nobody holds, so that the map stays as small as what is in use.
        pinned.retain(|_, held| held.strong_count() > 0);
        pinned.insert(Arc::clone(&workflow.hash), Arc::downgrade(workflow));
    }

    fn read<T>(&self, read: impl FnOnce(&Table) -> T) -> T {
        read(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, write: impl FnOnce(&mut Table) -> T) -> T {
        write(&mut self.table.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Table {
    fn add(&mut self, definition: Definition) -> Result<(), Error> {
        let damaged = |detail: String| Error::Internal {
            detail: format!(
                "the stored definition {:?} can't be read: {detail}",
                definition.key.name
            ),
        };
        let key = &definition.key;
        let part = |error: flame_types::InvalidId| damaged(error.to_string());
        let id = WorkflowId {
            namespace: key.namespace.parse().map_err(part)?,
            name: key.name.parse().map_err(part)?,
            version: key.version.parse().map_err(part)?,
        };
        let detail = serde_json::from_value(definition.detail.clone())
            .map_err(|error| damaged(error.to_string()))?;
        let text =
            std::str::from_utf8(&definition.body).map_err(|error| damaged(error.to_string()))?;
        let slot = Slot {
            text: text.into(),
            hash: definition.hash.clone(),
            content_type: definition.content_type.clone(),
            updated: definition.updated,
            detail,
            workflow: None,
        };
        self.insert(id, slot);
        Ok(())
    }

    fn insert(&mut self, id: WorkflowId, slot: Slot) {
        self.hooks.retain(|_, holder| *holder != id);
        if let Some(path) = &slot.detail.hook {
            self.hooks.insert(path.clone(), id.clone());
        }
        self.by_id.insert(id, slot);
    }

    fn remove(&mut self, id: &WorkflowId) {
        self.hooks.retain(|_, holder| holder != id);
        self.by_id.remove(id);
    }

    fn hook_conflict(&self, id: &WorkflowId, detail: &Detail) -> Result<(), Error> {
        let Some(path) = &detail.hook else {
            return Ok(());
        };
        match self.hooks.get(path) {
            Some(holder) if holder != id => Err(Error::HookConflict {
                path: path.clone(),
                holder: Box::new(holder.clone()),
            }),
            _ => Ok(()),
        }
    }
}

/// Reads a definition away from the reactor: a large one takes a while.
pub(super) async fn parse(text: &str, content_type: &str) -> Result<Workflow, Error> {
    let format = if content_type.contains("json") {
        Format::Json
    } else {
        Format::Yaml
    };
    let text = text.to_owned();
    tokio::task::spawn_blocking(move || flame_dsl::parse(&text, format))
        .await
        .map_err(|error| Error::Internal {
            detail: format!("reading a definition: {error}"),
        })?
        .map_err(|problems| Error::DefinitionInvalid { problems })
}

fn put(id: &WorkflowId, slot: &Slot) -> Operation {
    Operation::PutDefinition(Box::new(Definition {
        key: DefinitionKey::workflow(id),
        hash: slot.hash.clone(),
        content_type: slot.content_type.clone(),
        body: slot.text.as_bytes().to_vec(),
        detail: serde_json::to_value(&slot.detail).unwrap_or_default(),
        updated: slot.updated,
    }))
}

fn schedule_of(
    id: &WorkflowId,
    timing: Option<&Timing>,
    now: Timestamp,
) -> Result<Operation, Error> {
    let workflow = DefinitionKey::workflow(id);
    let next = match timing {
        Some(timing) => schedule::first(timing, now)?,
        None => None,
    };
    Ok(match next {
        Some(next) => Operation::PutSchedule(flame_store::Schedule {
            workflow,
            next,
            last: None,
        }),
        None => Operation::DeleteSchedule(workflow),
    })
}

/// A workflow that is new to events hears those from now on.
fn subscription_of(id: &WorkflowId, detail: &Detail) -> Operation {
    let workflow = DefinitionKey::workflow(id);
    match detail.on {
        None => Operation::DeleteSubscription(workflow),
        Some(_) => Operation::PutSubscription(Box::new(Subscription {
            workflow,
            position: None,
            state: Value::Null,
        })),
    }
}
