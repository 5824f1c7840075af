//! Pipelines and feeds.

use bytes::Bytes;
use flame_agent_api::{FeedList, FeedQuery, FeedStatus, Operation, PipelineList, PipelineView};
use futures::Stream;
use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;
use serde::Serialize;

use crate::Result;
use crate::client::AgentClient;
use crate::runs::FOLLOW_TIMEOUT;
use crate::workflows::Format;

#[derive(Serialize)]
struct OfIdentity<'a> {
    identity: Option<&'a str>,
}

impl AgentClient {
    pub async fn pipelines(&self) -> Result<PipelineList> {
        Ok(self
            .fetch(self.request(Operation::ListPipelines, &[]))
            .await?
            .1)
    }

    pub async fn pipeline(&self, namespace: &str, name: &str) -> Result<PipelineView> {
        Ok(self
            .fetch(self.request(Operation::GetPipeline, &[namespace, name]))
            .await?
            .1)
    }

    /// Deploys a pipeline; `true` when it was not there before.
    pub async fn put_pipeline(
        &self,
        namespace: &str,
        name: &str,
        format: Format,
        text: &str,
    ) -> Result<(PipelineView, bool)> {
        let request = self
            .request(Operation::PutPipeline, &[namespace, name])
            .header(CONTENT_TYPE, format.media())
            .body(text.to_owned());
        let (status, view) = self.fetch(request).await?;
        Ok((view, status == StatusCode::CREATED))
    }

    pub async fn delete_pipeline(&self, namespace: &str, name: &str) -> Result<()> {
        self.send(self.request(Operation::DeletePipeline, &[namespace, name]))
            .await
            .map(drop)
    }

    /// Feeds a file from `query.offset` on as `body` gives it, and answers how far it is in. The
    /// body is never held whole; the agent's pace holds the sender back.
    pub async fn feed<S>(
        &self,
        namespace: &str,
        name: &str,
        query: &FeedQuery,
        content_type: &str,
        body: S,
    ) -> Result<FeedStatus>
    where
        S: Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    {
        let request = self
            .request_with(Operation::Feed, &[namespace, name], query)?
            .header(CONTENT_TYPE, content_type)
            .timeout(FOLLOW_TIMEOUT)
            .body(reqwest::Body::wrap_stream(body));
        Ok(self.fetch(request).await?.1)
    }

    /// How far files are in: all of a pipeline, or the one of this identity.
    pub async fn feeds(
        &self,
        namespace: &str,
        name: &str,
        identity: Option<&str>,
    ) -> Result<FeedList> {
        let query = OfIdentity { identity };
        let request = self.request_with(Operation::ListFeeds, &[namespace, name], &query)?;
        Ok(self.fetch(request).await?.1)
    }
}
