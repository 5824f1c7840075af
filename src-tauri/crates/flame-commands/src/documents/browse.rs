//! Lists of documents with what the agent knows of them.

use std::collections::HashMap;
use std::sync::Arc;

use flame_agent_client::AgentClient;
use flame_agent_client::api::{FeedState, FeedStatus, RunQuery, RunView};
use flame_ipc::{
    DocumentGet, DocumentHistory, DocumentRevision, DocumentRevisionGet, DocumentSampleInput,
    DocumentSummary, DocumentText, DocumentsList, ErrorView, Moment, RunBar, RunStatusView,
    SampleInput, SampleOrigin, SearchHit, Whole,
};
use flame_workspace::{Document, DocumentKind};
use futures::StreamExt;

use super::deploy::{Deployment, deployed};
use super::facts::{Facts, facts};
use super::{Titles, kind_view, parse_id, seed};
use crate::app::{App, lock};
use crate::execute::Execute;
use crate::failure::OrView;
use crate::general::search_kind;

const BARS: u32 = 20;
/// Documents whose runs are asked for at once.
const ASKED_AT_ONCE: usize = 8;

impl Execute for DocumentsList {
    async fn execute(self, app: Arc<App>) -> Result<Vec<DocumentSummary>, ErrorView> {
        let documents = app
            .with_workspace(|workspace| {
                super::all(workspace)?
                    .into_iter()
                    .map(|document| {
                        let facts = facts(&document);
                        let known = deployed(workspace, document.id)?;
                        Ok((document, facts, known))
                    })
                    .collect::<Result<Vec<_>, ErrorView>>()
            })
            .await?;
        let agent = app.agent_now();
        let schedules = schedules(agent.as_ref()).await;
        let summaries = futures::stream::iter(documents)
            .map(|(document, facts, known)| {
                let agent = agent.clone();
                let next_at = schedules.get(&facts.full_name()).copied();
                async move {
                    let bars = match &agent {
                        Some(agent) => bars(agent, &document, &facts).await,
                        None => Vec::new(),
                    };
                    let mut summary = summary(&document, facts, known.as_ref());
                    summary.trigger.next_at = next_at;
                    summary.last_runs = bars;
                    summary
                }
            })
            .buffered(ASKED_AT_ONCE);
        Ok(summaries.collect().await)
    }
}

impl Execute for DocumentGet {
    async fn execute(self, app: Arc<App>) -> Result<DocumentText, ErrorView> {
        let id = parse_id(&self.id)?;
        app.with_workspace(move |workspace| {
            let document = super::get(workspace, id)?;
            let known = deployed(workspace, id)?;
            let summary = summary(&document, facts(&document), known.as_ref());
            Ok(DocumentText {
                summary,
                text: document.body,
            })
        })
        .await
    }
}

impl Execute for DocumentHistory {
    async fn execute(self, app: Arc<App>) -> Result<Vec<DocumentRevision>, ErrorView> {
        let id = parse_id(&self.id)?;
        let past = app
            .with_workspace(move |workspace| workspace.history(id).or_view())
            .await?;
        Ok(past
            .into_iter()
            .map(|past| DocumentRevision {
                revision: past.revision.into(),
                saved_at: past.saved.into(),
                text_bytes: past.body_bytes.into(),
            })
            .collect())
    }
}

impl Execute for DocumentRevisionGet {
    async fn execute(self, app: Arc<App>) -> Result<String, ErrorView> {
        let id = parse_id(&self.id)?;
        let revision = self.revision.get();
        app.with_workspace(move |workspace| workspace.revision_body(id, revision).or_view())
            .await
    }
}

impl Execute for DocumentSampleInput {
    async fn execute(self, app: Arc<App>) -> Result<SampleInput, ErrorView> {
        let id = parse_id(&self.id)?;
        let document = app
            .with_workspace(move |workspace| super::get(workspace, id))
            .await?;
        if let Some(input) = last_input(&app, &document).await {
            return Ok(SampleInput {
                text: input,
                origin: SampleOrigin::LastRun,
            });
        }
        Ok(
            match seed::sample_input(&document.name).filter(|_| document.sample) {
                Some(text) => SampleInput {
                    text: text.to_owned(),
                    origin: SampleOrigin::Sample,
                },
                None => SampleInput {
                    text: "{}".to_owned(),
                    origin: SampleOrigin::Empty,
                },
            },
        )
    }
}

/// The input of the newest run, if there is one and the agent answers now.
async fn last_input(app: &App, document: &Document) -> Option<String> {
    let agent = app.agent_now()?;
    let query = RunQuery {
        workflow: Some(document.name.clone()).filter(|name| !name.is_empty()),
        limit: Some(BARS),
        ..RunQuery::default()
    };
    query.workflow.as_ref()?;
    let runs = agent.runs(&query).await.ok()?.items;
    // A test of one task has that task's input.
    let newest = runs.iter().find(|run| !run.test)?.id;
    let input = agent.run(newest).await.ok()?.input?;
    serde_json::to_string_pretty(&input).ok()
}

