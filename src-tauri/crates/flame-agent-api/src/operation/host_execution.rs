//! Which workflows may start programs on the agent's machine.

use flame_errors::Code;

use super::description::{Access, Answer, Body, Description, Method, Shape};
use super::media;
use crate::host_execution::HostExecutionPut;

pub(super) const PUT: Description = Description {
    id: "putHostExecution",
    method: Method::Put,
    path: "/api/v1/host-execution",
    tag: "host execution",
    summary: "Say which workflows may start which programs on the agent's machine; kept in memory only",
    access: Access::Token,
    parameters: &[],
    body: Some(Body {
        description: "All of them; what was said before holds no more.",
        types: &[media::JSON],
        shape: Some(Shape::of::<HostExecutionPut>()),
        required: true,
        bytes_max: Some(1024 * 1024),
    }),
    answers: &[Answer::none(
        204,
        "It holds for every attempt that begins from now on; what runs already runs on.",
    )],
    codes: &[Code::BodyInvalid, Code::HostExecutionOff],
};
