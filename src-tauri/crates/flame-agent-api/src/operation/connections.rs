//! Connections and the connectors behind them.

use flame_errors::Code;

use super::description::{Access, Answer, Body, Description, Method, Shape};
use super::media;
use crate::connection::{
    ConnectionCheck, ConnectionList, ConnectionPut, ConnectionView, ConnectorList,
};

const CONNECTION: Body = Body {
    description: "Kind, settings and secret.",
    types: &[media::JSON],
    shape: Some(Shape::of::<ConnectionPut>()),
    required: true,
    bytes_max: Some(64 * 1024),
};

const BASE: Description = Description {
    id: "",
    method: Method::Get,
    path: "/api/v1/connections/{connection}",
    tag: "connections",
    summary: "",
    access: Access::Token,
    parameters: &[],
    body: None,
    answers: &[],
    codes: &[],
};

pub(super) const CONNECTORS: Description = Description {
    id: "listConnectors",
    path: "/api/v1/connectors",
    summary: "Kinds of systems this agent can speak to, with the schemas of their settings",
    answers: &[Answer::json::<ConnectorList>(200, "By kind.")],
    ..BASE
};

pub(super) const LIST: Description = Description {
    id: "listConnections",
    path: "/api/v1/connections",
    summary: "Every connection, without secrets",
    answers: &[Answer::json::<ConnectionList>(200, "By name.")],
    ..BASE
};

pub(super) const GET: Description = Description {
    id: "getConnection",
    summary: "A connection without its secret",
    answers: &[Answer::json::<ConnectionView>(200, "The connection.")],
    codes: &[Code::NotFound],
    ..BASE
};

pub(super) const PUT: Description = Description {
    id: "putConnection",
    method: Method::Put,
    summary: "Set a connection; its secret is kept in memory only",
    body: Some(CONNECTION),
    answers: &[
        Answer::json::<ConnectionView>(200, "It was there and is replaced."),
        Answer::json::<ConnectionView>(201, "It is new."),
    ],
    codes: &[Code::BodyInvalid, Code::ParameterInvalid],
    ..BASE
};

pub(super) const DELETE: Description = Description {
    id: "deleteConnection",
    method: Method::Delete,
    summary: "Forget a connection and its secret",
    answers: &[Answer::none(204, "It is gone.")],
    codes: &[Code::NotFound],
    ..BASE
};

pub(super) const CHECK: Description = Description {
    id: "checkConnection",
    method: Method::Post,
    path: "/api/v1/connections/{connection}/check",
    summary: "Try a connection step by step",
    body: Some(Body {
        description: "Settings and secret to try instead of those that are set; nothing is kept.",
        required: false,
        ..CONNECTION
    }),
    answers: &[Answer::json::<ConnectionCheck>(
        200,
        "Each step with what it found.",
    )],
    codes: &[Code::NotFound, Code::BodyInvalid, Code::ParameterInvalid],
    ..BASE
};
