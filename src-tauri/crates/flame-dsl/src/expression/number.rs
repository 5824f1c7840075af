//! Numbers as jq has them, integers kept whole: what fits 64 bits is exact, everything else is a double.

use std::cmp::Ordering;

/// A number. A result that is whole and exact is always an [`Number::Int`], so `3.0` stands only where the
/// input or the source wrote it so.
#[derive(Debug, Clone, Copy)]
pub(super) enum Number {
    Int(i64),
    /// Beyond `i64`; any arithmetic makes it a double.
    Wide(u64),
    Float(f64),
}

/// The largest double below which every integer is one.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

impl Number {
    /// A computed double: whole ones become integers, negative zero too.
    pub(super) fn computed(value: f64) -> Self {
        if value.trunc() == value && value.abs() <= EXACT_MAX {
            #[expect(clippy::cast_possible_truncation, reason = "whole and within 53 bits")]
            let whole = value as i64;
            return Self::Int(whole);
        }
        Self::Float(value)
    }

    #[expect(clippy::cast_precision_loss, reason = "jq computes with doubles")]
    pub(super) fn to_f64(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Wide(value) => value as f64,
            Self::Float(value) => value,
        }
    }

    /// The integer, where the number is one of 64 bits.
    pub(super) fn to_i64(self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(value),
            Self::Float(value) => match Self::computed(value) {
                Self::Int(value) => Some(value),
                _ => None,
            },
            Self::Wide(_) => None,
        }
    }

    /// As an index: rounded down and saturating; none for NaN.
    pub(super) fn to_index(self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(value),
            Self::Wide(_) => Some(i64::MAX),
            Self::Float(value) if value.is_nan() => None,
            #[expect(clippy::cast_possible_truncation, reason = "saturates")]
            Self::Float(value) => Some(value.floor() as i64),
        }
    }

    pub(super) fn is_nan(self) -> bool {
        matches!(self, Self::Float(value) if value.is_nan())
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Ok(value) = text.parse() {
            return Some(Self::Int(value));
        }
        if let Ok(value) = text.parse() {
            return Some(Self::Wide(value));
        }
        text.parse().ok().map(Self::Float)
    }

    pub(super) fn add(self, other: Self) -> Self {
        self.exactly(other, i64::checked_add)
            .unwrap_or_else(|| Self::computed(self.to_f64() + other.to_f64()))
    }

    pub(super) fn subtract(self, other: Self) -> Self {
        self.exactly(other, i64::checked_sub)
            .unwrap_or_else(|| Self::computed(self.to_f64() - other.to_f64()))
    }

    pub(super) fn multiply(self, other: Self) -> Self {
        self.exactly(other, i64::checked_mul)
            .unwrap_or_else(|| Self::computed(self.to_f64() * other.to_f64()))
    }

    /// None where the divisor is zero.
    pub(super) fn divide(self, other: Self) -> Option<Self> {
        if other.to_f64() == 0.0 {
            return None;
        }
        let whole = |left: i64, right: i64| match left.checked_rem(right)? {
            0 => left.checked_div(right),
            _ => None,
        };
        let exact = self.exactly(other, whole);
        Some(exact.unwrap_or_else(|| Self::computed(self.to_f64() / other.to_f64())))
    }

    /// jq's `%`: both sides are cut to integers first, the sign is the dividend's. None where the divisor
    /// is cut to zero.
    pub(super) fn remainder(self, other: Self) -> Option<Self> {
        if self.is_nan() || other.is_nan() {
            return Some(Self::Float(f64::NAN));
        }
        let (left, right) = (self.cut(), other.cut());
        // The smallest integer has no positive twin, hence 128 bits.
        (right != 0).then(|| Self::computed_wide(i128::from(left) % i128::from(right).abs()))
    }

    pub(super) fn negate(self) -> Self {
        match self {
            Self::Int(value) => value
                .checked_neg()
                .map_or(Self::Float(-self.to_f64()), Self::Int),
            Self::Wide(_) => Self::Float(-self.to_f64()),
            Self::Float(value) => Self::Float(-value),
        }
    }

    fn cut(self) -> i64 {
        match self {
            Self::Int(value) => value,
            Self::Wide(_) => i64::MAX,
            #[expect(clippy::cast_possible_truncation, reason = "saturates, as in jq")]
            Self::Float(value) => value as i64,
        }
    }

    fn computed_wide(value: i128) -> Self {
        i64::try_from(value).map_or(Self::Float(f64::NAN), Self::Int)
    }

    fn exactly(self, other: Self, operation: impl Fn(i64, i64) -> Option<i64>) -> Option<Self> {
        match (self, other) {
            (Self::Int(left), Self::Int(right)) => operation(left, right).map(Self::Int),
            _ => None,
        }
    }

    /// A total order for sorting, exact: NaN is equal to itself and less than everything else.
    pub(super) fn total_cmp(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Float(left), Self::Float(right)) => left
                .partial_cmp(&right)
                .unwrap_or_else(|| right.is_nan().cmp(&left.is_nan())),
            (left, Self::Float(right)) => compare_whole(left.whole(), right),
            (Self::Float(left), right) => compare_whole(right.whole(), left).reverse(),
            (left, right) => left.whole().cmp(&right.whole()),
        }
    }

    /// The integer; of a double its part before the point.
    fn whole(self) -> i128 {
        match self {
            Self::Int(value) => value.into(),
            Self::Wide(value) => value.into(),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "saturates, and no integer is that large"
            )]
            Self::Float(value) => value as i128,
        }
    }
}

/// Without rounding the integer, or the order would not be transitive.
fn compare_whole(left: i128, right: f64) -> Ordering {
    if right.is_nan() {
        return Ordering::Greater;
    }
    let fraction = 0.0_f64
        .partial_cmp(&right.fract())
        .unwrap_or(Ordering::Equal);
    left.cmp(&Number::Float(right).whole()).then(fraction)
}

impl PartialEq for Number {
    /// NaN differs from everything, itself included.
    fn eq(&self, other: &Self) -> bool {
        !self.is_nan() && !other.is_nan() && self.total_cmp(*other) == Ordering::Equal
    }
}

/// Text as jq writes it: shortest digits that read back the same, `1e+100`, `1e-05`; NaN is `null` and an
/// infinity the largest double.
impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::Int(value) => write!(f, "{value}"),
            Self::Wide(value) => write!(f, "{value}"),
            Self::Float(value) if value.is_nan() => f.write_str("null"),
            Self::Float(value) => write_float(f, value.clamp(f64::MIN, f64::MAX)),
        }
    }
}

fn write_float(f: &mut std::fmt::Formatter<'_>, value: f64) -> std::fmt::Result {
    let scientific = format!("{:e}", value.abs());
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let significant = digits.len() - usize::from(digits.contains('.'));
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let point = exponent + 1;
    let plain = -4 < point && point <= i32::try_from(significant).unwrap_or(i32::MAX) + 15;
    if plain && value.trunc() == value && value != 0.0 {
        // Written as a fraction by whoever wrote it: kept so.
        return write!(f, "{sign}{}.0", value.abs());
    }
    if plain {
        return write!(f, "{sign}{}", value.abs());
    }
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    write!(f, "{sign}{digits}e{exponent_sign}{:02}", exponent.abs())
}
