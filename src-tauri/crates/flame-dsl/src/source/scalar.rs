//! What a plain YAML scalar means by the core schema of YAML 1.2, as far as JSON can hold it.

use serde_json::Number;

use super::Content;

/// Resolves a plain scalar; the error says why JSON can't hold it.
pub(super) fn resolve(raw: &str) -> Result<Content, &'static str> {
    Ok(match raw {
        "" | "~" | "null" | "Null" | "NULL" => Content::Null,
        "true" | "True" | "TRUE" => Content::Boolean(true),
        "false" | "False" | "FALSE" => Content::Boolean(false),
        _ => match number(raw)? {
            Some(number) => Content::Number(number, raw.to_owned()),
            None => Content::Text(raw.to_owned()),
        },
    })
}

fn number(raw: &str) -> Result<Option<Number>, &'static str> {
    let unsigned = raw.strip_prefix(['-', '+']).unwrap_or(raw);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(raw, ".nan" | ".NaN" | ".NAN") {
        return Err("infinity and 'not a number' can't be written as JSON");
    }
    if let Some(based) = based_integer(raw) {
        return based.map(|number| Some(number.into()));
    }
    if !is_decimal(unsigned) {
        return Ok(None);
    }
    let plain = raw.strip_prefix('+').unwrap_or(raw);
    if let Ok(number) = plain.parse::<i64>() {
        return Ok(Some(number.into()));
    }
    if let Ok(number) = plain.parse::<u64>() {
        return Ok(Some(number.into()));
    }
    plain
        .parse::<f64>()
        .ok()
        .and_then(Number::from_f64)
        .map(Some)
        .ok_or("the number is too large")
}

/// `0o17` and `0x1F`.
fn based_integer(raw: &str) -> Option<Result<u64, &'static str>> {
    let (digits, radix) = match raw.as_bytes() {
        [b'0', b'o', ..] => (&raw[2..], 8),
        [b'0', b'x', ..] => (&raw[2..], 16),
        _ => return None,
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    Some(u64::from_str_radix(digits, radix).map_err(|_| "the number is too large"))
}

/// `[0-9]+`, or `( \.[0-9]+ | [0-9]+ ( \.[0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`
fn is_decimal(text: &str) -> bool {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let exponent_good =
        exponent.is_none_or(|digits| is_digits(digits.strip_prefix(['-', '+']).unwrap_or(digits)));
    let mantissa_good = match mantissa.split_once('.') {
        None => is_digits(mantissa),
        Some(("", fraction)) => is_digits(fraction),
        Some((whole, fraction)) => is_digits(whole) && (fraction.is_empty() || is_digits(fraction)),
    };
    exponent_good && mantissa_good
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(raw: &str) -> String {
        match resolve(raw) {
            Ok(Content::Null) => "null".to_owned(),
            Ok(Content::Boolean(value)) => format!("boolean {value}"),
            Ok(Content::Number(number, _)) => format!("number {number}"),
            Ok(Content::Text(text)) => format!("text {text}"),
            Ok(Content::List(_) | Content::Object(_)) => "container".to_owned(),
            Err(problem) => problem.to_owned(),
        }
    }

    #[test]
    fn the_core_schema_of_yaml_1_2_and_nothing_of_1_1() {
        for (raw, expected) in [
            ("on", "text on"),
            ("yes", "text yes"),
            ("1.0.0", "text 1.0.0"),
            ("12e", "text 12e"),
            ("0b1", "text 0b1"),
            ("1_000", "text 1_000"),
            ("12:30", "text 12:30"),
            (".", "text ."),
            ("-", "text -"),
            ("~", "null"),
            ("TRUE", "boolean true"),
            ("007", "number 7"),
            ("+5", "number 5"),
            ("0x1F", "number 31"),
            ("0o17", "number 15"),
            ("1.0", "number 1.0"),
            ("-1.5e3", "number -1500.0"),
            (".5", "number 0.5"),
            ("18446744073709551615", "number 18446744073709551615"),
            ("1e999", "the number is too large"),
            (
                ".nan",
                "infinity and 'not a number' can't be written as JSON",
            ),
        ] {
            assert_eq!(kind(raw), expected, "{raw}");
        }
    }
}
