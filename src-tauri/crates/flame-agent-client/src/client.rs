//! The client itself: addresses, the token, and how answers become values or errors.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use flame_agent_api::{Method, Operation, Problem, SecretText, media};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use crate::{Error, Result};

/// How long a plain call may take in all.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(30);

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// Bytes of an answer that a caller takes at most.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Speaks to one agent. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct AgentClient {
    http: reqwest::Client,
    base: Url,
    token: SecretText,
}

impl fmt::Debug for AgentClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentClient")
            .field("base", &self.base.as_str())
            .finish_non_exhaustive()
    }
}

impl AgentClient {
    /// A client of the agent at `base`, such as `http://127.0.0.1:41231`. Sends nothing yet.
    pub fn new(base: &str, token: SecretText) -> Result<Self> {
        let refuse = |detail: String| Error::Address {
            address: base.to_owned(),
            detail,
        };
        let base = Url::parse(base).map_err(|error| refuse(error.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            return Err(refuse(
                "it must begin with http:// or https:// and name a host".to_owned(),
            ));
        }
        let http = reqwest::Client::builder()
            // A proxy of the environment must never see the token of a loopback agent.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            // Shorter than the agent keeps a silent connection, so that none is used as it closes.
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .tls_backend_preconfigured(tls()?)
            .build()
            .map_err(|error| Error::Setup(Box::new(error)))?;
        Ok(Self { http, base, token })
    }

    /// The address that this client speaks to, without a final slash.
    pub fn base(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// A request to an operation; `segments` fill the braces of its path in their order.
    pub(crate) fn request(&self, operation: Operation, segments: &[&str]) -> RequestBuilder {
        let description = operation.description();
        let method = match description.method {
            Method::Get => reqwest::Method::GET,
            Method::Put => reqwest::Method::PUT,
            Method::Post => reqwest::Method::POST,
            Method::Delete => reqwest::Method::DELETE,
        };
        self.http
            .request(method, address(&self.base, description.path, segments))
            .bearer_auth(self.token.expose())
            .header(ACCEPT, format!("{}, {}", media::JSON, media::PROBLEM))
            .timeout(CALL_TIMEOUT)
    }

    /// The same with query parameters: the fields of `query` that are set.
    pub(crate) fn request_with<Q: Serialize>(
        &self,
        operation: Operation,
        segments: &[&str],
        query: &Q,
    ) -> Result<RequestBuilder> {
        let (client, request) = self.request(operation, segments).build_split();
        let mut request = request.map_err(|error| Error::Setup(Box::new(error)))?;
        add_query(request.url_mut(), query)?;
        Ok(RequestBuilder::from_parts(client, request))
    }

    /// Sends and hands back the answer of success; a problem becomes an error.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let response = request.send().await.map_err(|error| self.lost(error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(self.problem_of(response).await)
    }

    /// Sends and reads the JSON of the answer, with its status.
    pub(crate) async fn fetch<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<(StatusCode, T)> {
        let response = self.send(request).await?;
        let status = response.status();
        let body = self.read(response).await?;
        let value = serde_json::from_slice(&body)
            .map_err(|error| self.unexpected(status, error.to_string()))?;
        Ok((status, value))
    }

    /// The whole body, if it is not larger than an answer may be.
    pub(crate) async fn read(&self, mut response: Response) -> Result<Vec<u8>> {
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.lost(error))? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                let detail = format!("the answer is larger than {ANSWER_BYTES_MAX} bytes");
                return Err(self.unexpected(status, detail));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    async fn problem_of(&self, response: Response) -> Error {
        let status = response.status();
        let is_problem = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.starts_with(media::PROBLEM));
        let body = match self.read(response).await {
            Ok(body) => body,
            Err(error) => return error,
        };
        match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) if is_problem => Error::Problem(Box::new(problem)),
            _ => self.unexpected(status, "it sent no problem details".to_owned()),
        }
    }

    pub(crate) fn lost(&self, source: reqwest::Error) -> Error {
        let address = self.base().to_owned();
        if source.is_timeout() && !source.is_connect() {
            return Error::TimedOut {
                address,
                seconds: CALL_TIMEOUT.as_secs(),
            };
        }
        Error::Unreachable {
            address,
            source: source.without_url(),
        }
    }

    pub(crate) fn unexpected(&self, status: StatusCode, detail: String) -> Error {
        Error::Unexpected {
            address: self.base().to_owned(),
            status: status.as_u16(),
            detail,
        }
    }
}

/// The connection's protection: ring and the public roots, whatever the process has installed.
fn tls() -> Result<rustls::ClientConfig> {
    let roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Setup(Box::new(error)))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

/// Fills a path template; each value becomes exactly one segment, whatever it holds.
fn address(base: &Url, template: &str, segments: &[&str]) -> Url {
    let mut url = base.clone();
    let mut values = segments.iter();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty();
        for part in template.trim_start_matches('/').split('/') {
            let value = if part.starts_with('{') {
                values
                    .next()
                    .copied()
                    .expect("a call gives a value for each brace of its path")
            } else {
                part
            };
            path.push(value);
        }
    }
    url
}

fn add_query<Q: Serialize>(url: &mut Url, query: &Q) -> Result<()> {
    let fields = serde_json::to_value(query).map_err(|error| Error::Setup(Box::new(error)))?;
    let Value::Object(fields) = fields else {
        return Ok(());
    };
    let mut pairs = url.query_pairs_mut();
    for (name, value) in fields {
        match value {
            Value::Null => continue,
            Value::String(text) => pairs.append_pair(&name, &text),
            other => pairs.append_pair(&name, &other.to_string()),
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use flame_agent_api::SecretText;
    use url::Url;

    use super::{AgentClient, address};

    #[test]
    fn a_value_never_becomes_two_segments() {
        let base = Url::parse("http://127.0.0.1:7/").unwrap();
        let url = address(
            &base,
            "/api/v1/connections/{connection}/check",
            &["a/../b?c#d"],
        );
        assert_eq!(
            url.as_str(),
            "http://127.0.0.1:7/api/v1/connections/a%2F..%2Fb%3Fc%23d/check"
        );
    }

    #[test]
    fn an_address_that_is_none_is_refused_with_the_value() {
        for bad in ["", "127.0.0.1:80", "file:///etc/passwd", "http://"] {
            let error = AgentClient::new(bad, SecretText::new("t")).unwrap_err();
            assert!(error.to_string().contains(&format!("{bad:?}")), "{error}");
        }
    }

    #[test]
    fn the_token_is_not_printed() {
        let client = AgentClient::new("http://127.0.0.1:7", SecretText::new("canary-7")).unwrap();
        assert!(!format!("{client:?}").contains("canary-7"));
    }
}
