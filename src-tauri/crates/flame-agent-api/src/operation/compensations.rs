//! Compensations that wait for a person.

use flame_errors::Code;

use super::description::{Access, Answer, Description, Method};
use crate::run::RunView;

const BASE: Description = Description {
    id: "",
    method: Method::Post,
    path: "",
    tag: "runs",
    summary: "",
    access: Access::Token,
    parameters: &[],
    body: None,
    answers: &[],
    codes: &[Code::NotFound, Code::ParameterInvalid, Code::RunNotInState],
};

pub(super) const RETRY: Description = Description {
    id: "retryCompensation",
    path: "/api/v1/runs/{id}/compensations/{number}/retry",
    summary: "Try a compensation again that waits for a person, once",
    answers: &[Answer::json::<RunView>(200, "It is tried.")],
    ..BASE
};

pub(super) const SKIP: Description = Description {
    id: "skipCompensation",
    path: "/api/v1/runs/{id}/compensations/{number}/skip",
    summary: "Give a compensation up that waits for a person, and go on with the next",
    answers: &[Answer::json::<RunView>(200, "It is given up.")],
    ..BASE
};
