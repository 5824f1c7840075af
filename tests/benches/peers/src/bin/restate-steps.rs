//! Five HTTP calls as journalled steps of a Restate service; the answer is that of the last.

use std::net::SocketAddr;

use restate_sdk::prelude::*;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket};

const BACKLOG: u32 = 1_024;

struct Steps {
    client: reqwest::Client,
    effect: String,
}

#[service]
impl Steps {
    #[handler]
    async fn run(&self, context: Context<'_>, _input: Json<Value>) -> Result<Json<Value>, HandlerError> {
        let mut last = Value::Null;
        for n in 1..=5 {
            let call = || async move {
                let sent = self.client.post(&self.effect).json(&json!({"n": n})).send();
                Ok(Json(sent.await?.error_for_status()?.json::<Value>().await?))
            };
            last = context.run(call).await?.into_inner();
        }
        Ok(Json(last))
    }
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().expect("restate-steps ADDRESS URL");
    let address = next().parse().expect("an address to listen on");
    let steps = Steps {
        client: reqwest::Client::new(),
        effect: next(),
    };
    HttpServer::new(Endpoint::builder().bind(steps).build())
        .serve(prompt(address).expect("the address can be listened on"))
        .await;
}

/// Its connections inherit that nothing small waits for an acknowledgement. The SDK leaves that out, which
/// costs each step 40 ms where one run is in flight.
fn prompt(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_nodelay(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
