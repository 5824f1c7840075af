//! What everybody else holds of the runtime. Clones share it.

use std::time::Duration;

use flame_dsl::Workflow;
use flame_store::{Page, Run, RunFilter, RunSummary, Store};
use flame_types::{RunId, WorkflowId};
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::broadcast;

use super::connections::Connections;
use super::value::{
    Change, CurrentTask, Deployed, JournalEntry, Load, OutboundHost, StartRequest, Started,
};
use super::{Error, Options};

/// The running runtime.
#[derive(Debug, Clone)]
pub struct Handle {
    inner: Arc<()>,
}

impl Handle {
    /// Opens the data folder and takes up every run that has not ended.
    pub async fn open(options: Options) -> Result<Self, Error> { let _ = options; todo!() }

    // Definitions

    /// Parses, checks and stores a workflow; `path` is the address it was put at, if any. The flag is
    /// true where the address is new.
    pub async fn deploy(&self, text: &str, content_type: &str, path: Option<&WorkflowId>) -> Result<(Arc<Deployed>, bool), Error> { todo!() }

    /// Removes a workflow that has no runs in flight; false where there was none.
    pub async fn undeploy(&self, workflow: &WorkflowId) -> Result<bool, Error> { todo!() }

    pub async fn deployed(&self, workflow: &WorkflowId) -> Result<Option<Arc<Deployed>>, Error> { todo!() }

    /// By address.
    pub async fn deployed_list(&self) -> Result<Vec<Arc<Deployed>>, Error> { todo!() }

    /// The workflow that answers at a webhook path, which has no leading slash.
    pub async fn hook(&self, path: &str) -> Result<Option<Arc<Deployed>>, Error> { todo!() }

    /// The definition that a run is pinned to, also after it was replaced.
    pub async fn pinned(&self, hash: &str) -> Result<Option<Arc<Workflow>>, Error> { todo!() }

    // Runs

    /// Starts a run; it is on disk when this returns.
    pub async fn start(&self, request: StartRequest) -> Result<Started, Error> { todo!() }

    /// Starts a run and waits until it has ended, at most `timeout`; then the newest state.
    pub async fn start_and_wait(&self, request: StartRequest, timeout: Duration) -> Result<Started, Error> { todo!() }

    /// Waits until a run has ended, at most `timeout`; gives its newest state either way.
    pub async fn wait(&self, run: RunId, timeout: Duration) -> Result<Run, Error> { todo!() }

    pub async fn cancel(&self, run: RunId) -> Result<Run, Error> { todo!() }
    pub async fn suspend(&self, run: RunId) -> Result<Run, Error> { todo!() }
    pub async fn resume(&self, run: RunId) -> Result<Run, Error> { todo!() }
    /// Runs the task at which a faulted run stopped again.
    pub async fn retry(&self, run: RunId) -> Result<Run, Error> { todo!() }
    /// A new run from a task of an old one, with the input it had or another. An empty task is the start.
    pub async fn replay(&self, run: RunId, task: &str, input: Option<Value>) -> Result<Run, Error> { todo!() }

    pub async fn run(&self, run: RunId) -> Result<Option<Run>, Error> { todo!() }
    /// Newest first.
    pub async fn runs(&self, filter: RunFilter, page: Page<RunId>) -> Result<Vec<RunSummary>, Error> { todo!() }
    /// Entries after a sequence, oldest first.
    pub async fn journal(&self, run: RunId, after: u64, limit: usize) -> Result<Vec<JournalEntry>, Error> { todo!() }
    /// The tasks of a run that work or wait now; empty for one that has ended.
    pub async fn current_tasks(&self, run: RunId) -> Result<Vec<CurrentTask>, Error> { todo!() }

    // What others see

    /// Everything that changes from now on. A receiver that falls behind is told so and reads anew.
    pub fn changes(&self) -> broadcast::Receiver<Change> { todo!() }
    /// Tells everybody who follows about a change that was committed outside the runtime.
    pub fn announce(&self, change: Change) { let _ = change; todo!() }
    pub fn load(&self) -> Load { todo!() }
    /// Most recent first.
    pub fn outbound(&self) -> Vec<OutboundHost> { todo!() }
    /// True until `drain` was called.
    pub fn is_accepting(&self) -> bool { todo!() }
    pub fn store(&self) -> &Store { todo!() }
    pub fn connections(&self) -> &Connections { todo!() }
    pub fn options(&self) -> &Options { todo!() }

    /// Takes no more work, lets what is being decided commit, and closes the store. Runs that have not
    /// ended go on with the next start. `patience` bounds the wait for calls that are under way.
    pub async fn drain(&self, patience: Duration) { let _ = patience; todo!() }
}
