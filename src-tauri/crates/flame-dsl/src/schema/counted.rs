//! The value that a schema is held against, for `jsonschema`: JSON whose every reading is counted.

use std::borrow::Cow;
use std::cell::Cell;
use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use jsonschema::JsonType;
use jsonschema::json::{Array, Json, Node, NodeIdentity, Object, cmp};
use jsonschema_value::LazyInstance;
use serde_json::{Map, Number, Value};

use super::idle::Idle;
use crate::expression::meter::tick;

/// Steps of making an error: each holds some hundred bytes until the first ones are told.
const ERROR_STEPS: u64 = 100;

/// Bytes of a text that is only gone over, for each step.
const SCANNED_BYTES: u64 = 16;

/// Parts that look at nothing, for each step.
const IDLE_PARTS: u64 = 8;

/// Items up to which all pairs are compared.
const PAIRS_MAX: usize = 15;

/// What one schema makes reading a value cost.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Costs {
    pub idle: Idle,
    pub text: TextCosts,
    pub name: TextCosts,
}

/// What patterns make a text cost.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TextCosts {
    /// States of the automata that read it.
    pub states: u64,
    /// How often searches may go back, and the states of what they read over then.
    pub backs: u64,
    pub back_states: u64,
}

impl Costs {
    /// Whether a pattern may have to go back more often than it may.
    pub(super) fn goes_back(&self) -> bool {
        self.text.backs + self.name.backs > 0
    }
}

impl TextCosts {
    fn steps(self, bytes: usize) -> u64 {
        let bytes = bytes as u64;
        // An automaton takes a step for each byte, if it is in four states at a time.
        let read = bytes / SCANNED_BYTES + bytes.saturating_mul(self.states) / 4;
        let once = 1 + bytes.saturating_mul(self.back_states) / 512;
        1_u64
            .saturating_add(read)
            .saturating_add(self.backs.saturating_mul(once))
    }
}

thread_local! {
    static VISIT: Cell<u64> = const { Cell::new(1) };
    static CHAIN: Cell<u64> = const { Cell::new(0) };
    static TEXT: Cell<TextCosts> = const { Cell::new(NO_PATTERNS) };
    static NAME: Cell<TextCosts> = const { Cell::new(NO_PATTERNS) };
}

const NO_PATTERNS: TextCosts = TextCosts {
    states: 0,
    backs: 0,
    back_states: 0,
};

/// Holds the value itself against a schema of these costs.
pub(super) fn with<T>(costs: Costs, work: impl FnOnce() -> T) -> T {
    VISIT.set(1 + costs.idle.parts / IDLE_PARTS);
    CHAIN.set(costs.idle.chain);
    TEXT.set(costs.text);
    NAME.set(costs.name);
    visit();
    work()
}

/// Counts that a part of the value is gone to.
#[inline]
fn visit() {
    tick(VISIT.get());
}

/// Counts what going over the whole of a value takes.
fn weigh(value: &Value) {
    match value {
        Value::String(text) => tick(1 + text.len() as u64 / SCANNED_BYTES),
        Value::Array(items) => {
            tick(1);
            items.iter().for_each(weigh);
        }
        Value::Object(members) => {
            tick(1);
            for (name, member) in members {
                tick(1 + name.len() as u64 / SCANNED_BYTES);
                weigh(member);
            }
        }
        _ => tick(1),
    }
}

/// As [`cmp::equal`].
fn equal(left: &Value, right: &Value) -> bool {
    tick(1);
    match (left, right) {
        (Value::String(left), Value::String(right)) => {
            if left.len() == right.len() {
                tick(left.len() as u64 / SCANNED_BYTES);
            }
            left == right
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(l, r)| equal(l, r))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(name, left)| {
                    tick(1 + name.len() as u64 / SCANNED_BYTES);
                    right.get(name).is_some_and(|right| equal(left, right))
                })
        }
        _ => cmp::equal(left, right),
    }
}

/// Feeds the hasher alike for equal values.
fn hash(value: &Value, state: &mut impl Hasher) {
    match value {
        Value::Null => state.write_u8(0),
        Value::Bool(value) => state.write_u8(1 + u8::from(*value)),
        Value::Number(number) => state.write_i128(whole(number)),
        Value::String(text) => {
            state.write_u8(3);
            state.write_usize(text.len());
            state.write(text.as_bytes());
        }
        Value::Array(items) => {
            state.write_u8(4);
            state.write_usize(items.len());
            items.iter().for_each(|item| hash(item, state));
        }
        Value::Object(members) => {
            let of = |(name, member): (&String, &Value)| {
                let mut state = FixedState::default().build_hasher();
                state.write(name.as_bytes());
                hash(member, &mut state);
                state.finish()
            };
            state.write_u8(5);
            state.write_usize(members.len());
            state.write_u64(members.iter().map(of).fold(0, u64::wrapping_add));
        }
    }
}

/// The same for equal numbers, however they are written.
fn whole(number: &Number) -> i128 {
    let integer = number.as_i64().map(i128::from);
    integer
        .or_else(|| number.as_u64().map(i128::from))
        .unwrap_or_else(|| {
            let float = number.as_f64().unwrap_or_default();
            match float.fract() == 0.0 {
                true => float as i128,
                false => float.to_bits().into(),
            }
        })
}

