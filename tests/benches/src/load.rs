//! Closed-loop load: each connection sends its next request when the last is answered.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Method;
use crate::server::Server;

/// A client's connection, for what is not measured.
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
}

/// A connection that only sends one prepared request over and over. Load shares the machine's cores with the
/// server, so it must cost little: no client in between, one write and mostly one read for each answer.
struct Wire {
    stream: TcpStream,
    request: Vec<u8>,
    answer: Vec<u8>,
}

/// An answer beyond this many bytes is none of those that are measured.
const ANSWER_BYTES_MAX: usize = 1 << 20;

impl Wire {
    async fn open(address: SocketAddr, call: &Call) -> Result<Self> {
        let stream = TcpStream::connect(address)
            .await
            .context("the server refused a connection")?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            request: call.text(address),
            answer: Vec::with_capacity(4096),
        })
    }

    /// Sends the request and reads its answer, which holds `expected`.
    async fn call(&mut self, expected: &str) -> Result<()> {
        self.stream.write_all(&self.request).await?;
        self.answer.clear();
        let body = loop {
            let read = self.stream.read_buf(&mut self.answer).await?;
            ensure!(read > 0, "the server closed the connection");
            ensure!(
                self.answer.len() <= ANSWER_BYTES_MAX,
                "an answer of over {ANSWER_BYTES_MAX} bytes"
            );
            if let Some(body) = body(&self.answer)? {
                break body;
            }
        };
        ensure!(
            memchr::memmem::find(body, expected.as_bytes()).is_some(),
            "an answer without {expected}: {}",
            String::from_utf8_lossy(&self.answer)
        );
        Ok(())
    }
}

impl Call {
    /// The request as it goes over the wire.
    fn text(&self, address: SocketAddr) -> Vec<u8> {
        let mut text = format!(
            "POST {} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {}\r\n",
            self.path,
            self.body.len()
        );
        for (name, value) in &self.headers {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        text.push_str("\r\n");
        let mut text = text.into_bytes();
        text.extend_from_slice(&self.body);
        text
    }
}

/// The body of an answer that has come whole; none while more must come. A status outside 2xx is an error
/// that shows the answer.
fn body(answer: &[u8]) -> Result<Option<&[u8]>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(begin) = head.parse(answer)? else {
        return Ok(None);
    };
    let status = head.code.unwrap_or_default();
    ensure!(
        (200..300).contains(&status),
        "answered {status}: {}",
        String::from_utf8_lossy(answer)
    );
    let length = head
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .context("an answer without a content-length")?;
    let length: usize = std::str::from_utf8(length.value)?.trim().parse()?;
    let rest = &answer[begin..];
    ensure!(rest.len() <= length, "more bytes than the answer has");
    Ok((rest.len() == length).then_some(rest))
}

/// A server and what it is asked.
pub struct Contender<'a> {
    pub server: &'a Server,
    pub call: Call,
}

/// Rounds over as many connections, and of each server the one in the middle. The servers take turns, so
/// that a machine that becomes slower does so for all; a short round of each before warms up.
pub async fn measure<const N: usize>(
    method: &Method,
    connections: usize,
    contenders: [Contender<'_>; N],
) -> Result<[Round; N]> {
    let length = Duration::from_secs(method.seconds);
    for contender in &contenders {
        round(contender, connections, length / 4).await?;
    }
    let mut rounds = [const { Vec::new() }; N];
    for _ in 0..method.rounds {
        for (contender, rounds) in contenders.iter().zip(&mut rounds) {
            rounds.push(round(contender, connections, length).await?);
        }
    }
    Ok(rounds.map(|mut rounds: Vec<Round>| {
        rounds.sort_by(|a, b| a.per_second.total_cmp(&b.per_second));
        rounds[rounds.len() / 2]
    }))
}

async fn round(contender: &Contender<'_>, connections: usize, length: Duration) -> Result<Round> {
    let Contender { server, call } = contender;
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(Wire::open(server.address, call).await?);
    }
    let before = server.processor()?;
    let begin = Instant::now();
    let mut workers = tokio::task::JoinSet::new();
    for mut wire in open {
        let expected = call.expected;
        workers.spawn(async move {
            let mut latencies = Vec::new();
            let mut sent = Instant::now();
            while sent.duration_since(begin) < length {
                wire.call(expected).await?;
                let answered = Instant::now();
                latencies.push(answered - sent);
                sent = answered;
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
    let next = std::cell::Cell::new(0);
    let work = (0..connections).map(async |_| {
        let mut wire = Wire::open(server.address, &call(0)).await?;
        while next.get() < calls {
            let call = call(next.replace(next.get() + 1));
            wire.request = call.text(server.address);
            wire.call(call.expected).await?;
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
