//! The sample's warehouse: a small HTTP server with stock, reservations that honour
//! `Idempotency-Key`, and a ledger that shows how often each key took effect.
//!
//! Documents call it as `warehouse.example`, a name that belongs to nobody on the internet. It starts
//! with the first such call, in this process, on a port of its own; an agent that never runs a sample
//! never has it. What it was asked stands in a file of the data folder (`book`).

mod book;
mod shelf;

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::header::{HOST as HOST_HEADER, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::OnceCell;

use book::{Book, Call};
use shelf::{Order, Refusal, Shelf};

/// The host that documents name.
pub const HOST: &str = "warehouse.example";

/// Where it writes down what it was asked, in the folder that it is given.
const BOOK: &str = "warehouse.jsonl";
/// Largest body.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Longest idempotency key, in bytes.
const KEY_BYTES_MAX: usize = 1024;

/// The warehouse of one agent, started when it is first asked for.
#[derive(Debug)]
pub struct Warehouse {
    folder: PathBuf,
    address: OnceCell<SocketAddr>,
}

impl Warehouse {
    /// One that keeps its book in this folder, which is made when it is needed.
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            address: OnceCell::new(),
        }
    }

    /// Where it listens. Starts it, on the reactor of the caller.
    pub async fn address(&self) -> io::Result<SocketAddr> {
        let start = || async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            let address = listener.local_addr()?;
            let book = Book::open(&self.folder.join(BOOK), Shelf::new(0))?;
            // Ends with the reactor: nobody waits for a sample's server.
            tokio::spawn(async move {
                if let Err(error) = axum::serve(listener, router(book)).await {
                    tracing::warn!(%error, "The sample's warehouse stopped");
                }
            });
            tracing::info!(%address, "The sample's warehouse answers for {HOST}");
            Ok(address)
        };
        self.address.get_or_try_init(start).await.copied()
    }
}

/// Serves a warehouse that is new until `stop`. The first `fail_first` tries of every key are answered with 503.
pub async fn serve(
    listener: TcpListener,
    fail_first: u32,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    axum::serve(listener, router(Book::of(Shelf::new(fail_first))))
        .with_graceful_shutdown(stop)
        .await
}

type Shared = Arc<Mutex<Book>>;

fn router(book: Book) -> Router {
    Router::new()
        .route("/prices", get(prices))
        .route("/ledger", get(ledger))
        .route("/reservations", post(reserve))
        .route("/reservations/{order}", delete(release))
        .route("/shipments", post(ship))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn(refuse_browsers))
        .with_state(Arc::new(Mutex::new(book)))
}

/// Pages in a browser have no business here, whatever name they found for this address.
async fn refuse_browsers(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let host = headers
        .get(HOST_HEADER)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if headers.contains_key(ORIGIN) || ![HOST, "127.0.0.1", "localhost"].contains(&name) {
        return problem(
            StatusCode::FORBIDDEN,
            "Only workflows may call the warehouse.",
        );
    }
    next.run(request).await
}

async fn prices(State(book): State<Shared>) -> Json<Value> {
    Json(lock(&book).shelf().prices())
}

async fn ledger(State(book): State<Shared>) -> Json<Value> {
    Json(lock(&book).shelf().ledger())
}

async fn reserve(
    State(book): State<Shared>,
    headers: HeaderMap,
    body: Result<Json<Order>, axum::extract::rejection::JsonRejection>,
) -> Response {
    let order = match body {
        Ok(Json(order)) => order,
        Err(rejection) => return problem(rejection.status(), &rejection.body_text()),
    };
    answer(
        key(&headers).and_then(|key| lock(&book).take(key, Call::Reserve(order))),
        StatusCode::CREATED,
    )
}

async fn release(
    State(book): State<Shared>,
    Path(order): Path<String>,
    headers: HeaderMap,
) -> Response {
    answer(
        key(&headers).and_then(|key| lock(&book).take(key, Call::Release(order))),
        StatusCode::OK,
    )
}

async fn ship(
    State(book): State<Shared>,
    headers: HeaderMap,
    body: Result<Json<shelf::Shipment>, axum::extract::rejection::JsonRejection>,
) -> Response {
    let shipment = match body {
        Ok(Json(shipment)) => shipment,
        Err(rejection) => return problem(rejection.status(), &rejection.body_text()),
    };
    answer(
        key(&headers).and_then(|key| lock(&book).take(key, Call::Ship(shipment))),
        StatusCode::CREATED,
    )
}

fn key(headers: &HeaderMap) -> Result<&str, Refusal> {
    let key = headers
        .get("idempotency-key")
        .and_then(|key| key.to_str().ok())
        .unwrap_or_default();
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return Err(Refusal::KeyMissing);
    }
    Ok(key)
}

fn answer(outcome: Result<Value, Refusal>, success: StatusCode) -> Response {
    match outcome {
        Ok(value) => (success, Json(value)).into_response(),
        Err(refusal) => problem(refusal.status(), &refusal.to_string()),
    }
}

fn problem(status: StatusCode, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or_default();
    let body = json!({ "title": title, "status": status.as_u16(), "detail": detail });
    (
        status,
        [("content-type", "application/problem+json")],
        body.to_string(),
    )
        .into_response()
}

fn lock(book: &Shared) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
