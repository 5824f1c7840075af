//! Wire types of the agent HTTP API and its OpenAPI document.
//!
//! [`Operation`] is the one table of addresses: the server builds its router from it, the client its
//! requests and [`openapi`] the document, so the three cannot drift apart. Deliberately absent: axum,
//! reqwest and anything that runs. The engine and the store know nothing of these types; the server
//! converts at its edge.

mod change;
mod compensation;
mod connection;
mod container;
mod dead_letter;
mod event;
mod host_execution;
mod openapi;
mod operation;
mod person;
mod pipeline;
mod problem;
mod run;
mod schemas;
mod secret;
mod status;
mod test_run;
mod validation;
mod workflow;

pub use change::Changes;
pub use compensation::{CancelRequest, CompensationView};
pub use connection::{
    CheckStep, ConnectionCheck, ConnectionList, ConnectionPut, ConnectionView, ConnectorList,
    ConnectorView, OperationView,
};
pub use container::{
    ContainerEnd, ContainerFault, ContainerJob, ContainerOrder, ContainerOutcome, ContainerPort,
    ContainerPull, ContainerVolume,
};
pub use dead_letter::{
    DeadLetter, DeadLetterOrigin, DeadLetterPage, DeadLetterPut, DeadLetterQuery,
};
pub use event::{EventPage, EventQuery, EventView, EventsTaken};
pub use host_execution::{HostExecutionGrant, HostExecutionPut};
pub use openapi::{openapi, openapi_json};
pub use operation::{
    Access, Answer, Body, Description, Method, Operation, Parameter, ParameterPlace, Shape, media,
};
pub use person::{AnswerRequest, PersonTaskList, PersonTaskView};
pub use pipeline::{FeedList, FeedQuery, FeedState, FeedStatus, PipelineList, PipelineView};
pub use problem::{DefinitionProblem, Problem, Severity};
pub use run::{
    CurrentTask, ExtensionView, HookAccepted, JournalEntry, JournalPage, JournalQuery, JournalType,
    ParentRun, ReplayOf, ReplayRequest, RunError, RunPage, RunQuery, RunView, StartQuery, Trigger,
};
pub use secret::SecretText;
pub use status::{
    AgentStatus, Listening, MemoryStatus, OutboundHost, OutboundList, RunLoad, StorageState,
    StorageStatus,
};
pub use test_run::{Mock, TestRequest};
pub use validation::{DocumentKind, Validation};
pub use workflow::{
    RunCounts, ScheduleView, WebhookAnswer, WebhookProtection, WebhookView, WorkflowList,
    WorkflowRef, WorkflowView,
};

/// The version of the HTTP API, as it stands in every path.
pub const API_VERSION: &str = "v1";
