//! Durations as the DSL writes them: ISO 8601 text, or an object of days down to milliseconds.
//!
//! Years and months are the calendar's: how long they take follows from when they begin.

use std::time::Duration;

use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use serde_json::Value;

/// A hundred years: longer waits are typing errors.
pub const DURATION_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Months of them.
const MONTHS_MAX: u32 = 100 * 12;

/// How long something takes: months of the calendar, and the time after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length {
    months: u32,
    rest: Duration,
}

impl Length {
    /// Where it begins at this time: months after it, in UTC, on the same day or the last one of the month.
    pub fn since(self, begin: Timestamp) -> Duration {
        if self.months == 0 {
            return self.rest;
        }
        let end = begin
            .to_zoned(TimeZone::UTC)
            .checked_add(i64::from(self.months).months())
            .map_or(Timestamp::MAX, |end| end.timestamp());
        let months = Duration::try_from(end.duration_since(begin)).unwrap_or_default();
        months.saturating_add(self.rest)
    }

    /// The same at any time; `None` where it counts months.
    pub const fn fixed(self) -> Option<Duration> {
        match self.months {
            0 => Some(self.rest),
            _ => None,
        }
    }
}

/// Why a value is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    #[error("not an ISO 8601 duration")]
    NotIso8601,
    #[error("a part of a year or a month has no length")]
    Calendar,
    #[error("longer than 100 years")]
    TooLong,
    #[error("a duration is text such as PT5S or an object such as {{seconds: 5}}")]
    WrongType,
    #[error(
        "'{0}' is not a part of a duration; the parts are days, hours, minutes, seconds and milliseconds"
    )]
    UnknownPart(String),
    #[error("'{0}' must be a whole number, 0 or more")]
    NotWhole(String),
    #[error("the duration has no parts")]
    Empty,
}

impl DurationError {
    /// Whether the published schema refuses the text too.
    pub(crate) const fn is_shape(&self) -> bool {
        matches!(self, Self::NotIso8601)
    }
}

/// Units of the date part, in the order in which they may stand: in months, and in seconds.
const CALENDAR_UNITS: &[(char, u64)] = &[('Y', 12), ('M', 1)];
const DATE_UNITS: &[(char, u64)] = &[('W', 604_800), ('D', 86_400)];
/// Those of the time part, in seconds.
const TIME_UNITS: &[(char, u64)] = &[('H', 3_600), ('M', 60), ('S', 1)];
const NANOS: u128 = 1_000_000_000;

/// Reads an ISO 8601 duration such as `P1M`, `P1DT2H30M` or `PT0.5S`.
pub fn parse_iso8601(text: &str) -> Result<Length, DurationError> {
    let body = text.strip_prefix('P').filter(|body| !body.is_empty());
    let body = body.ok_or(DurationError::NotIso8601)?;
    let (date, time) = match body.split_once('T') {
        Some((date, time)) if time.starts_with(|c: char| c.is_ascii_digit()) => (date, time),
        Some(_) => return Err(DurationError::NotIso8601),
        None => (body, ""),
    };
    let (calendar, date) = units(date, CALENDAR_UNITS)?;
    let months = u32::try_from(calendar / NANOS)
        .ok()
        .filter(|months| *months <= MONTHS_MAX)
        .ok_or(DurationError::TooLong)?;
    let nanos = all_units(date, DATE_UNITS)? + all_units(time, TIME_UNITS)?;
    Ok(Length {
        months,
        ..bounded(nanos)?
    })
}

/// Reads a duration that an expression gave: text or object.
pub fn parse_duration(value: &Value) -> Result<Length, DurationError> {
    match value {
        Value::String(text) => parse_iso8601(text.trim()),
        Value::Object(parts) => {
            let parts = parts.iter().map(|(name, value)| {
                let whole = value.as_u64().or_else(|| whole_float(value));
                match whole {
                    Some(whole) => Ok((name.as_str(), whole)),
                    None => Err(DurationError::NotWhole(name.clone())),
                }
            });
            from_parts(parts.collect::<Result<Vec<_>, _>>()?)
        }
        _ => Err(DurationError::WrongType),
    }
}

/// Adds up named parts.
pub(crate) fn from_parts<'n>(
    parts: impl IntoIterator<Item = (&'n str, u64)>,
) -> Result<Length, DurationError> {
    let mut nanos: Option<u128> = None;
    for (name, count) in parts {
        let unit: u128 = match name {
            "days" => 86_400 * NANOS,
            "hours" => 3_600 * NANOS,
            "minutes" => 60 * NANOS,
            "seconds" => NANOS,
            "milliseconds" => NANOS / 1_000,
            other => return Err(DurationError::UnknownPart(other.to_owned())),
        };
        nanos = Some(nanos.unwrap_or(0) + unit * u128::from(count));
    }
    bounded(nanos.ok_or(DurationError::Empty)?)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked before"
)]
fn whole_float(value: &Value) -> Option<u64> {
    let float = value.as_f64()?;
    (float >= 0.0 && float.fract() == 0.0 && float < 9.0e15).then_some(float as u64)
}

fn bounded(nanos: u128) -> Result<Length, DurationError> {
    if nanos > DURATION_MAX.as_nanos() {
        return Err(DurationError::TooLong);
    }
    // Within 100 years, so within u64.
    let nanos = u64::try_from(nanos).map_err(|_| DurationError::TooLong)?;
    Ok(Length {
        months: 0,
        rest: Duration::from_nanos(nanos),
    })
}

