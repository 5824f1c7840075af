//! How often the agent may be started again, and after which wait. Pure: time is given.

use std::collections::VecDeque;
use std::time::Duration;

const WAIT_FIRST: Duration = Duration::from_millis(250);
const WAIT_MAX: Duration = Duration::from_secs(5);

/// At most `restarts_max` within `window`; the wait doubles with each.
#[derive(Debug, Clone)]
pub struct RestartBudget {
    restarts_max: usize,
    window: Duration,
    /// When each restart of the window was granted, oldest first.
    granted: VecDeque<Duration>,
}

impl RestartBudget {
    pub const fn new(restarts_max: usize, window: Duration) -> Self {
        Self {
            restarts_max,
            window,
            granted: VecDeque::new(),
        }
    }

    /// Asks for a restart at `now`, counted from any fixed moment. Gives the wait before it, or
    /// `None` when the budget is spent.
    pub fn ask(&mut self, now: Duration) -> Option<Duration> {
        while self
            .granted
            .front()
            .is_some_and(|at| now.saturating_sub(*at) >= self.window)
        {
            self.granted.pop_front();
        }
        if self.granted.len() >= self.restarts_max {
            return None;
        }
        let doublings = u32::try_from(self.granted.len())
            .unwrap_or(u32::MAX)
            .min(16);
        self.granted.push_back(now);
        Some((WAIT_FIRST * 2_u32.pow(doublings)).min(WAIT_MAX))
    }

    /// A person acted: start counting anew.
    pub fn refill(&mut self) {
        self.granted.clear();
    }

    pub const fn restarts_max(&self) -> usize {
        self.restarts_max
    }

    pub const fn window(&self) -> Duration {
        self.window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_budget_ends_and_comes_back_with_time() {
        let mut budget = RestartBudget::new(3, at(60));
        let waits: Vec<_> = [0, 1, 2].map(|second| budget.ask(at(second))).into();
        assert_eq!(
            waits,
            [250, 500, 1000].map(|ms| Some(Duration::from_millis(ms)))
        );
        assert_eq!(budget.ask(at(59)), None);
        assert!(
            budget.ask(at(60)).is_some(),
            "the first one has left the window"
        );
    }

    #[test]
    fn the_wait_is_bounded_and_a_person_refills() {
        let mut budget = RestartBudget::new(40, at(60));
        let last = (0..40).filter_map(|_| budget.ask(at(0))).last();
        assert_eq!(last, Some(WAIT_MAX));
        assert_eq!(budget.ask(at(0)), None);
        budget.refill();
        assert_eq!(budget.ask(at(0)), Some(WAIT_FIRST));
    }
}
