//! Looking into values and changing them by path: what jaq asks of a value type.

use std::rc::Rc;

use jaq_core::box_iter::{BoxIter, box_once};
use jaq_core::path::Opt;
use jaq_core::val::Range;
use jaq_core::{Exn, ValT as _, ValX};

use super::meter::{self, Resource, VALUE_BYTES_MAX};
use super::number::Number;
use super::value::{Array, Key, Members, Object, Text, Val};

pub(super) type Error = jaq_core::Error<Val>;
pub(super) type ValR = Result<Val, Error>;

/// Characters of a value that an error shows.
const SHOWN_CHARACTERS_MAX: usize = 40;

pub(super) fn fail(message: String) -> Error {
    Error::new(Val::text(message))
}

/// The value for an error: its kind and its beginning.
pub(super) fn describe(value: &Val) -> String {
    if let Val::Null = value {
        return "null (null)".to_owned();
    }
    // A long value is not written out to be cut.
    if value.bytes() > 64 * 1024 {
        return value.kind().to_owned();
    }
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_CHARACTERS_MAX) {
        Some((end, _)) => format!("{} ({}...)", value.kind(), &text[..end]),
        None => format!("{} ({text})", value.kind()),
    }
}

fn not_iterable(value: &Val) -> Error {
    match value {
        Val::Null => fail("Cannot iterate over null".to_owned()),
        value => fail(format!("Cannot iterate over {}", describe(value))),
    }
}

fn not_indexable(value: &Val, index: &Val) -> Error {
    fail(format!(
        "Cannot index {} with {}",
        value.kind(),
        describe(index)
    ))
}

/// The place that an index means in a sequence, negative ones counting from its end; None outside.
pub(super) fn place(index: Number, length: usize) -> Option<usize> {
    let index = index.to_index()?;
    let place = if index < 0 {
        index.checked_add_unsigned(length as u64)?
    } else {
        index
    };
    usize::try_from(place).ok().filter(|place| *place < length)
}

/// The places from and to which a slice goes, within the length.
pub(super) fn slice(range: Range<&Val>, length: usize) -> Result<std::ops::Range<usize>, Error> {
    let bound = |bound: Option<&Val>, default: usize, round: fn(f64) -> f64| match bound {
        None | Some(Val::Null) => Ok(default),
        Some(Val::Number(number)) => Ok(clip(round(number.to_f64()), length)),
        Some(_) => Err(fail(
            "Start and end indices of an array slice must be numbers".to_owned(),
        )),
    };
    let start = bound(range.start, 0, f64::floor)?;
    let end = bound(range.end, length, f64::ceil)?;
    Ok(start..end.max(start))
}

#[expect(clippy::cast_precision_loss, reason = "lengths are far below 53 bits")]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clipped to the length before"
)]
fn clip(place: f64, length: usize) -> usize {
    let place = if place < 0.0 {
        place + length as f64
    } else {
        place
    };
    place.clamp(0.0, length as f64) as usize
}

/// The bytes of a text that a slice in characters means.
fn slice_of_text(range: Range<&Val>, text: &str) -> Result<std::ops::Range<usize>, Error> {
    meter::tick_bytes(text.len());
    if text.is_ascii() {
        return slice(range, text.len());
    }
    let characters = slice(range, text.chars().count())?;
    let byte = |character: usize| {
        text.char_indices()
            .nth(character)
            .map_or(text.len(), |(byte, _)| byte)
    };
    Ok(byte(characters.start)..byte(characters.end))
}

/// `{"start": .., "end": ..}`, which stands for a slice in a path.
pub(super) fn as_slice(object: &Object) -> Result<Range<&Val>, Error> {
    match (object.get("start"), object.get("end")) {
        (Some(start), Some(end)) => Ok(Some(start)..Some(end)),
        _ => Err(fail(
            "An array or string is sliced by an object with start and end".to_owned(),
        )),
    }
}

/// Where `part` begins in `whole`; of what is no sequence, what it has there.
pub(super) fn indices(whole: &Val, part: &Val) -> ValR {
    Ok(match (whole, part) {
        (Val::Text(whole), Val::Text(part)) => indices_in_text(whole, part),
        (Val::Array(whole), Val::Array(part)) => {
            let (whole, part) = (whole.items(), part.items());
            if part.is_empty() {
                return Ok(Val::array(Vec::new()));
            }
            let found = whole
                .windows(part.len())
                .enumerate()
                .filter(|(_, window)| *window == part);
            found.map(|(index, _)| Val::count(index)).collect()
        }
        (Val::Array(whole), part) => {
            let found = whole
                .items()
                .iter()
                .enumerate()
                .filter(|(_, item)| *item == part);
            found.map(|(index, _)| Val::count(index)).collect()
        }
        (whole, part) => return find(whole, part).map(Option::unwrap_or_default),
    })
}

