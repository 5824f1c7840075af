//! Tasks that wait for a person.

use axum::Json;
use axum::extract::{Request, State};
use flame_agent_api::{AnswerRequest, Operation, PersonTaskList, PersonTaskView, RunView};
use flame_errors::Code;
use flame_types::RunId;

use super::runs::whole;
use crate::http::body;
use crate::http::failure::Failure;
use crate::http::parameter::Segments;
use crate::runtime::{Handle, PersonTask};

pub(in crate::http) async fn list(
    State(runtime): State<Handle>,
    request: Request,
) -> Result<Json<PersonTaskList>, Failure> {
    body::none(Operation::ListPersonTasks, request).await?;
    let items = runtime.person_tasks().into_iter().map(view).collect();
    Ok(Json(PersonTaskList { items }))
}

pub(in crate::http) async fn answer(
    State(runtime): State<Handle>,
    Segments(id): Segments<RunId>,
    request: Request,
) -> Result<Json<RunView>, Failure> {
    let asked: Option<AnswerRequest> = body::take_json(Operation::Answer, request).await?;
    let Some(AnswerRequest { task, data }) = asked else {
        return Err(Failure::new(Code::BodyInvalid, "the request has no answer"));
    };
    let run = runtime.answer(id, &task, &data).await?;
    whole(&runtime, run).await.map(Json)
}

fn view(task: PersonTask) -> PersonTaskView {
    PersonTaskView {
        run: task.run,
        workflow: task.workflow.into(),
        task: task.reference.to_string(),
        kind: task.kind.to_string(),
        title: task.title,
        description: task.description,
        assignee: task.assignee,
        schema: (*task.schema).clone(),
        since: task.since,
    }
}
