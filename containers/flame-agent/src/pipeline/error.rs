//! Why a pipeline, a feed or a dead letter was refused, with the stable code for it.

use flame_connector::{Fault, FaultKind};
use flame_errors::Code;

#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] flame_store::Error),
    /// The text is not a pipeline that this agent can run.
    #[error("the definition has {} problem(s)", .problems.len())]
    DefinitionInvalid { problems: Vec<flame_dsl::Problem> },
    #[error("the path names {path}, the document {document}; make them agree")]
    PathMismatch { path: String, document: String },
    #[error("there is no pipeline {pipeline}; put it first")]
    PipelineUnknown { pipeline: String },
    #[error("{pipeline} is being fed now; stop the feed or wait for its end")]
    InUse { pipeline: String },
    /// The body does not start at the checkpoint.
    #[error(
        "{identity} stands at byte {expected}, and the body starts at {found}; send it from {expected}"
    )]
    FeedOffset {
        identity: String,
        expected: u64,
        found: u64,
    },
    #[error("{identity} is being fed into {pipeline} already; wait for its end")]
    FeedRunning { pipeline: String, identity: String },
    #[error("{limit} files are being fed, and no more are taken at once; try again when one is in")]
    TooManyFeeds { limit: usize },
    #[error("{what}: {problem}")]
    ParameterInvalid { what: &'static str, problem: String },
    #[error("{pipeline} takes {expected}, and the body is {found}")]
    MediaType {
        pipeline: String,
        expected: &'static str,
        found: String,
    },
    /// The file as a whole can't be taken; its rows so far are in.
    #[error("{source_name}, line {line}: {problem}")]
    FileInvalid {
        source_name: String,
        line: u64,
        problem: String,
    },
    #[error(
        "{source_name}: {limit} rows were refused, and the feed stopped. The last was line {line}: {last}"
    )]
    TooManyDeadLetters {
        source_name: String,
        limit: u64,
        line: u64,
        last: String,
    },
    /// The sink takes no records now, whichever they are.
    #[error("{0}")]
    Sink(Fault),
    #[error("there is no dead letter {id}")]
    LetterUnknown { id: u64 },
    #[error("the agent is shutting down; the rest of the file is taken after its start")]
    ShuttingDown,
    #[error("a fault in Mastra itself: {detail}")]
    Internal { detail: String },
}

impl Error {
    /// The stable code for people and programs.
    pub const fn code(&self) -> Code {
        match self {
            Self::Store(error) => error.code(),
            Self::DefinitionInvalid { .. } => Code::DefinitionInvalid,
            Self::PathMismatch { .. } => Code::PathMismatch,
            Self::PipelineUnknown { .. } | Self::LetterUnknown { .. } => Code::NotFound,
            Self::InUse { .. } => Code::WorkflowInUse,
            Self::FeedOffset { .. } => Code::FeedOffset,
            Self::FeedRunning { .. } | Self::TooManyFeeds { .. } => Code::TooManyRequests,
            Self::ParameterInvalid { .. } => Code::ParameterInvalid,
            Self::MediaType { .. } => Code::UnsupportedMediaType,
            Self::FileInvalid { .. } | Self::TooManyDeadLetters { .. } => Code::BodyInvalid,
            Self::Sink(fault) => sink_code(fault),
            Self::ShuttingDown => Code::ShuttingDown,
            Self::Internal { .. } => Code::Internal,
        }
    }

    /// Whether it is worth keeping with the feed, for people to see: what the sender can't see
    /// better itself.
    pub(super) const fn belongs_to_feed(&self) -> bool {
        matches!(
            self,
            Self::FileInvalid { .. } | Self::TooManyDeadLetters { .. } | Self::Sink(_)
        )
    }
}

const fn sink_code(fault: &Fault) -> Code {
    match fault.code {
        Some(code) => code,
        None => match fault.kind {
            FaultKind::Communication | FaultKind::Timeout => Code::ConnectionRefused,
            FaultKind::Authentication | FaultKind::Authorization => Code::ConnectionDenied,
            FaultKind::Configuration | FaultKind::Validation | FaultKind::Runtime => {
                Code::ParameterInvalid
            }
        },
    }
}
