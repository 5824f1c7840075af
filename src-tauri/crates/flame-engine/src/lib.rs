//! The pure interpreter: `(state, event) -> (records, actions)`, and records fold into state.
//!
//! Deliberately absent: clock, randomness, tokio and IO. Time, ids and randomness arrive with events.
//! `decide` evaluates expressions and writes what happened into records; `apply` folds a record into
//! the state and evaluates nothing, so a journal written by an older build folds to the same state.

mod action;
mod apply;
mod authentication;
mod compensation;
mod data_flow;
mod decide;
mod duration;
mod error;
mod event;
mod extension;
mod gathering;
mod key;
mod lifecycle;
mod pinned;
mod record;
mod replay;
mod run;
mod scope;
mod secrets;
mod size;
mod snapshot;
mod state;
mod subscription;
mod tasks;
mod test_plan;
mod timeline;
mod turn;

pub use action::{
    Action, Call, ContainerCall, EffectId, HttpRequest, Interest, ProcessCall, Program,
    ProtocolRequest, Receipt, ScriptText, SubflowCall, TimerId,
};
pub use apply::Corrupt;
pub use authentication::{
    Client, ClientProof, Credentials, Grant, TokenEndpoint, TokenRequest, TypedToken, User,
};
pub use compensation::CompensationProgress;
pub use error::{Error, StandardError};
pub use event::{Arrived, Event, Moment};
pub use gathering::{Gathered, Gathering};
pub use lifecycle::LifecycleEvents;
pub use pinned::Wanted;
pub use record::{
    Ask, CompensationEnd, FrameId, Mark, Next, ParentRun, Record, ReplayOrigin, Slot, TimerPurpose,
};
pub use replay::{NotReplayable, ReplayFrom};
pub use run::{AtWork, Limits, NotRetryable, Run, Step};
pub use secrets::Secrets;
pub use size::VALUE_BYTES_MAX;
pub use snapshot::NotRestorable;
pub use subscription::{Subscription, Verdict};
pub use test_plan::{Mock, MockAnswer, NotTestable, TestPlan};
pub use timeline::{Entry, ExtensionOf, TaskOf, Timeline};