fn indices_in_text(whole: &Text, part: &Text) -> Val {
    let (whole, part) = (whole.as_str(), part.as_str());
    if part.is_empty() {
        return Val::array(Vec::new());
    }
    meter::tick_bytes(whole.len().saturating_mul(2));
    let (mut character, mut byte, mut from) = (0, 0, 0);
    let found = std::iter::from_fn(|| {
        let at = from + whole[from..].find(part)?;
        character += whole[byte..at].chars().count();
        byte = at;
        // Finds may overlap.
        from = at + whole[at..].chars().next().map_or(1, char::len_utf8);
        meter::tick(1 + part.len() as u64 / 64);
        Some(Val::count(character))
    });
    found.collect()
}

/// The value at an index, None where there is nothing.
pub(super) fn find(value: &Val, index: &Val) -> Result<Option<Val>, Error> {
    Ok(match (value, index) {
        (Val::Null, Val::Text(_) | Val::Number(_) | Val::Object(_)) => None,
        (Val::Object(object), Val::Text(key)) => object.get(key.as_str()).cloned(),
        (Val::Array(array), Val::Number(index)) => {
            place(*index, array.items().len()).map(|place| array.items()[place].clone())
        }
        (value @ (Val::Array(_) | Val::Text(_)), Val::Object(object)) => {
            Some(value.clone().range(as_slice(object)?)?)
        }
        (Val::Array(_), Val::Array(_)) => Some(indices(value, index)?),
        (value, index) => return Err(not_indexable(value, index)),
    })
}

type Items = BoxIter<'static, ValR>;

impl jaq_core::ValT for Val {
    fn from_num(text: &str) -> ValR {
        Number::parse(text)
            .map(Self::Number)
            .ok_or_else(|| fail(format!("`{text}` is not a number")))
    }

    fn from_map<I: IntoIterator<Item = (Self, Self)>>(pairs: I) -> ValR {
        let mut members = Members::default();
        for (key, value) in pairs {
            members.insert(key_of(key)?, value);
        }
        Ok(Self::object(members))
    }

    fn key_values(self) -> BoxIter<'static, Result<(Self, Self), Error>> {
        match self {
            Self::Array(array) => {
                let items = Array::take(array).into_iter().enumerate();
                Box::new(items.map(|(index, item)| Ok((Self::count(index), item))))
            }
            Self::Object(object) => Box::new(
                Object::take(object)
                    .into_iter()
                    .map(|(key, value)| Ok((Self::Text(key.0), value))),
            ),
            other => box_once(Err(not_iterable(&other))),
        }
    }

    fn values(self) -> Items {
        match self {
            Self::Array(array) => Box::new(Array::take(array).into_iter().map(Ok)),
            Self::Object(object) => Box::new(Object::take(object).into_values().map(Ok)),
            other => box_once(Err(not_iterable(&other))),
        }
    }

    fn index(self, index: &Self) -> ValR {
        meter::tick(meter::INDEX_STEPS);
        find(&self, index).map(Option::unwrap_or_default)
    }

    fn range(self, range: Range<&Self>) -> ValR {
        meter::tick(meter::INDEX_STEPS);
        match self {
            Self::Null => Ok(Self::Null),
            Self::Array(array) => {
                let items = &array.items()[slice(range, array.items().len())?];
                Ok(items.iter().cloned().collect())
            }
            Self::Text(text) => {
                let text = text.as_str();
                Ok(Self::text(&text[slice_of_text(range, text)?]))
            }
            other => Err(fail(format!("Cannot index {} with object", other.kind()))),
        }
    }

    fn map_values<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        opt: Opt,
        change: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        match self {
            Self::Array(array) => {
                let items = Array::take(array)
                    .into_iter()
                    .filter_map(|item| change(item).next());
                items.collect()
            }
            Self::Object(object) => {
                let mut members = Members::default();
                for (key, value) in Object::take(object) {
                    if let Some(value) = change(value).next().transpose()? {
                        members.insert(key, value);
                    }
                }
                Ok(Self::object(members))
            }
            other => opt.fail(other, |other| Exn::from(not_iterable(&other))),
        }
    }

    fn map_index<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        index: &Self,
        opt: Opt,
        change: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        match (self, index) {
            (value @ (Self::Null | Self::Array(_) | Self::Text(_)), Self::Object(object)) => {
                value.map_range(as_slice(object)?, opt, change)
            }
            // What is not there and becomes nothing leaves null alone.
            (Self::Null, Self::Text(_) | Self::Number(_)) => {
                let Some(new) = change(Self::Null).next().transpose()? else {
                    return Ok(Self::Null);
                };
                let put = |_| std::iter::once(Ok(new.clone()));
                match index {
                    Self::Text(key) => change_member(Rc::new(Object::default()), key, put),
                    Self::Number(index) => change_item(Rc::new(Array::default()), *index, put),
                    _ => Ok(new),
                }
            }
            (Self::Object(object), Self::Text(key)) => change_member(object, key, change),
            (Self::Array(array), Self::Number(index)) => change_item(array, *index, change),
            (other, index) => opt.fail(other, |other| Exn::from(not_indexable(&other, index))),
        }
    }

    fn map_range<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        range: Range<&Self>,
        opt: Opt,
        change: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        let is_null = matches!(self, Self::Null);
        let mut array = match self {
            Self::Null => Rc::new(Array::default()),
            Self::Array(array) => array,
            Self::Text(_) => return Err(fail("Cannot update string slices".to_owned()).into()),
            other => {
                let message = format!("Cannot update object slice of {}", other.kind());
                return opt.fail(other, |_| Exn::from(fail(message)));
            }
        };
        let places = slice(range, array.items().len())?;
        let old = if is_null {
            Self::Null
        } else {
            array.items()[places.clone()].iter().cloned().collect()
        };
        let new = match change(old).next().transpose()? {
            None if is_null => return Ok(Self::Null),
            None => Vec::new(),
            Some(Self::Array(new)) => Array::take(new),
            Some(_) => {
                return Err(fail(
                    "A slice of an array can only be assigned another array".to_owned(),
                )
                .into());
            }
        };
        Array::change(&mut array, |items, sums| {
            meter::tick((items.len() + new.len()) as u64 / 16);
            items[places.clone()]
                .iter()
                .for_each(|item| sums.left(item));
            new.iter().for_each(|item| sums.came(item));
            items.splice(places, new);
        });
        Ok(Self::Array(array))
    }

    fn as_bool(&self) -> bool {
        self.is_true()
    }

    fn into_string(self) -> Self {
        match self {
            Self::Text(text) => Self::Text(text),
            other => Self::text(super::json::to_text(&other)),
        }
    }
}

