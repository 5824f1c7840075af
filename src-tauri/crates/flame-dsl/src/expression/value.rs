//! The value that jaq computes with: JSON that knows its size and depth, shares what it can, and counts
//! against the [`meter`](super::meter) what it takes. Looking into values and changing them is in `access`.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use indexmap::IndexMap;

use super::meter::{self, DEPTH_MAX, Resource, VALUE_BYTES_MAX};
use super::number::Number;

#[derive(Debug, Clone, Default)]
pub(super) enum Val {
    #[default]
    Null,
    Bool(bool),
    Number(Number),
    Text(Rc<Text>),
    Array(Rc<Array>),
    Object(Rc<Object>),
}

/// A scalar's share of its container.
const SLOT_BYTES: usize = size_of::<Val>();

/// What a container or text takes beside its content.
const HEADER_BYTES: usize = 64;

/// What an object takes for a member beside key and value.
const MEMBER_BYTES: usize = 40;

impl Val {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Number(_) => "number",
            Self::Text(_) => "string",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
        }
    }

    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(Rc::new(Text::new(text.into())))
    }

    pub(super) fn array(items: Vec<Self>) -> Self {
        Self::Array(Rc::new(Array::new(items)))
    }

    pub(super) fn object(members: Members) -> Self {
        Self::Object(Rc::new(Object::new(members)))
    }

    pub(super) fn int(value: i64) -> Self {
        Self::Number(Number::Int(value))
    }

    pub(super) fn count(value: usize) -> Self {
        Self::int(i64::try_from(value).unwrap_or(i64::MAX))
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(&text.0),
            _ => None,
        }
    }

    /// Bytes of the value with everything shared written out.
    pub(super) fn bytes(&self) -> usize {
        SLOT_BYTES
            + match self {
                Self::Null | Self::Bool(_) | Self::Number(_) => 0,
                Self::Text(text) => text.0.len(),
                Self::Array(array) => array.bytes,
                Self::Object(object) => object.bytes,
            }
    }

    fn depth(&self) -> usize {
        match self {
            Self::Array(array) => array.depth,
            Self::Object(object) => object.depth,
            _ => 0,
        }
    }

    pub(super) fn is_true(&self) -> bool {
        !matches!(self, Self::Null | Self::Bool(false))
    }
}

/// A string. Also the key of an object, so that keys are shared.
#[derive(Debug)]
pub(super) struct Text(String);

