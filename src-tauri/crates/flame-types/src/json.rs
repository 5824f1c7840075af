//! JSON read as it is written, whatever its keys are.
//!
//! `serde_json::Value` reads an object whose first key is `$serde_json::private::RawValue` as a text of its own
//! making, to be parsed once more, in every build that switches its `raw_value` on; Tauri and axum do. What partners
//! and people send may hold any key, and what is stored has to come back as it went in. So every `Value` that is
//! read is read by this module: a text by [`from_slice`] or [`from_str`], a field by
//! `#[serde(deserialize_with = "flame_types::json::read")]`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// One JSON text.
///
/// # Errors
///
/// It is not JSON, is nested more than 128 levels deep, or is of another kind than asked for.
pub fn from_slice<T: FromJson>(text: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(text).map(|AsWritten(value)| value)
}

/// One JSON text.
///
/// # Errors
///
/// As [`from_slice`].
pub fn from_str<T: FromJson>(text: &str) -> serde_json::Result<T> {
    from_slice(text.as_bytes())
}

/// For `deserialize_with` of a field.
///
/// # Errors
///
/// Those of the deserializer.
pub fn read<'de, D: Deserializer<'de>, T: FromJson>(from: D) -> Result<T, D::Error> {
    T::from_json(from)
}

/// As [`read`], of a member that may be absent: a null that is there is a value.
///
/// # Errors
///
/// Those of the deserializer.
pub fn present<'de, D: Deserializer<'de>, T: FromJson>(from: D) -> Result<Option<T>, D::Error> {
    T::from_json(from).map(Some)
}

/// What holds JSON of any form, and reads it as it is written.
pub trait FromJson: Sized {
    /// # Errors
    ///
    /// Those of the deserializer.
    fn from_json<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error>;
}

/// Lends [`FromJson`] to what asks for `Deserialize`.
#[derive(Debug)]
pub struct AsWritten<T>(pub T);

impl<'de, T: FromJson> Deserialize<'de> for AsWritten<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        T::from_json(from).map(Self)
    }
}

impl FromJson for Value {
    fn from_json<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AnyJson)
    }
}

impl FromJson for Map<String, Value> {
    fn from_json<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Members)
    }
}

impl<T: FromJson> FromJson for Arc<T> {
    fn from_json<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        T::from_json(from).map(Self::new)
    }
}

/// A null is none.
impl<T: FromJson> FromJson for Option<T> {
    fn from_json<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Option::<AsWritten<T>>::deserialize(from).map(|some| some.map(|AsWritten(value)| value))
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let items = Vec::<AsWritten<T>>::deserialize(from)?;
        Ok(items.into_iter().map(|AsWritten(value)| value).collect())
    }
}

impl<T: FromJson> FromJson for BTreeMap<String, T> {
    fn from_json<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let members = BTreeMap::<String, AsWritten<T>>::deserialize(from)?;
        Ok(members
            .into_iter()
            .map(|(key, AsWritten(value))| (key, value))
            .collect())
    }
}

impl<K: DeserializeOwned, T: FromJson> FromJson for (K, T) {
    fn from_json<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (key, AsWritten(value)) = <(K, AsWritten<T>)>::deserialize(from)?;
        Ok((key, value))
    }
}

impl<T: FromJson, E: DeserializeOwned> FromJson for Result<T, E> {
    fn from_json<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let outcome = Result::<AsWritten<T>, E>::deserialize(from)?;
        Ok(outcome.map(|AsWritten(value)| value))
    }
}

struct AnyJson;

impl<'de> Visitor<'de> for AnyJson {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        Value::from_json(from)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(AsWritten(item)) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Value, A::Error> {
        Members.visit_map(members).map(Value::Object)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Map<String, Value>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut read = Map::new();
        while let Some((key, AsWritten(value))) = members.next_entry()? {
            read.insert(key, value);
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// What `serde_json` has a meaning of its own for.
    const TOKEN: &str = "$serde_json::private::RawValue";

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        let key = prop_oneof![
            Just(TOKEN.to_owned()),
            Just("$serde_json::private::Number".to_owned()),
            ".{0,3}",
        ];
        leaf.prop_recursive(4, 32, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((key.clone(), inner), 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(value in any_json()) {
            let text = value.to_string();
            prop_assert_eq!(&from_str::<Value>(&text).unwrap(), &value);
            prop_assert_eq!(&from_slice::<Arc<Value>>(text.as_bytes()).unwrap(), &Arc::new(value.clone()));
            prop_assert_eq!(&Value::from_json(&value).unwrap(), &value);
        }
    }

    #[test]
    fn serde_json_alone_would_read_something_else() {
        let text = json!({TOKEN: "[1, 2]"}).to_string();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), json!([1, 2]));
        assert_eq!(from_str::<Value>(&text).unwrap()[TOKEN], "[1, 2]");
    }

    #[test]
    fn containers_hold_json() {
        let text = json!({"a": {TOKEN: "{"}, "b": null}).to_string();
        let members: BTreeMap<String, Option<Value>> = from_str(&text).unwrap();
        assert_eq!(members["a"].as_ref().unwrap()[TOKEN], "{");
        assert_eq!(members["b"], None);
        assert_eq!(
            from_str::<Map<String, Value>>(&text).unwrap()["a"][TOKEN],
            "{"
        );
        let items: Vec<Value> = from_str(&format!("[{text}]")).unwrap();
        assert_eq!(items[0].to_string(), text);
        assert!(from_str::<Map<String, Value>>("[]").is_err());
        assert!(from_str::<Value>("{").is_err());
    }
}
