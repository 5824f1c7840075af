//! Dead letters and emitted events: read, edit, send again, discard.

use std::collections::HashMap;
use std::sync::Arc;

use flame_agent_client::AgentClient;
use flame_agent_client::api::{
    DeadLetter as Letter, DeadLetterOrigin, DeadLetterQuery, EventQuery, EventView,
};
use flame_errors::Code;
use flame_ipc::{
    DeadLetter, DeadLetterEdit, DeadLetterPage, DeadLettersDiscard, DeadLettersList,
    DeadLettersSend, DeadLettersSent, EmittedEvent, ErrorView, EventPage, EventsList, Whole,
};
use flame_workspace::DocumentKind;
use serde_json::Value;

use crate::app::{App, now};
use crate::documents;
use crate::execute::Execute;
use crate::failure::OrView;

const PAGE: u32 = 200;
/// Letters of one order.
const ORDER_MAX: usize = 1_000;
/// Letters that a search by text looks through.
const SEARCHED_MAX: usize = 2_000;

/// Document id and title of each pipeline by `namespace/name`.
type Pipelines = HashMap<String, (String, String)>;

impl Execute for DeadLettersList {
    async fn execute(self, app: Arc<App>) -> Result<DeadLetterPage, ErrorView> {
        let agent = app.agent().await?;
        let pipelines = pipelines(&app).await?;
        let limit = self.limit.clamp(1, PAGE);
        let mut query = DeadLetterQuery {
            pipeline: self.source,
            cursor: self.cursor,
            limit: Some(limit),
        };
        let wanted = self
            .text
            .map(|text| text.trim().to_lowercase())
            .filter(|t| !t.is_empty());
        let Some(wanted) = wanted else {
            let page = agent.dead_letters(&query).await.or_view()?;
            return Ok(DeadLetterPage {
                items: page
                    .items
                    .iter()
                    .map(|letter| view(letter, &pipelines))
                    .collect(),
                next: page.next,
                total: Whole::new(page.total),
            });
        };
        query.limit = Some(PAGE);
        let (mut items, mut looked) = (Vec::new(), 0);
        loop {
            let page = agent.dead_letters(&query).await.or_view()?;
            looked += page.items.len();
            let found = page.items.iter().filter(|letter| holds(letter, &wanted));
            items.extend(found.map(|letter| view(letter, &pipelines)));
            query.cursor = page.next;
            let enough = items.len() >= limit as usize || looked >= SEARCHED_MAX;
            if query.cursor.is_none() || enough {
                let total = items.len().into();
                return Ok(DeadLetterPage {
                    items,
                    next: query.cursor,
                    total,
                });
            }
        }
    }
}

impl Execute for DeadLetterEdit {
    async fn execute(self, app: Arc<App>) -> Result<DeadLetter, ErrorView> {
        let id = parse_id(&self.id)?;
        let letter = app
            .agent()
            .await?
            .put_dead_letter(id, &self.record)
            .await
            .or_view()?;
        Ok(view(&letter, &pipelines(&app).await?))
    }
}

impl Execute for DeadLettersSend {
    async fn execute(self, app: Arc<App>) -> Result<DeadLettersSent, ErrorView> {
        let ids = parse_ids(&self.ids)?;
        let agent = app.agent().await?;
        let (mut sent, mut came_back) = (0_u64, 0_u64);
        for id in ids {
            match agent.send_dead_letter(id).await {
                Ok(None) => sent += 1,
                Ok(Some(_)) => came_back += 1,
                // Another window or program has dealt with it.
                Err(error) if error.code() == Code::NotFound => {}
                Err(error) => return Err(error).or_view(),
            }
        }
        Ok(DeadLettersSent {
            sent: Whole::new(sent),
            came_back: Whole::new(came_back),
        })
    }
}

