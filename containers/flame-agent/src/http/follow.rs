//! Streams of server-sent events: one run's journal, everything that changes, and orders for containers.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use flame_agent_api::{Changes, FeedStatus, RunView};
use flame_errors::Code;
use flame_types::RunId;
use futures::stream;
use tokio::sync::{OwnedSemaphorePermit, broadcast, watch};
use tokio::time::Instant;

use super::failure::Failure;
use super::history::History;
use super::listen::stopped;
use super::router::Context;
use super::routes::containers;
use super::view;
use crate::pipeline::feed_status;
use crate::runtime::{Change, ContainerOrders, Handle};

/// A silent stream writes a comment, so that both sides notice a dead connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// At most 10 messages a second.
const CHANGES_PAUSE: Duration = Duration::from_millis(100);

/// Runs of one message; more set `missed`.
const CHANGED_RUNS_MAX: usize = 100;

const JOURNAL_PAGE: usize = 200;

/// A place among those who follow.
fn seat(context: &Context) -> Result<OwnedSemaphorePermit, Failure> {
    std::sync::Arc::clone(&context.followers)
        .try_acquire_owned()
        .map_err(|_| {
            Failure::new(Code::TooManyRequests, "too many streams are open")
                .hint("Close a window or a stream, then follow again.")
        })
}

fn event<T: serde::Serialize>(name: &str, data: &T) -> Event {
    let data = serde_json::to_string(data).expect("wire types always serialise");
    Event::default().event(name).data(data)
}

/// The journal of a run after a sequence, then its end.
pub(super) async fn run(context: &Context, id: RunId, after: u64) -> Result<Response, Failure> {
    let seat = seat(context)?;
    // Subscribed before the first read, so that nothing falls between the two.
    let changes = context.runtime.changes();
    let history = History::open(&context.runtime, id, after).await?;
    let follower = RunFollower {
        runtime: context.runtime.clone(),
        stopping: context.stopping.clone(),
        changes,
        history,
        run: id,
        after,
        ready: Vec::new().into_iter(),
        ended: false,
        _seat: seat,
    };
    let events = stream::unfold(follower, |mut follower| async move {
        let event = follower.next().await?;
        Some((Ok::<_, Infallible>(event), follower))
    });
    Ok(Sse::new(events)
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
        .into_response())
}

struct RunFollower {
    runtime: Handle,
    stopping: watch::Receiver<bool>,
    changes: broadcast::Receiver<Change>,
    history: History,
    run: RunId,
    after: u64,
    ready: std::vec::IntoIter<Event>,
    ended: bool,
    _seat: OwnedSemaphorePermit,
}

impl RunFollower {
    /// The next event, or `None` where the stream ends: the run ended, or the agent stops.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.next() {
                return Some(event);
            }
            if self.ended {
                return None;
            }
            match self.read().await {
                Ok(()) => {}
                Err(failure) => {
                    tracing::warn!(run = %self.run, ?failure, "a run can't be followed");
                    return None;
                }
            }
        }
    }

    /// Fills `ready`, waiting where there is nothing new. The state is read before the journal: what
    /// a run that has ended wrote is all there then.
    async fn read(&mut self) -> Result<(), Failure> {
        let run = self.state().await?;
        let entries = self
            .history
            .after(&self.runtime, self.after, JOURNAL_PAGE)
            .await?;
        if let Some(last) = entries.last() {
            self.after = last.sequence;
            let events: Vec<Event> = entries
                .iter()
                .map(|entry| event("journal", entry).id(entry.sequence.to_string()))
                .collect();
            self.ready = events.into_iter();
            return Ok(());
        }
        if run.status.is_terminal() {
            self.ended = true;
            self.ready = vec![event("end", &run).id(self.after.to_string())].into_iter();
            return Ok(());
        }
        self.ended = !self.wait().await;
        Ok(())
    }

    async fn state(&self) -> Result<RunView, Failure> {
        let run = self.runtime.run(self.run).await?;
        let run = run.ok_or_else(|| Failure::not_found(format_args!("run {}", self.run)))?;
        let inspection = self.runtime.inspect(&run).await?;
        view::run(run, inspection)
    }

    /// Waits until the run has changed; `false` where the agent stops first.
    async fn wait(&mut self) -> bool {
        loop {
            tokio::select! {
                () = stopped(&mut self.stopping) => return false,
                change = self.changes.recv() => match change {
                    Ok(change) if change.run() != Some(self.run) => {}
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => return true,
                    Err(broadcast::error::RecvError::Closed) => return false,
                },
            }
        }
    }
}

