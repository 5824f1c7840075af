//! The HTTP server: the agent's API, its webhooks, health and metrics.
//!
//! Every request, streams too, passes the same guard before anything else looks at it: Host and Origin
//! lists, then the bearer token. Addresses come from the table in `flame-agent-api`. Deliberately
//! absent: TLS (the agent listens on loopback or behind the container's published port), cookies and
//! pages for people.

mod body;
mod cloud_event;
mod condition;
mod error;
mod failure;
mod follow;
mod guard;
mod history;
mod hook;
mod listen;
mod metrics;
mod parameter;
mod process;
mod protection;
mod router;
mod routes;
mod seat;
mod token;
mod view;

pub use error::Error;
pub use guard::AllowLists;
pub use listen::{Listener, Server, ServerOptions};
pub use token::Token;
