//! Subscriptions whose messages a run takes one by one: each holds its connection until the run has no use
//! for it any more.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use flame_engine::Event;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::calls::Invoked;
use super::message::Message;
use super::protocols::Taker;
use super::shared::Shared;

/// Ends with this value.
pub(super) struct Stream {
    next: Arc<Notify>,
    task: AbortHandle,
}

impl Stream {
    pub(super) fn open(shared: &Arc<Shared>, shard: Sender<Message>, invoked: Invoked) -> Self {
        let next = Arc::new(Notify::new());
        let (shared, asked) = (Arc::clone(shared), Arc::clone(&next));
        let reactor = shared.reactor.clone();
        let task = reactor.spawn(async move {
            let (run, effect) = (invoked.run, invoked.effect);
            let tell = |event| {
                // The thread may have ended; the next start opens the subscription again.
                let _ = shard.send(Message::Event {
                    run,
                    event,
                    stored: None,
                });
            };
            let taker = Taker {
                next: &asked,
                hand: &|message, mark| {
                    let message = Arc::new(message);
                    tell(Event::MessageArrived {
                        effect,
                        message,
                        mark,
                    });
                },
            };
            let error = shared.calls.feed(&invoked, &taker).await;
            let outcome = Err(error);
            tell(Event::EffectDone { effect, outcome });
        });
        Self {
            next,
            task: task.abort_handle(),
        }
    }

    /// A message is wanted.
    pub(super) fn ask(&self) {
        self.next.notify_one();
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.task.abort();
    }
}
