//! Starting, ending and repeating runs.

use std::sync::Arc;

use flame_agent_client::StartOptions;
use flame_agent_client::api::{ReplayRequest, TestRequest};
use flame_errors::Code;
use flame_ipc::{
    ErrorView, RunCancel, RunCompensation, RunReplay, RunResume, RunRetry, RunStart, RunSummary,
    RunSuspend, RunTest,
};
use flame_workspace::DocumentKind;
use uuid::Uuid;

use super::{parse_id, summary};
use crate::app::App;
use crate::documents;
use crate::execute::Execute;
use crate::failure::{OrView, read_json};

impl Execute for RunStart {
    async fn execute(self, app: Arc<App>) -> Result<RunSummary, ErrorView> {
        let input = read_json("the input", &self.input)?;
        let id = documents::parse_id(&self.document_id)?;
        let document = app
            .with_workspace(move |workspace| documents::get(workspace, id))
            .await?;
        if document.kind == DocumentKind::Pipeline {
            return Err(ErrorView::new(
                Code::ParameterInvalid,
                "a pipeline runs when a file comes into its folder",
            )
            .with_hint("Drop a file into the watched folder."));
        }
        let workflow = documents::ensure_deployed(&app, &document).await?;
        let agent = app.agent().await?;
        // A key of its own makes a lost answer harmless: the client may ask again.
        let options = StartOptions {
            wait: None,
            idempotency_key: Some(Uuid::now_v7().to_string()),
        };
        let started = agent
            .start_run(&workflow, &input, &options)
            .await
            .or_view()?;
        let titles = documents::titles(&app).await?;
        Ok(summary(&started.into_run(), &titles))
    }
}

impl Execute for RunCancel {
    async fn execute(self, app: Arc<App>) -> Result<RunSummary, ErrorView> {
        let id = parse_id(&self.id)?;
        let run = app
            .agent()
            .await?
            .cancel_run(id, self.compensate)
            .await
            .or_view()?;
        let titles = documents::titles(&app).await?;
        Ok(summary(&run, &titles))
    }
}

impl Execute for RunSuspend {
    async fn execute(self, app: Arc<App>) -> Result<RunSummary, ErrorView> {
        let id = parse_id(&self.id)?;
        let run = app.agent().await?.suspend_run(id).await.or_view()?;
        let titles = documents::titles(&app).await?;
        Ok(summary(&run, &titles))
    }
}

impl Execute for RunResume {
    async fn execute(self, app: Arc<App>) -> Result<RunSummary, ErrorView> {
        let id = parse_id(&self.id)?;
        let run = app.agent().await?.resume_run(id).await.or_view()?;
        let titles = documents::titles(&app).await?;
        Ok(summary(&run, &titles))
    }
}

impl Execute for RunRetry {
    async fn execute(self, app: Arc<App>) -> Result<RunSummary, ErrorView> {
        let id = parse_id(&self.id)?;
        let run = app.agent().await?.retry_run(id).await.or_view()?;
        let titles = documents::titles(&app).await?;
        Ok(summary(&run, &titles))
    }
}

impl Execute for RunReplay {
    async fn execute(self, app: Arc<App>) -> Result<RunSummary, ErrorView> {
        let id = parse_id(&self.id)?;
        let replay = ReplayRequest {
            task: self.task.unwrap_or_default(),
            input: Some(read_json("the input", &self.input)?),
            context: self
                .context
                .map(|context| read_json("the context", &context))
                .transpose()?,
        };
        let run = app.agent().await?.replay_run(id, &replay).await.or_view()?;
        let titles = documents::titles(&app).await?;
        Ok(summary(&run, &titles))
    }
}

impl Execute for RunTest {
    async fn execute(self, app: Arc<App>) -> Result<RunSummary, ErrorView> {
        let id = parse_id(&self.id)?;
        let context = self.context.map(|text| read_json("the context", &text));
        let test = TestRequest {
            input: Some(read_json("the input", &self.input)?),
            context: context.transpose()?,
            task: Some(self.task),
            ..TestRequest::default()
        };
        let agent = app.agent().await?;
        let workflow = agent.run(id).await.or_view()?.workflow.into();
        let run = agent.start_test(&workflow, &test, None).await.or_view()?;
        let titles = documents::titles(&app).await?;
        Ok(summary(&run, &titles))
    }
}

impl Execute for RunCompensation {
    async fn execute(self, app: Arc<App>) -> Result<RunSummary, ErrorView> {
        let (id, number) = (parse_id(&self.id)?, self.number.get());
        let agent = app.agent().await?;
        let run = if self.skip {
            agent.skip_compensation(id, number).await
        } else {
            agent.retry_compensation(id, number).await
        };
        let titles = documents::titles(&app).await?;
        Ok(summary(&run.or_view()?, &titles))
    }
}
