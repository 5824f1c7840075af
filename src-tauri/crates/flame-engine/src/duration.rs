//! Durations as expressions give them, and moments that lie a duration ahead.

use std::time::Duration;

use flame_types::Timestamp;
use jiff::{SignedDuration, Span};
use serde_json::Value;

/// ISO 8601 text, or the DSL's duration object. `None` for anything else, and for negative ones.
pub(crate) fn from_value(value: &Value) -> Option<Duration> {
    match value {
        Value::String(text) => from_iso(text),
        Value::Object(members) => {
            let mut total = Duration::ZERO;
            for (unit, amount) in members {
                let milliseconds = match unit.as_str() {
                    "days" => 86_400_000.0,
                    "hours" => 3_600_000.0,
                    "minutes" => 60_000.0,
                    "seconds" => 1_000.0,
                    "milliseconds" => 1.0,
                    _ => return None,
                };
                let seconds = amount.as_f64()? * milliseconds / 1_000.0;
                total = total.checked_add(Duration::try_from_secs_f64(seconds).ok()?)?;
            }
            Some(total)
        }
        _ => None,
    }
}

/// A day has 24 hours; months and years have no fixed length and are refused.
fn from_iso(text: &str) -> Option<Duration> {
    let span: Span = text.parse().ok()?;
    let duration = span
        .to_duration(jiff::SpanRelativeTo::days_are_24_hours())
        .ok()?;
    duration.try_into().ok()
}

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
    use serde_json::json;

    #[test]
    fn both_forms_are_read() {
        for (value, seconds) in [
            (json!("PT15S"), 15.0),
            (json!("P1DT2H"), 93_600.0),
            (json!("PT0.25S"), 0.25),
            (json!({"minutes": 1, "milliseconds": 500}), 60.5),
            (json!({}), 0.0),
        ] {
            assert_eq!(
                from_value(&value),
                Some(Duration::from_secs_f64(seconds)),
                "{value}"
            );
        }
        for value in [
            json!("15"),
            json!("-PT1S"),
            json!("P1M"),
            json!({"weeks": 1}),
            json!({"seconds": -1}),
            json!({"seconds": 1e300}),
            json!(15),
            json!(null),
        ] {
            assert_eq!(from_value(&value), None, "{value}");
        }
    }

    #[test]
    fn far_ahead_is_the_end_of_time() {
        assert_eq!(after(Timestamp::UNIX_EPOCH, Duration::MAX), Timestamp::MAX);
    }
}
