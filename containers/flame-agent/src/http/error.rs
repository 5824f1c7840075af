//! Why the server did not come up.

use std::net::SocketAddr;
use std::path::PathBuf;

use flame_errors::Code;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "{address} is taken by another program. Stop it, or choose another port with --listen; \
         port 0 takes any that is free."
    )]
    PortTaken { address: SocketAddr },
    #[error("{address} can't be listened on: {source}. Choose another address with --listen.")]
    Listen {
        address: SocketAddr,
        source: std::io::Error,
    },
    #[error("the token file {path} can't be {action}: {source}", path = .path.display())]
    TokenFile {
        path: PathBuf,
        action: &'static str,
        source: std::io::Error,
    },
    #[error(
        "the token file {path} can be read by others (mode {mode:03o}). Make it private: chmod 600 \
         {path}", path = .path.display()
    )]
    TokenFileOpen { path: PathBuf, mode: u32 },
    #[error(
        "the token file {path} holds {characters} characters that can be used; a token has 43 to 512 \
         visible ASCII characters on one line. Make one: openssl rand -hex 32 > {path}",
        path = .path.display()
    )]
    TokenWeak { path: PathBuf, characters: usize },
    #[error("the system gives no random bytes for a token: {detail}")]
    Random { detail: String },
    #[error("{value:?} is not a Host to allow: give a host and a port, such as mastra.local:8080")]
    AllowedHost { value: String },
    #[error(
        "{value:?} is not an Origin to allow: give a scheme and host, such as https://mastra.local"
    )]
    AllowedOrigin { value: String },
}

impl Error {
    /// The stable code for people and programs.
    pub const fn code(&self) -> Code {
        match self {
            Self::PortTaken { .. } | Self::Listen { .. } => Code::PortTaken,
            Self::TokenFile { .. } | Self::TokenFileOpen { .. } | Self::TokenWeak { .. } => {
                Code::Unauthorized
            }
            Self::Random { .. } => Code::Internal,
            Self::AllowedHost { .. } | Self::AllowedOrigin { .. } => Code::ParameterInvalid,
        }
    }
}
