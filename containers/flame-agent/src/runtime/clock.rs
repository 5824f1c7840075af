//! The wall clock, which may be wrong: ten years ahead, ten years behind, and right again.
//!
//! What people are told and journals say is the wall clock's time. That it went back is found by looking at it
//! again; that it went ahead can't be told from a machine that slept.

use std::time::{Duration, Instant};

use flame_types::Timestamp;
use jiff::SignedDuration;

/// A clock is set right by less than this now and then, which nobody need notice.
const STEP_MAX: SignedDuration = SignedDuration::from_mins(1);
/// Time that nobody saw pass is believed a day for each hour.
const BELIEVED_PER_SEEN: u32 = 24;

/// Whether the clock that showed `before` was set back since.
pub(super) fn went_back(before: Timestamp, now: Timestamp) -> bool {
    before.duration_since(now) > STEP_MAX
}

/// The latest time that it is for certain, as far as an agent can know: what must not happen too early, such as
/// deleting by age, goes by it. After a clock that went ten years ahead it falls behind the clock, and follows
/// it a day for each hour in which the agent runs.
#[derive(Debug)]
pub(super) struct Believed {
    wall: Timestamp,
    seen: Instant,
}

impl Believed {
    /// From a time that has passed, seen at this instant.
    pub(super) const fn since(wall: Timestamp, seen: Instant) -> Self {
        Self { wall, seen }
    }

    /// What is believed now where the clock shows `wall`.
    pub(super) fn look(&mut self, wall: Timestamp, seen: Instant) -> Timestamp {
        let passed = seen.saturating_duration_since(self.seen);
        let latest = later(self.wall, passed.saturating_mul(BELIEVED_PER_SEEN));
        (self.wall, self.seen) = (wall.min(latest), seen);
        self.wall
    }
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(60 * 60);
    const TEN_YEARS: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

    #[test]
    fn a_clock_that_is_set_right_by_little_did_not_go_back() {
        let now = Timestamp::constant(1_700_000_000, 0);
        for (before, back) in [
            (-TEN_YEARS.as_secs().cast_signed(), false),
            (0, false),
            (60, false),
            (61, true),
        ] {
            let before = now + SignedDuration::from_secs(before);
            assert_eq!(went_back(before, now), back, "{before}");
        }
    }

    #[test]
    fn time_passes_as_the_clock_says() {
        let (wall, seen) = (Timestamp::constant(1_700_000_000, 0), Instant::now());
        let mut believed = Believed::since(wall, seen);
        for hours in 1..100 {
            let passed = HOUR * hours;
            assert_eq!(believed.look(wall + passed, seen + passed), wall + passed);
        }
        // A night in which the machine slept is made up for within the hour.
        let slept = HOUR * 108;
        let soon = believed.look(wall + slept, seen + HOUR * 100);
        assert_eq!(soon, wall + slept);
    }

    #[test]
    fn ten_years_in_a_moment_are_not_believed() {
        let (wall, seen) = (Timestamp::constant(1_700_000_000, 0), Instant::now());
        let mut believed = Believed::since(wall, seen);
        let ahead = wall + TEN_YEARS;
        assert_eq!(believed.look(ahead, seen), wall);
        assert_eq!(believed.look(ahead + HOUR, seen + HOUR), wall + 24 * HOUR);
        // Right again: nothing is left of it.
        assert_eq!(
            believed.look(wall + 2 * HOUR, seen + 2 * HOUR),
            wall + 2 * HOUR
        );
        assert_eq!(
            believed.look(wall + 3 * HOUR, seen + 3 * HOUR),
            wall + 3 * HOUR
        );
    }

    #[test]
    fn ten_years_back_delete_nothing_and_right_again_is_believed_in_time() {
        let (wall, seen) = (Timestamp::constant(1_700_000_000, 0), Instant::now());
        let mut believed = Believed::since(wall, seen);
        let behind = wall - TEN_YEARS;
        assert_eq!(believed.look(behind, seen), behind);
        assert!(believed.look(wall, seen) < wall);
    }
}
