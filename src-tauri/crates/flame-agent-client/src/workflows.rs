//! Workflows.

use flame_agent_api::{Operation, WorkflowList, WorkflowView, media};
use flame_types::WorkflowId;
use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;

use crate::Result;
use crate::client::AgentClient;

/// The language a document is written in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Yaml,
    Json,
}

impl Format {
    pub(crate) const fn media(self) -> &'static str {
        match self {
            Self::Yaml => media::YAML,
            Self::Json => media::JSON,
        }
    }
}

fn segments(id: &WorkflowId) -> [&str; 3] {
    [id.namespace.as_str(), id.name.as_str(), id.version.as_str()]
}

impl AgentClient {
    pub async fn workflows(&self) -> Result<WorkflowList> {
        Ok(self
            .fetch(self.request(Operation::ListWorkflows, &[]))
            .await?
            .1)
    }

    pub async fn workflow(&self, id: &WorkflowId) -> Result<WorkflowView> {
        Ok(self
            .fetch(self.request(Operation::GetWorkflow, &segments(id)))
            .await?
            .1)
    }

    /// Deploys a workflow; `true` when this version was not there before.
    pub async fn put_workflow(
        &self,
        id: &WorkflowId,
        format: Format,
        text: &str,
    ) -> Result<(WorkflowView, bool)> {
        let request = self
            .request(Operation::PutWorkflow, &segments(id))
            .header(CONTENT_TYPE, format.media())
            .body(text.to_owned());
        let (status, view) = self.fetch(request).await?;
        Ok((view, status == StatusCode::CREATED))
    }

    pub async fn delete_workflow(&self, id: &WorkflowId) -> Result<()> {
        self.send(self.request(Operation::DeleteWorkflow, &segments(id)))
            .await
            .map(drop)
    }
}
