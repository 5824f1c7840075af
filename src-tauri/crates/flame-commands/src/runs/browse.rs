//! Reading runs: lists, one run with its tasks, its journal.

use std::sync::Arc;

use flame_agent_client::AgentClient;
use flame_agent_client::api::{
    JournalEntry as Entry, JournalQuery, JournalType, RunQuery, RunView,
};
use flame_errors::Code;
use flame_ipc::{
    CompensationView, ErrorView, JournalPage, RunDetail, RunFollow, RunGet, RunJournal, RunPage,
    RunTaskInput, RunUnfollow, RunsList, TaskInput, TaskView, Whole,
};
use flame_types::RunStatus;
use serde_json::Value;

use super::timeline::{Timeline, journal_entry, undoable};
use super::{error, parse_id, summary};
use crate::app::App;
use crate::documents;
use crate::execute::Execute;
use crate::failure::OrView;

/// Entries of a journal that one timeline is made of, so that a run of a million steps opens like any other. They are
/// the newest, where the run is or ended; it says how many are before them, and the journal has pages.
const ENTRIES_MAX: u64 = 3_000;
const PAGE: u32 = 1_000;
const ROWS_MAX: u32 = 200;

impl Execute for RunsList {
    async fn execute(self, app: Arc<App>) -> Result<RunPage, ErrorView> {
        let agent = app.agent().await?;
        let statuses: Vec<&str> = self
            .statuses
            .iter()
            .map(|status| RunStatus::from(*status).as_str())
            .collect();
        let text = self.text.filter(|text| !text.trim().is_empty());
        let (conditions, text) = match text {
            Some(text) if is_condition(&text) => (Some(text), None),
            text => (None, text),
        };
        let query = RunQuery {
            status: (!statuses.is_empty()).then(|| statuses.join(",")),
            workflow: self.workflow,
            since: self.since.map(flame_ipc::Moment::get),
            text,
            conditions,
            cursor: self.cursor,
            limit: Some(self.limit.clamp(1, ROWS_MAX)),
            ..RunQuery::default()
        };
        let page = agent.runs(&query).await.or_view()?;
        let titles = documents::titles(&app).await?;
        Ok(RunPage {
            items: page.items.iter().map(|run| summary(run, &titles)).collect(),
            next: page.next,
            total: None,
        })
    }
}

impl Execute for RunGet {
    async fn execute(self, app: Arc<App>) -> Result<RunDetail, ErrorView> {
        let id = parse_id(&self.id)?;
        let agent = app.agent().await?;
        let run = agent.run(id).await.or_view()?;
        let definition = pinned_text(&agent, &run).await;
        let (timeline, omitted) = timeline(&agent, &run).await?;
        let titles = documents::titles(&app).await?;
        let tasks = timeline.finish(run.status, definition.as_deref());
        let durability = agent.status().await.or_view()?.storage.durability;
        Ok(RunDetail {
            summary: summary(&run, &titles),
            undoable: run.compensation.is_none()
                && undoable(&tasks, omitted > 0, definition.as_deref()),
            compensation: run.compensation.map(|progress| CompensationView {
                undone: Whole::new(progress.undone),
                skipped: Whole::new(progress.skipped),
                left: Whole::new(progress.left),
                parked: progress.parked.map(Whole::new),
            }),
            tasks,
            input: run.input.unwrap_or_default().into(),
            output: run.output.map(Into::into),
            error: run.error.as_ref().map(error),
            journal_length: Whole::new(run.sequence),
            durability: durability.into(),
            definition,
            entries_omitted: Whole::new(omitted),
        })
    }
}

impl Execute for RunJournal {
    async fn execute(self, app: Arc<App>) -> Result<JournalPage, ErrorView> {
        let id = parse_id(&self.id)?;
        let query = JournalQuery {
            after: self.after.map(Whole::get),
            limit: Some(self.limit.clamp(1, PAGE)),
        };
        let page = app.agent().await?.journal(id, &query).await.or_view()?;
        Ok(JournalPage {
            items: page.items.iter().map(journal_entry).collect(),
            next: page.next.map(Whole::new),
            compacted: Whole::new(page.compacted),
        })
    }
}

