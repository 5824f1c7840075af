//! How much work there is: counted where it happens, read by `/metrics` and the UI.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use flame_types::RunStatus;
use tokio::sync::watch;

use super::Error;
use super::value::{Held, Load};

/// Until what the store refused is tried again: at first, and at last.
const HELD_INTERVAL: Duration = Duration::from_millis(250);
const HELD_INTERVAL_MAX: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
pub(super) struct Counters {
    /// Runs in memory, which alone are limited.
    in_flight: AtomicUsize,
    /// Runs out of memory that wait, and that are suspended.
    resting: AtomicU64,
    resting_suspended: AtomicU64,
    waiting: AtomicU64,
    suspended: AtomicU64,
    held: watch::Sender<Held>,
    started: AtomicU64,
    completed: AtomicU64,
    faulted: AtomicU64,
    cancelled: AtomicU64,
}

/// A place among the runs in flight; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    counters: Arc<Counters>,
    shown: Shown,
    /// False once it was given back.
    taken: bool,
}

/// As what a run in flight is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Running,
    Waiting,
    Suspended,
}

/// Counts a run that waits for the store; ends with it.
#[derive(Debug)]
pub(super) struct Hold {
    counters: Arc<Counters>,
    refusals: u32,
    why: flame_store::Error,
}

/// Counts a run that waits out of memory; ends with it.
#[derive(Debug)]
pub(super) struct Resting {
    counters: Arc<Counters>,
    is_suspended: bool,
}

impl Counters {
    /// A place for a new run, unless there are `limit` already.
    pub(super) fn admit(self: &Arc<Self>, limit: usize) -> Result<Place, Error> {
        let taken = self.in_flight.fetch_add(1, Ordering::Relaxed);
        if taken >= limit {
            self.in_flight.fetch_sub(1, Ordering::Relaxed);
            return Err(Error::TooManyRequests {
                in_flight: taken,
                limit,
            });
        }
        Ok(Place {
            counters: Arc::clone(self),
            shown: Shown::Running,
            taken: true,
        })
    }

    /// A place for a run that was taken before; there is always one.
    pub(super) fn readmit(self: &Arc<Self>) -> Place {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Place {
            counters: Arc::clone(self),
            shown: Shown::Running,
            taken: true,
        }
    }

    /// Counts one more run out of memory.
    pub(super) fn rest(self: &Arc<Self>, is_suspended: bool) -> Resting {
        let counters = Arc::clone(self);
        counters
            .resting(is_suspended)
            .fetch_add(1, Ordering::Relaxed);
        Resting {
            counters,
            is_suspended,
        }
    }

    const fn resting(&self, is_suspended: bool) -> &AtomicU64 {
        if is_suspended {
            &self.resting_suspended
        } else {
            &self.resting
        }
    }

