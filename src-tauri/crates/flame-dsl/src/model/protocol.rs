//! Calls that another document describes, or that speak a protocol of their own.
//!
//! Deliberately absent: what the arguments mean; whoever carries out the call knows its protocol.

use super::{Authentication, DurationSource, Endpoint, EventIterator, Template};
use crate::expression::Expression;

/// `call: openapi`, `grpc`, `mcp`, `asyncapi` or `a2a`.
#[derive(Debug, Clone)]
pub struct ProtocolCall {
    pub protocol: Protocol,
    /// Where the document that describes the operation is: `document`, `proto` or `agentCard`.
    pub document: Option<ExternalResource>,
    /// Whom to call, where the task says so itself: `server`, `transport.http.endpoint`.
    pub server: Option<Endpoint>,
    /// How the call proves who makes it.
    pub authentication: Option<Authentication>,
    /// Of `asyncapi`: which messages are received.
    pub subscription: Option<Box<Subscription>>,
    /// `with`, without what has been read apart.
    pub arguments: Template,
}

impl ProtocolCall {
    /// What is done with each message, where the call is a subscription that says so.
    pub fn each(&self) -> Option<(&Subscription, &EventIterator)> {
        let subscription = self.subscription.as_deref()?;
        Some((subscription, subscription.each.as_ref()?))
    }
}

/// A document that describes something, and how it is got where not everybody may read it.
#[derive(Debug, Clone)]
pub struct ExternalResource {
    pub endpoint: Endpoint,
    pub authentication: Option<Authentication>,
}

/// Messages to receive, as a list.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// Messages for which it does not hold are passed over.
    pub filter: Option<Expression>,
    pub enough: Enough,
    /// How long to receive at most.
    pub duration: Option<DurationSource>,
    /// `foreach`; without it the output is the messages.
    pub each: Option<EventIterator>,
}

/// When a subscription has its messages.
#[derive(Debug, Clone)]
pub enum Enough {
    Amount(usize),
    /// Asked of each message that was taken; the first for which it does not hold is the last.
    While(Expression),
    /// Asked of each message before it is taken, and again after.
    Until(Expression),
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
