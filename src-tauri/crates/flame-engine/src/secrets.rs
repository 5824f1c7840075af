//! The secrets that a run may read, and their way out of everything that is kept.
//!
//! Deliberately absent: where they come from. Whoever holds them gives them before each decision, and
//! they are in no record: data in which one stands is masked before it is folded.

mod encoded;

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use crate::error::{Error, StandardError};

/// What stands in place of a secret.
pub(crate) const MASK: &str = "***";
/// A shorter secret is masked only where it is a whole text: it could be part of any word.
const PART_BYTES_MIN: usize = 6;
/// Settings of an authentication that are no secrets, also where a secret holds all settings.
const PLAIN: [&str; 11] = [
    "authority",
    "endpoints",
    "grant",
    "authentication",
    "request",
    "issuers",
    "scopes",
    "audiences",
    "type",
    "id",
    "username",
];

/// Values of the names in `use.secrets`. `Debug` shows no value.
#[derive(Clone, Default)]
pub struct Secrets {
    /// An object: `$secrets`.
    values: Value,
    missing: Vec<Arc<str>>,
    /// Every text that must not be kept, the longest first.
    texts: Vec<String>,
}

impl Secrets {
    /// The declared names with what `value` gives for each.
    pub fn new(declared: &[Arc<str>], value: impl Fn(&str) -> Option<Value>) -> Self {
        let mut secrets = Self::default();
        let mut values = Map::new();
        for name in declared {
            match value(name) {
                Some(value) => {
                    texts(&value, &mut secrets.texts);
                    values.insert(name.to_string(), value);
                }
                None => secrets.missing.push(Arc::clone(name)),
            }
        }
        secrets
            .texts
            .sort_by_key(|text| std::cmp::Reverse(text.len()));
        secrets.values = Value::Object(values);
        secrets
    }

    pub(crate) const fn values(&self) -> &Value {
        &self.values
    }

    /// Refuses where a declared secret has no value.
    pub(crate) fn complete(&self) -> Result<(), Error> {
        match self.missing.first() {
            None => Ok(()),
            Some(name) => Err(without_value(name)),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Result<&Value, Error> {
        self.values.get(name).ok_or_else(|| without_value(name))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Puts the mask in place of every secret.
    pub(crate) fn mask(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Some(masked) = self.masked(text) {
                    *text = masked;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.mask(item)),
            Value::Object(members) => {
                if members.keys().any(|name| self.masked(name).is_some()) {
                    *members = std::mem::take(members)
                        .into_iter()
                        .map(|(name, value)| (self.masked(&name).unwrap_or(name), value))
                        .collect();
                }
                members.values_mut().for_each(|value| self.mask(value));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// The text without the secrets that stand in it; `None` where there is none.
    fn masked(&self, text: &str) -> Option<String> {
        if self.texts.iter().any(|secret| secret == text) {
            return Some(MASK.to_owned());
        }
        let mut masked: Option<String> = None;
        let parts = self.texts.iter();
        for secret in parts.filter(|secret| secret.len() >= PART_BYTES_MIN) {
            let now = masked.as_deref().unwrap_or(text);
            if now.contains(secret.as_str()) {
                masked = Some(now.replace(secret.as_str(), MASK));
            }
            let now = masked.as_deref().unwrap_or(text);
            if now.contains('%')
                && let Some(without) = encoded::without(now, secret, MASK)
            {
                masked = Some(without);
            }
        }
        masked
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self
            .values
            .as_object()
            .into_iter()
            .flat_map(Map::keys)
            .collect();
        f.debug_struct("Secrets")
            .field("names", &names)
            .field("missing", &self.missing)
            .finish_non_exhaustive()
    }
}

fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if !text.is_empty() => {
            found.push(text.clone());
            found.extend(spellings(text));
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(members) => {
            let secret = members
                .iter()
                .filter(|(name, _)| !PLAIN.contains(&name.as_str()));
            secret.for_each(|(_, value)| texts(value, found));
        }
        _ => {}
    }
}

/// How a secret stands in a text of JSON, and in base64. What an address makes of it is told when one is
/// looked through.
fn spellings(text: &str) -> impl Iterator<Item = String> {
    let quoted = Value::from(text).to_string();
    let escaped = quoted[1..quoted.len() - 1].to_owned();
    let packed = (text.len() >= PART_BYTES_MIN)
        .then(|| [STANDARD_NO_PAD.encode(text), URL_SAFE_NO_PAD.encode(text)]);
    let escaped = (escaped != text).then_some(escaped);
    escaped.into_iter().chain(packed.into_iter().flatten())
}

fn without_value(name: &str) -> Error {
    StandardError::Configuration.with(
        "A secret has no value",
        format!(
            "the secret {name:?} of use.secrets has no value here; put a connection {name:?} of the kind \
             'secret', or give --secret {name}=@FILE to 'flame-agent run'"
        ),
    )
}