impl Text {
    pub(super) fn new(text: String) -> Self {
        check_bytes(text.len());
        // Text made out of nothing costs what it took to copy it.
        meter::tick_bytes(text.len());
        meter::charge(text.len() + HEADER_BYTES);
        Self(text)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Appends in place.
    pub(super) fn push(&mut self, text: &str) {
        check_bytes(self.0.len() + text.len());
        meter::tick_bytes(text.len());
        meter::charge(text.len());
        self.0.push_str(text);
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        meter::release(self.0.len() + HEADER_BYTES);
    }
}

/// A key: a text that is found by its `str`.
#[derive(Debug, Clone)]
pub(super) struct Key(pub(super) Rc<Text>);

impl Key {
    pub(super) fn new(text: &str) -> Self {
        Self(Rc::new(Text::new(text.to_owned())))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0.0
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Key {}

pub(super) type Members = IndexMap<Key, Val, foldhash::fast::RandomState>;

/// Items with their sums. What changes the items goes through [`Array::change`].
#[derive(Debug, Default)]
pub(super) struct Array {
    items: Vec<Val>,
    bytes: usize,
    depth: usize,
    charged: usize,
}

impl Array {
    fn new(items: Vec<Val>) -> Self {
        let (bytes, depth) = sums(&items);
        let mut array = Self {
            items,
            bytes,
            depth,
            charged: 0,
        };
        array.check();
        array
    }

    pub(super) fn items(&self) -> &[Val] {
        &self.items
    }

    /// Takes the items out, or copies them where they are shared.
    pub(super) fn take(array: Rc<Self>) -> Vec<Val> {
        match Rc::try_unwrap(array) {
            Ok(mut array) => std::mem::take(&mut array.items),
            Err(array) => copy(&array.items),
        }
    }

    /// Changes items in place, a copy of them where they are shared. Of what goes out and what comes in
    /// the change gives the bytes; see [`Change`].
    pub(super) fn change<T>(
        array: &mut Rc<Self>,
        change: impl FnOnce(&mut Vec<Val>, &mut Change) -> T,
    ) -> T {
        let array = Rc::make_mut(array);
        let mut sums = Change {
            bytes: array.bytes,
            depth: array.depth,
        };
        let result = change(&mut array.items, &mut sums);
        (array.bytes, array.depth) = (sums.bytes, sums.depth);
        if array.depth > DEPTH_MAX {
            // What made it deep may have gone meanwhile.
            array.depth = sums_depth(&array.items);
        }
        array.check();
        result
    }

    fn check(&mut self) {
        check_bytes(self.bytes);
        check_depth(self.depth);
        recharge(
            &mut self.charged,
            HEADER_BYTES + self.items.capacity() * SLOT_BYTES,
        );
    }
}

impl Clone for Array {
    fn clone(&self) -> Self {
        let mut array = Self {
            items: copy(&self.items),
            bytes: self.bytes,
            depth: self.depth,
            charged: 0,
        };
        array.check();
        array
    }
}

impl Drop for Array {
    fn drop(&mut self) {
        meter::release(self.charged);
    }
}

/// Keeps the sums of a container right while it changes.
pub(super) struct Change {
    bytes: usize,
    depth: usize,
}

impl Change {
    pub(super) fn left(&mut self, item: &Val) {
        self.bytes = self.bytes.saturating_sub(item.bytes());
    }

    pub(super) fn came(&mut self, item: &Val) {
        self.bytes = self.bytes.saturating_add(item.bytes());
        self.depth = self.depth.max(item.depth() + 1);
    }
}

/// Members with their sums.
#[derive(Debug, Default)]
pub(super) struct Object {
    members: Members,
    bytes: usize,
    depth: usize,
    charged: usize,
}

impl Object {
    fn new(members: Members) -> Self {
        let (mut bytes, mut depth) = (0, 1);
        for (key, value) in &members {
            bytes += member_bytes(key) + value.bytes();
            depth = depth.max(value.depth() + 1);
        }
        let mut object = Self {
            members,
            bytes,
            depth,
            charged: 0,
        };
        object.check();
        object
    }

    pub(super) fn members(&self) -> &Members {
        &self.members
    }

    pub(super) fn get(&self, key: &str) -> Option<&Val> {
        self.members.get(key)
    }

    pub(super) fn take(object: Rc<Self>) -> Members {
        match Rc::try_unwrap(object) {
            Ok(mut object) => std::mem::take(&mut object.members),
            Err(object) => copy_members(&object.members),
        }
    }

    pub(super) fn insert(object: &mut Rc<Self>, key: Key, value: Val) {
        let object = Rc::make_mut(object);
        object.bytes += value.bytes();
        object.depth = object.depth.max(value.depth() + 1);
        let added = member_bytes(&key);
        match object.members.insert(key, value) {
            Some(old) => object.bytes -= old.bytes(),
            None => object.bytes += added,
        }
        object.settle();
    }

    /// Takes a member's value to be changed; [`Object::insert`] brings it back, or [`Object::remove`].
    pub(super) fn lift(object: &mut Rc<Self>, key: &str) -> Option<Val> {
        let object = Rc::make_mut(object);
        let value = std::mem::take(object.members.get_mut(key)?);
        object.bytes -= value.bytes() - Val::Null.bytes();
        Some(value)
    }

    pub(super) fn remove(object: &mut Rc<Self>, key: &str) {
        let object = Rc::make_mut(object);
        meter::tick(object.members.len() as u64 / 16);
        if let Some((key, value)) = object.members.shift_remove_entry(key) {
            object.bytes -= member_bytes(&key) + value.bytes();
        }
    }

    fn settle(&mut self) {
        if self.depth > DEPTH_MAX {
            self.depth = 1 + self.members.values().map(Val::depth).max().unwrap_or(0);
        }
        self.check();
    }

    fn check(&mut self) {
        check_bytes(self.bytes);
        check_depth(self.depth);
        recharge(
            &mut self.charged,
            HEADER_BYTES + self.members.capacity() * MEMBER_BYTES,
        );
    }
}

impl Clone for Object {
    fn clone(&self) -> Self {
        let members = copy_members(&self.members);
        let mut object = Self {
            members,
            bytes: self.bytes,
            depth: self.depth,
            charged: 0,
        };
        object.check();
        object
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        meter::release(self.charged);
    }
}

fn member_bytes(key: &Key) -> usize {
    MEMBER_BYTES + key.as_str().len()
}

fn sums(items: &[Val]) -> (usize, usize) {
    let (mut bytes, mut depth) = (0_usize, 1);
    for item in items {
        bytes = bytes.saturating_add(item.bytes());
        depth = depth.max(item.depth() + 1);
    }
    (bytes, depth)
}

fn sums_depth(items: &[Val]) -> usize {
    1 + items.iter().map(Val::depth).max().unwrap_or(0)
}

fn copy(items: &[Val]) -> Vec<Val> {
    meter::tick(items.len() as u64 / 8);
    items.to_vec()
}

fn copy_members(members: &Members) -> Members {
    meter::tick(members.len() as u64 / 4);
    members.clone()
}

/// Ends the evaluation where one value would get too large.
pub(super) fn check_bytes(bytes: usize) {
    if bytes > VALUE_BYTES_MAX {
        meter::exceed(Resource::ValueSize);
    }
}

pub(super) fn check_depth(depth: usize) {
    if depth > DEPTH_MAX {
        meter::exceed(Resource::Depth);
    }
}

fn recharge(charged: &mut usize, bytes: usize) {
    if bytes > *charged {
        meter::charge(bytes - *charged);
    } else {
        meter::release(*charged - bytes);
    }
    *charged = bytes;
}

impl FromIterator<Self> for Val {
    fn from_iter<I: IntoIterator<Item = Self>>(items: I) -> Self {
        let mut collected = Vec::new();
        let mut bytes = 0_usize;
        for item in items {
            meter::tick(1);
            bytes = bytes.saturating_add(item.bytes());
            check_bytes(bytes);
            collected.push(item);
        }
        Self::array(collected)
    }
}

impl From<bool> for Val {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<isize> for Val {
    fn from(value: isize) -> Self {
        Self::int(value as i64)
    }
}

impl From<usize> for Val {
    fn from(value: usize) -> Self {
        Self::count(value)
    }
}

impl From<f64> for Val {
    fn from(value: f64) -> Self {
        Self::Number(Number::computed(value))
    }
}

impl From<String> for Val {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

/// A slice as it stands in a path.
impl From<std::ops::Range<Option<Self>>> for Val {
    fn from(range: std::ops::Range<Option<Self>>) -> Self {
        // As long a list as of names may come of slices, and each takes more memory.
        meter::tick(2 * meter::INDEX_STEPS);
        let bound = |bound: Option<Self>| bound.unwrap_or(Self::Null);
        let members = [
            (Key::new("start"), bound(range.start)),
            (Key::new("end"), bound(range.end)),
        ];
        Self::object(members.into_iter().collect())
    }
}
