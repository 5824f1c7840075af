//! The other systems: one server in plain HTTP and one in TLS that answer for every host of the tables,
//! as the row says that runs now.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode, header};
use axum::serve::Listener;
use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::server::TlsStream;

use crate::row::{Exchange, agrees};

/// The most that a request body may hold.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Both servers; they end with the runtime of the test.
pub(crate) struct Partners {
    script: Arc<Mutex<Script>>,
    /// In PEM, for the agent to trust.
    pub(crate) certificate: String,
    /// What the agent is told about where hosts are.
    pub(crate) stand_ins: Vec<String>,
}

#[derive(Default)]
struct Script {
    expected: Vec<Exchange>,
    surprises: Vec<String>,
}

impl Partners {
    /// For the hosts of these exchanges.
    pub(crate) async fn start<'a>(exchanges: impl Iterator<Item = &'a Exchange>) -> Self {
        let mut hosts: Vec<(bool, String)> =
            exchanges.map(|exchange| host(&exchange.ask)).collect();
        hosts.sort();
        hosts.dedup();
        let script = Arc::new(Mutex::new(Script::default()));
        let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let plain_address = plain.local_addr().unwrap();
        let names = hosts.iter().map(|(_, host)| host.clone()).collect();
        let (secure, certificate) = Secure::bind(names).await;
        let secure_address = secure.inner.local_addr().unwrap();
        serve(plain, "http", &script);
        serve(secure, "https", &script);
        let stand_ins = hosts
            .into_iter()
            .map(|(is_secure, host)| match is_secure {
                true => format!("{host}={secure_address}"),
                false => format!("{host}={plain_address}"),
            })
            .collect();
        Self {
            script,
            certificate,
            stand_ins,
        }
    }

    /// From now on these are expected.
    pub(crate) fn expect(&self, exchanges: &[Exchange]) {
        let mut script = lock(&self.script);
        script.expected = exchanges.to_vec();
        script.surprises.clear();
    }

    /// Whether somebody has still to ask for something.
    pub(crate) fn are_expected(&self) -> bool {
        lock(&self.script)
            .expected
            .iter()
            .any(|exchange| !exchange.optional)
    }

    /// What was asked though nobody expected it, or expected though nobody asked.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let mut script = lock(&self.script);
        let mut complaints = std::mem::take(&mut script.surprises);
        let missed = script
            .expected
            .drain(..)
            .filter(|exchange| !exchange.optional);
        complaints.extend(missed.map(|exchange| format!("nobody asked {}", exchange.ask)));
        complaints
    }
}

fn lock(script: &Mutex<Script>) -> MutexGuard<'_, Script> {
    script.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether it is asked over TLS, and the host without its port.
fn host(ask: &str) -> (bool, String) {
    let address = ask.split_once(' ').unwrap().1;
    let (scheme, rest) = address.split_once("://").unwrap();
    let host = rest.split(['/', '?', ':']).next().unwrap();
    (scheme == "https", host.to_owned())
}

fn serve<L>(listener: L, scheme: &'static str, script: &Arc<Mutex<Script>>)
where
    L: Listener<Addr = SocketAddr>,
{
    let routes = Router::new()
        .fallback(answer)
        .with_state((scheme, Arc::clone(script)));
    tokio::spawn(async move { axum::serve(listener, routes).await });
}

async fn answer(
    State((scheme, script)): State<(&'static str, Arc<Mutex<Script>>)>,
    request: Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, BODY_BYTES_MAX).await.unwrap();
    let host = parts.headers[header::HOST].to_str().unwrap();
    let ask = format!("{} {scheme}://{host}{}", parts.method, parts.uri);
    let header = |name: &str| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let found = {
        let mut script = lock(&script);
        let place = script.expected.iter().position(|exchange| {
            exchange.ask == ask
                && exchange
                    .headers
                    .keys()
                    .all(|name| exchange.takes_header(name, header(name)))
                && exchange
                    .body
                    .as_ref()
                    .is_none_or(|expected| agrees(expected, &json(&body)))
        });
        if place.is_none() {
            let body = String::from_utf8_lossy(&body);
            let headers = &parts.headers;
            script
                .surprises
                .push(format!("{ask} {headers:?} {body} was not expected"));
        }
        place.map(|place| script.expected.remove(place))
    };
    match found {
        Some(exchange) if exchange.held => std::future::pending().await,
        Some(exchange) => response(exchange),
        None => {
            let mut response = Response::new(Body::from("the row does not expect this"));
            *response.status_mut() = StatusCode::NOT_IMPLEMENTED;
            response
        }
    }
}

/// A form is its text.
fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body)
        .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(body).into_owned()))
}

fn response(exchange: Exchange) -> Response<Body> {
    let answer = exchange.answer;
    let mut response = Response::builder().status(answer.status.unwrap_or(200));
    if answer.text.is_none()
        && answer.bytes.is_none()
        && answer.body.is_some()
        && !answer.headers.contains_key("content-type")
    {
        response = response.header(header::CONTENT_TYPE, "application/json");
    }
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    let text = answer.text.or(answer.body.map(|body| body.to_string()));
    let body = answer.bytes.or(text.map(String::into_bytes));
    response.body(Body::from(body.unwrap_or_default())).unwrap()
}

/// A listener whose connections speak TLS.
struct Secure {
    inner: TcpListener,
    acceptor: TlsAcceptor,
}

impl Secure {
    /// With a certificate that is good for these names and signed by itself; gives it too.
    async fn bind(names: Vec<String>) -> (Self, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names)
            .unwrap()
            .self_signed(&key)
            .unwrap();
        let pem = certificate.pem();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let secure = Self {
            inner: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            acceptor: TlsAcceptor::from(Arc::new(config)),
        };
        (secure, pem)
    }
}

impl Listener for Secure {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    /// A caller that breaks off is followed by the next.
    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let Ok((stream, address)) = self.inner.accept().await else {
                continue;
            };
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.inner.local_addr()
    }
}
