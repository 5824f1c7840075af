//! Closed-loop load: each connection sends its next request when the last is answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::Method;
use crate::server::Server;

/// One kept-alive connection.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

/// A POST that is sent over and over.
#[derive(Clone)]
pub struct Call {
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
    /// What a right answer contains: a refusal or a faulted run must not count.
    pub expected: &'static str,
}

/// Requests per second and the latencies of one round.
#[derive(Clone, Copy)]
pub struct Round {
    pub per_second: f64,
    pub answered: usize,
    /// The server's, for one request.
    pub processor: Duration,
    pub p50: Duration,
    pub p95: Duration,
    pub p99: Duration,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)
            .await
            .context("the server refused a connection")?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self {
            sender,
            host: address.to_string(),
        })
    }

    /// Sends one request; a status outside 2xx is an error that shows the answer.
    pub async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Bytes> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", &self.host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.sender.ready().await?;
        let response = self
            .sender
            .send_request(request.body(Full::new(body))?)
            .await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        ensure!(
            status.is_success(),
            "{method} {path} answered {status}: {}",
            String::from_utf8_lossy(&body)
        );
        Ok(body)
    }

    async fn call(&mut self, call: &Call) -> Result<()> {
        let headers: Vec<(&str, &str)> = call
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let body = call.body.clone();
        let answer = self.send("POST", &call.path, &headers, body).await?;
        let answer = String::from_utf8_lossy(&answer);
        ensure!(
            answer.contains(call.expected),
            "{} answered {answer} without {}",
            call.path,
            call.expected
        );
        Ok(())
    }
}

/// Rounds of `call` over as many connections, and the one in the middle; a short one before them
/// warms up.
pub async fn measure(
    method: &Method,
    server: &Server,
    connections: usize,
    call: Call,
) -> Result<Round> {
    let (call, length) = (Arc::new(call), Duration::from_secs(method.seconds));
    round(server, connections, length / 4, &call).await?;
    let mut rounds = Vec::new();
    for _ in 0..method.rounds {
        rounds.push(round(server, connections, length, &call).await?);
    }
    rounds.sort_by(|a, b| a.per_second.total_cmp(&b.per_second));
    Ok(rounds[rounds.len() / 2])
}

async fn round(
    server: &Server,
    connections: usize,
    length: Duration,
    call: &Arc<Call>,
) -> Result<Round> {
    let (address, before) = (server.address, server.processor()?);
    let begin = Instant::now();
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..connections {
        let call = Arc::clone(call);
        workers.spawn(async move {
            let mut connection = Connection::open(address).await?;
            let mut latencies = Vec::new();
            while begin.elapsed() < length {
                let sent = Instant::now();
                connection.call(&call).await?;
                latencies.push(sent.elapsed());
            }
            anyhow::Ok(latencies)
        });
    }
    let mut latencies = Vec::new();
    while let Some(worker) = workers.join_next().await {
        latencies.extend(worker??);
    }
    let took = begin.elapsed();
    let processor = server.processor()?.saturating_sub(before);
    latencies.sort_unstable();
    ensure!(!latencies.is_empty(), "no request was answered");
    let at = |share: f64| {
        let index = (latencies.len() as f64 * share) as usize;
        latencies[index.min(latencies.len() - 1)]
    };
    Ok(Round {
        per_second: latencies.len() as f64 / took.as_secs_f64(),
        answered: latencies.len(),
        processor: processor.div_f64(latencies.len() as f64),
        p50: at(0.50),
        p95: at(0.95),
        p99: at(0.99),
    })
}

/// Sends as many different calls, and says how long it took.
pub async fn times(
    server: &Server,
    connections: usize,
    calls: usize,
    call: impl Fn(usize) -> Call,
) -> Result<Duration> {
    let begin = Instant::now();
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(Connection::open(server.address).await?);
    }
    let next = std::cell::Cell::new(0);
    let work = open.into_iter().map(async |mut connection| {
        while next.get() < calls {
            let number = next.replace(next.get() + 1);
            connection.call(&call(number)).await?;
        }
        anyhow::Ok(())
    });
    futures::future::try_join_all(work).await?;
    Ok(begin.elapsed())
}

/// One line of a table of rounds.
pub fn row(who: &str, connections: usize, round: Round, promise: &str) -> String {
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    format!(
        "{who:<22} {connections:>4} in flight  {:>9.0}/s  p50 {:>7.2} ms  p95 {:>7.2} ms  p99 {:>7.2} ms  \
         CPU {:>6.3} ms  ({promise})",
        round.per_second,
        ms(round.p50),
        ms(round.p95),
        ms(round.p99),
        ms(round.processor),
    )
}
