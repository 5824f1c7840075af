//! Why a secret can't be kept or read.

use std::path::{Path, PathBuf};

use flame_errors::Code;

/// A refusal. Never carries a secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the vault is locked; its passphrase opens it")]
    Locked,
    #[error("there is no keychain and no vault yet; the first passphrase makes one")]
    New,
    #[error("the passphrase does not open the vault")]
    WrongPassphrase,
    #[error("a passphrase needs at least {min} characters, this one has {length}")]
    PassphraseTooShort { length: usize, min: usize },
    #[error("the secret has {bytes} bytes, at most {max} are kept")]
    TooLarge { bytes: usize, max: usize },
    #[error("{path} is damaged: {detail}")]
    Damaged { path: PathBuf, detail: String },
    #[error(
        "{path} was written by a newer version of Mastra (format {found}, this one knows {known})"
    )]
    Newer {
        path: PathBuf,
        found: u32,
        known: u32,
    },
    #[error("{action} {path}")]
    Io {
        action: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the keychain refused: {0}")]
    Keychain(String),
    #[error("no randomness: {0}")]
    Randomness(String),
}

impl Error {
    pub const fn code(&self) -> Code {
        match self {
            Self::Locked | Self::New => Code::VaultLocked,
            Self::WrongPassphrase => Code::VaultPassphrase,
            Self::PassphraseTooShort { .. } | Self::TooLarge { .. } => Code::ParameterInvalid,
            Self::Damaged { .. } => Code::StorageCorrupt,
            Self::Newer { .. } => Code::StorageNewer,
            Self::Io { .. } => Code::StorageFailed,
            Self::Keychain(_) => Code::VaultLocked,
            Self::Randomness(_) => Code::Internal,
        }
    }

    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}
