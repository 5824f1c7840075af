//! Durations as the DSL writes them: ISO 8601 text, or an object of days down to milliseconds.

use std::time::Duration;

use serde_json::Value;

/// A hundred years: longer waits are typing errors.
pub const DURATION_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Why a value is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    #[error("not an ISO 8601 duration")]
    NotIso8601,
    #[error("years and months have no fixed length; write days")]
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

/// Units of the date part and the time part, in the order in which they may stand, in seconds.
/// Years and months are listed to be refused by name.
const DATE_UNITS: &[(char, u64)] = &[('Y', 0), ('M', 0), ('W', 604_800), ('D', 86_400)];
const TIME_UNITS: &[(char, u64)] = &[('H', 3_600), ('M', 60), ('S', 1)];
const NANOS: u128 = 1_000_000_000;

/// Reads an ISO 8601 duration such as `P1DT2H30M` or `PT0.5S`.
pub fn parse_iso8601(text: &str) -> Result<Duration, DurationError> {
    let body = text.strip_prefix('P').filter(|body| !body.is_empty());
    let body = body.ok_or(DurationError::NotIso8601)?;
    let (date, time) = match body.split_once('T') {
        Some((date, time)) if time.starts_with(|c: char| c.is_ascii_digit()) => (date, time),
        Some(_) => return Err(DurationError::NotIso8601),
        None => (body, ""),
    };
    let nanos = units(date, DATE_UNITS)? + units(time, TIME_UNITS)?;
    bounded(nanos)
}

/// Reads a duration that an expression gave: text or object.
pub fn parse_duration(value: &Value) -> Result<Duration, DurationError> {
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
) -> Result<Duration, DurationError> {
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

fn bounded(nanos: u128) -> Result<Duration, DurationError> {
    if nanos > DURATION_MAX.as_nanos() {
        return Err(DurationError::TooLong);
    }
    // Within 100 years, so within u64.
    u64::try_from(nanos)
        .map(Duration::from_nanos)
        .map_err(|_| DurationError::TooLong)
}

/// Reads `1H30M` by the units given, each at most once and in order.
fn units(mut text: &str, units: &[(char, u64)]) -> Result<u128, DurationError> {
    let mut nanos = 0;
    for (letter, seconds) in units {
        let digits = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let Some(rest) = text[digits..].strip_prefix(*letter) else {
            continue;
        };
        let count = decimal(&text[..digits])?;
        if *seconds == 0 {
            return Err(DurationError::Calendar);
        }
        nanos += count.saturating_mul(u128::from(*seconds));
        text = rest;
    }
    if text.is_empty() {
        Ok(nanos)
    } else {
        Err(DurationError::NotIso8601)
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
                parse_iso8601(text).unwrap(),
                Duration::from_millis(millis),
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
            ("P1Y", DurationError::Calendar),
            ("P1M", DurationError::Calendar),
            ("P40000D", DurationError::TooLong),
            ("P99999999999999999999D", DurationError::TooLong),
            ("P18446744073709551615W", DurationError::TooLong),
        ] {
            assert_eq!(parse_iso8601(text), Err(error), "{text}");
        }
    }

    #[test]
    fn objects_add_up_and_say_what_is_wrong() {
        let good = json!({"hours": 1, "minutes": 2.0, "milliseconds": 3});
        assert_eq!(
            parse_duration(&good).unwrap(),
            Duration::from_millis(3_720_003)
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