/// One document as lists show it, without what only the agent knows.
pub(super) fn summary(
    document: &Document,
    facts: Facts,
    known: Option<&Deployment>,
) -> DocumentSummary {
    DocumentSummary {
        id: document.id.to_string(),
        kind: kind_view(document.kind),
        namespace: facts.namespace,
        name: facts.name,
        version: facts.version,
        title: facts.title,
        summary: facts.summary,
        trigger: facts.trigger,
        revision: document.revision.into(),
        updated_at: document.updated.into(),
        deployed_version: known.map(|known| known.id.version.to_string()),
        changed: known.is_none_or(|known| known.text != document.body),
        problems: facts.errors.into(),
        sample: document.sample,
        last_runs: Vec::new(),
    }
}

/// When each scheduled workflow starts next, by `namespace/name`.
async fn schedules(agent: Option<&AgentClient>) -> HashMap<String, Moment> {
    let Some(agent) = agent else {
        return HashMap::new();
    };
    let Ok(list) = agent.workflows().await else {
        return HashMap::new();
    };
    list.items
        .into_iter()
        .filter_map(|view| {
            let next = view.schedule?.next?;
            Some((
                format!("{}/{}", view.id.namespace, view.id.name),
                Moment::new(next),
            ))
        })
        .collect()
}

/// The last 20 runs, or the last 20 files of a pipeline, oldest first.
async fn bars(agent: &AgentClient, document: &Document, facts: &Facts) -> Vec<RunBar> {
    if facts.name.is_empty() {
        return Vec::new();
    }
    let mut bars: Vec<RunBar> = if document.kind == DocumentKind::Pipeline {
        match agent.feeds(&facts.namespace, &facts.name, None).await {
            Ok(feeds) => feeds
                .items
                .iter()
                .take(BARS as usize)
                .map(feed_bar)
                .collect(),
            Err(_) => Vec::new(),
        }
    } else {
        let query = RunQuery {
            workflow: Some(facts.full_name()),
            limit: Some(BARS),
            ..RunQuery::default()
        };
        match agent.runs(&query).await {
            Ok(page) => {
                let real = page.items.iter().filter(|run| !run.test);
                real.map(run_bar).collect()
            }
            Err(_) => Vec::new(),
        }
    };
    bars.reverse();
    bars
}

fn run_bar(run: &RunView) -> RunBar {
    RunBar {
        id: run.id.to_string(),
        status: run.status.into(),
        started_at: Some(Moment::new(run.started_at.unwrap_or(run.created_at))),
        duration_ms: run.ended_at.map(|ended| {
            let from = run.started_at.unwrap_or(run.created_at);
            millis(ended.duration_since(from).as_millis())
        }),
    }
}

fn feed_bar(feed: &FeedStatus) -> RunBar {
    RunBar {
        id: feed.identity.clone(),
        status: match feed.state {
            FeedState::Running => RunStatusView::Running,
            FeedState::Interrupted => RunStatusView::Waiting,
            FeedState::Completed => RunStatusView::Completed,
        },
        started_at: Some(feed.updated_at.into()),
        duration_ms: None,
    }
}

pub(crate) fn millis(millis: i128) -> Whole {
    Whole::new(u64::try_from(millis).unwrap_or(0))
}

/// Titles of all workflows and pipelines by `namespace/name`.
pub(crate) async fn titles(app: &App) -> Result<Arc<Titles>, ErrorView> {
    if let Some(known) = lock(&app.titles).clone() {
        return Ok(known);
    }
    let titles: Titles = app
        .with_workspace(|workspace| {
            Ok(super::all(workspace)?
                .iter()
                .map(|document| {
                    let facts = facts(document);
                    (facts.full_name(), facts.title)
                })
                .collect())
        })
        .await?;
    let titles = Arc::new(titles);
    *lock(&app.titles) = Some(Arc::clone(&titles));
    Ok(titles)
}

/// Documents and connections whose words hold `wanted`, which is lower-case.
pub(crate) async fn search(app: &App, wanted: &str) -> Result<Vec<SearchHit>, ErrorView> {
    let wanted = wanted.to_owned();
    app.with_workspace(move |workspace| {
        let mut hits = Vec::new();
        for document in super::all(workspace)? {
            let facts = facts(&document);
            hits.push(SearchHit {
                kind: search_kind(document.kind),
                id: document.id.to_string(),
                detail: facts.full_name(),
                title: facts.title,
            });
        }
        for connection in workspace.list(DocumentKind::Connection).or_view()? {
            hits.push(SearchHit {
                kind: search_kind(connection.kind),
                id: connection.id.to_string(),
                title: connection.name,
                detail: String::new(),
            });
        }
        hits.retain(|hit| {
            format!("{} {} {}", hit.title, hit.detail, hit.id)
                .to_lowercase()
                .contains(&wanted)
        });
        Ok(hits)
    })
    .await
}
