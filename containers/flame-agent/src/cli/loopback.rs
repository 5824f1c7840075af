//! One HTTP exchange with an agent on this machine: enough for a health check and the tour.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The most that an answer may hold.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A request: its method, path, headers beside `Host`, and body.
pub(super) struct Ask<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) body: &'a str,
}

impl<'a> Ask<'a> {
    pub(super) const fn get(path: &'a str) -> Self {
        Self {
            method: "GET",
            path,
            headers: &[],
            body: "",
        }
    }
}

/// An answer with its body as text.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

impl Answer {
    /// The body of an answer that says yes, as JSON.
    pub(super) fn json(self, asked: &str) -> Result<Value, String> {
        if !(200..300).contains(&self.status) {
            return Err(format!(
                "{asked} was answered with {}: {}",
                self.status, self.body
            ));
        }
        flame_types::json::from_str(&self.body).map_err(|error| format!("{asked}: {error}"))
    }
}

/// Asks and reads the whole answer. `host` is what the agent goes by, such as `127.0.0.1`.
pub(super) async fn exchange(
    host: &str,
    port: u16,
    ask: &Ask<'_>,
    patience: Duration,
) -> Result<Answer, String> {
    let url = format!("http://{host}:{port}");
    let exchange = async {
        let mut stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await?;
        stream.write_all(head(host, port, ask).as_bytes()).await?;
        stream.write_all(ask.body.as_bytes()).await?;
        let mut answer = Vec::new();
        stream
            .take(ANSWER_BYTES_MAX)
            .read_to_end(&mut answer)
            .await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = tokio::time::timeout(patience, exchange)
        .await
        .map_err(|_| format!("{url} gave no answer within {} s", patience.as_secs()))?
        .map_err(|error| format!("{url} can't be reached: {error}"))?;
    read(&String::from_utf8_lossy(&answer)).ok_or_else(|| format!("{url} is no flame-agent"))
}

/// HTTP/1.0, so that the body comes whole and its end is the end of the stream.
fn head(host: &str, port: u16, ask: &Ask<'_>) -> String {
    let mut head = format!(
        "{} {} HTTP/1.0\r\nHost: {host}:{port}\r\n",
        ask.method, ask.path
    );
    for (name, value) in ask.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", ask.body.len()));
    head
}

fn read(answer: &str) -> Option<Answer> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
    Some(Answer {
        status,
        body: body.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn an_answer_is_its_status_and_its_body() {
        let answer = read("HTTP/1.0 202 Accepted\r\nx: y\r\n\r\n{\"run\":1}").unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (202, "{\"run\":1}"));
        for other in ["", "SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1\r\n\r\n"] {
            assert!(read(other).is_none(), "{other:?}");
        }
    }
}
