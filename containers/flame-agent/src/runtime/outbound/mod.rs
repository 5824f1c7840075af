//! Calls to HTTP servers: what goes out, what may be called, what the answer becomes.
//!
//! Deliberately absent: retries (the document decides them with `try`), following redirects (the DSL
//! either takes a 3xx answer as it is or makes it an error) and proxies of the environment, which would
//! connect where nobody here judges the address.

mod address;
mod answer;
mod authentication;
mod dial;
mod tls;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flame_dsl::HttpOutput;
use flame_engine::{Credentials, Error, HttpRequest, StandardError, TokenRequest};
use flame_types::IdempotencyKey;
use reqwest::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use reqwest::{Client, Method, Request, Response, Url};
use serde_json::Value;

pub(super) use self::address::is_named_by;
use self::address::{Reach, Resolver, StandIns};
pub(super) use self::answer::{body, is_json, refused};
use self::authentication::{Authenticator, Inquirer, Outgoing};
pub(super) use self::authentication::{Caller, Held};
pub(super) use self::dial::Connected;
use super::options::OutboundOptions;
use crate::warehouse::Warehouse;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Whether a header says where a message ends or what becomes of its connection (RFC 9110, 6.6 and 7.6.1). One that is
/// not true cuts the body off in silence.
pub(super) fn is_framing(name: &HeaderName) -> bool {
    [
        CONNECTION,
        CONTENT_LENGTH,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
    ]
    .contains(name)
}

/// Two clients that differ in where they may connect to.
#[derive(Debug, Clone)]
struct Clients {
    /// For hosts that the document names: private addresses are normal there.
    named: Client,
    /// For hosts out of data: public addresses only.
    data: Client,
}

impl Clients {
    const fn of(&self, reach: Reach) -> &Client {
        match reach {
            Reach::Named => &self.named,
            Reach::Data => &self.data,
        }
    }
}

/// The clients, what authentications have learnt, and the limits of a call.
#[derive(Debug, Clone)]
pub(super) struct Outbound {
    clients: Clients,
    authenticator: Arc<Authenticator>,
    /// For gRPC, whose hosts the document names: HTTP/2 from the first byte.
    http2: Client,
    tls: Arc<rustls::ClientConfig>,
    stand_ins: Arc<StandIns>,
    options: Arc<OutboundOptions>,
}

impl Outbound {
    /// The samples' warehouse keeps its book in `databases`.
    pub(super) fn new(options: OutboundOptions, databases: PathBuf) -> Result<Self, super::Error> {
        let tls = tls::client_config(&options.authorities)?;
        let given = options.stand_ins.iter();
        let stand_ins = Arc::new(StandIns {
            given: given
                .map(|(host, address)| (host.to_ascii_lowercase(), *address))
                .collect(),
            warehouse: Warehouse::new(databases),
        });
        let builder = |reach: Reach, tls: rustls::ClientConfig| {
            Client::builder()
                .no_proxy()
                .tls_backend_preconfigured(tls)
                .dns_resolver(Arc::new(Resolver {
                    reach,
                    stand_ins: Arc::clone(&stand_ins),
                }))
                .redirect(reqwest::redirect::Policy::none())
                .referer(false)
                .connect_timeout(options.connect_timeout)
                .pool_max_idle_per_host(64)
                .user_agent(concat!("mastra-flame-agent/", env!("CARGO_PKG_VERSION")))
        };
        let client = |builder: reqwest::ClientBuilder| {
            builder.build().map_err(|error| super::Error::Setup {
                what: "the HTTP client can't be set up".to_owned(),
                detail: error.to_string(),
            })
        };
        let mut tls2 = tls.clone();
        tls2.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self {
            clients: Clients {
                named: client(builder(Reach::Named, tls.clone()))?,
                data: client(builder(Reach::Data, tls.clone()))?,
            },
            authenticator: Arc::default(),
            tls: Arc::new(tls),
            stand_ins: Arc::clone(&stand_ins),
            http2: client(builder(Reach::Named, tls2).http2_prior_knowledge())?,
            options: Arc::new(options),
        })
    }

    /// Makes one call. `named` tells that the document itself names the host.
    pub(super) async fn call(
        &self,
        request: &HttpRequest,
        key: &IdempotencyKey,
        named: bool,
        caller: Caller<'_>,
    ) -> Result<Value, Error> {
        let built = build(request, key)?;
        let target = Target::of(&built);
        let reach = if named { Reach::Named } else { Reach::Data };
        address::check(built.url(), reach).map_err(|refusal| refusal.into_error(&target.host))?;
        let timeout = request.timeout.unwrap_or(self.options.timeout);
        let url = built.url().clone();
        let exchange = self.exchange(request, built, reach, &target, caller);
        let outcome = match tokio::time::timeout(timeout, exchange).await {
            Ok(outcome) => outcome,
            Err(_) => Err(target.timed_out(timeout)),
        };
        caller.record(&url, outcome.is_err());
        outcome
    }

    async fn exchange(
        &self,
        request: &HttpRequest,
        built: Request,
        reach: Reach,
        target: &Target,
        caller: Caller<'_>,
    ) -> Result<Value, Error> {
        let out = Outgoing {
            client: self.clients.of(reach),
            target,
            inquirer: self.inquirer(caller),
        };
        // Only a whole response shows what it answers.
        let sent = (request.output == HttpOutput::Response).then(|| answer::Sent::of(&built));
        let response = self
            .authenticator
            .send(built, request.credentials.as_deref(), &out)
            .await?;
        answer::read(
            request,
            response,
            sent.as_ref(),
            target,
            self.options.response_bytes_max,
        )
        .await
    }
}

