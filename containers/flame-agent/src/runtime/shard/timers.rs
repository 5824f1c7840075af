//! The timers of a thread's runs, and the clock by which they fall due.

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use flame_engine::Event;
use flame_types::RunId;

use super::{LOOK_INTERVAL, Shard, TURNED_BACK_AT_ONCE};
use crate::runtime::clock;
use crate::runtime::live::{Item, Live};
use crate::runtime::shared::now;

impl Shard {
    /// How long nothing is due; `None` where nothing will be.
    pub(super) fn pause(&self) -> Option<Duration> {
        let timer = self.timers.peek().map(|Reverse((due, ..))| {
            let left = Duration::try_from(due.duration_since(now())).unwrap_or(Duration::ZERO);
            left.min(LOOK_INTERVAL)
        });
        let held = self
            .held
            .peek()
            .map(|Reverse((at, _))| at.saturating_duration_since(Instant::now()));
        match (timer, held) {
            (Some(timer), Some(held)) => Some(timer.min(held)),
            (timer, held) => timer.or(held),
        }
    }

    /// A clock that went back makes timers wait for years: each run that has one puts that right.
    pub(super) fn look_at_the_clock(&mut self) {
        let now = now();
        if clock::went_back(self.looked, now) && !self.is_draining {
            let waiting = |live: &Live| !live.timers.is_empty();
            let runs = self.live.iter().filter(|(_, live)| waiting(live));
            let runs: Vec<RunId> = runs.map(|(run, _)| *run).collect();
            for run in runs {
                if let Some(live) = self.live.get_mut(&run) {
                    live.inbox.push_back(Item::Pending);
                }
                self.turn(run);
            }
            let resting = self.resting.iter();
            let wakes = resting.filter(|(_, resting)| !resting.is_suspended());
            self.turned_back = wakes.map(|(run, _)| *run).collect();
        }
        self.looked = now;
        while self.loading.len() < TURNED_BACK_AT_ONCE
            && let Some(run) = self.turned_back.pop()
        {
            if self.resting.contains_key(&run) {
                self.load(run, Vec::new());
            }
        }
    }

    pub(super) fn fire_timers(&mut self) {
        while let Some(Reverse((due, run, timer))) = self.timers.peek().copied() {
            if due > now() || self.is_draining {
                return;
            }
            self.timers.pop();
            if self.resting.contains_key(&run) {
                self.load(run, Vec::new());
                continue;
            }
            let armed = self
                .live
                .get_mut(&run)
                .is_some_and(|live| live.timers.remove(&timer));
            if armed {
                self.event(run, Event::TimerFired { timer }, None);
            }
        }
    }
}
