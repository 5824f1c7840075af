//! What can go wrong with Podman, each with its doctor's code.

use std::path::PathBuf;

use flame_errors::Code;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("podman is not installed: no program of that name on the PATH and no socket")]
    Missing,
    #[error("nothing answers at {socket}: {reason}")]
    NotRunning { socket: PathBuf, reason: String },
    #[error("the socket {socket} can't be opened: permission denied")]
    Permission { socket: PathBuf },
    #[error("Podman {version} does not work with Mastra: {reason}")]
    Unsupported {
        version: String,
        reason: &'static str,
    },
    #[error("the container runs without {missing}; it was stopped and removed")]
    Hardening { missing: String },
    #[error("the agent's program for containers is not at {path}")]
    ImageMissing { path: PathBuf },
    #[error("the image {id} was not built from the agent's program: {detail}")]
    ImageForeign { id: String, detail: String },
    #[error("{name} exists and does not belong to this workspace; rename or remove it")]
    NotOurs { name: String },
    #[error("the image {image} is not on this machine; fetch it with: podman pull {image}")]
    ImageAbsent { image: String },
    #[error("the image {image} can't be fetched: {reason}")]
    ImageNotPulled { image: String, reason: String },
    #[error("the container may not have {path:?}: {reason}")]
    VolumeRefused { path: String, reason: String },
    #[error(
        "it wrote more than {bytes_max} bytes, the most that is kept; write to a file of a volume instead"
    )]
    OutputTooLarge { bytes_max: usize },
    #[error("the container of job {job} is gone before it was read")]
    Vanished { job: String },
    #[error("the agent ended at once, with exit code {code}")]
    Ended { code: i64 },
    #[error("{operation}: {said}")]
    Command { operation: String, said: String },
    #[error("{operation}: Podman answered {status}: {message}")]
    Refused {
        operation: String,
        status: u16,
        message: String,
    },
    #[error("{operation}")]
    Io {
        operation: String,
        #[source]
        source: std::io::Error,
    },
    #[error("{operation}: {source}")]
    Transport {
        operation: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    pub const fn code(&self) -> Code {
        match self {
            Self::Missing => Code::PodmanMissing,
            Self::NotRunning { .. } => Code::PodmanNotRunning,
            Self::Permission { .. } => Code::PodmanPermission,
            Self::Unsupported { .. } => Code::PodmanUnsupported,
            Self::Hardening { .. } => Code::PodmanHardening,
            Self::ImageMissing { .. } | Self::ImageForeign { .. } => Code::PodmanImage,
            Self::ImageAbsent { .. } | Self::ImageNotPulled { .. } => Code::ContainerImage,
            Self::VolumeRefused { .. } => Code::ContainerVolume,
            Self::NotOurs { .. }
            | Self::OutputTooLarge { .. }
            | Self::Vanished { .. }
            | Self::Ended { .. }
            | Self::Command { .. }
            | Self::Refused { .. }
            | Self::Io { .. }
            | Self::Transport { .. } => Code::PodmanFailed,
        }
    }

    /// Whether Podman itself went away, so that the same may work in a moment.
    pub const fn is_lost(&self) -> bool {
        matches!(self, Self::NotRunning { .. } | Self::Transport { .. })
    }

    pub(crate) fn io(operation: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let operation = operation.into();
        move |source| Self::Io { operation, source }
    }

    pub(crate) fn transport<E>(operation: impl Into<String>) -> impl FnOnce(E) -> Self
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        let operation = operation.into();
        move |source| Self::Transport {
            operation,
            source: Box::new(source),
        }
    }
}
