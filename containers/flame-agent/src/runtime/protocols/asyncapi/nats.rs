//! AsyncAPI over NATS: the core protocol, one connection per call.
//!
//! A library would connect again and go to servers that others name, past the rules of outbound calls.
//! Deliberately absent: JetStream (a message's id lets a stream drop the second of a kind), and keys and
//! certificates as credentials.

use flame_engine::{Credentials, Error, StandardError};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};

use super::super::invalid;
use super::{Exchange, message};
use crate::runtime::outbound::{Connected, host_and_port};

/// The longest line that a server may send; its INFO lists a cluster's servers.
const LINE_BYTES_MAX: u64 = 64 * 1024;

pub(super) struct Connection {
    stream: BufReader<Connected>,
    place: String,
    bytes_max: usize,
}

/// What a server says, as far as it counts here.
enum Said {
    Info(Value),
    Pong,
    Message(Value),
}

/// Publishes a message and waits until the server has taken it.
pub(super) async fn send(
    exchange: &Exchange<'_>,
    payload: &Value,
    headers: &[(String, String)],
) -> Result<(), Error> {
    let subject = subject(exchange, false)?;
    let mut connection = Connection::open(exchange).await?;
    let key = exchange.caller.key.as_str();
    let mut head = format!("NATS/1.0\r\nNats-Msg-Id: {key}\r\nIdempotency-Key: {key}\r\n");
    for (name, value) in headers {
        let is_plain = |text: &str| !text.contains(|c: char| c.is_control());
        if name.is_empty() || name.contains([':', ' ']) || !is_plain(name) || !is_plain(value) {
            return Err(invalid(format!(
                "the header {name:?} can't go with a NATS message"
            )));
        }
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let payload = match payload {
        Value::Null => String::new(),
        payload => payload.to_string(),
    };
    let all = head.len() + payload.len();
    let text = format!(
        "HPUB {subject} {} {all}\r\n{head}{payload}\r\nPING\r\n",
        head.len()
    );
    connection.write(&text).await?;
    connection.pong().await
}

pub(super) async fn subscribe(exchange: &Exchange<'_>) -> Result<Connection, Error> {
    let subject = subject(exchange, true)?;
    let mut connection = Connection::open(exchange).await?;
    connection
        .write(&format!("SUB {subject} 1\r\nPING\r\n"))
        .await?;
    Ok(connection)
}

/// What goes into `CONNECT`: a user and a password, or a token.
type Proof<'p> = &'p [(&'static str, &'p str)];

/// Whether nobody is known by what was sent.
fn is_unknown(error: &Error) -> bool {
    error.standard() == Some(StandardError::Authentication)
}

fn subject<'e>(exchange: &'e Exchange<'_>, wild: bool) -> Result<&'e str, Error> {
    let subject = exchange.channel.address.as_str();
    let is_whole = subject.split('.').all(|token| !token.is_empty());
    let is_wild = subject.contains(['*', '>']) && !wild;
    if !is_whole || is_wild || subject.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(invalid(format!(
            "the channel's address {subject:?} is no NATS subject; such as orders.placed"
        )));
    }
    Ok(subject)
}

impl Connection {
    /// Once again, with a new token, where one that was held is refused.
    async fn open(exchange: &Exchange<'_>) -> Result<Self, Error> {
        let caller = exchange.caller;
        let wanted = match exchange.credentials {
            None => return Self::connect(exchange, &[]).await,
            Some(Credentials::Basic(user)) => {
                let proof = [
                    ("user", user.name.as_str()),
                    ("pass", user.password.as_str()),
                ];
                return Self::connect(exchange, &proof).await;
            }
            Some(Credentials::Bearer(token)) => {
                return Self::connect(exchange, &[("auth_token", token.as_str())]).await;
            }
            Some(Credentials::Digest(_)) => {
                return Err(invalid(
                    "NATS knows no digest; use basic, or bearer for a token".to_owned(),
                ));
            }
            Some(Credentials::Token(wanted)) => wanted,
        };
        let held = caller.outbound.token(wanted, caller.origin).await?;
        match Self::connect(exchange, &[("auth_token", held.text())]).await {
            Err(error) if is_unknown(&error) && caller.outbound.renews(wanted, &held).await => {
                let held = caller.outbound.token(wanted, caller.origin).await?;
                Self::connect(exchange, &[("auth_token", held.text())]).await
            }
            connected => connected,
        }
    }

    async fn connect(exchange: &Exchange<'_>, proof: Proof<'_>) -> Result<Self, Error> {
        let (caller, url) = (exchange.caller, &exchange.channel.url);
        let stream = caller.outbound.connect(url, exchange.named).await?;
        let mut connection = Self {
            stream: BufReader::new(stream),
            place: host_and_port(url),
            bytes_max: caller.outbound.response_bytes_max(),
        };
        let Said::Info(info) = connection.said().await? else {
            return Err(connection.failed("it does not begin as a NATS server does"));
        };
        let has = |feature: &str| info[feature] == Value::Bool(true);
        if has("tls_required") || has("tls_available") {
            connection = connection.secured(exchange).await?;
        }
        let mut about = json!({
            "verbose": false, "pedantic": false, "headers": true, "protocol": 1, "lang": "rust",
            "name": "mastra", "version": env!("CARGO_PKG_VERSION"),
        });
        for (name, value) in proof {
            about[*name] = Value::from(*value);
        }
        connection
            .write(&format!("CONNECT {about}\r\nPING\r\n"))
            .await?;
        connection.pong().await?;
        Ok(connection)
    }

