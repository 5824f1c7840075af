//! Tasks that wait for a person, and their answers.

use flame_errors::Code;

use super::description::{Access, Answer, Body, Description, Method, Shape};
use super::media;
use crate::person::{AnswerRequest, PersonTaskList};
use crate::run::RunView;

pub(super) const LIST: Description = Description {
    id: "listPersonTasks",
    method: Method::Get,
    path: "/api/v1/tasks",
    tag: "people",
    summary: "Tasks of all runs that wait for a person",
    access: Access::Token,
    parameters: &[],
    body: None,
    answers: &[Answer::json::<PersonTaskList>(200, "The open tasks.")],
    codes: &[],
};

pub(super) const ANSWER: Description = Description {
    id: "answer",
    method: Method::Post,
    path: "/api/v1/runs/{id}/answers",
    tag: "people",
    summary: "Answer a task of a run that waits for a person",
    access: Access::Token,
    parameters: &[],
    body: Some(Body {
        description: "The task and the answer.",
        types: &[media::JSON],
        shape: Some(Shape::of::<AnswerRequest>()),
        required: true,
        bytes_max: Some(1024 * 1024),
    }),
    answers: &[Answer::json::<RunView>(
        200,
        "The run, once the answer is stored.",
    )],
    codes: &[
        Code::NotFound,
        Code::BodyInvalid,
        Code::InputInvalid,
        Code::RunNotInState,
        Code::StorageFull,
        Code::ShuttingDown,
    ],
};
