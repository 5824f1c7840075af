//! A server between the agent and the samples' warehouse: it refuses what a test says, and tells when a request
//! has come to where the agent is to die.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::harness::http;
use crate::server::{Asked, Server, json};

/// How far a request has come when the agent dies. All but the last leave it without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reached {
    /// Nobody has done anything about it.
    Asked,
    /// The warehouse has done it.
    Done,
    /// A part of the answer is sent.
    HalfAnswered,
    Answered,
}

impl Reached {
    pub(crate) const ALL: [Self; 4] = [Self::Asked, Self::Done, Self::HalfAnswered, Self::Answered];
}

pub(crate) struct Gate {
    server: Server,
    trap: Arc<Mutex<Option<Trap>>>,
}

/// Waits for a request of a kind.
struct Trap {
    /// How it begins.
    request: &'static str,
    /// As many come before it.
    before: u64,
    reached: Reached,
    sprung: oneshot::Sender<()>,
}

impl Gate {
    /// `refuses` is asked once about each request that is not held before.
    pub(crate) async fn before(
        warehouse: String,
        refuses: impl Fn(&Asked) -> bool + Send + Sync + 'static,
    ) -> Self {
        let trap: Arc<Mutex<Option<Trap>>> = Arc::default();
        let (held, refuses) = (Arc::clone(&trap), Arc::new(refuses));
        let server = Server::start(move |_, asked, stream| {
            let sprung = spring(&held, &asked);
            let (refuses, warehouse) = (Arc::clone(&refuses), warehouse.clone());
            async move {
                // An error means that the agent is dead, as it was to be.
                let _ = pass(&asked, stream, sprung, &warehouse, &*refuses).await;
            }
        })
        .await;
        Self { server, trap }
    }

    /// Ready once a request that begins like this, with as many before it from now on, has come so far. There is
    /// one trap at a time.
    pub(crate) fn trap(
        &self,
        request: &'static str,
        before: u64,
        reached: Reached,
    ) -> oneshot::Receiver<()> {
        let (sprung, told) = oneshot::channel();
        *self.trap.lock().unwrap() = Some(Trap {
            request,
            before,
            reached,
            sprung,
        });
        told
    }

    /// `HOST=ADDRESS` for the agent.
    pub(crate) fn stand_in(&self) -> String {
        format!("warehouse.example={}", self.server.address)
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.server.asked()
    }
}

/// The trap, where this is the request that it waits for.
fn spring(held: &Mutex<Option<Trap>>, asked: &Asked) -> Option<Trap> {
    let mut held = held.lock().unwrap();
    let trap = held
        .as_mut()
        .filter(|trap| asked.head.starts_with(trap.request))?;
    if trap.before > 0 {
        trap.before -= 1;
        return None;
    }
    held.take()
}

async fn pass(
    asked: &Asked,
    mut stream: TcpStream,
    trap: Option<Trap>,
    warehouse: &str,
    refuses: &(dyn Fn(&Asked) -> bool + Send + Sync),
) -> std::io::Result<()> {
    let Some(Trap {
        reached, sprung, ..
    }) = trap
    else {
        return stream
            .write_all(&answer(asked, warehouse, refuses).await)
            .await;
    };
    if reached != Reached::Asked {
        let answer = answer(asked, warehouse, refuses).await;
        let sent = match reached {
            Reached::Asked | Reached::Done => 0,
            Reached::HalfAnswered => answer.len() / 2,
            Reached::Answered => answer.len(),
        };
        stream.write_all(&answer[..sent]).await?;
    }
    // The test waits for it.
    let _ = sprung.send(());
    // Open until the agent is dead.
    stream.read(&mut [0]).await.map(drop)
}

async fn answer(
    asked: &Asked,
    warehouse: &str,
    refuses: &(dyn Fn(&Asked) -> bool + Send + Sync),
) -> Vec<u8> {
    if refuses(asked) {
        return json("503 Service Unavailable", r#"{"detail": "not now"}"#);
    }
    let method = asked.head.split(' ').next().unwrap().parse().unwrap();
    let mut request = http().request(method, format!("http://{warehouse}{}", asked.path()));
    for name in ["idempotency-key", "content-type"] {
        if let Some(value) = asked.header(name) {
            request = request.header(name, value);
        }
    }
    let answer = request.body(asked.body.clone()).send().await.unwrap();
    let status = answer.status();
    json(&status.to_string(), &answer.text().await.unwrap())
}
