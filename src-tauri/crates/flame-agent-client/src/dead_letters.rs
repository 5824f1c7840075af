//! Dead letters.

use flame_agent_api::{DeadLetter, DeadLetterPage, DeadLetterPut, DeadLetterQuery, Operation};
use reqwest::StatusCode;

use crate::Result;
use crate::client::AgentClient;

impl AgentClient {
    pub async fn dead_letters(&self, query: &DeadLetterQuery) -> Result<DeadLetterPage> {
        Ok(self
            .fetch(self.request_with(Operation::ListDeadLetters, &[], query)?)
            .await?
            .1)
    }

    pub async fn dead_letter(&self, id: u64) -> Result<DeadLetter> {
        Ok(self
            .fetch(self.request(Operation::GetDeadLetter, &[&id.to_string()]))
            .await?
            .1)
    }

    /// Edits the record; it is not sent yet.
    pub async fn put_dead_letter(&self, id: u64, record: &str) -> Result<DeadLetter> {
        let request = self
            .request(Operation::PutDeadLetter, &[&id.to_string()])
            .json(&DeadLetterPut {
                record: record.to_owned(),
            });
        Ok(self.fetch(request).await?.1)
    }

    /// Sends the record again. `None` when it went through; else the letter with its new error.
    pub async fn send_dead_letter(&self, id: u64) -> Result<Option<DeadLetter>> {
        let request = self.request(Operation::SendDeadLetter, &[&id.to_string()]);
        let response = self.send(request).await?;
        let status = response.status();
        if status == StatusCode::NO_CONTENT {
            return Ok(None);
        }
        let body = self.read(response).await?;
        serde_json::from_slice(&body)
            .map(Some)
            .map_err(|error| self.unexpected(status, error.to_string()))
    }

    pub async fn discard_dead_letter(&self, id: u64) -> Result<()> {
        self.send(self.request(Operation::DiscardDeadLetter, &[&id.to_string()]))
            .await
            .map(drop)
    }
}
