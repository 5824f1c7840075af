//! Drives runs: gives events to the engine, commits its records, and only then carries out its actions.
//!
//! A run lives on one shard, an operating-system thread that owns its state; nothing about it is
//! shared. Calls, files and clocks are the async side's. Deliberately absent: HTTP servers, and what
//! a workflow means (that is the engine's).

mod brief;
mod calls;
mod clock;
mod connections;
mod definitions;
mod depth;
mod error;
mod events;
mod externals;
mod handle;
mod lanes;
mod ledger;
mod live;
mod load;
mod message;
mod misfit;
mod open;
mod options;
mod outbound;
mod people;
mod process;
mod protocols;
mod retention;
mod schedule;
mod shard;
mod shared;
mod snapshots;
mod start;
mod streams;
mod subflow;
mod trigger;
mod value;

pub use connections::{ConnectionEntry, Connections, Connectors};
pub use error::Error;
pub use handle::Handle;
pub use misfit::Misfit;
pub use options::{Options, OutboundOptions};
pub use process::{
    ContainerId, ContainerJob, ContainerOrder, ContainerOrders, ContainerOutcome, HostExecution,
    HostGrants, ProcessOptions,
};
pub(crate) use process::{PYTHON_IMAGE, SHELL_IMAGE};
pub use value::{
    Change, CurrentTask, Deployed, Held, IdempotencyKey, Inspection, JournalEntry, Load,
    OutboundHost, PersonTask, StartRequest, Started, Trigger,
};
