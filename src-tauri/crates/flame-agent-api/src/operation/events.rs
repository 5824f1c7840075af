//! The event log, and webhooks into runs.

use flame_errors::Code;

use super::description::{Access, Answer, Body, Description, Method, Parameter, Shape};
use super::media;
use crate::event::{EventPage, EventsTaken};
use crate::run::HookAccepted;

pub(super) const LIST: Description = Description {
    id: "listEvents",
    method: Method::Get,
    path: "/api/v1/events",
    tag: "events",
    summary: "The event log: what runs emitted and what came from outside, oldest first",
    access: Access::Token,
    parameters: &[
        Parameter::query::<u64>("after", "Events after this offset."),
        Parameter::query::<String>("type", "The CloudEvent's type, in full."),
        Parameter::query::<u32>("limit", "Events of a page, 1 to 999; 100 without it."),
    ],
    body: None,
    answers: &[Answer::json::<EventPage>(200, "A page.")],
    codes: &[Code::ParameterInvalid],
};

pub(super) const POST: Description = Description {
    id: "postEvents",
    method: Method::Post,
    path: "/api/v1/events",
    tag: "events",
    summary: "Put CloudEvents into the event log, from where they reach every task and schedule that \
              listens",
    access: Access::Token,
    parameters: &[
        Parameter::header("ce-specversion", "Binary mode: 1.0."),
        Parameter::header(
            "ce-id",
            "Binary mode: with the source, what tells events apart.",
        ),
        Parameter::header("ce-source", "Binary mode: where the event comes from."),
        Parameter::header("ce-type", "Binary mode: what kind of event it is."),
    ],
    body: Some(Body {
        description: "An event, a list of at most 1,000, or with ce- headers the data of one. An event \
                      whose source and id are in the log already is acknowledged and not stored again.",
        types: &[
            media::CLOUD_EVENT,
            media::CLOUD_EVENTS,
            media::JSON,
            media::TEXT,
            media::XML,
            media::BYTES,
        ],
        shape: None,
        required: false,
        bytes_max: Some(4 * 1024 * 1024),
    }),
    answers: &[Answer::json::<EventsTaken>(202, "They are stored.")],
    codes: &[
        Code::BodyInvalid,
        Code::InputInvalid,
        Code::TooManyRequests,
        Code::StorageFull,
        Code::ShuttingDown,
    ],
};

pub(super) const HOOK: Description = Description {
    id: "hook",
    method: Method::Post,
    path: "/hooks/{path}",
    tag: "webhooks",
    summary: "Start the workflow whose document declares this path; it may have several segments",
    access: Access::Hook,
    parameters: &[
        Parameter::header(
            "Idempotency-Key",
            "The same key and body give the same run. A Standard Webhooks `webhook-id` counts as \
             one.",
        ),
        Parameter::header("webhook-id", "Standard Webhooks: id of the message."),
        Parameter::header(
            "webhook-timestamp",
            "Standard Webhooks: seconds since 1970.",
        ),
        Parameter::header(
            "webhook-signature",
            "Standard Webhooks: `v1,` and the signature.",
        ),
    ],
    body: Some(Body {
        description: "The input, in the content type that the document declares; gzip is taken.",
        types: &[],
        shape: None,
        required: true,
        bytes_max: Some(1024 * 1024),
    }),
    answers: &[
        Answer {
            status: 200,
            description: "The output of the completed run, where the document asks for it.",
            content: Some((media::JSON, None)),
        },
        Answer {
            status: 202,
            description: "The run is committed, or did not end within 30 s and goes on.",
            content: Some((media::JSON, Some(Shape::of::<HookAccepted>()))),
        },
    ],
    codes: &[
        Code::NotFound,
        Code::SignatureInvalid,
        Code::BodyInvalid,
        Code::InputInvalid,
        Code::IdempotencyConflict,
        Code::ConnectionUnknown,
        Code::RunFaulted,
        Code::TooManyRequests,
        Code::StorageFull,
        Code::ShuttingDown,
    ],
};
