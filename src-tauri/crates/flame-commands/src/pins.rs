//! Outputs that are pinned for tests of a workflow, kept in the workspace beside its document.

use std::collections::BTreeMap;
use std::sync::Arc;

use flame_agent_client::api::TestRequest;
use flame_errors::Code;
use flame_ipc::{
    Changed, DocumentTest, ErrorView, Event, Moment, Pin, PinAdd, PinRemove, PinsList, RunSummary,
};
use flame_types::{Timestamp, json};
use flame_workspace::{Document, DocumentId, DocumentKind, Workspace};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::app::{App, lock, now};
use crate::documents;
use crate::execute::Execute;
use crate::failure::{OrView, read_json};
use crate::runs;

/// Together with the input they travel in one request, which the agent takes up to 4 MiB.
const PINS_BYTES_MAX: usize = 3 * 1024 * 1024;

/// The pins of one document, by the reference of the task.
type Pins = BTreeMap<String, Stored>;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    name: String,
    #[serde(deserialize_with = "json::read")]
    output: Value,
    run: String,
    pinned_at: Timestamp,
}

impl Execute for PinsList {
    async fn execute(self, app: Arc<App>) -> Result<Vec<Pin>, ErrorView> {
        app.with_workspace(move |workspace| {
            let document = document(workspace, &self.workflow)?;
            Ok(view(&document, read(workspace, document.id)?))
        })
        .await
    }
}

impl Execute for PinAdd {
    async fn execute(self, app: Arc<App>) -> Result<Vec<Pin>, ErrorView> {
        let (workflow, task) = runs::task_of(&app, &self.run, &self.task).await?;
        let Some(output) = task.output else {
            let detail = format!("{} gave nothing that could be pinned", task.name);
            return Err(ErrorView::new(Code::ParameterInvalid, detail)
                .with_hint("Pin the output of a task that completed."));
        };
        let stored = Stored {
            name: task.name,
            output: output.0,
            run: self.run,
            pinned_at: now(),
        };
        change(&app, workflow, move |pins| {
            pins.insert(task.reference, stored);
        })
        .await
    }
}

impl Execute for PinRemove {
    async fn execute(self, app: Arc<App>) -> Result<Vec<Pin>, ErrorView> {
        change(&app, self.workflow, move |pins| {
            pins.remove(&self.task);
        })
        .await
    }
}

impl Execute for DocumentTest {
    async fn execute(self, app: Arc<App>) -> Result<RunSummary, ErrorView> {
        let input = read_json("the input", &self.input)?;
        let id = documents::parse_id(&self.document_id)?;
        let (document, mut pins) = app
            .with_workspace(move |workspace| {
                let document = documents::get(workspace, id)?;
                Ok((document, read(workspace, id)?))
            })
            .await?;
        if document.kind == DocumentKind::Pipeline {
            let detail = "a pipeline has no tasks that could be tested";
            return Err(ErrorView::new(Code::ParameterInvalid, detail)
                .with_hint("Drop a file into the watched folder."));
        }
        let workflow = documents::ensure_deployed(&app, &document).await?;
        let mut outputs = BTreeMap::new();
        for task in self.pins {
            let pin = pins.remove(&task).ok_or_else(|| {
                ErrorView::new(Code::NotFound, "nothing is pinned for this task").with_value(&task)
            })?;
            outputs.insert(task, pin.output);
        }
        let test = TestRequest {
            input: Some(input),
            pins: outputs,
            ..TestRequest::default()
        };
        let agent = app.agent().await?;
        let run = agent.start_test(&workflow, &test, None).await.or_view()?;
        let titles = documents::titles(&app).await?;
        Ok(runs::summary(&run, &titles))
    }
}

/// The workflow's document in this workspace.
fn document(workspace: &Workspace, workflow: &str) -> Result<Document, ErrorView> {
    let found = workspace.find(DocumentKind::Workflow, workflow).or_view()?;
    found.ok_or_else(|| {
        let detail = "the workflow has no document in this workspace";
        ErrorView::new(Code::NotFound, detail)
            .with_value(workflow)
            .with_hint("Pins belong to a document; import the workflow first.")
    })
}

async fn change(
    app: &Arc<App>,
    workflow: String,
    edit: impl FnOnce(&mut Pins) + Send + 'static,
) -> Result<Vec<Pin>, ErrorView> {
    let (writer, changed) = (Arc::clone(&app.pins), Arc::clone(app));
    let (id, pins) = app
        .with_workspace(move |workspace| {
            // Two changes at once would each write what it read.
            let _alone = lock(&writer);
            let document = document(workspace, &workflow)?;
            let mut pins = read(workspace, document.id)?;
            edit(&mut pins);
            write(workspace, document.id, &pins)?;
            Ok((document.id, view(&document, pins)))
        })
        .await?;
    changed.emit(&Event::DocumentsChanged(Changed {
        ids: vec![id.to_string()],
    }));
    Ok(pins)
}

fn fact(id: DocumentId) -> String {
    format!("pins:{id}")
}

fn read(workspace: &Workspace, id: DocumentId) -> Result<Pins, ErrorView> {
    let text = workspace.fact(&fact(id)).or_view()?;
    text.map_or_else(
        || Ok(Pins::new()),
        |text| serde_json::from_str(&text).map_err(unreadable),
    )
}

fn write(workspace: &Workspace, id: DocumentId, pins: &Pins) -> Result<(), ErrorView> {
    let text = serde_json::to_string(pins).map_err(unreadable)?;
    if text.len() > PINS_BYTES_MAX {
        let detail = format!(
            "the pins of a workflow may have {PINS_BYTES_MAX} bytes together, with this one they have {}",
            text.len()
        );
        return Err(ErrorView::new(Code::BodyTooLarge, detail)
            .with_hint("Remove a pin, or pin a task that gives less.")
            .with_kept("The pins are as they were."));
    }
    workspace.set_fact(&fact(id), &text).or_view()
}

fn unreadable(error: serde_json::Error) -> ErrorView {
    ErrorView::new(Code::Internal, format!("the pins can't be read: {error}"))
}

fn view(document: &Document, pins: Pins) -> Vec<Pin> {
    let workflow = documents::model(&document.body);
    let known = |task: &str| {
        let found = workflow.as_ref().and_then(|workflow| workflow.task(task));
        found.is_some()
    };
    let pin = |(task, stored): (String, Stored)| Pin {
        known: known(&task),
        task,
        name: stored.name,
        output: stored.output.into(),
        run: stored.run,
        pinned_at: Moment::new(stored.pinned_at),
    };
    pins.into_iter().map(pin).collect()
}