/// Who sends a request, and what it proves itself with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sender<'s> {
    pub(super) caller: Caller<'s>,
    /// The document itself names the host.
    pub(super) named: bool,
    pub(super) credentials: Option<&'s Credentials>,
}

impl Sender<'_> {
    const fn reach(&self) -> Reach {
        match self.named {
            true => Reach::Named,
            false => Reach::Data,
        }
    }
}

/// For the protocols that are carried by HTTP requests.
impl Outbound {
    /// Sends a request; the body of the response is not read yet, and nothing limits the time.
    pub(super) async fn send(
        &self,
        request: Request,
        sender: Sender<'_>,
        target: &Target,
    ) -> Result<Response, Error> {
        self.send_by(self.clients.of(sender.reach()), request, sender, target)
            .await
    }

    /// The same over HTTP/2, to a host that the document names.
    pub(super) async fn send_http2(
        &self,
        request: Request,
        sender: Sender<'_>,
        target: &Target,
    ) -> Result<Response, Error> {
        self.send_by(&self.http2, request, sender, target).await
    }

    async fn send_by(
        &self,
        client: &Client,
        request: Request,
        sender: Sender<'_>,
        target: &Target,
    ) -> Result<Response, Error> {
        address::check(request.url(), sender.reach())
            .map_err(|refusal| refusal.into_error(&target.host))?;
        let out = Outgoing {
            client,
            target,
            inquirer: self.inquirer(sender.caller),
        };
        self.authenticator
            .send(request, sender.credentials, &out)
            .await
    }

    /// The token of an authority, for protocols whose requests are not HTTP.
    pub(super) async fn token(
        &self,
        wanted: &TokenRequest,
        caller: Caller<'_>,
    ) -> Result<Held, Error> {
        self.authenticator
            .token(wanted, self.inquirer(caller))
            .await
    }

    /// Drops a token that a server has refused; whether another may be taken in its stead.
    pub(super) async fn renews(&self, wanted: &TokenRequest, refused: &Held) -> bool {
        self.authenticator.renews(wanted, refused).await
    }

    const fn inquirer<'i>(&'i self, caller: Caller<'i>) -> Inquirer<'i> {
        Inquirer {
            clients: &self.clients,
            caller,
        }
    }

    /// The body of what is at an address, at most so many bytes of it.
    pub(super) async fn fetch(
        &self,
        url: Url,
        sender: Sender<'_>,
        bytes_max: usize,
    ) -> Result<Vec<u8>, Error> {
        let request = Request::new(Method::GET, url);
        let target = Target::of(&request);
        let mut response = self.send(request, sender, &target).await?;
        let headers = std::mem::take(response.headers_mut());
        let status = response.status();
        let body = answer::body(response, &target, bytes_max).await?;
        if status.is_success() {
            return Ok(body);
        }
        Err(match headers.get(LOCATION).map(HeaderValue::to_str) {
            Some(Ok(location)) if status.is_redirection() => target.communication(
                "The document has moved",
                &format!(
                    "answered {}: write its new address, {location}",
                    status.as_u16()
                ),
            ),
            _ => answer::refused(status, &headers, &body, &target),
        })
    }

    pub(super) fn response_bytes_max(&self) -> usize {
        self.options.response_bytes_max
    }

    pub(super) fn timeout(&self) -> Duration {
        self.options.timeout
    }
}

/// What messages say about a call; no query, which may hold secrets.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) method: Method,
    /// Host and port.
    pub(super) host: String,
    path: String,
}

impl Target {
    pub(super) fn of(request: &Request) -> Self {
        Self {
            method: request.method().clone(),
            host: host_and_port(request.url()),
            path: request.url().path().to_owned(),
        }
    }

    pub(super) fn communication(&self, title: &str, detail: &str) -> Error {
        self.error(StandardError::Communication, title, detail)
    }

    fn error(&self, kind: StandardError, title: &str, detail: &str) -> Error {
        kind.with(title, self.describe(detail))
    }

    /// What a message says about this call.
    pub(super) fn describe(&self, detail: &str) -> String {
        format!("{} {}{}: {detail}", self.method, self.host, self.path)
    }