impl Execute for RunTaskInput {
    async fn execute(self, app: Arc<App>) -> Result<TaskInput, ErrorView> {
        let id = parse_id(&self.id)?;
        let agent = app.agent().await?;
        let run = agent.run(id).await.or_view()?;
        let (input, context) = match &self.task {
            None => (run.input.unwrap_or_default(), None),
            Some(task) => {
                let (input, context) = task_input(&agent, &run, task).await?;
                (input, Some(context))
            }
        };
        let text = |value: &Value| {
            serde_json::to_string_pretty(value)
                .map_err(|error| ErrorView::new(Code::Internal, error.to_string()))
        };
        Ok(TaskInput {
            input: text(&input)?,
            context: context.as_ref().map(text).transpose()?,
        })
    }
}

impl Execute for RunFollow {
    async fn execute(self, app: Arc<App>) -> Result<(), ErrorView> {
        let id = parse_id(&self.id)?;
        let agent = app.agent().await?;
        let after = agent.run(id).await.or_view()?.sequence;
        app.followers.follow(&app, agent, id, after);
        Ok(())
    }
}

impl Execute for RunUnfollow {
    async fn execute(self, app: Arc<App>) -> Result<(), ErrorView> {
        app.followers.unfollow(parse_id(&self.id)?);
        Ok(())
    }
}

/// Whether what was typed is about a field of the input or output.
fn is_condition(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with("input/") || text.starts_with("output/")
}

/// A visit of a task by its key, of those that a timeline shows, and its run's workflow as `namespace/name`.
pub(crate) async fn task_of(
    app: &App,
    run: &str,
    key: &str,
) -> Result<(String, TaskView), ErrorView> {
    let id = parse_id(run)?;
    let agent = app.agent().await?;
    let run = agent.run(id).await.or_view()?;
    let (timeline, _) = timeline(&agent, &run).await?;
    let tasks = timeline.finish(run.status, None);
    let found = tasks.into_iter().find(|task| task.key == key);
    let task = found.ok_or_else(|| {
        ErrorView::new(Code::NotFound, "the run has no such task")
            .with_value(key)
            .with_hint("Choose a task of the run's timeline.")
    })?;
    let workflow = format!("{}/{}", run.workflow.namespace, run.workflow.name);
    Ok((workflow, task))
}

/// The last input of a task, and the context that it began with.
async fn task_input(
    agent: &AgentClient,
    run: &RunView,
    task: &str,
) -> Result<(Value, Value), ErrorView> {
    let mut context = Value::default();
    let mut found = None;
    read(agent, run, None, |entry| {
        if entry.kind == JournalType::RunStarted {
            // The input is the context too, unless the entry has another one.
            context = entry.input.clone().unwrap_or_default();
        }
        if let Some(changed) = entry.context {
            context = changed;
        }
        if entry.kind == JournalType::TaskStarted && entry.task.as_deref() == Some(task) {
            found = Some((entry.input.unwrap_or_default(), context.clone()));
        }
    })
    .await?;
    found.ok_or_else(|| {
        ErrorView::new(Code::NotFound, format!("the run did not reach {task}"))
            .with_value(task)
            .with_hint("Choose a task that has started.")
    })
}

/// The newest entries of a run's journal as a timeline, and how many are before them.
async fn timeline(agent: &AgentClient, run: &RunView) -> Result<(Timeline, u64), ErrorView> {
    let omitted = run.sequence.saturating_sub(ENTRIES_MAX);
    let mut timeline = Timeline::default();
    let after = (omitted > 0).then_some(omitted);
    let take = |entry| timeline.take(&entry);
    let compacted = read(agent, run, after, take).await?;
    Ok((timeline, omitted.saturating_sub(compacted)))
}

/// Reads a run's journal page by page, up to where the run is at least, and gives how many entries at its beginning
/// are not kept any more.
async fn read(
    agent: &AgentClient,
    run: &RunView,
    mut after: Option<u64>,
    mut take: impl FnMut(Entry),
) -> Result<u64, ErrorView> {
    loop {
        let query = JournalQuery {
            after,
            limit: Some(PAGE),
        };
        let page = agent.journal(run.id, &query).await.or_view()?;
        page.items.into_iter().for_each(&mut take);
        // What a run that goes on adds meanwhile is for the next look.
        after = page.next.filter(|next| *next < run.sequence);
        if after.is_none() {
            return Ok(page.compacted);
        }
    }
}

/// The text the run is pinned to, if the agent still has that very text.
async fn pinned_text(agent: &AgentClient, run: &RunView) -> Option<String> {
    let view = agent.workflow(&run.workflow.clone().into()).await.ok()?;
    view.text.filter(|_| view.hash == run.definition_hash)
}
