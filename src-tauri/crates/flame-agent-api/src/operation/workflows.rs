//! Workflows and the validation of documents.

use flame_errors::Code;

use super::description::{Access, Answer, Body, Description, Method};
use super::media;
use crate::validation::Validation;
use crate::workflow::{WorkflowList, WorkflowView};

const PATH: &str = "/api/v1/workflows/{namespace}/{name}/{version}";

/// A document as text.
pub(super) const DEFINITION: Body = Body {
    description: "The document.",
    types: &[media::YAML, media::JSON],
    shape: None,
    required: true,
    bytes_max: Some(4 * 1024 * 1024),
};

const BASE: Description = Description {
    id: "",
    method: Method::Get,
    path: PATH,
    tag: "workflows",
    summary: "",
    access: Access::Token,
    parameters: &[],
    body: None,
    answers: &[],
    codes: &[],
};

pub(super) const VALIDATE: Description = Description {
    id: "validate",
    method: Method::Post,
    path: "/api/v1/validate",
    summary: "Check a workflow or pipeline and keep nothing",
    body: Some(DEFINITION),
    answers: &[Answer::json::<Validation>(200, "Every problem, or none.")],
    codes: &[Code::DefinitionTooLarge],
    ..BASE
};

pub(super) const LIST: Description = Description {
    id: "listWorkflows",
    path: "/api/v1/workflows",
    summary: "Every deployed workflow",
    answers: &[Answer::json::<WorkflowList>(
        200,
        "By name, then version, without their text.",
    )],
    ..BASE
};

pub(super) const GET: Description = Description {
    id: "getWorkflow",
    summary: "A workflow with its text",
    answers: &[Answer::json::<WorkflowView>(200, "The workflow.")],
    codes: &[Code::NotFound],
    ..BASE
};

pub(super) const PUT: Description = Description {
    id: "putWorkflow",
    method: Method::Put,
    summary: "Deploy a workflow; runs in flight stay on the definition they started with",
    body: Some(DEFINITION),
    answers: &[
        Answer::json::<WorkflowView>(200, "This version was there and is replaced."),
        Answer::json::<WorkflowView>(201, "This version is new."),
    ],
    codes: &[
        Code::DefinitionInvalid,
        Code::DefinitionTooLarge,
        Code::PathMismatch,
        Code::HookConflict,
    ],
    ..BASE
};

pub(super) const DELETE: Description = Description {
    id: "deleteWorkflow",
    method: Method::Delete,
    summary: "Delete a workflow; its ended runs stay readable",
    answers: &[Answer::none(204, "It is gone.")],
    codes: &[Code::NotFound, Code::WorkflowInUse],
    ..BASE
};
