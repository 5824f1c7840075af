//! A subscription whose messages are taken one by one: the connection is read on meanwhile, so that its
//! server does not take it for dead, and what waits has a limit.

use std::convert::Infallible;

use flame_dsl::expression::DEPTH_MAX;
use flame_engine::{Error, Mark};
use serde_json::Value;
use tokio::sync::{Notify, Semaphore, mpsc};

use super::{Exchange, Inbox};
use crate::runtime::depth::is_too_deep;

/// Messages that wait to be taken, besides their bytes; then nothing more is read.
const WAITING_MAX: usize = 1_000;

/// Who takes the messages, one for each that was asked for.
pub(in crate::runtime) struct Taker<'t> {
    pub(in crate::runtime) next: &'t Notify,
    pub(in crate::runtime) hand: &'t (dyn Fn(Value, Option<Mark>) + Send + Sync),
}

impl Exchange<'_> {
    /// Hands over messages until the connection ends; that is told when a further message is asked for.
    pub(super) async fn feed(
        &self,
        mut inbox: Inbox,
        taker: &Taker<'_>,
    ) -> Result<Infallible, Error> {
        let bytes_max = self.caller.outbound.response_bytes_max();
        let bytes_max = u32::try_from(bytes_max).unwrap_or(u32::MAX);
        let room = Semaphore::new(bytes_max as usize);
        let (sender, mut waiting) = mpsc::channel(WAITING_MAX);
        let room = &room;
        let read = async move {
            let end = loop {
                let message = match inbox.next().await {
                    Ok(Some(message)) => message,
                    Ok(None) => {
                        break self.failed("The connection ended early", "it takes no more");
                    }
                    Err(error) => break error,
                };
                if is_too_deep(&message) {
                    let detail = format!("it has more than {DEPTH_MAX} levels");
                    break self.failed("A message is nested too deeply", &detail);
                }
                let bytes = u32::try_from(message.to_string().len()).unwrap_or(u32::MAX);
                let bytes = bytes.min(bytes_max);
                // Neither is closed while this goes on.
                if let Ok(permit) = room.acquire_many(bytes).await {
                    permit.forget();
                }
                if sender.send((message, inbox.mark(), bytes)).await.is_err() {
                    break self.failed("The connection ended early", "nobody takes its messages");
                }
            };
            drop(sender);
            end
        };
        let give = async {
            loop {
                taker.next.notified().await;
                let Some((message, mark, bytes)) = waiting.recv().await else {
                    return;
                };
                room.add_permits(bytes as usize);
                (taker.hand)(message, mark);
            }
        };
        let (end, ()) = tokio::join!(read, give);
        Err(end)
    }
}
