//! The places of connections: who waits for a request, and so may be asked to leave for somebody who has one.
//!
//! Without this, whoever opens connections and says nothing keeps everybody else out, token or not.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::task::Id;
use tokio::time::Instant;

/// One connection's place.
#[derive(Debug)]
pub(super) struct Seat {
    /// Since when no request is under way; `None` while one is.
    waits: Mutex<Option<Instant>>,
    leave: Notify,
}

impl Seat {
    pub(super) fn taken() -> Arc<Self> {
        Arc::new(Self {
            waits: Mutex::new(Some(Instant::now())),
            leave: Notify::new(),
        })
    }

    /// A request is under way until the guard is dropped.
    pub(super) fn work(self: &Arc<Self>) -> Work {
        *self.waits() = None;
        Work(Arc::clone(self))
    }

    /// Ends when somebody else needs the seat.
    pub(super) async fn asked_to_leave(&self) {
        self.leave.notified().await;
    }

    fn waits(&self) -> MutexGuard<'_, Option<Instant>> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is under way, to the last byte of its answer.
pub(super) struct Work(Arc<Seat>);

impl Drop for Work {
    fn drop(&mut self) {
        *self.0.waits() = Some(Instant::now());
    }
}

/// Asks the one who has waited longest to leave, and strikes its seat; `false` where all are at work.
pub(super) fn make_room(seats: &mut HashMap<Id, Arc<Seat>>) -> bool {
    let longest = seats
        .iter()
        .filter_map(|(id, seat)| Some(((*seat.waits())?, *id)))
        .min_by_key(|(since, _)| *since);
    let left = longest.and_then(|(_, id)| seats.remove(&id));
    if let Some(seat) = &left {
        seat.leave.notify_one();
    }
    left.is_some()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::Duration;

    use tokio::task::JoinSet;
    use tokio::time::advance;

    use super::{Seat, make_room};

    #[tokio::test(start_paused = true)]
    async fn who_waited_longest_leaves_and_who_works_stays() {
        let mut ids = JoinSet::new();
        let (working, first, second) = (Seat::taken(), Seat::taken(), Seat::taken());
        let work = working.work();
        advance(Duration::from_secs(1)).await;
        drop(first.work());
        let mut seats: HashMap<_, _> = [&working, &first, &second]
            .map(|seat| (ids.spawn(async {}).id(), seat.clone()))
            .into();
        assert!(make_room(&mut seats));
        second.asked_to_leave().await;
        assert!(make_room(&mut seats));
        first.asked_to_leave().await;
        assert!(!make_room(&mut seats), "the one who works stays");
        drop(work);
        assert!(make_room(&mut seats));
        working.asked_to_leave().await;
    }
}
