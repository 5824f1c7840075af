//! An HTTP server that counts effects: what was asked of it, under which idempotency key.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::{Json, Router};
use serde_json::json;
use tokio::sync::watch;

/// The most that a request body may hold.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// The server; it ends with this value.
#[derive(Debug)]
pub struct Effects {
    address: SocketAddr,
    ledger: Arc<Ledger>,
    server: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
struct Ledger {
    /// Idempotency key and path, in the order in which they came.
    requests: Mutex<Vec<(String, String)>>,
    /// How often each path is refused from now on.
    refusals: Mutex<BTreeMap<String, u64>>,
    count: watch::Sender<u64>,
    held: watch::Sender<bool>,
}

impl Ledger {
    fn is_refused(&self, path: &str) -> bool {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let left = refusals.get_mut(path).filter(|left| **left > 0);
        left.map(|left| *left -= 1).is_some()
    }
}

impl Effects {
    /// Answers every request with 200 and the path that was asked for, except as [`Self::refuse`] says.
    pub async fn start() -> std::io::Result<Self> {
        Self::start_on(Ipv4Addr::LOCALHOST.into()).await
    }

    /// The same on another address of this machine.
    pub async fn start_on(address: IpAddr) -> std::io::Result<Self> {
        let listener = tokio::net::TcpListener::bind((address, 0)).await?;
        let address = listener.local_addr()?;
        let ledger = Arc::new(Ledger {
            requests: Mutex::default(),
            refusals: Mutex::default(),
            count: watch::Sender::new(0),
            held: watch::Sender::new(false),
        });
        let routes = Router::new()
            .fallback(record)
            .with_state(Arc::clone(&ledger));
        let server = tokio::spawn(async move {
            // `axum::serve` never returns an error: it retries what fails.
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self {
            address,
            ledger,
            server,
        })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits until `more` further requests have come in, counted from now.
    pub async fn after(&self, more: u64) {
        self.reached(self.count() + more).await;
    }

    /// Waits until so many requests have come in.
    pub async fn reached(&self, count: u64) {
        let mut requests = self.ledger.count.subscribe();
        // The sender lives as long as `self`.
        let _ = requests.wait_for(|requests| *requests >= count).await;
    }

    /// From now on requests are counted, and answered once [`Effects::release`] is called.
    pub fn hold(&self) {
        self.ledger.held.send_replace(true);
    }

    /// Answers what was held, and everything later at once.
    pub fn release(&self) {
        self.ledger.held.send_replace(false);
    }

    /// Requests so far.
    pub fn count(&self) -> u64 {
        *self.ledger.count.borrow()
    }

    /// The next requests of this path, so many of them, are answered with 503.
    pub fn refuse(&self, path: &str, times: u64) {
        let mut refusals = self
            .ledger
            .refusals
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        refusals.insert(path.to_owned(), times);
    }

    /// Idempotency key and path of each request, in the order in which they came; a request without a key has "".
    pub fn requests(&self) -> Vec<(String, String)> {
        self.ledger
            .requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Paths asked for, in order, by idempotency key; requests without one stand under "".
    pub fn by_key(&self) -> BTreeMap<String, Vec<String>> {
        let mut by_key: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (key, path) in self.requests() {
            by_key.entry(key).or_default().push(path);
        }
        by_key
    }
}

impl Drop for Effects {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn record(State(ledger): State<Arc<Ledger>>, request: Request) -> impl IntoResponse {
    let (parts, body) = request.into_parts();
    if axum::body::to_bytes(body, BODY_BYTES_MAX).await.is_err() {
        return (
            StatusCode::BAD_REQUEST,
            Json(json!({ "error": "the body can't be read" })),
        );
    }
    let key = parts
        .headers
        .get("idempotency-key")
        .and_then(|key| key.to_str().ok());
    let path = parts.uri.path().to_owned();
    ledger
        .requests
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push((key.unwrap_or_default().to_owned(), path.clone()));
    let status = match ledger.is_refused(&path) {
        true => StatusCode::SERVICE_UNAVAILABLE,
        false => StatusCode::OK,
    };
    let mut held = ledger.held.subscribe();
    ledger.count.send_modify(|count| *count += 1);
    // The sender lives in the ledger.
    let _ = held.wait_for(|held| !held).await;
    (status, Json(json!({ "path": path })))
}
