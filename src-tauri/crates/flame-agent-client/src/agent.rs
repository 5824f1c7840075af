//! The agent itself: health, status, what changes, and the logs of events and outbound calls.

use flame_agent_api::{AgentStatus, Changes, Operation, OutboundList, Validation};
use futures::{Stream, StreamExt};
use reqwest::header::{ACCEPT, CONTENT_TYPE};

use crate::client::AgentClient;
use crate::sse;
use crate::workflows::Format;
use crate::{Error, Result};

impl AgentClient {
    /// Succeeds when new work is taken; the problem says why not.
    pub async fn ready(&self) -> Result<()> {
        self.send(self.request(Operation::Ready, &[]))
            .await
            .map(drop)
    }

    pub async fn status(&self) -> Result<AgentStatus> {
        Ok(self.fetch(self.request(Operation::Status, &[])).await?.1)
    }

    /// Everything that changes from now on. The first item comes at once.
    pub async fn changes(&self) -> Result<impl Stream<Item = Result<Changes>> + Send + use<>> {
        let request = self
            .request(Operation::Changes, &[])
            .header(ACCEPT, flame_agent_api::media::EVENT_STREAM)
            .timeout(crate::runs::FOLLOW_TIMEOUT);
        let response = self.send(request).await?;
        let client = self.clone();
        Ok(sse::events(self.clone(), response).map(move |event| {
            let event = event?;
            serde_json::from_str(&event.data)
                .map_err(|error| client.unexpected(reqwest::StatusCode::OK, error.to_string()))
        }))
    }

    /// Hosts that the agent called since it started.
    pub async fn outbound(&self) -> Result<OutboundList> {
        Ok(self
            .fetch(self.request(Operation::ListOutbound, &[]))
            .await?
            .1)
    }

    /// Events that runs emitted.
    /// Checks a workflow or pipeline and keeps nothing.
    pub async fn validate(&self, format: Format, text: &str) -> Result<Validation> {
        let request = self
            .request(Operation::Validate, &[])
            .header(CONTENT_TYPE, format.media())
            .body(text.to_owned());
        Ok(self.fetch(request).await?.1)
    }

    /// Metrics in Prometheus text format.
    pub async fn metrics(&self) -> Result<String> {
        let response = self.send(self.request(Operation::Metrics, &[])).await?;
        let status = response.status();
        let body = self.read(response).await?;
        String::from_utf8(body)
            .map_err(|error| -> Error { self.unexpected(status, error.to_string()) })
    }
}
