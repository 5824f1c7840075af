//! The event log.

use flame_agent_api::{EventPage, EventQuery, EventsTaken, Operation, media};
use reqwest::header::CONTENT_TYPE;
use serde_json::Value;

use crate::Result;
use crate::client::AgentClient;

impl AgentClient {
    pub async fn events(&self, query: &EventQuery) -> Result<EventPage> {
        Ok(self
            .fetch(self.request_with(Operation::ListEvents, &[], query)?)
            .await?
            .1)
    }

    /// Puts CloudEvents, in their JSON format, into the log; they are stored when this returns.
    pub async fn post_events(&self, events: &[Value]) -> Result<EventsTaken> {
        let request = self
            .request(Operation::PostEvents, &[])
            .header(CONTENT_TYPE, media::CLOUD_EVENTS)
            .body(Value::from(events).to_string());
        Ok(self.fetch(request).await?.1)
    }
}