impl Execute for DeadLettersDiscard {
    async fn execute(self, app: Arc<App>) -> Result<Whole, ErrorView> {
        let ids = parse_ids(&self.ids)?;
        let agent = app.agent().await?;
        let mut discarded = 0_u64;
        for id in ids {
            match agent.discard_dead_letter(id).await {
                Ok(()) => discarded += 1,
                Err(error) if error.code() == Code::NotFound => {}
                Err(error) => return Err(error).or_view(),
            }
        }
        Ok(Whole::new(discarded))
    }
}

impl Execute for EventsList {
    async fn execute(self, app: Arc<App>) -> Result<EventPage, ErrorView> {
        let query = EventQuery {
            after: self.after.map(Whole::get),
            kind: self.kind,
            limit: Some(self.limit.clamp(1, 1_000)),
        };
        let page = app.agent().await?.events(&query).await.or_view()?;
        Ok(EventPage {
            items: page.items.into_iter().map(event).collect(),
            next: page.next.map(Whole::new),
        })
    }
}

/// How many dead letters there are.
pub(crate) async fn total(agent: &AgentClient) -> Result<u64, ErrorView> {
    let query = DeadLetterQuery {
        limit: Some(1),
        ..DeadLetterQuery::default()
    };
    Ok(agent.dead_letters(&query).await.or_view()?.total)
}

async fn pipelines(app: &App) -> Result<Pipelines, ErrorView> {
    app.with_workspace(|workspace| {
        Ok(workspace
            .list(DocumentKind::Pipeline)
            .or_view()?
            .iter()
            .map(|document| {
                let facts = documents::facts(document);
                (facts.full_name(), (document.id.to_string(), facts.title))
            })
            .collect())
    })
    .await
}

fn view(letter: &Letter, pipelines: &Pipelines) -> DeadLetter {
    let DeadLetterOrigin::Pipeline {
        namespace,
        name,
        source,
        line,
    } = &letter.origin;
    let full_name = format!("{namespace}/{name}");
    let known = pipelines.get(&full_name);
    DeadLetter {
        id: letter.id.to_string(),
        title: known.map_or_else(|| name.clone(), |(_, title)| title.clone()),
        document_id: known.map(|(id, _)| id.clone()),
        source: full_name,
        file: Some(source.clone()),
        line: Some(Whole::new(*line)),
        error_code: Some(letter.code.as_str().to_owned()),
        error: letter.error.clone(),
        at: letter.at.into(),
        tries: letter.attempts,
        record: letter.record.clone(),
        content_type: letter.content_type.clone(),
        edited: letter.edited,
    }
}

fn holds(letter: &Letter, wanted: &str) -> bool {
    let DeadLetterOrigin::Pipeline { source, line, .. } = &letter.origin;
    format!("{} {} {source} {line}", letter.record, letter.error)
        .to_lowercase()
        .contains(wanted)
}

fn parse_id(text: &str) -> Result<u64, ErrorView> {
    text.parse().map_err(|_| {
        ErrorView::new(
            Code::ParameterInvalid,
            "the id of a dead letter is a number",
        )
        .with_value(text)
    })
}

fn parse_ids(ids: &[String]) -> Result<Vec<u64>, ErrorView> {
    if ids.len() > ORDER_MAX {
        let detail = format!("{} dead letters at once, at most {ORDER_MAX}", ids.len());
        return Err(
            ErrorView::new(Code::TooManyRequests, detail).with_hint("Choose fewer and repeat it.")
        );
    }
    ids.iter().map(|id| parse_id(id)).collect()
}

fn event(view: EventView) -> EmittedEvent {
    let field = |key: &str| {
        view.event
            .get(key)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    EmittedEvent {
        seq: Whole::new(view.offset),
        at: field("time")
            .and_then(|time| time.parse().ok())
            .unwrap_or_else(now)
            .into(),
        id: field("id").unwrap_or_default(),
        source: field("source").unwrap_or_default(),
        kind: field("type").unwrap_or_default(),
        subject: field("subject"),
        run: view.run.map(|run| run.to_string()),
        event: view.event.into(),
    }
}
