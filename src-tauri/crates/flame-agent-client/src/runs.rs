//! Runs.

use std::time::Duration;

use flame_agent_api::{
    CancelRequest, EventPage, JournalEntry, JournalPage, JournalQuery, Operation, ReplayRequest,
    RunPage, RunQuery, RunView, StartQuery, TestRequest, media,
};
use flame_types::{RunId, WorkflowId};
use futures::{Stream, StreamExt};
use reqwest::StatusCode;
use reqwest::header::ACCEPT;
use serde_json::Value;

use crate::client::{AgentClient, CALL_TIMEOUT};
use crate::{Error, Result, sse};

/// How long a stream may be followed in one request; its silence is bounded far tighter.
pub(crate) const FOLLOW_TIMEOUT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How a run is started.
#[derive(Debug, Clone, Default)]
pub struct StartOptions {
    /// How long to wait for its end, at most 5 minutes.
    pub wait: Option<Duration>,
    /// The same key and input give the same run.
    pub idempotency_key: Option<String>,
}

/// What a start gave.
#[derive(Debug, Clone, PartialEq)]
pub enum Started {
    /// It is committed and runs.
    Created(RunView),
    /// It ended within the wait, or it was there under this key.
    Settled(RunView),
    /// It did not end within the wait and goes on.
    GoesOn(RunView),
}

impl Started {
    pub fn into_run(self) -> RunView {
        match self {
            Self::Created(run) | Self::Settled(run) | Self::GoesOn(run) => run,
        }
    }
}

/// What a follower of a run sees.
#[derive(Debug, Clone, PartialEq)]
pub enum RunEvent {
    Journal(Box<JournalEntry>),
    /// The run has ended; the stream ends with it.
    End(Box<RunView>),
}

impl AgentClient {
    pub async fn start_run(
        &self,
        id: &WorkflowId,
        input: &Value,
        options: &StartOptions,
    ) -> Result<Started> {
        let query = StartQuery {
            wait: options.wait.map(|wait| format!("{}ms", wait.as_millis())),
        };
        let segments = [id.namespace.as_str(), id.name.as_str(), id.version.as_str()];
        let mut request = self
            .request_with(Operation::StartRun, &segments, &query)?
            .timeout(CALL_TIMEOUT + options.wait.unwrap_or_default())
            .json(input);
        if let Some(key) = &options.idempotency_key {
            request = request.header("idempotency-key", key);
        }
        let (status, run) = self.fetch(request).await?;
        Ok(match status {
            StatusCode::CREATED => Started::Created(run),
            StatusCode::ACCEPTED => Started::GoesOn(run),
            _ => Started::Settled(run),
        })
    }

    /// Starts a test run; waits for its end as long as `wait` says.
    pub async fn start_test(
        &self,
        id: &WorkflowId,
        test: &TestRequest,
        wait: Option<Duration>,
    ) -> Result<RunView> {
        let query = StartQuery {
            wait: wait.map(|wait| format!("{}ms", wait.as_millis())),
        };
        let segments = [id.namespace.as_str(), id.name.as_str(), id.version.as_str()];
        let request = self
            .request_with(Operation::StartTest, &segments, &query)?
            .timeout(CALL_TIMEOUT + wait.unwrap_or_default())
            .json(test);
        Ok(self.fetch(request).await?.1)
    }

    pub async fn runs(&self, query: &RunQuery) -> Result<RunPage> {
        Ok(self
            .fetch(self.request_with(Operation::ListRuns, &[], query)?)
            .await?
            .1)
    }

    pub async fn run(&self, id: RunId) -> Result<RunView> {
        Ok(self
            .fetch(self.request(Operation::GetRun, &[&id.to_string()]))
            .await?
            .1)
    }

    pub async fn journal(&self, id: RunId, query: &JournalQuery) -> Result<JournalPage> {
        let request = self.request_with(Operation::GetJournal, &[&id.to_string()], query)?;
        Ok(self.fetch(request).await?.1)
    }

    /// The run's lifecycle events of the records behind `after`.
    pub async fn lifecycle(&self, id: RunId, query: &JournalQuery) -> Result<EventPage> {
        let request = self.request_with(Operation::GetLifecycle, &[&id.to_string()], query)?;
        Ok(self.fetch(request).await?.1)
    }

    /// The run's journal after `after` as it grows, until the run ends.
    pub async fn follow_run(
        &self,
        id: RunId,
        after: u64,
    ) -> Result<impl Stream<Item = Result<RunEvent>> + Send + use<>> {
        let request = self
            .request(Operation::FollowRun, &[&id.to_string()])
            .header(ACCEPT, media::EVENT_STREAM)
            .header("last-event-id", after.to_string())
            .timeout(FOLLOW_TIMEOUT);
        let response = self.send(request).await?;
        let client = self.clone();
        Ok(sse::events(self.clone(), response)
            .filter_map(move |event| std::future::ready(run_event(&client, event).transpose())))
    }

    /// Cancels a run; with `compensate` what it did is undone first.
    pub async fn cancel_run(&self, id: RunId, compensate: bool) -> Result<RunView> {
        let request = self
            .request(Operation::CancelRun, &[&id.to_string()])
            .json(&CancelRequest { compensate });
        Ok(self.fetch(request).await?.1)
    }

    pub async fn retry_compensation(&self, id: RunId, number: u64) -> Result<RunView> {
        let segments = [&*id.to_string(), &*number.to_string()];
        Ok(self
            .fetch(self.request(Operation::RetryCompensation, &segments))
            .await?
            .1)
    }

    pub async fn skip_compensation(&self, id: RunId, number: u64) -> Result<RunView> {
        let segments = [&*id.to_string(), &*number.to_string()];
        Ok(self
            .fetch(self.request(Operation::SkipCompensation, &segments))
            .await?
            .1)
    }

    pub async fn suspend_run(&self, id: RunId) -> Result<RunView> {
        Ok(self
            .fetch(self.request(Operation::SuspendRun, &[&id.to_string()]))
            .await?
            .1)
    }

    pub async fn resume_run(&self, id: RunId) -> Result<RunView> {
        Ok(self
            .fetch(self.request(Operation::ResumeRun, &[&id.to_string()]))
            .await?
            .1)
    }

    pub async fn retry_run(&self, id: RunId) -> Result<RunView> {
        Ok(self
            .fetch(self.request(Operation::RetryRun, &[&id.to_string()]))
            .await?
            .1)
    }

    /// Starts a new run from a task of this one.
    pub async fn replay_run(&self, id: RunId, replay: &ReplayRequest) -> Result<RunView> {
        let request = self
            .request(Operation::ReplayRun, &[&id.to_string()])
            .json(replay);
        Ok(self.fetch(request).await?.1)
    }
}

/// Events of a name that this version does not know are passed over.
fn run_event(client: &AgentClient, event: Result<sse::Event>) -> Result<Option<RunEvent>> {
    let event = event?;
    let read = |error: serde_json::Error| -> Error {
        client.unexpected(StatusCode::OK, error.to_string())
    };
    match event.name.as_str() {
        "journal" => Ok(Some(RunEvent::Journal(
            serde_json::from_str(&event.data).map_err(read)?,
        ))),
        "end" => Ok(Some(RunEvent::End(
            serde_json::from_str(&event.data).map_err(read)?,
        ))),
        _ => Ok(None),
    }
}
