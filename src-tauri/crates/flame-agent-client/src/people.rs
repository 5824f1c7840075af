//! Tasks that wait for a person.

use flame_agent_api::{AnswerRequest, Operation, PersonTaskList, RunView};
use flame_types::RunId;
use serde_json::Value;

use crate::Result;
use crate::client::AgentClient;

impl AgentClient {
    /// Open tasks of all runs.
    pub async fn person_tasks(&self) -> Result<PersonTaskList> {
        Ok(self
            .fetch(self.request(Operation::ListPersonTasks, &[]))
            .await?
            .1)
    }

    /// Answers a task; the answer is stored when this returns.
    pub async fn answer(&self, run: RunId, task: &str, data: &Value) -> Result<RunView> {
        let body = AnswerRequest {
            task: task.to_owned(),
            data: data.clone(),
        };
        let request = self
            .request(Operation::Answer, &[&run.to_string()])
            .json(&body);
        Ok(self.fetch(request).await?.1)
    }
}
