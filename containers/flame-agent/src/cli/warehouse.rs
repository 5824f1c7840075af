//! `warehouse`: the server that the samples call, by itself.

use serde_json::json;
use tokio::net::TcpListener;

use super::arguments::Warehouse;
use super::{Exit, signals, terminal};
use crate::warehouse;

pub(super) async fn warehouse(arguments: Warehouse) -> Exit {
    match try_warehouse(&arguments).await {
        Ok(()) => Exit::Done,
        Err(error) => {
            terminal::complain(&format!(
                "{} can't be served: {error}; choose another address with --listen",
                arguments.listen
            ));
            Exit::Stopped
        }
    }
}

async fn try_warehouse(arguments: &Warehouse) -> std::io::Result<()> {
    let listener = TcpListener::bind(arguments.listen).await?;
    let address = listener.local_addr()?;
    // Before anybody is told where it is, so that the first signal finds an ear.
    let asked = signals::listen()?;
    terminal::print(&json!({ "listening": format!("http://{address}") }).to_string());
    let stop = async {
        asked.await;
    };
    warehouse::serve(listener, arguments.fail_first, stop).await
}