/// Everything that changes, gathered.
pub(super) fn changes(context: &Context) -> Result<Response, Failure> {
    let gatherer = Gatherer {
        stopping: context.stopping.clone(),
        changes: context.runtime.changes(),
        first: true,
        earliest: Instant::now(),
        _seat: seat(context)?,
    };
    let events = stream::unfold(gatherer, |mut gatherer| async move {
        let changes = gatherer.next().await?;
        Some((Ok::<_, Infallible>(event("changes", &changes)), gatherer))
    });
    Ok(Sse::new(events)
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
        .into_response())
}

/// The containers that tasks wait for, as they come.
pub(super) fn containers(context: &Context) -> Result<Response, Failure> {
    let taker = OrderTaker {
        stopping: context.stopping.clone(),
        _seat: seat(context)?,
        orders: context.runtime.container_orders(),
    };
    let events = stream::unfold(taker, |mut taker| async move {
        let order = tokio::select! {
            () = stopped(&mut taker.stopping) => None,
            order = taker.orders.next() => order,
        };
        let order = containers::view(order?);
        Some((Ok::<_, Infallible>(event("order", &order)), taker))
    });
    Ok(Sse::new(events)
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
        .into_response())
}

struct OrderTaker {
    stopping: watch::Receiver<bool>,
    orders: ContainerOrders,
    _seat: OwnedSemaphorePermit,
}

struct Gatherer {
    stopping: watch::Receiver<bool>,
    changes: broadcast::Receiver<Change>,
    first: bool,
    /// No message goes out before.
    earliest: Instant,
    _seat: OwnedSemaphorePermit,
}

impl Gatherer {
    async fn next(&mut self) -> Option<Changes> {
        let mut gathered = Changes::default();
        if std::mem::take(&mut self.first) {
            return Some(gathered);
        }
        loop {
            let pause = tokio::time::sleep_until(self.earliest);
            tokio::select! {
                () = stopped(&mut self.stopping) => return None,
                change = self.changes.recv() => match change {
                    Ok(change) => gather(&mut gathered, &change),
                    Err(broadcast::error::RecvError::Lagged(_)) => gathered.missed = true,
                    Err(broadcast::error::RecvError::Closed) => return None,
                },
                () = pause, if !gathered.is_empty() => {
                    self.earliest = Instant::now() + CHANGES_PAUSE;
                    return Some(gathered);
                }
            }
        }
    }
}

