//! Asks the agent whether it lives, over one short HTTP request.

use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, HOST};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::token::Token;

const TIMEOUT: Duration = Duration::from_secs(2);
const BODY_BYTES_MAX: usize = 64 * 1024;

/// What is read of the agent's status when it is found again.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Identity {
    pub(crate) version: String,
    pub(crate) pid: u32,
}

/// Whether the agent at that address answers.
pub(crate) async fn is_live(base: &str) -> bool {
    matches!(get(base, "/health/live", None).await, Some((status, _)) if (200..300).contains(&status))
}

/// Who answers at that address, if the token opens it.
pub(crate) async fn identity(base: &str, token: &Token) -> Option<Identity> {
    let (status, body) = get(base, "/api/v1/status", Some(token)).await?;
    (status == 200)
        .then(|| serde_json::from_slice(&body).ok())
        .flatten()
}

async fn get(base: &str, path: &str, token: Option<&Token>) -> Option<(u16, Bytes)> {
    tokio::time::timeout(TIMEOUT, request(base, path, token))
        .await
        .ok()?
        .ok()
}

async fn request(
    base: &str,
    path: &str,
    token: Option<&Token>,
) -> Result<(u16, Bytes), Box<dyn std::error::Error + Send + Sync>> {
    let authority = base
        .strip_prefix("http://")
        .ok_or("the agent speaks plain HTTP on loopback")?;
    let stream = TcpStream::connect(authority).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let mut request = hyper::Request::get(path).header(HOST, authority);
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, format!("Bearer {}", token.expose()));
    }
    let answer = sender
        .send_request(request.body(Empty::<Bytes>::new())?)
        .await?;
    let status = answer.status().as_u16();
    let body = Limited::new(answer.into_body(), BODY_BYTES_MAX)
        .collect()
        .await?
        .to_bytes();
    driver.abort();
    Ok((status, body))
}