    pub(super) fn started(&self) {
        self.started.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn ended(&self, status: RunStatus) {
        let counter = match status {
            RunStatus::Completed => &self.completed,
            RunStatus::Faulted => &self.faulted,
            RunStatus::Cancelled => &self.cancelled,
            _ => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a run that the store refused for now, once however often it is refused; true where it was not
    /// counted yet.
    pub(super) fn hold(
        self: &Arc<Self>,
        hold: &mut Option<Hold>,
        why: &flame_store::Error,
    ) -> bool {
        let is_new = hold.is_none();
        self.held.send_if_modified(|held| {
            let is_known = held.why.as_ref().map(flame_store::Error::code) == Some(why.code());
            held.runs += u64::from(is_new);
            if !is_known {
                held.why = Some(why.clone());
            }
            is_new || !is_known
        });
        let hold = hold.get_or_insert_with(|| Hold {
            counters: Arc::clone(self),
            refusals: 0,
            why: why.clone(),
        });
        hold.refusals += 1;
        hold.why = why.clone();
        is_new
    }

    pub(super) fn held(&self) -> watch::Receiver<Held> {
        self.held.subscribe()
    }

    pub(super) fn snapshot(&self, in_flight_max: usize, calls: usize) -> Load {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let in_memory = self.in_flight.load(Ordering::Relaxed) as u64;
        let (waiting, suspended) = (read(&self.waiting), read(&self.suspended));
        let (resting, resting_suspended) = (read(&self.resting), read(&self.resting_suspended));
        Load {
            in_flight: in_memory + resting + resting_suspended,
            running: in_memory.saturating_sub(waiting + suspended),
            waiting: waiting + resting,
            suspended: suspended + resting_suspended,
            in_flight_max: in_flight_max as u64,
            held: self.held.borrow().runs,
            calls: calls as u64,
            started: read(&self.started),
            completed: read(&self.completed),
            faulted: read(&self.faulted),
            cancelled: read(&self.cancelled),
        }
    }

    fn of(&self, shown: Shown) -> Option<&AtomicU64> {
        match shown {
            Shown::Running => None,
            Shown::Waiting => Some(&self.waiting),
            Shown::Suspended => Some(&self.suspended),
        }
    }

    fn moved(&self, from: Shown, to: Shown) {
        if from == to {
            return;
        }
        if let Some(counter) = self.of(from) {
            counter.fetch_sub(1, Ordering::Relaxed);
        }
        if let Some(counter) = self.of(to) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Place {
    /// Counts the run as what it is now.
    pub(super) fn show(&mut self, status: RunStatus) {
        if !self.taken {
            return;
        }
        let shown = match status {
            RunStatus::Waiting => Shown::Waiting,
            RunStatus::Suspended => Shown::Suspended,
            _ => Shown::Running,
        };
        self.counters.moved(self.shown, shown);
        self.shown = shown;
    }
}

impl Place {
    /// Gives the place to the next run, before anybody is told that this one has ended.
    pub(super) fn vacate(&mut self) {
        if std::mem::take(&mut self.taken) {
            self.counters.moved(self.shown, Shown::Running);
            self.counters.in_flight.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Resting {
    /// Until somebody asks for it, whatever the clock says.
    pub(super) const fn is_suspended(&self) -> bool {
        self.is_suspended
    }
}

impl Hold {
    /// Until it is tried again: a large commit that finds no space is work each time.
    pub(super) fn pause(&self) -> Duration {
        let doubled = self.refusals.saturating_sub(1).min(8);
        (HELD_INTERVAL * 2_u32.pow(doubled)).min(HELD_INTERVAL_MAX)
    }

    /// The last refusal.
    pub(super) fn why(&self) -> &flame_store::Error {
        &self.why
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.counters.held.send_modify(|held| {
            held.runs -= 1;
            if held.runs == 0 {
                held.why = None;
            }
        });
    }
}

impl Drop for Resting {
    fn drop(&mut self) {
        let counter = self.counters.resting(self.is_suspended);
        counter.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.vacate();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_held_once_however_often_it_is_refused() {
        let counters = Arc::new(Counters::default());
        let held = counters.held();
        let code = || held.borrow().why.as_ref().map(flame_store::Error::code);
        let busy = flame_store::Error::Busy { waiting: 1 };
        let full = flame_store::Error::Full {
            path: "/data/agent.db".into(),
        };
        let (mut one, mut other) = (None, None);
        assert!(counters.hold(&mut one, &busy));
        assert_eq!(code(), Some(busy.code()));
        assert!(!counters.hold(&mut one, &full), "it is known");
        assert_eq!(code(), Some(full.code()), "what was said last counts");
        assert!(counters.hold(&mut other, &full));
        assert_eq!(held.borrow().runs, 2);
        one = None;
        assert_eq!((held.borrow().runs, code()), (1, Some(full.code())));
        other = None;
        assert_eq!((held.borrow().runs, code()), (0, None));
        assert!(one.is_none() && other.is_none());
    }

    #[test]
    fn what_is_refused_is_tried_less_and_less_often() {
        let counters = Arc::new(Counters::default());
        let mut hold = None;
        let mut pauses = Vec::new();
        for _ in 0..20 {
            counters.hold(&mut hold, &flame_store::Error::Busy { waiting: 1 });
            pauses.push(hold.as_ref().unwrap().pause().as_millis());
        }
        assert_eq!(pauses[..5], [250, 500, 1_000, 2_000, 2_000]);
        assert_eq!(pauses[19], 2_000);
    }
}