fn gather(gathered: &mut Changes, change: &Change) {
    match change {
        Change::Run(summary) => {
            // A run whose row can't be read is found again, with its fault, in the list.
            let Ok(view) = view::run_summary((**summary).clone()) else {
                return;
            };
            let full = gathered.runs.len() >= CHANGED_RUNS_MAX;
            match gathered.runs.iter_mut().find(|run| run.id == view.id) {
                // Messages of one run may overtake each other; its newest state stays.
                Some(held) if held.sequence <= view.sequence => *held = view,
                Some(_) => {}
                None if full => gathered.missed = true,
                None => gathered.runs.push(view),
            }
        }
        Change::Feed(feed) => {
            let status = feed_status(feed);
            let same = |held: &FeedStatus| {
                (&held.namespace, &held.name, &held.identity)
                    == (&status.namespace, &status.name, &status.identity)
            };
            let full = gathered.feeds.len() >= CHANGED_RUNS_MAX;
            match gathered.feeds.iter_mut().find(|held| same(held)) {
                Some(held) => *held = status,
                None if full => gathered.missed = true,
                None => gathered.feeds.push(status),
            }
        }
        Change::Workflows => gathered.workflows = true,
        Change::Connections => gathered.connections = true,
        Change::Events => gathered.events = true,
        Change::Pipelines => gathered.pipelines = true,
        Change::DeadLetters => gathered.dead_letters = true,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use flame_store::RunSummary;
    use flame_types::{RunId, RunStatus, Timestamp, WorkflowId};
    use tokio::sync::{Semaphore, broadcast, watch};
    use tokio::time::Instant;

    use super::{CHANGED_RUNS_MAX, CHANGES_PAUSE, Gatherer};
    use crate::runtime::Change;

    fn run(id: u128, status: RunStatus, records: u64) -> Change {
        let workflow = WorkflowId {
            namespace: "a".parse().unwrap(),
            name: "b".parse().unwrap(),
            version: "1.0.0".parse().unwrap(),
        };
        Change::Run(Arc::new(RunSummary {
            id: RunId::new(uuid::Uuid::from_u128(id)),
            workflow,
            hash: String::new(),
            trigger: "api".to_owned(),
            subject: None,
            replay_of: None,
            parent: None,
            created: Timestamp::UNIX_EPOCH,
            status,
            task: None,
            updated: Timestamp::UNIX_EPOCH,
            ended: None,
            wakes: None,
            error: None,
            records,
        }))
    }

    async fn gatherer() -> (broadcast::Sender<Change>, watch::Sender<bool>, Gatherer) {
        let (sender, changes) = broadcast::channel(512);
        let (stop, stopping) = watch::channel(false);
        let seat = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
        let mut gatherer = Gatherer {
            stopping,
            changes,
            first: true,
            earliest: Instant::now(),
            _seat: seat,
        };
        assert!(
            gatherer.next().await.unwrap().is_empty(),
            "the first comes at once"
        );
        (sender, stop, gatherer)
    }

    #[tokio::test(start_paused = true)]
    async fn many_changes_are_one_message_and_the_newest_wins() {
        let (sender, _stop, mut gatherer) = gatherer().await;
        sender.send(Change::Workflows).unwrap();
        assert!(gatherer.next().await.unwrap().workflows);
        let begun = Instant::now();
        for records in [1, 3, 2] {
            let status = if records == 3 {
                RunStatus::Completed
            } else {
                RunStatus::Running
            };
            sender.send(run(7, status, records)).unwrap();
        }
        sender.send(Change::DeadLetters).unwrap();
        let message = gatherer.next().await.unwrap();
        assert_eq!(
            (message.runs.len(), message.runs[0].status),
            (1, RunStatus::Completed)
        );
        assert!(message.dead_letters && !message.workflows && !message.missed);
        assert!(
            begun.elapsed() >= CHANGES_PAUSE - Duration::from_millis(1),
            "not too often"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_fit_is_said_to_be_missed() {
        let (sender, _stop, mut gatherer) = gatherer().await;
        gatherer.earliest = Instant::now() + CHANGES_PAUSE;
        for id in 0..=CHANGED_RUNS_MAX {
            sender.send(run(id as u128, RunStatus::Running, 1)).unwrap();
        }
        let message = gatherer.next().await.unwrap();
        assert_eq!(
            (message.runs.len(), message.missed),
            (CHANGED_RUNS_MAX, true)
        );
        for id in 0..2_000 {
            sender.send(run(id, RunStatus::Running, 1)).unwrap();
        }
        assert!(
            gatherer.next().await.unwrap().missed,
            "it fell behind and says so"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_it() {
        let (_sender, stop, mut gatherer) = gatherer().await;
        stop.send(true).unwrap();
        assert!(gatherer.next().await.is_none());
    }
}
