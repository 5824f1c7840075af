//! Why the runtime refused something, with the stable code for it.

use flame_dsl::Problem;
use flame_errors::Code;
use flame_types::{RunId, RunStatus, WorkflowId};

use super::misfit::Misfit;

#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] flame_store::Error),
    /// The text is not a workflow that this agent can run.
    #[error("the definition has {} problem(s), the first: {}", .problems.len(), first(.problems))]
    DefinitionInvalid { problems: Vec<Problem> },
    #[error("the path names {path}, the document {document}; make them agree")]
    PathMismatch {
        path: Box<WorkflowId>,
        document: Box<WorkflowId>,
    },
    #[error("there is no workflow {workflow}; put it first")]
    WorkflowUnknown { workflow: WorkflowId },
    #[error("there is no workflow {namespace}/{name} in any version; put it first")]
    WorkflowMissing { namespace: String, name: String },
    #[error("{workflow} has {runs} run(s) in flight; cancel them or wait for their end")]
    WorkflowInUse { workflow: WorkflowId, runs: u64 },
    #[error(
        "{holder} answers at the webhook path {path:?} already; choose another path, or delete that one first"
    )]
    HookConflict {
        path: String,
        holder: Box<WorkflowId>,
    },
    #[error("there is no run {run}")]
    RunUnknown { run: RunId },
    #[error("run {run} is {status}: {action} needs a run that is {needed}")]
    RunNotInState {
        run: RunId,
        status: RunStatus,
        action: &'static str,
        needed: &'static str,
    },
    /// The replay names a task that the run's definition does not have or that never ran.
    #[error("run {run} can't be replayed from {task:?}: {detail}")]
    ReplayImpossible {
        run: RunId,
        task: String,
        detail: String,
    },
    #[error("the test can't be run: {detail}")]
    TestImpossible { detail: String },
    #[error("the idempotency key {key:?} was used for run {run} with another body")]
    IdempotencyConflict { key: String, run: RunId },
    #[error("the input can't be taken: {}", messages(.problems))]
    InputInvalid { problems: Vec<Misfit> },
    #[error("{in_flight} runs are in flight, the limit is {limit}; try again when some have ended")]
    TooManyRequests { in_flight: usize, limit: usize },
    #[error("{waiting} events wait to be handed on, the limit is {limit}; try again in a moment")]
    TooManyEvents { waiting: u64, limit: u64 },
    #[error("task {task} of run {run} waits for no answer: it was given, or the task is over")]
    AnswerUnwanted { run: RunId, task: String },
    #[error("there is no connector for connections of kind {kind:?}; there are: {known}")]
    ConnectorUnknown { kind: String, known: String },
    #[error("the settings of connection {name:?} do not fit: {}", .problems.join("; "))]
    ConnectionInvalid { name: String, problems: Vec<String> },
    /// JSON that could not be read again.
    #[error("{what} is nested deeper than {levels} levels, the most that can be read again")]
    TooDeep { what: &'static str, levels: usize },
    #[error("the agent is shutting down")]
    ShuttingDown,
    /// The outside can't be reached at all: certificates, folders, threads.
    #[error("{what}: {detail}")]
    Setup { what: String, detail: String },
    #[error("a fault in Mastra itself: {detail}")]
    Internal { detail: String },
}

impl Error {
    /// Whether the store will never take what was decided, so that deciding again is of no use.
    pub(super) const fn is_for_good(&self) -> bool {
        matches!(
            self,
            Self::TooDeep { .. } | Self::Store(flame_store::Error::TooLarge { .. })
        )
    }

    /// The stable code for people and programs.
    pub const fn code(&self) -> Code {
        match self {
            Self::Store(error) => error.code(),
            Self::DefinitionInvalid { .. } => Code::DefinitionInvalid,
            Self::PathMismatch { .. } => Code::PathMismatch,
            Self::WorkflowUnknown { .. }
            | Self::WorkflowMissing { .. }
            | Self::RunUnknown { .. } => Code::NotFound,
            Self::WorkflowInUse { .. } => Code::WorkflowInUse,
            Self::HookConflict { .. } => Code::HookConflict,
            Self::AnswerUnwanted { .. } | Self::RunNotInState { .. } => Code::RunNotInState,
            Self::ReplayImpossible { .. }
            | Self::TestImpossible { .. }
            | Self::ConnectorUnknown { .. }
            | Self::ConnectionInvalid { .. } => Code::ParameterInvalid,
            Self::IdempotencyConflict { .. } => Code::IdempotencyConflict,
            Self::InputInvalid { .. } | Self::TooDeep { .. } => Code::InputInvalid,
            Self::TooManyRequests { .. } | Self::TooManyEvents { .. } => Code::TooManyRequests,
            Self::ShuttingDown => Code::ShuttingDown,
            Self::Setup { .. } | Self::Internal { .. } => Code::Internal,
        }
    }
}

fn messages(misfits: &[Misfit]) -> String {
    let messages: Vec<&str> = misfits.iter().map(|misfit| &*misfit.message).collect();
    messages.join("; ")
}

fn first(problems: &[Problem]) -> String {
    problems
        .first()
        .map(ToString::to_string)
        .unwrap_or_default()
}