/// Reads `1H30M` by the units given, each at most once and in order; gives 10⁻⁹ of the units that the list counts in,
/// and what follows.
fn units<'t>(mut text: &'t str, units: &[(char, u64)]) -> Result<(u128, &'t str), DurationError> {
    let mut nanos = 0_u128;
    for (letter, size) in units {
        let digits = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let Some(rest) = text[digits..].strip_prefix(*letter) else {
            continue;
        };
        let count = decimal(&text[..digits])?;
        let whole = count % NANOS == 0;
        if !whole && units == CALENDAR_UNITS {
            return Err(DurationError::Calendar);
        }
        nanos = nanos.saturating_add(count.saturating_mul(u128::from(*size)));
        text = rest;
    }
    Ok((nanos, text))
}

fn all_units(text: &str, of: &[(char, u64)]) -> Result<u128, DurationError> {
    match units(text, of)? {
        (nanos, "") => Ok(nanos),
        _ => Err(DurationError::NotIso8601),
    }
}

/// A number such as `1` or `0.25` in units of 10⁻⁹; further digits are dropped.
fn decimal(text: &str) -> Result<u128, DurationError> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) {
        return Err(DurationError::NotIso8601);
    }
    let whole: u64 = whole.parse().map_err(|_| DurationError::TooLong)?;
    let mut nanos = 0;
    for at in 0..9 {
        let digit = fraction
            .as_bytes()
            .get(at)
            .map_or(0, |byte| u128::from(byte - b'0'));
        nanos = nanos * 10 + digit;
    }
    Ok(u128::from(whole) * NANOS + nanos)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn iso_8601_as_the_schema_takes_it() {
        for (text, millis) in [
            ("PT5S", 5_000),
            ("PT0.5S", 500),
            ("P1DT2H30M", 95_400_000),
            ("P1W", 604_800_000),
            ("P0.5D", 43_200_000),
            ("PT1.5H", 5_400_000),
            ("P0D", 0),
        ] {
            assert_eq!(
                parse_iso8601(text).unwrap().fixed(),
                Some(Duration::from_millis(millis)),
                "{text}"
            );
        }
        for (text, error) in [
            ("", DurationError::NotIso8601),
            ("P", DurationError::NotIso8601),
            ("PT", DurationError::NotIso8601),
            ("5s", DurationError::NotIso8601),
            ("PT5M5H", DurationError::NotIso8601),
            ("PT5", DurationError::NotIso8601),
            ("PT.5S", DurationError::NotIso8601),
            ("P1DT", DurationError::NotIso8601),
            ("-PT5S", DurationError::NotIso8601),
            ("P1.5Y", DurationError::Calendar),
            ("P0.5M", DurationError::Calendar),
            ("P1M1Y", DurationError::NotIso8601),
            ("P101Y", DurationError::TooLong),
            ("P1Y99999999999M", DurationError::TooLong),
            ("P40000D", DurationError::TooLong),
            ("P99999999999999999999D", DurationError::TooLong),
            ("P18446744073709551615W", DurationError::TooLong),
        ] {
            assert_eq!(parse_iso8601(text), Err(error), "{text}");
        }
    }

    #[test]
    fn years_and_months_are_the_calendars() {
        for (text, begin, end) in [
            ("P1M", "2026-01-15T08:00:00Z", "2026-02-15T08:00:00Z"),
            ("P1M", "2026-01-31T08:00:00Z", "2026-02-28T08:00:00Z"),
            ("P1Y", "2024-02-29T00:00:00Z", "2025-02-28T00:00:00Z"),
            ("P4Y", "2024-02-29T00:00:00Z", "2028-02-29T00:00:00Z"),
            ("P1Y2M3DT4H", "2026-01-01T00:00:00Z", "2027-03-04T04:00:00Z"),
            ("P1M1W", "2026-01-31T00:00:00.5Z", "2026-03-07T00:00:00.5Z"),
            ("P0Y", "2026-01-31T00:00:00Z", "2026-01-31T00:00:00Z"),
        ] {
            let begin: Timestamp = begin.parse().unwrap();
            let length = parse_iso8601(text).unwrap();
            assert_eq!((begin + length.since(begin)).to_string(), end, "{text}");
        }
        assert_eq!(parse_iso8601("P1M").unwrap().fixed(), None);
        let late = Timestamp::MAX - Duration::from_secs(60);
        let length = parse_iso8601("P100Y").unwrap();
        assert_eq!(
            length.since(late),
            Duration::from_secs(60),
            "the end of time"
        );
    }

    #[test]
    fn objects_add_up_and_say_what_is_wrong() {
        let good = json!({"hours": 1, "minutes": 2.0, "milliseconds": 3});
        assert_eq!(
            parse_duration(&good).unwrap().fixed(),
            Some(Duration::from_millis(3_720_003))
        );
        for (value, error) in [
            (json!({}), DurationError::Empty),
            (
                json!({"weeks": 1}),
                DurationError::UnknownPart("weeks".to_owned()),
            ),
            (
                json!({"days": -1}),
                DurationError::NotWhole("days".to_owned()),
            ),
            (json!({"days": u64::MAX}), DurationError::TooLong),
            (json!(5), DurationError::WrongType),
        ] {
            assert_eq!(parse_duration(&value), Err(error), "{value}");
        }
    }
}
