//! Values to JSON and back: `serde_json` values at the edge, text for `tojson` and `fromjson`.

use std::fmt::{self, Write as _};

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::meter::{self, DEPTH_MAX, Resource};
use super::number::Number;
use super::value::{Key, Members, Val, check_bytes};

/// A value of the outside.
pub(super) fn from_json(value: &Value) -> Val {
    from_json_at(value, 0)
}

fn from_json_at(value: &Value, depth: usize) -> Val {
    meter::tick(1);
    if depth > DEPTH_MAX {
        meter::exceed(Resource::Depth);
    }
    match value {
        Value::Null => Val::Null,
        Value::Bool(value) => Val::Bool(*value),
        Value::Number(number) => Val::Number(from_number(number)),
        Value::String(text) => Val::text(text.as_str()),
        Value::Array(items) => Val::array(
            items
                .iter()
                .map(|item| from_json_at(item, depth + 1))
                .collect(),
        ),
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(key, value)| (Key::new(key), from_json_at(value, depth + 1)));
            Val::object(members.collect())
        }
    }
}

pub(super) fn from_number(number: &serde_json::Number) -> Number {
    if let Some(value) = number.as_i64() {
        Number::Int(value)
    } else if let Some(value) = number.as_u64() {
        Number::Wide(value)
    } else {
        Number::Float(number.as_f64().unwrap_or(f64::NAN))
    }
}

/// The value for the outside. NaN becomes null and an infinity the largest double, as jq prints them.
pub(super) fn to_json(value: &Val) -> Value {
    meter::tick(1);
    match value {
        Val::Null => Value::Null,
        Val::Bool(value) => Value::Bool(*value),
        Val::Number(number) => to_number(*number),
        Val::Text(text) => Value::String(text.as_str().to_owned()),
        Val::Array(array) => Value::Array(array.items().iter().map(to_json).collect()),
        Val::Object(object) => {
            let members = object
                .members()
                .iter()
                .map(|(key, value)| (key.as_str().to_owned(), to_json(value)));
            Value::Object(members.collect::<Map<_, _>>())
        }
    }
}

pub(super) fn to_number(number: Number) -> Value {
    match number {
        Number::Int(value) => Value::from(value),
        Number::Wide(value) => Value::from(value),
        Number::Float(value) if value.is_nan() => Value::Null,
        Number::Float(value) => Value::from(value.clamp(f64::MIN, f64::MAX)),
    }
}

/// Compact JSON text, not longer than a value may be.
pub(super) fn to_text(value: &Val) -> String {
    let mut text = Bounded(String::new());
    write!(text, "{value}").expect("a String takes whatever is written");
    text.0
}

struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        check_bytes(self.0.len() + text.len());
        self.0.push_str(text);
        Ok(())
    }
}

/// Compact JSON text.
impl fmt::Display for Val {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        meter::tick(1);
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write_text(f, text.as_str()),
            Self::Array(array) => {
                f.write_char('[')?;
                for (index, item) in array.items().iter().enumerate() {
                    if index > 0 {
                        f.write_char(',')?;
                    }
                    write!(f, "{item}")?;
                }
                f.write_char(']')
            }
            Self::Object(object) => {
                f.write_char('{')?;
                for (index, (key, value)) in object.members().iter().enumerate() {
                    if index > 0 {
                        f.write_char(',')?;
                    }
                    write_text(f, key.as_str())?;
                    write!(f, ":{value}")?;
                }
                f.write_char('}')
            }
        }
    }
}

fn write_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    meter::tick_bytes(text.len());
    f.write_char('"')?;
    let mut plain = 0;
    for (at, character) in text.char_indices() {
        let escape = match character {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\u{8}' => "\\b",
            '\u{c}' => "\\f",
            '\0'..='\u{1f}' | '\u{7f}' => "",
            _ => continue,
        };
        meter::tick(1);
        f.write_str(&text[plain..at])?;
        if escape.is_empty() {
            write!(f, "\\u{:04x}", u32::from(character))?;
        } else {
            f.write_str(escape)?;
        }
        plain = at + character.len_utf8();
    }
    f.write_str(&text[plain..])?;
    f.write_char('"')
}

/// One JSON text; white space around it is fine.
pub(super) fn parse(text: &str) -> Result<Val, serde_json::Error> {
    meter::tick_bytes(text.len());
    serde_json::from_str(text)
}

/// Reads straight into values that are counted, so that a long text of short items cannot outgrow memory
/// on the way.
impl<'de> Deserialize<'de> for Val {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValVisitor)
    }
}

struct ValVisitor;

impl<'de> Visitor<'de> for ValVisitor {
    type Value = Val;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Val, E> {
        Ok(Val::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Val, E> {
        Ok(Val::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Val, E> {
        Ok(Val::int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Val, E> {
        Ok(Val::Number(
            i64::try_from(value).map_or(Number::Wide(value), Number::Int),
        ))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Val, E> {
        Ok(Val::Number(Number::Float(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Val, E> {
        Ok(Val::text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Val, A::Error> {
        let mut items = Vec::new();
        let mut bytes = 0;
        while let Some(item) = sequence.next_element::<Val>()? {
            meter::tick(1);
            bytes += item.bytes();
            check_bytes(bytes);
            items.push(item);
        }
        Ok(Val::array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Val, A::Error> {
        let mut members = Members::default();
        let mut bytes = 0;
        while let Some((key, value)) = map.next_entry::<String, Val>()? {
            meter::tick(2);
            bytes += key.len() + value.bytes();
            check_bytes(bytes);
            members.insert(Key::new(&key), value);
        }
        Ok(Val::object(members))
    }
}