/// `uniqueItems`. Not the library's way, which compares each with each where all hashes are the same.
fn are_unique(items: &[Value]) -> bool {
    let differ = |items: &[&Value]| {
        let mut rest = items;
        while let Some((first, others)) = rest.split_first() {
            if others.iter().any(|other| equal(first, other)) {
                return false;
            }
            rest = others;
        }
        true
    };
    if items.len() <= PAIRS_MAX {
        return differ(&items.iter().collect::<Vec<_>>());
    }
    let hashed = |item| {
        weigh(item);
        let mut state = FixedState::default().build_hasher();
        hash(item, &mut state);
        (state.finish(), item)
    };
    let mut hashed: Vec<(u64, &Value)> = items.iter().map(hashed).collect();
    hashed.sort_by_key(|(hash, _)| *hash);
    hashed
        .chunk_by(|(left, _), (right, _)| left == right)
        .all(|alike| differ(&alike.iter().map(|(_, item)| *item).collect::<Vec<_>>()))
}

pub(super) struct Counted;

impl Json for Counted {
    type Node<'a> = &'a Value;
    type PreparedKey = String;
    type StringBuffer = Value;

    fn prepare_key(key: &str) -> String {
        key.to_owned()
    }

    fn with_string_node<T>(buffer: &mut Value, text: &str, work: impl FnOnce(&Value) -> T) -> T {
        visit();
        *buffer = Value::String(text.to_owned());
        work(buffer)
    }
}

impl<'a> Node<'a, Counted> for &'a Value {
    type Object = &'a Map<String, Value>;
    type Array = &'a [Value];
    type Number = &'a Number;

    #[inline]
    fn as_object(&self) -> Option<Self::Object> {
        tick(1);
        Value::as_object(self)
    }

    #[inline]
    fn as_array(&self) -> Option<Self::Array> {
        tick(1);
        Value::as_array(self).map(Vec::as_slice)
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        match self {
            Value::String(text) => {
                tick(TEXT.get().steps(text.len()));
                Some(Cow::Borrowed(text))
            }
            _ => {
                tick(1);
                None
            }
        }
    }

    #[inline]
    fn as_number(&self) -> Option<Self::Number> {
        tick(1);
        Value::as_number(self)
    }

    #[inline]
    fn as_boolean(&self) -> Option<bool> {
        tick(1);
        Value::as_bool(self)
    }

    #[inline]
    fn is_null(&self) -> bool {
        tick(1);
        Value::is_null(self)
    }

    #[inline]
    fn json_type(&self) -> JsonType {
        tick(1);
        match self {
            Value::Null => JsonType::Null,
            Value::Bool(_) => JsonType::Boolean,
            Value::Number(_) => JsonType::Number,
            Value::String(_) => JsonType::String,
            Value::Array(_) => JsonType::Array,
            Value::Object(_) => JsonType::Object,
        }
    }

    fn string_length(&self) -> Option<u64> {
        let text = Value::as_str(self);
        tick(1 + text.map_or(0, str::len) as u64 / SCANNED_BYTES);
        text.map(|text| text.chars().count() as u64)
    }

    fn equals_value(&self, expected: &Value) -> bool {
        equal(self, expected)
    }

    fn to_value(&self) -> Cow<'a, Value> {
        weigh(self);
        Cow::Borrowed(self)
    }

    fn lazy_value(&self) -> LazyInstance<'a> {
        tick(ERROR_STEPS);
        LazyInstance::Ready(Cow::Borrowed(self))
    }

    /// Asked for wherever a schema comes back to itself; it is looked for among all that is being gone through then.
    fn identity(&self) -> Option<NodeIdentity> {
        tick(VISIT.get() + CHAIN.get());
        Some(NodeIdentity::new(std::ptr::from_ref::<Value>(self).addr()))
    }
}

pub(super) struct Members<'a>(serde_json::map::Iter<'a>);

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, &'a Value);

    fn next(&mut self) -> Option<Self::Item> {
        visit();
        let (name, member) = self.0.next()?;
        tick(NAME.get().steps(name.len()));
        Some((name, member))
    }
}

impl<'a> Object<'a, Counted> for &'a Map<String, Value> {
    type Node = &'a Value;
    type MemberName = &'a str;
    type MembersIter = Members<'a>;

    fn len(&self) -> usize {
        Map::len(self)
    }

    fn get(&self, name: &String) -> Option<&'a Value> {
        visit();
        Map::get(self, name)
    }

    fn members(&self) -> Members<'a> {
        Members(self.iter())
    }
}

pub(super) struct Elements<'a>(std::slice::Iter<'a, Value>);

impl<'a> Iterator for Elements<'a> {
    type Item = &'a Value;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        visit();
        self.0.next()
    }
}

impl<'a> Array<'a, Counted> for &'a [Value] {
    type Node = &'a Value;
    type ElementsIter = Elements<'a>;

    fn len(&self) -> usize {
        <[Value]>::len(self)
    }

    fn elements(&self) -> Elements<'a> {
        Elements(self.iter())
    }

    fn is_unique(&self) -> bool {
        are_unique(self)
    }
}
