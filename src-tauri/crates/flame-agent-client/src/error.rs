//! Why a call failed.

use flame_agent_api::Problem;
use flame_errors::Code;

/// Why a call failed. Match on [`Error::code`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The agent answered with a problem.
    #[error("{}: {}", .0.code, .0.detail)]
    Problem(Box<Problem>),
    /// Nothing answered, or the connection broke on the way.
    #[error("the agent at {address} does not answer")]
    Unreachable {
        address: String,
        #[source]
        source: reqwest::Error,
    },
    /// It took longer than the call may take.
    #[error("the agent at {address} did not answer within {seconds} s")]
    TimedOut { address: String, seconds: u64 },
    /// Something answered, but not in the words of this API.
    #[error("{address} answered {status} with something that is not this API: {detail}")]
    Unexpected {
        address: String,
        status: u16,
        detail: String,
    },
    /// The base address can't be used.
    #[error("{address:?} is not an address of an agent: {detail}")]
    Address { address: String, detail: String },
    /// The HTTP client could not be set up.
    #[error("the HTTP client could not be set up")]
    Setup(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// The code to match on and to show the help page of.
    pub fn code(&self) -> Code {
        match self {
            Self::Problem(problem) => problem.code,
            Self::Unreachable { .. } | Self::TimedOut { .. } => Code::AgentDown,
            Self::Unexpected { .. } | Self::Setup(_) => Code::Internal,
            Self::Address { .. } => Code::ParameterInvalid,
        }
    }

    /// The problem that the agent answered with, if it did.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem(problem) => Some(problem),
            _ => None,
        }
    }
}
