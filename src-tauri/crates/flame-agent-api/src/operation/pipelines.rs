//! Pipelines and the files fed into them.

use flame_errors::Code;

use super::description::{Access, Answer, Body, Description, Method, Parameter};
use super::media;
use super::workflows::DEFINITION;
use crate::pipeline::{FeedList, FeedStatus, PipelineList, PipelineView};

const BASE: Description = Description {
    id: "",
    method: Method::Get,
    path: "/api/v1/pipelines/{namespace}/{name}",
    tag: "pipelines",
    summary: "",
    access: Access::Token,
    parameters: &[],
    body: None,
    answers: &[],
    codes: &[],
};

pub(super) const LIST: Description = Description {
    id: "listPipelines",
    path: "/api/v1/pipelines",
    summary: "Every deployed pipeline",
    answers: &[Answer::json::<PipelineList>(
        200,
        "By name, without their text.",
    )],
    ..BASE
};

pub(super) const GET: Description = Description {
    id: "getPipeline",
    summary: "A pipeline with its text",
    answers: &[Answer::json::<PipelineView>(200, "The pipeline.")],
    codes: &[Code::NotFound],
    ..BASE
};

pub(super) const PUT: Description = Description {
    id: "putPipeline",
    method: Method::Put,
    summary: "Deploy a pipeline; checkpoints of its feeds stay",
    body: Some(DEFINITION),
    answers: &[
        Answer::json::<PipelineView>(200, "It was there and is replaced."),
        Answer::json::<PipelineView>(201, "It is new."),
    ],
    codes: &[
        Code::DefinitionInvalid,
        Code::DefinitionTooLarge,
        Code::PathMismatch,
    ],
    ..BASE
};

pub(super) const DELETE: Description = Description {
    id: "deletePipeline",
    method: Method::Delete,
    summary: "Delete a pipeline; its dead letters stay",
    answers: &[Answer::none(204, "It is gone.")],
    codes: &[Code::NotFound, Code::WorkflowInUse],
    ..BASE
};

pub(super) const FEED: Description = Description {
    id: "feed",
    method: Method::Post,
    path: "/api/v1/pipelines/{namespace}/{name}/feeds",
    summary: "Feed a file, or the rest of one, as it streams in",
    parameters: &[
        Parameter::query::<String>(
            "identity",
            "Identity of the file: another content under the same name has another identity.",
        )
        .required(),
        Parameter::query::<String>("source", "The file's name, for people."),
        Parameter::query::<u64>(
            "offset",
            "Byte of the file at which the body starts; 0 first.",
        ),
        Parameter::query::<u64>("total", "Bytes of the whole file, for progress."),
    ],
    body: Some(Body {
        description: "The file from `offset` on. Rows are committed as they arrive.",
        types: &[media::CSV, media::NDJSON],
        shape: None,
        required: true,
        bytes_max: None,
    }),
    answers: &[Answer::json::<FeedStatus>(200, "How far the file is in.")],
    codes: &[
        Code::NotFound,
        Code::ParameterInvalid,
        Code::BodyInvalid,
        Code::FeedOffset,
        Code::ConnectionUnknown,
        Code::ConnectionRefused,
        Code::ConnectionDenied,
        Code::StorageFull,
        Code::ShuttingDown,
    ],
    ..BASE
};

pub(super) const FEEDS: Description = Description {
    id: "listFeeds",
    path: "/api/v1/pipelines/{namespace}/{name}/feeds",
    summary: "Files that were fed and how far each is in",
    parameters: &[Parameter::query::<String>(
        "identity",
        "Of this file alone.",
    )],
    answers: &[Answer::json::<FeedList>(200, "Newest first, at most 200.")],
    codes: &[Code::NotFound],
    ..BASE
};
