//! Dead letters: list, edit, send again, discard.

use flame_errors::Code;

use super::agent::{CURSOR, LIMIT};
use super::description::{Access, Answer, Body, Description, Method, Parameter, Shape};
use super::media;
use crate::dead_letter::{DeadLetter, DeadLetterPage, DeadLetterPut};

const BASE: Description = Description {
    id: "",
    method: Method::Get,
    path: "/api/v1/dead-letters/{letter}",
    tag: "dead letters",
    summary: "",
    access: Access::Token,
    parameters: &[],
    body: None,
    answers: &[],
    codes: &[Code::NotFound],
};

pub(super) const LIST: Description = Description {
    id: "listDeadLetters",
    path: "/api/v1/dead-letters",
    summary: "Dead letters, newest first",
    parameters: &[
        Parameter::query::<String>("pipeline", "`namespace/name` of the pipeline."),
        CURSOR,
        LIMIT,
    ],
    answers: &[Answer::json::<DeadLetterPage>(200, "A page.")],
    codes: &[Code::ParameterInvalid],
    ..BASE
};

pub(super) const GET: Description = Description {
    id: "getDeadLetter",
    summary: "A dead letter with its record and error",
    answers: &[Answer::json::<DeadLetter>(200, "The dead letter.")],
    ..BASE
};

pub(super) const PUT: Description = Description {
    id: "putDeadLetter",
    method: Method::Put,
    summary: "Edit the record; it is not sent yet",
    body: Some(Body {
        description: "The edited record.",
        types: &[media::JSON],
        shape: Some(Shape::of::<DeadLetterPut>()),
        required: true,
        bytes_max: Some(2 * 1024 * 1024),
    }),
    answers: &[Answer::json::<DeadLetter>(
        200,
        "The dead letter as it is now.",
    )],
    codes: &[Code::NotFound, Code::BodyInvalid],
    ..BASE
};

pub(super) const SEND: Description = Description {
    id: "sendDeadLetter",
    method: Method::Post,
    path: "/api/v1/dead-letters/{letter}/send",
    summary: "Send the record again",
    answers: &[
        Answer::json::<DeadLetter>(200, "It failed again and stays, with the new error."),
        Answer::none(204, "It went through and is gone."),
    ],
    ..BASE
};

pub(super) const DISCARD: Description = Description {
    id: "discardDeadLetter",
    method: Method::Delete,
    summary: "Discard the record; this cannot be undone",
    answers: &[Answer::none(204, "It is gone.")],
    ..BASE
};
