//! The formats: `@text`, `@json`, `@csv`, `@tsv`, `@html`, `@uri`, `@urid`, `@sh`, `@base64`, `@base64d`.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use jaq_core::native::{bome, v};

use super::access::{ValR, describe, fail};
use super::json;
use super::meter;
use super::natives::{Native, text_of};
use super::value::{Val, check_bytes};

/// jq reads base64 with and without its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

pub(super) fn formats() -> Vec<Native> {
    vec![
        ("@text", v(0), |cv| bome(Ok(Val::Text(text_of(&cv.1))))),
        ("@json", v(0), |cv| {
            bome(Ok(Val::text(json::to_text(&cv.1))))
        }),
        ("@csv", v(0), |cv| bome(row(&cv.1, "csv", ',', csv_cell))),
        ("@tsv", v(0), |cv| bome(row(&cv.1, "tsv", '\t', tsv_cell))),
        ("@html", v(0), |cv| bome(Ok(html(text_of(&cv.1).as_str())))),
        ("@uri", v(0), |cv| bome(Ok(uri(text_of(&cv.1).as_str())))),
        ("@urid", v(0), |cv| bome(from_uri(text_of(&cv.1).as_str()))),
        ("@sh", v(0), |cv| bome(shell(&cv.1))),
        ("@base64", v(0), |cv| {
            bome(Ok(Val::text(BASE64.encode(text_of(&cv.1).as_str()))))
        }),
        ("@base64d", v(0), |cv| {
            bome(from_base64(text_of(&cv.1).as_str()))
        }),
    ]
}

/// Fields of an array with a separator between them.
fn row(value: &Val, format: &str, separator: char, cell: fn(&Val) -> Option<String>) -> ValR {
    let Val::Array(array) = value else {
        return Err(fail(format!(
            "{} cannot be {format}-formatted, only an array can be",
            describe(value)
        )));
    };
    let mut row = String::new();
    for (index, item) in array.items().iter().enumerate() {
        meter::tick(1);
        if index > 0 {
            row.push(separator);
        }
        let text = cell(item);
        let unfit = || fail(format!("{} is not valid in a {format} row", describe(item)));
        row.push_str(&text.ok_or_else(unfit)?);
        check_bytes(row.len());
    }
    Ok(Val::text(row))
}

fn csv_cell(value: &Val) -> Option<String> {
    match value {
        Val::Null => Some(String::new()),
        Val::Bool(_) | Val::Number(_) => Some(value.to_string()),
        Val::Text(text) => {
            let text = text.as_str().replace('"', "\"\"").replace('\0', "\\0");
            Some(format!("\"{text}\""))
        }
        _ => None,
    }
}

fn tsv_cell(value: &Val) -> Option<String> {
    match value {
        Val::Null => Some(String::new()),
        Val::Bool(_) | Val::Number(_) => Some(value.to_string()),
        Val::Text(text) => {
            let text = text.as_str().replace('\\', "\\\\").replace('\t', "\\t");
            let text = text.replace('\n', "\\n").replace('\r', "\\r");
            Some(text.replace('\0', "\\0"))
        }
        _ => None,
    }
}

fn html(text: &str) -> Val {
    meter::tick_bytes(text.len());
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '\'' => escaped.push_str("&apos;"),
            '"' => escaped.push_str("&quot;"),
            '\0' => escaped.push_str("\\0"),
            other => escaped.push(other),
        }
        check_bytes(escaped.len());
    }
    Val::text(escaped)
}

fn uri(text: &str) -> Val {
    meter::tick_bytes(text.len());
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a String takes whatever is written");
        }
        check_bytes(encoded.len());
    }
    Val::text(encoded)
}

fn from_uri(text: &str) -> ValR {
    meter::tick_bytes(text.len());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |at: usize| tail.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match digit(0).zip(digit(1)) {
            Some((high, low)) => {
                bytes.push(u8::try_from(high * 16 + low).expect("two hex digits are one byte"))
            }
            None => {
                return Err(fail(format!(
                    "{} is not a valid uri encoding",
                    describe(&Val::text(text))
                )));
            }
        }
        rest = &tail[2..];
    }
    Ok(Val::text(String::from_utf8_lossy(&bytes)))
}

fn shell(value: &Val) -> ValR {
    let quote = |item: &Val| match item {
        Val::Text(text) => {
            let text = text.as_str().replace('\'', "'\\''").replace('\0', "\\0");
            Ok(format!("'{text}'"))
        }
        Val::Array(_) | Val::Object(_) => Err(fail(format!(
            "{} can not be escaped for shell",
            describe(item)
        ))),
        other => Ok(other.to_string()),
    };
    let Val::Array(array) = value else {
        return quote(value).map(Val::text);
    };
    let mut words = String::new();
    for (index, item) in array.items().iter().enumerate() {
        meter::tick(1);
        if index > 0 {
            words.push(' ');
        }
        words.push_str(&quote(item)?);
        check_bytes(words.len());
    }
    Ok(Val::text(words))
}

fn from_base64(text: &str) -> ValR {
    meter::tick_bytes(text.len());
    let unfit = || {
        fail(format!(
            "{} is not valid base64 data",
            describe(&Val::text(text))
        ))
    };
    let bytes = BASE64.decode(text).map_err(|_| unfit())?;
    Ok(Val::text(String::from_utf8_lossy(&bytes)))
}
