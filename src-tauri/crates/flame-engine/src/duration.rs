//! Moments that lie a duration ahead.

use std::time::Duration;

use flame_types::Timestamp;
use jiff::SignedDuration;

/// The moment after a duration; the end of time where there is none.
pub(crate) fn after(now: Timestamp, duration: Duration) -> Timestamp {
    SignedDuration::try_from(duration)
        .ok()
        .and_then(|duration| now.checked_add(duration).ok())
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn far_ahead_is_the_end_of_time() {
        let start = Timestamp::UNIX_EPOCH;
        assert_eq!(after(start, Duration::MAX), Timestamp::MAX);
        assert_eq!(
            after(start, Duration::from_millis(1_500)).as_millisecond(),
            1_500
        );
    }
}