    /// The same connection within TLS: a server speaks first, and TLS comes after its greeting.
    async fn secured(self, exchange: &Exchange<'_>) -> Result<Self, Error> {
        if !self.stream.buffer().is_empty() {
            return Err(self.failed("it says more than its greeting before TLS"));
        }
        let plain = self.stream.into_inner();
        let (outbound, url) = (exchange.caller.outbound, &exchange.channel.url);
        Ok(Self {
            stream: BufReader::new(outbound.secure(plain, url).await?),
            place: self.place,
            bytes_max: self.bytes_max,
        })
    }

    async fn pong(&mut self) -> Result<(), Error> {
        loop {
            if matches!(self.said().await?, Said::Pong) {
                return Ok(());
            }
        }
    }

    pub(super) async fn next(&mut self) -> Result<Value, Error> {
        loop {
            if let Said::Message(message) = self.said().await? {
                return Ok(message);
            }
        }
    }

    async fn write(&mut self, text: &str) -> Result<(), Error> {
        let written = self.stream.write_all(text.as_bytes()).await;
        let flushed = match written {
            Ok(()) => self.stream.flush().await,
            Err(error) => Err(error),
        };
        flushed.map_err(|error| self.failed(&error.to_string()))
    }

    async fn said(&mut self) -> Result<Said, Error> {
        loop {
            let line = self.line().await?;
            let (word, rest) = line.split_once([' ', '\t']).unwrap_or((&line, ""));
            match word.to_ascii_uppercase().as_str() {
                "INFO" => {
                    let info = serde_json::from_str(rest);
                    return info
                        .map(Said::Info)
                        .map_err(|error| self.failed(&format!("its INFO can't be read: {error}")));
                }
                "PONG" => return Ok(Said::Pong),
                "PING" => self.write("PONG\r\n").await?,
                "MSG" | "HMSG" => {
                    let has_headers = word.eq_ignore_ascii_case("HMSG");
                    return self.message(rest, has_headers).await.map(Said::Message);
                }
                "+OK" => {}
                "-ERR" => return Err(self.refused(rest)),
                _ => return Err(self.failed("it does not speak NATS")),
            }
        }
    }

    /// `<subject> <sid> [reply-to] [<header bytes>] <all bytes>`, then the bytes.
    async fn message(&mut self, rest: &str, has_headers: bool) -> Result<Value, Error> {
        let mut numbers = rest.split_whitespace().rev().map(str::parse::<usize>);
        let all = numbers.next().and_then(Result::ok);
        let head = match has_headers {
            true => numbers.next().and_then(Result::ok),
            false => Some(0),
        };
        let (Some(all), Some(head)) = (all, head) else {
            return Err(self.failed("a message begins with no length"));
        };
        if all > self.bytes_max || head > all {
            return Err(self.failed(&format!(
                "a message has {all} bytes; at most {} are taken",
                self.bytes_max
            )));
        }
        let mut bytes = vec![0; all + 2];
        let read = self.stream.read_exact(&mut bytes).await;
        read.map_err(|error| self.failed(&error.to_string()))?;
        let (head, payload) = bytes[..all].split_at(head);
        let mut headers = Map::new();
        for line in String::from_utf8_lossy(head).lines().skip(1) {
            if let Some((name, value)) = line.split_once(':') {
                headers.insert(name.to_owned(), json!(value.trim()));
            }
        }
        Ok(message(payload, headers))
    }

    async fn line(&mut self) -> Result<String, Error> {
        let mut line = Vec::new();
        let mut limited = (&mut self.stream).take(LINE_BYTES_MAX);
        let read = limited.read_until(b'\n', &mut line).await;
        read.map_err(|error| self.failed(&error.to_string()))?;
        if !line.ends_with(b"\n") {
            return Err(self.failed("the connection ended, or a line of it does not"));
        }
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    fn refused(&self, why: &str) -> Error {
        let why = why.trim_matches('\'');
        let is_about = |words: [&str; 2]| {
            let why = why.to_ascii_lowercase();
            words.iter().any(|word| why.contains(word))
        };
        let standard = if is_about(["authorization", "authentication"]) {
            StandardError::Authentication
        } else if why.to_ascii_lowercase().contains("permissions") {
            StandardError::Authorization
        } else {
            StandardError::Communication
        };
        standard.with("NATS refused the call", format!("{}: {why}", self.place))
    }

    fn failed(&self, detail: &str) -> Error {
        StandardError::Communication.with(
            "The NATS server can't be talked to",
            format!("{}: {detail}", self.place),
        )
    }
}
