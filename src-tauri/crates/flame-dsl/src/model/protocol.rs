//! Calls that another document describes, or that speak a protocol of their own.
//!
//! Deliberately absent: what the arguments mean; whoever carries out the call knows its protocol.

use super::{Endpoint, Template};

/// `call: openapi`, `grpc`, `mcp`, `asyncapi` or `a2a`.
#[derive(Debug, Clone)]
pub struct ProtocolCall {
    pub protocol: Protocol,
    /// Where the document that describes the operation is: `document`, `proto` or `agentCard`.
    pub document: Option<Endpoint>,
    /// Whom to call, where the task says so itself: `server`, `transport.http.endpoint`.
    pub server: Option<Endpoint>,
    /// `with`, without the two endpoints above.
    pub arguments: Template,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    OpenApi,
    Grpc,
    Mcp,
    AsyncApi,
    A2a,
}

impl Protocol {
    /// As `call` names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenApi => "openapi",
            Self::Grpc => "grpc",
            Self::Mcp => "mcp",
            Self::AsyncApi => "asyncapi",
            Self::A2a => "a2a",
        }
    }

    /// The word that the timeline shows.
    pub(super) const fn task_name(self) -> &'static str {
        match self {
            Self::OpenApi => "call openapi",
            Self::Grpc => "call grpc",
            Self::Mcp => "call mcp",
            Self::AsyncApi => "call asyncapi",
            Self::A2a => "call a2a",
        }
    }
}