    fn timed_out(&self, timeout: Duration) -> Error {
        StandardError::Timeout.with(
            "No answer in time",
            format!(
                "{} {}{}: no complete answer within {} ms",
                self.method,
                self.host,
                self.path,
                timeout.as_millis()
            ),
        )
    }

    pub(super) fn failed(&self, error: &reqwest::Error) -> Error {
        if let Some(refusal) = address::refusal_in(error) {
            return refusal.into_error(&self.host);
        }
        if error.is_timeout() {
            return StandardError::Timeout.with(
                "No answer in time",
                format!(
                    "{} {}{}: the connection was not made in time",
                    self.method, self.host, self.path
                ),
            );
        }
        let cause = innermost(error);
        if error.is_connect() {
            return self.communication(
                "The other side can't be reached",
                &format!("{cause}; check that it runs and that the address is right"),
            );
        }
        self.communication("The connection broke", &cause)
    }
}

/// Host and port of a URL, for the ledger and messages.
pub(super) fn host_and_port(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port_or_known_default() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn build(request: &HttpRequest, key: &IdempotencyKey) -> Result<Request, Error> {
    let configuration =
        |title: &str, detail: String| StandardError::Configuration.with(title, detail);
    let mut url = Url::parse(&request.url).map_err(|error| {
        configuration(
            "The address is not a URL",
            format!("{:?}: {error}", request.url),
        )
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(configuration(
            "The address is not an HTTP URL",
            format!(
                "{:?} begins with {:?}; http and https can be called",
                request.url,
                url.scheme()
            ),
        ));
    }
    if !request.query.is_empty() {
        url.query_pairs_mut().extend_pairs(&request.query);
    }
    let method = Method::from_bytes(request.method.to_uppercase().as_bytes()).map_err(|_| {
        configuration(
            "The method is not an HTTP method",
            format!("{:?}", request.method),
        )
    })?;
    let mut headers = headers(request, key)?;
    let body = request
        .body
        .as_deref()
        .map(|body| body_bytes(body, &mut headers))
        .transpose()?;
    let mut built = Request::new(method, url);
    *built.headers_mut() = headers;
    *built.body_mut() = body.map(Into::into);
    Ok(built)
}

fn headers(request: &HttpRequest, key: &IdempotencyKey) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::with_capacity(request.headers.len() + 2);
    for (name, value) in &request.headers {
        // The value may be a secret, so only the name is shown.
        let wrong = |why: &str| {
            StandardError::Configuration.with(
                "A header can't be sent",
                format!("the header {name:?} {why}"),
            )
        };
        let forbidden = || wrong("has a name or value that HTTP forbids");
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| forbidden())?;
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| forbidden())?;
        if is_framing(&name) {
            return Err(wrong(
                "frames the message, which is not the document's to say; leave it out",
            ));
        }
        headers.append(name, value);
    }
    if !headers.contains_key(IDEMPOTENCY_KEY) {
        // The key's type keeps to visible ASCII, which every header takes.
        if let Ok(value) = HeaderValue::from_str(key.as_str()) {
            headers.insert(IDEMPOTENCY_KEY, value);
        }
    }
    Ok(headers)
}

/// JSON, unless the document names another content type and gives a text, or a form and its fields.
fn body_bytes(body: &Value, headers: &mut HeaderMap) -> Result<Vec<u8>, Error> {
    let content_type = headers.get(CONTENT_TYPE);
    Ok(match (body, content_type) {
        (Value::String(text), Some(content_type)) if !answer::is_json(content_type) => {
            text.clone().into_bytes()
        }
        (body, Some(content_type)) if is_form(content_type) => form(body)?.into_bytes(),
        (body, content_type) => {
            if content_type.is_none() {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            }
            body.to_string().into_bytes()
        }
    })
}

fn is_form(content_type: &HeaderValue) -> bool {
    let kind = content_type.to_str().unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// A field for each scalar; one of a list for each of its items.
fn form(body: &Value) -> Result<String, Error> {
    let no_form = |what: String| {
        let detail = format!("{what}; a form has texts, numbers and lists of them under names");
        StandardError::Configuration.with("The body is not a form", detail)
    };
    let Value::Object(fields) = body else {
        return Err(no_form("it is no object".to_owned()));
    };
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in fields {
        let items = match value {
            Value::Array(items) => items.as_slice(),
            value => std::slice::from_ref(value),
        };
        for item in items {
            match item {
                Value::String(text) => form.append_pair(name, text),
                Value::Null => form.append_pair(name, ""),
                Value::Bool(_) | Value::Number(_) => form.append_pair(name, &item.to_string()),
                Value::Array(_) | Value::Object(_) => {
                    return Err(no_form(format!(
                        "its field {name:?} has a list or an object within"
                    )));
                }
            };
        }
    }
    Ok(form.finish())
}

/// The cause that says most: libraries wrap it in sentences that say nothing.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
