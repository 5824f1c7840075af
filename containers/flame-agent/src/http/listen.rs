//! The listener and the connections: how many there may be, how slow they may be, how they end. Where the
//! places run out, the one that waits longest for a request makes room.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use flame_agent_api::Listening;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::guard::Guard;
use super::router::{Context, Service};
use super::seat::{Seat, make_room};
use super::{AllowLists, Error, Token};
use crate::runtime::Handle;

/// Well below the 1,024 files that a process may have open by default.
const CONNECTIONS_MAX: usize = 512;

/// Time for the head of a request to arrive; a kept connection is closed after as much silence.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

const HEADERS_MAX: usize = 100;
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// How long answers that are under way may take once the agent stops.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// What one connection too many is told before it is closed.
const BUSY: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\n\
    content-type: application/problem+json\r\n\
    retry-after: 1\r\n\
    connection: close\r\n\
    content-length: 171\r\n\r\n\
    {\"type\":\"urn:mastra:problem:MD-215\",\"title\":\"More work waits than the agent may hold\",\
    \"status\":429,\"code\":\"MD-215\",\"detail\":\"512 connections are open, which is the limit\"}";

/// A bound address that does not answer yet.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    pub async fn bind(address: SocketAddr) -> Result<Self, Error> {
        let socket = TcpListener::bind(address)
            .await
            .map_err(|source| match source.kind() {
                std::io::ErrorKind::AddrInUse => Error::PortTaken { address },
                _ => Error::Listen { address, source },
            })?;
        let address = socket
            .local_addr()
            .map_err(|source| Error::Listen { address, source })?;
        Ok(Self { socket, address })
    }

    /// The address with the port that the system chose.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// What a server is made of beside its listener.
#[derive(Debug)]
pub struct ServerOptions {
    pub token: Token,
    pub lists: AllowLists,
    pub runtime: Handle,
}

/// The server, ready to answer.
pub struct Server {
    listener: Listener,
    service: Service,
    context: Context,
    stop: watch::Sender<bool>,
    token: Token,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.listener.address)
            .finish_non_exhaustive()
    }
}

impl Server {
    pub fn new(listener: Listener, options: ServerOptions) -> Self {
        let (stop, stopping) = watch::channel(false);
        let guard = Guard {
            lists: options.lists,
            token: options.token.clone(),
        };
        let context = Context::new(options.runtime, stopping);
        let service = Service::new(context.clone(), guard);
        Self {
            listener,
            service,
            context,
            stop,
            token: options.token,
        }
    }

    /// What is printed on stdout once the agent is ready.
    pub fn listening(&self) -> Listening {
        Listening {
            listening: format!("http://{}", self.listener.address),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            data_dir: self
                .context
                .runtime
                .options()
                .data_folder
                .display()
                .to_string(),
            token_file: self.token.file().display().to_string(),
        }
    }

    /// Answers until `shutdown`; then takes no more connections, ends streams and lets answers that
    /// are under way go out.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let mut connections = JoinSet::new();
        // Of those connections that may stay.
        let mut seats = HashMap::new();
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                Some(ended) = connections.join_next_with_id() => {
                    seats.remove(&ended.map_or_else(|error| error.id(), |(id, ())| id));
                }
                accepted = self.listener.socket.accept() => match accepted {
                    Ok((stream, _)) if seats.len() < CONNECTIONS_MAX || make_room(&mut seats) => {
                        let (service, stopping) = (self.service.clone(), self.stop.subscribe());
                        let seat = Seat::taken();
                        let served = connection(stream, service, stopping, Arc::clone(&seat));
                        seats.insert(connections.spawn(served).id(), seat);
                    }
                    Ok((stream, _)) => {
                        connections.spawn(turn_away(stream));
                    }
                    Err(error) => {
                        // Out of file descriptors, as a rule: others must close before it works.
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
            }
        }
        drop(self.listener);
        self.stop.send_replace(true);
        let finish = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_PATIENCE, finish).await.is_err() {
            tracing::warn!("connections were cut: their answers took too long");
            connections.shutdown().await;
        }
    }
}

async fn connection(
    stream: TcpStream,
    service: Service,
    mut stopping: watch::Receiver<bool>,
    seat: Arc<Seat>,
) {
    // Small answers must not wait for the acknowledgement of earlier ones.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection could not be set up");
    }
    let sitting = Arc::clone(&seat);
    let service = service_fn(move |request: Request<Incoming>| {
        let work = sitting.work();
        let answer = service.clone().answer(request.map(Body::new));
        async move {
            // The body holds it: a stream is work too.
            Ok::<_, Infallible>(answer.await.map(|body| {
                body.map_err(move |error| {
                    let _ = &work;
                    error
                })
            }))
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(HEADERS_MAX)
        .max_header_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(served);
    let outcome = tokio::select! {
        outcome = served.as_mut() => outcome,
        () = seat.asked_to_leave() => return,
        () = stopped(&mut stopping) => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "a connection ended");
    }
}

/// Ends once the agent stops, or has stopped.
pub(super) async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // An error means that the server has gone: that too is a stop.
    drop(stopping.wait_for(|stop| *stop).await);
}

async fn turn_away(mut stream: TcpStream) {
    let answer = async {
        stream.write_all(BUSY).await?;
        stream.shutdown().await
    };
    if !matches!(
        tokio::time::timeout(Duration::from_secs(1), answer).await,
        Ok(Ok(()))
    ) {
        tracing::debug!("a connection too many was closed unheard");
    }
}

#[cfg(test)]
mod tests {
    use super::{BUSY, CONNECTIONS_MAX, Listener};
    use crate::http::Error;

    #[test]
    fn the_busy_answer_is_whole_and_true() {
        let text = std::str::from_utf8(BUSY).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("content-length: {}", body.len())),
            "{}",
            body.len()
        );
        let problem: flame_agent_api::Problem = serde_json::from_str(body).unwrap();
        let code = flame_errors::Code::TooManyRequests;
        assert_eq!((problem.code, problem.title.as_str()), (code, code.title()));
        assert!(problem.detail.contains(&CONNECTIONS_MAX.to_string()));
    }

    #[tokio::test]
    async fn a_taken_port_is_told_with_its_address() {
        let first = Listener::bind("127.0.0.1:0".parse().unwrap())
            .await
            .unwrap();
        let error = Listener::bind(first.address()).await.unwrap_err();
        assert!(matches!(error, Error::PortTaken { .. }));
        assert!(
            error.to_string().contains(&first.address().to_string()),
            "{error}"
        );
    }
}
