//! Plain libpod calls over the socket, for what `podman-api` 0.11 gets wrong or lacks.
//!
//! `no_new_privileges` is a silent no-op there, secrets are stored JSON-quoted, restart kills at
//! once, builds fail on sparse files and archives are read whole into memory.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, Response, StatusCode, body::Incoming};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

use crate::Error;

/// 4.3 to 5.x serve this version of the API.
const VERSION: &str = "v4.3.1";

/// The most that an answer may hold; archives are streamed instead.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// An answer that takes longer is a hung service.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

pub(crate) type Body = BoxBody<Bytes, std::io::Error>;

#[derive(Debug, Clone)]
pub(crate) struct Raw {
    socket: PathBuf,
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
        }
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
        serde_json::from_slice(&answer).map_err(Error::transport(operation))
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
        let limited = http_body_util::Limited::new(response.into_body(), ANSWER_BYTES_MAX);
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, limited.collect())
            .await
            .map_err(Error::transport(operation))?
            .map_err(|source| Error::Transport {
                operation: operation.to_owned(),
                source,
            })?
            .to_bytes();
        accepted(operation, status, &answer)?;
        Ok(answer)
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
        let limited = http_body_util::Limited::new(response.into_body(), ANSWER_BYTES_MAX);
        let answer = limited
            .collect()
            .await
            .map_err(|source| Error::Transport {
                operation: operation.to_owned(),
                source,
            })?
            .to_bytes();
        accepted(operation, status, &answer)?;
        Err(Error::Refused {
            operation: operation.to_owned(),
            status: status.as_u16(),
            message: "an answer that is neither success nor error".to_owned(),
        })
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
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(format!("http://podman/{VERSION}/libpod{path}"))
            .header("host", "podman")
            .header("content-type", content_type)
            .body(body)
            .map_err(Error::transport(operation))?;
        tokio::time::timeout(ANSWER_TIMEOUT, sender.send_request(request))
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

fn accepted(operation: &str, status: StatusCode, answer: &[u8]) -> Result<(), Error> {
    // 304: already started or stopped, which is what was asked for.
    if status.is_success() || status == StatusCode::NOT_MODIFIED {
        return Ok(());
    }
    let message = serde_json::from_slice::<Value>(answer)
        .ok()
        .and_then(|value| {
            Some(
                value
                    .get("cause")
                    .or(value.get("message"))?
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
