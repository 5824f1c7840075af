//! Containers that the agent orders, and how they came out.

use flame_agent_api::{ContainerOrder, ContainerOutcome, Operation, media};
use flame_errors::Code;
use futures::{Stream, StreamExt};
use reqwest::header::ACCEPT;

use crate::client::AgentClient;
use crate::{Error, Result, sse};

impl AgentClient {
    /// Makes the caller the agent's worker for as long as the stream is held. What is waited for already
    /// comes first.
    pub async fn container_orders(
        &self,
    ) -> Result<impl Stream<Item = Result<ContainerOrder>> + Send + use<>> {
        let request = self
            .request(Operation::TakeContainerOrders, &[])
            .header(ACCEPT, media::EVENT_STREAM)
            .timeout(crate::runs::FOLLOW_TIMEOUT);
        let response = self.send(request).await?;
        let client = self.clone();
        Ok(sse::events(self.clone(), response).map(move |event| {
            let event = event?;
            serde_json::from_str(&event.data)
                .map_err(|error| client.unexpected(reqwest::StatusCode::OK, error.to_string()))
        }))
    }

    /// Says how a container came out; true once that is stored, false where nobody waits for it now.
    pub async fn tell_container(&self, id: &str, outcome: &ContainerOutcome) -> Result<bool> {
        let request = self
            .request(Operation::TellContainerOutcome, &[id])
            .json(outcome);
        match self.send(request).await {
            Ok(_) => Ok(true),
            Err(Error::Problem(problem)) if problem.code == Code::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}