pub(super) fn key_of(key: Val) -> Result<Key, Error> {
    match key {
        Val::Text(text) => Ok(Key(text)),
        other => Err(fail(format!(
            "Object keys must be strings, not {}",
            describe(&other)
        ))),
    }
}

fn change_member<'a, I: Iterator<Item = ValX<'a, Val>>>(
    mut object: Rc<Object>,
    key: &Rc<Text>,
    change: impl Fn(Val) -> I,
) -> ValX<'a, Val> {
    let old = Object::lift(&mut object, key.as_str());
    match change(old.unwrap_or_default()).next().transpose()? {
        Some(new) => Object::insert(&mut object, Key(key.clone()), new),
        None => Object::remove(&mut object, key.as_str()),
    }
    Ok(Val::Object(object))
}

/// Changes an item; one beyond the end is made, with null before it.
fn change_item<'a, I: Iterator<Item = ValX<'a, Val>>>(
    mut array: Rc<Array>,
    index: Number,
    change: impl Fn(Val) -> I,
) -> ValX<'a, Val> {
    let length = array.items().len();
    let Some(index) = index.to_index() else {
        return Err(fail("Cannot set array element at NaN index".to_owned()).into());
    };
    let place = if index < 0 {
        index + i64::try_from(length).unwrap_or(i64::MAX)
    } else {
        index
    };
    let Ok(place) = usize::try_from(place) else {
        return Err(fail("Out of bounds negative array index".to_owned()).into());
    };
    if place >= VALUE_BYTES_MAX / size_of::<Val>() {
        meter::exceed(Resource::ValueSize);
    }
    let old = Array::change(&mut array, |items, sums| {
        items.get_mut(place).map(|item| {
            sums.left(item);
            let item = std::mem::take(item);
            sums.came(&Val::Null);
            item
        })
    });
    let new = change(old.unwrap_or_default()).next().transpose()?;
    Array::change(&mut array, |items, sums| match new {
        Some(new) => {
            while items.len() <= place {
                sums.came(&Val::Null);
                items.push(Val::Null);
            }
            meter::tick((items.len() - length) as u64 / 8);
            sums.left(&Val::Null);
            sums.came(&new);
            items[place] = new;
        }
        None if place < items.len() => {
            meter::tick(items.len() as u64 / 32);
            sums.left(&Val::Null);
            items.remove(place);
        }
        None => {}
    });
    Ok(Val::Array(array))
}

impl jaq_std::ValT for Val {
    fn into_seq<S: FromIterator<Self>>(self) -> Result<S, Self> {
        match self {
            Self::Array(array) => Ok(Array::take(array).into_iter().collect()),
            other => Err(other),
        }
    }

    fn is_int(&self) -> bool {
        matches!(self, Self::Number(Number::Int(_) | Number::Wide(_)))
    }

    fn as_isize(&self) -> Option<isize> {
        match self {
            Self::Number(number) => number
                .to_i64()
                .and_then(|value| isize::try_from(value).ok()),
            _ => None,
        }
    }

    fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(number.to_f64()),
            _ => None,
        }
    }

    fn is_utf8_str(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    fn as_bytes(&self) -> Option<&[u8]> {
        self.as_text().map(str::as_bytes)
    }

    fn as_sub_str(&self, part: &[u8]) -> Self {
        Self::text(String::from_utf8_lossy(part))
    }

    fn from_utf8_bytes(bytes: impl AsRef<[u8]> + Send + 'static) -> Self {
        Self::text(String::from_utf8_lossy(bytes.as_ref()))
    }
}
