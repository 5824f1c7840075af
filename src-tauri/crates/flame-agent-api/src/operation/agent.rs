//! The agent itself: health, metrics, status and what changes.

use flame_errors::Code;

use super::description::{Access, Answer, Description, Method, Parameter};
use super::media;
use crate::change::Changes;
use crate::status::{AgentStatus, OutboundList};

const TAG: &str = "agent";

const GET: Description = Description {
    id: "",
    method: Method::Get,
    path: "",
    tag: TAG,
    summary: "",
    access: Access::Token,
    parameters: &[],
    body: None,
    answers: &[],
    codes: &[],
};

pub(super) const LIVE: Description = Description {
    id: "live",
    path: "/health/live",
    summary: "Whether the process answers",
    access: Access::Open,
    answers: &[Answer::none(204, "It answers.")],
    ..GET
};

pub(super) const READY: Description = Description {
    id: "ready",
    path: "/health/ready",
    summary: "Whether new work is taken",
    access: Access::Open,
    answers: &[Answer::none(204, "New work is taken.")],
    codes: &[Code::ShuttingDown, Code::StorageFull, Code::StorageFailed],
    ..GET
};

pub(super) const METRICS: Description = Description {
    id: "metrics",
    path: "/metrics",
    summary: "Metrics in Prometheus text format",
    answers: &[Answer {
        status: 200,
        description: "Counters, gauges and histograms.",
        content: Some((media::PROMETHEUS, None)),
    }],
    ..GET
};

pub(super) const OPENAPI: Description = Description {
    id: "openApi",
    path: "/api/v1/openapi.json",
    summary: "This document",
    answers: &[Answer {
        status: 200,
        description: "OpenAPI 3.1.",
        content: Some((media::JSON, None)),
    }],
    ..GET
};

pub(super) const STATUS: Description = Description {
    id: "status",
    path: "/api/v1/status",
    summary: "What the agent is doing now",
    answers: &[Answer::json::<AgentStatus>(
        200,
        "Version, storage, load and memory.",
    )],
    ..GET
};

pub(super) const CHANGES: Description = Description {
    id: "changes",
    path: "/api/v1/changes",
    summary: "Follow everything that changes, at most 10 messages a second",
    answers: &[Answer::stream::<Changes>(
        "Server-sent events named `changes`. The first comes at once, so that a follower knows \
         that it follows.",
    )],
    codes: &[Code::TooManyRequests],
    ..GET
};

pub(super) const OUTBOUND: Description = Description {
    id: "listOutbound",
    path: "/api/v1/outbound",
    summary: "Every host the agent called since it started",
    answers: &[Answer::json::<OutboundList>(200, "Most recent first.")],
    ..GET
};

/// The parameter of pages.
pub(super) const LIMIT: Parameter =
    Parameter::query::<u32>("limit", "Rows of a page, 1 to 200; 50 without it.");

/// The parameter of pages after the first.
pub(super) const CURSOR: Parameter =
    Parameter::query::<String>("cursor", "`next` of the page before.");
