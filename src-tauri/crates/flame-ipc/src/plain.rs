//! Plain values that cross to JavaScript without losing anything: whole numbers, JSON, moments.

use flame_types::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use specta::Type;

/// The largest whole number that a JavaScript number holds exactly.
pub const WHOLE_MAX: u64 = (1 << 53) - 1;

/// A whole number of anything: rows, bytes, milliseconds. At most 2^53 - 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Type)]
pub struct Whole(#[specta(type = u32)] u64);

impl Whole {
    /// Takes a number; what is above [`WHOLE_MAX`] becomes it, as nothing we count comes near.
    pub const fn new(number: u64) -> Self {
        Self(if number > WHOLE_MAX {
            WHOLE_MAX
        } else {
            number
        })
    }

    pub const fn get(self) -> u64 {
        self.0
    }
}

impl From<u64> for Whole {
    fn from(number: u64) -> Self {
        Self::new(number)
    }
}

impl From<usize> for Whole {
    fn from(number: usize) -> Self {
        Self::new(u64::try_from(number).unwrap_or(WHOLE_MAX))
    }
}

impl From<u32> for Whole {
    fn from(number: u32) -> Self {
        Self(u64::from(number))
    }
}

impl Serialize for Whole {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u64::deserialize(deserializer)?;
        if number > WHOLE_MAX {
            return Err(serde::de::Error::custom(format!(
                "{number} is above 2^53 - 1"
            )));
        }
        Ok(Self(number))
    }
}

/// A fraction such as a percentage; a value that is not finite becomes 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, PartialOrd, Deserialize, Type)]
pub struct Fraction(#[specta(type = u32)] f64);

impl Fraction {
    pub const fn new(number: f64) -> Self {
        Self(if number.is_finite() { number } else { 0.0 })
    }

    pub const fn get(self) -> f64 {
        self.0
    }
}

impl Serialize for Fraction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0)
    }
}

/// Any JSON, for showing. What a person edits travels as text, so that no digit is lost.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Type)]
#[serde(transparent)]
pub struct Json(
    #[serde(deserialize_with = "flame_types::json::read")]
    #[specta(type = specta_typescript::Unknown)]
    pub serde_json::Value,
);

impl From<serde_json::Value> for Json {
    fn from(value: serde_json::Value) -> Self {
        Self(value)
    }
}

/// A moment as RFC 3339 in UTC with milliseconds, such as `2026-01-02T03:04:05.678Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Type)]
pub struct Moment(#[specta(type = String)] Timestamp);

impl Moment {
    pub const fn new(at: Timestamp) -> Self {
        Self(at)
    }

    pub const fn get(self) -> Timestamp {
        self.0
    }
}

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        Self(at)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:.3}", self.0))
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(|_| {
            serde::de::Error::custom(format!(
                "{text:?} is not a moment such as 2026-01-02T03:04:05Z"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_never_leave_the_range_that_javascript_keeps() {
        assert_eq!(
            serde_json::to_string(&Whole::new(u64::MAX)).unwrap(),
            "9007199254740991"
        );
        assert!(serde_json::from_str::<Whole>("9007199254740992").is_err());
        assert!(serde_json::from_str::<Whole>("-1").is_err());
        assert_eq!(serde_json::from_str::<Whole>("7").unwrap().get(), 7);
    }

    #[test]
    fn fractions_are_always_numbers() {
        assert_eq!(
            serde_json::to_string(&Fraction::new(f64::NAN)).unwrap(),
            "0.0"
        );
        assert_eq!(serde_json::to_string(&Fraction::new(99.5)).unwrap(), "99.5");
    }

    #[test]
    fn moments_carry_milliseconds_and_refuse_other_text() {
        let moment: Moment = serde_json::from_str("\"2026-01-02T03:04:05.6789Z\"").unwrap();
        assert_eq!(
            serde_json::to_string(&moment).unwrap(),
            "\"2026-01-02T03:04:05.678Z\""
        );
        assert!(serde_json::from_str::<Moment>("\"yesterday\"").is_err());
    }
}
