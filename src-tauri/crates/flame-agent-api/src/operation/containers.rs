//! Containers: a worker takes orders and tells how they came out.

use flame_errors::Code;

use super::description::{Access, Answer, Body, Description, Method, Shape};
use super::media;
use crate::container::{ContainerOrder, ContainerOutcome};

pub(super) const ORDERS: Description = Description {
    id: "takeContainerOrders",
    method: Method::Get,
    path: "/api/v1/containers/orders",
    tag: "containers",
    summary: "Run containers for this agent, as long as the stream is followed",
    access: Access::Token,
    parameters: &[],
    body: None,
    answers: &[Answer::stream::<ContainerOrder>(
        "Server-sent events named `order`. The first come at once: every container that a task waits \
         for. Whoever asks last gets the orders.",
    )],
    codes: &[Code::TooManyRequests],
};

pub(super) const TELL: Description = Description {
    id: "tellContainerOutcome",
    method: Method::Post,
    path: "/api/v1/containers/{container}/outcome",
    tag: "containers",
    summary: "Say how an ordered container came out",
    access: Access::Token,
    parameters: &[],
    body: Some(Body {
        description: "Its end or a fault.",
        types: &[media::JSON],
        shape: Some(Shape::of::<ContainerOutcome>()),
        required: true,
        // Two outputs of 10 MiB each, all of them characters that JSON escapes.
        bytes_max: Some(128 * 1024 * 1024),
    }),
    answers: &[Answer::none(
        204,
        "It is stored; the container is not asked for again.",
    )],
    codes: &[Code::NotFound, Code::BodyInvalid, Code::ShuttingDown],
};
