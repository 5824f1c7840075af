//! Plain libpod calls over the socket, for what `podman-api` 0.11 gets wrong or lacks.
//!
//! `no_new_privileges` is a silent no-op there, secrets are stored JSON-quoted, restart kills at
//! once, builds fail on sparse files and archives are read whole into memory.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use flame_types::json;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::upgrade::Upgraded;
use hyper::{Method, Request, Response, StatusCode, body::Incoming};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

use crate::Error;

/// 4.3 to 5.x serve this version of the API.
const VERSION: &str = "v4.3.1";

/// The most that an answer may hold; archives are streamed instead.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// An answer that takes longer is a hung service.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// For an answer that comes when a container ends, which has a limit of its own, or an image is here.
const PATIENCE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Slower than this no data is handed over.
const BYTES_A_SECOND_MIN: u64 = 1024 * 1024;

pub(crate) type Body = BoxBody<Bytes, std::io::Error>;

#[derive(Debug, Clone)]
pub(crate) struct Raw {
    socket: PathBuf,
    timeout: Duration,
}

/// What a container reads from its standard input.
pub(crate) struct Input(TokioIo<Upgraded>);

impl Input {
    /// Writes all of it, and its end.
    pub(crate) async fn write(mut self, bytes: &[u8]) -> Result<(), Error> {
        let failed = || Error::io("giving the container its input");
        self.0.write_all(bytes).await.map_err(failed())?;
        self.0.shutdown().await.map_err(failed())
    }
}

/// A whole body, as a request takes it.
pub(crate) fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed()
}

impl Raw {
    pub(crate) fn new(socket: &Path) -> Self {
        Self {
            socket: socket.to_owned(),
            timeout: ANSWER_TIMEOUT,
        }
    }

    /// For answers that take as long as a container runs.
    pub(crate) fn patient(&self) -> Self {
        Self {
            timeout: PATIENCE,
            ..self.clone()
        }
    }

    /// For a body of so many bytes, at the pace of a slow disk.
    pub(crate) fn with_time_for(&self, bytes: u64) -> Self {
        Self {
            timeout: self.timeout + Duration::from_secs(bytes / BYTES_A_SECOND_MIN),
            ..self.clone()
        }
    }

    /// Attaches to a container's input.
    pub(crate) async fn upgrade(&self, operation: &str, path: &str) -> Result<Input, Error> {
        let response = self
            .send(operation, Method::POST, path, "application/json", whole(""))
            .await?;
        let status = response.status();
        if status != StatusCode::SWITCHING_PROTOCOLS {
            let answer = self.collect(operation, response).await?;
            accepted(operation, status, &answer)?;
            return Err(unclear(operation, status));
        }
        let upgraded = hyper::upgrade::on(response)
            .await
            .map_err(Error::transport(operation))?;
        Ok(Input(TokioIo::new(upgraded)))
    }

    /// Sends JSON and reads JSON; an empty answer is null.
    pub(crate) async fn json(
        &self,
        operation: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Error> {
        let bytes = body.map(Value::to_string).unwrap_or_default();
        let answer = self
            .bytes(operation, method, path, "application/json", whole(bytes))
            .await?;
        if answer.is_empty() {
            return Ok(Value::Null);
        }
        json::from_slice(&answer).map_err(Error::transport(operation))
    }

    /// Sends a body of any type and reads the whole answer.
    pub(crate) async fn bytes(
        &self,
        operation: &str,
        method: Method,
        path: &str,
        content_type: &str,
        body: Body,
    ) -> Result<Bytes, Error> {
        let response = self
            .send(operation, method, path, content_type, body)
            .await?;
        let status = response.status();
        let answer = self.collect(operation, response).await?;
        accepted(operation, status, &answer)?;
        Ok(answer)
    }

    async fn collect(&self, operation: &str, response: Response<Incoming>) -> Result<Bytes, Error> {
        let limited = http_body_util::Limited::new(response.into_body(), ANSWER_BYTES_MAX);
        let answer = tokio::time::timeout(self.timeout, limited.collect())
            .await
            .map_err(Error::transport(operation))?
            .map_err(|source| Error::Transport {
                operation: operation.to_owned(),
                source,
            })?;
        Ok(answer.to_bytes())
    }

    /// Sends a request and gives the answer as it comes; a refusal is an error.
    pub(crate) async fn stream(
        &self,
        operation: &str,
        method: Method,
        path: &str,
    ) -> Result<Incoming, Error> {
        let response = self
            .send(operation, method, path, "application/json", whole(""))
            .await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response.into_body());
        }
        let answer = self.collect(operation, response).await?;
        accepted(operation, status, &answer)?;
        Err(unclear(operation, status))
    }

    async fn send(
        &self,
        operation: &str,
        method: Method,
        path: &str,
        content_type: &str,
        body: Body,
    ) -> Result<Response<Incoming>, Error> {
        let stream = UnixStream::connect(&self.socket)
            .await
            .map_err(|error| self.closed(&error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(Error::transport(operation))?;
        tokio::spawn(connection.with_upgrades());
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://podman/{VERSION}/libpod{path}"))
            .header("host", "podman")
            .header("content-type", content_type);
        if path.contains("/attach?") {
            request = request
                .header("connection", "Upgrade")
                .header("upgrade", "tcp");
        }
        let request = request.body(body).map_err(Error::transport(operation))?;
        tokio::time::timeout(self.timeout, sender.send_request(request))
            .await
            .map_err(Error::transport(operation))?
            .map_err(Error::transport(operation))
    }

    fn closed(&self, error: &std::io::Error) -> Error {
        if error.kind() == std::io::ErrorKind::PermissionDenied {
            Error::Permission {
                socket: self.socket.clone(),
            }
        } else {
            Error::NotRunning {
                socket: self.socket.clone(),
                reason: error.to_string(),
            }
        }
    }
}

fn unclear(operation: &str, status: StatusCode) -> Error {
    Error::Refused {
        operation: operation.to_owned(),
        status: status.as_u16(),
        message: "an answer that is neither success nor error".to_owned(),
    }
}

fn accepted(operation: &str, status: StatusCode, answer: &[u8]) -> Result<(), Error> {
    // 304: already started or stopped, which is what was asked for.
    if status.is_success() || status == StatusCode::NOT_MODIFIED {
        return Ok(());
    }
    let message = json::from_slice::<Value>(answer)
        .ok()
        .and_then(|value| {
            Some(
                value
                    .get("message")
                    .or(value.get("cause"))?
                    .as_str()?
                    .to_owned(),
            )
        })
        .unwrap_or_else(|| String::from_utf8_lossy(answer).into_owned());
    Err(Error::Refused {
        operation: operation.to_owned(),
        status: status.as_u16(),
        message,
    })
}
