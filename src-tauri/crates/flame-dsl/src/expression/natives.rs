//! Filters of jq that look at values as a whole, and so are quicker and kinder written here than in jq.

use std::rc::Rc;

use jaq_core::native::{Filter, bome, unary, v};
use jaq_core::{Cv, RunPtr, ValT as _, ValXs};

use super::access::{self, Error, ValR, describe, fail, find, indices, key_of};
use super::json;
use super::machine::Machine;
use super::meter;
use super::number::Number;
use super::value::{Array, Key, Members, Object, Text, Val, check_bytes};

pub(super) type Native = Filter<RunPtr<Machine>>;

pub(super) fn natives() -> Vec<Native> {
    let mut natives: Vec<Native> = vec![
        ("length", v(0), |cv| bome(length(&cv.1))),
        ("type", v(0), |cv| bome(Ok(Val::text(cv.1.kind())))),
        ("erf", v(0), |cv| bome(math(&cv.1, libm::erf))),
        ("erfc", v(0), |cv| bome(math(&cv.1, libm::erfc))),
        ("isnan", v(0), |cv| {
            let is_nan = matches!(cv.1, Val::Number(number) if number.is_nan());
            bome(Ok(is_nan.into()))
        }),
        ("nan", v(0), |_| {
            bome(Ok(Val::Number(Number::Float(f64::NAN))))
        }),
        ("infinite", v(0), |_| {
            bome(Ok(Val::Number(Number::Float(f64::INFINITY))))
        }),
        ("tojson", v(0), |cv| {
            bome(Ok(Val::text(json::to_text(&cv.1))))
        }),
        ("fromjson", v(0), |cv| bome(from_json(&cv.1))),
        ("tonumber", v(0), |cv| bome(to_number(cv.1))),
        ("keys", v(0), |cv| bome(keys(cv.1))),
        ("to_entries", v(0), |cv| bome(to_entries(cv.1))),
        ("from_entries", v(0), |cv| bome(from_entries(cv.1))),
        ("add", v(0), |cv| bome(add(cv.1))),
        ("reverse", v(0), |cv| bome(reverse(cv.1))),
        ("implode", v(0), |cv| bome(implode(&cv.1))),
        ("_concat", v(0), |cv| bome(join(&cv.1, &Val::text("")))),
    ];
    natives.extend(unaries());
    natives
}

fn unaries() -> Vec<Native> {
    vec![
        ("has", v(1), |cv| unary(cv, |value, key| has(&value, &key))),
        ("contains", v(1), |cv| {
            unary(cv, |whole, part| contains(&whole, &part).map(Val::Bool))
        }),
        ("indices", v(1), |cv| {
            unary(cv, |whole, part| indices(&whole, &part))
        }),
        ("bsearch", v(1), |cv| {
            unary(cv, |array, item| search(&array, &item))
        }),
        ("join", v(1), |cv| {
            unary(cv, |array, separator| join(&array, &separator))
        }),
        ("flatten", v(1), |cv| {
            unary(cv, |array, depth| flatten(array, &depth))
        }),
        ("split", v(1), |cv| {
            unary(cv, |text, separator| split(&text, &separator))
        }),
        ("delpaths", v(1), |cv| unary(cv, delete_paths)),
        ("startswith", v(1), |cv| {
            unary(cv, |text, part| {
                affix("startswith", &text, &part).map(|(text, part)| text.starts_with(part).into())
            })
        }),
        ("endswith", v(1), |cv| {
            unary(cv, |text, part| {
                affix("endswith", &text, &part).map(|(text, part)| text.ends_with(part).into())
            })
        }),
        ("ltrimstr", v(1), |cv| {
            unary(cv, |text, part| {
                Ok(trim(text, &part, |text, part| text.strip_prefix(part)))
            })
        }),
        ("rtrimstr", v(1), |cv| {
            unary(cv, |text, part| {
                Ok(trim(text, &part, |text, part| text.strip_suffix(part)))
            })
        }),
        ("jn", v(2), |cv| bessel(cv, libm::jn)),
        ("yn", v(2), |cv| bessel(cv, libm::yn)),
        ("_trim", v(1), |cv| {
            unary(cv, |text, side| trim_space(&text, &side))
        }),
    ]
}

fn number(value: &Val) -> Result<Number, Error> {
    match value {
        Val::Number(number) => Ok(*number),
        other => Err(fail(format!("{} is not a number", describe(other)))),
    }
}

fn math(value: &Val, function: impl Fn(f64) -> f64) -> ValR {
    Ok(function(number(value)?.to_f64()).into())
}

/// Order and argument; the order is cut to an integer.
fn bessel(mut cv: Cv<'_, Machine>, function: fn(i32, f64) -> f64) -> ValXs<'_, Val> {
    let (argument, order) = (cv.0.pop_var(), cv.0.pop_var());
    let result = number(&order).and_then(|order| {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "saturates; the cost grows with it"
        )]
        let order = order.to_f64() as i32;
        // As many steps as the recurrence takes.
        meter::tick(u64::from(order.unsigned_abs()) / 4);
        math(&argument, |argument| function(order, argument))
    });
    bome(result)
}

fn items<'v>(value: &'v Val, what: &str) -> Result<&'v [Val], Error> {
    match value {
        Val::Array(array) => Ok(array.items()),
        other => Err(fail(format!(
            "{} cannot be {what}, as it is not an array",
            describe(other)
        ))),
    }
}

fn length(value: &Val) -> ValR {
    Ok(match value {
        Val::Null => Val::int(0),
        Val::Bool(_) => return Err(fail(format!("{} has no length", describe(value)))),
        Val::Number(number) if number.to_f64() < 0.0 => Val::Number(number.negate()),
        Val::Number(number) => Val::Number(*number),
        Val::Text(text) => {
            meter::tick_bytes(text.as_str().len());
            Val::count(text.as_str().chars().count())
        }
        Val::Array(array) => Val::count(array.items().len()),
        Val::Object(object) => Val::count(object.members().len()),
    })
}

fn from_json(value: &Val) -> ValR {
    let text = value
        .as_text()
        .ok_or_else(|| fail(format!("{} cannot be parsed as JSON", describe(value))))?;
    if text.trim() == "nan" {
        return Ok(Val::Number(Number::Float(f64::NAN)));
    }
    json::parse(text).map_err(|error| {
        fail(format!(
            "{} cannot be parsed as JSON: {error}",
            describe(value)
        ))
    })
}

fn to_number(value: Val) -> ValR {
    let unfit = |value: &Val| fail(format!("{} cannot be parsed as a number", describe(value)));
    match &value {
        Val::Number(_) => Ok(value),
        Val::Text(text) => {
            let text = text.as_str();
            meter::tick_bytes(text.len());
            // Rust reads `inf` too.
            let plain = text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
            match Number::parse(text).filter(|_| plain) {
                Some(number) => Ok(Val::Number(number)),
                None if text == "nan" => Ok(Val::Number(Number::Float(f64::NAN))),
                None => Err(unfit(&value)),
            }
        }
        _ => Err(unfit(&value)),
    }
}

fn keys(value: Val) -> ValR {
    match value {
        Val::Array(array) => Ok((0..array.items().len()).map(Val::count).collect()),
        Val::Object(object) => {
            let mut keys: Vec<_> = object.members().keys().cloned().collect();
            meter::tick(keys.len() as u64);
            keys.sort_unstable_by(|left, right| left.as_str().cmp(right.as_str()));
            Ok(keys.into_iter().map(|key| Val::Text(key.0)).collect())
        }
        other => Err(fail(format!("{} has no keys", describe(&other)))),
    }
}

fn to_entries(value: Val) -> ValR {
    if !matches!(value, Val::Array(_) | Val::Object(_)) {
        return Err(fail(format!("{} has no keys", describe(&value))));
    }
    let (key_name, value_name) = (Key::new("key"), Key::new("value"));
    let entry = |pair: Result<(Val, Val), Error>| {
        let (key, value) = pair?;
        Ok(Val::object(
            [(key_name.clone(), key), (value_name.clone(), value)]
                .into_iter()
                .collect(),
        ))
    };
    value.key_values().map(entry).collect()
}

/// Takes the names that jq takes: `key`, `k`, `name`, `Name`, `K`, `Key`; `value`, `v`, `Value`.
fn from_entries(value: Val) -> ValR {
    let mut members = Members::default();
    for entry in value.values() {
        let entry = entry?;
        // It is asked for nine names.
        meter::tick(9);
        let (mut key, mut given) = (Val::Null, None);
        for name in ["key", "k", "name", "Name", "K", "Key"] {
            match find(&entry, &Val::text(name))? {
                Some(found) if found.is_true() => {
                    key = found;
                    break;
                }
                Some(found @ Val::Bool(false)) => key = found,
                _ => {}
            }
        }
        for name in ["value", "v", "Value"] {
            given = find(&entry, &Val::text(name))?;
            if given.is_some() {
                break;
            }
        }
        let key = match key {
            scalar @ (Val::Null | Val::Bool(_) | Val::Number(_)) => Val::text(scalar.to_string()),
            key => key,
        };
        members.insert(key_of(key)?, given.unwrap_or_default());
    }
    Ok(Val::object(members))
}

/// Text is gathered in one go, so that many pieces do not cost their square.
fn add(value: Val) -> ValR {
    if let Val::Array(array) = &value
        && let [Val::Text(_), _, ..] = array.items()
        && array
            .items()
            .iter()
            .all(|item| matches!(item, Val::Text(_) | Val::Null))
    {
        return join(&value, &Val::text(""));
    }
    value.values().try_fold(Val::Null, |sum, item| sum + item?)
}

fn reverse(value: Val) -> ValR {
    match value {
        Val::Null => Ok(Val::array(Vec::new())),
        Val::Number(number) if number.to_f64() == 0.0 => Ok(Val::array(Vec::new())),
        Val::Object(object) if object.members().is_empty() => Ok(Val::array(Vec::new())),
        Val::Text(text) => {
            meter::tick_bytes(text.as_str().len());
            Ok(Val::text(text.as_str().chars().rev().collect::<String>()))
        }
        Val::Array(array) => {
            let mut items = Array::take(array);
            items.reverse();
            Ok(Val::array(items))
        }
        other => Err(fail(format!("Cannot reverse {}", describe(&other)))),
    }
}

fn implode(value: &Val) -> ValR {
    let mut text = String::new();
    for item in items(value, "imploded")? {
        meter::tick(1);
        let code = match item {
            Val::Number(number) => number.to_index(),
            _ => None,
        };
        let code = code.ok_or_else(|| {
            fail(format!(
                "Unicode codepoint must be numeric, not {}",
                describe(item)
            ))
        })?;
        // What is no character (a surrogate, say) becomes the one for that, as in jq.
        let character = u32::try_from(code).ok().and_then(char::from_u32);
        text.push(character.unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    Ok(Val::text(text))
}

fn has(value: &Val, key: &Val) -> ValR {
    match (value, key) {
        (Val::Null, _) => Ok(false.into()),
        (Val::Object(object), Val::Text(key)) => Ok(object.get(key.as_str()).is_some().into()),
        (Val::Array(array), Val::Number(index)) => {
            let index = index
                .to_index()
                .and_then(|index| usize::try_from(index).ok());
            Ok(index
                .is_some_and(|index| index < array.items().len())
                .into())
        }
        (value, key) => Err(fail(format!(
            "Cannot check whether {} has a {} key",
            value.kind(),
            key.kind()
        ))),
    }
}

/// Whether the part is contained in the whole, which must be of its kind.
fn contains(whole: &Val, part: &Val) -> Result<bool, Error> {
    let comparable = match (whole, part) {
        (Val::Bool(_), _) => whole == part,
        _ => alike(whole, part),
    };
    if comparable {
        return Ok(contains_within(whole, part));
    }
    Err(fail(format!(
        "{} and {} cannot have their containment checked",
        describe(whole),
        describe(part)
    )))
}

fn contains_within(whole: &Val, part: &Val) -> bool {
    meter::tick(1);
    match (whole, part) {
        (Val::Object(whole), Val::Object(part)) => part.members().iter().all(|(key, part)| {
            let whole = whole.get(key.as_str());
            whole.is_some_and(|whole| contains_within(whole, part))
        }),
        (Val::Array(whole), Val::Array(part)) => {
            let found = |part| whole.items().iter().any(|item| contains_within(item, part));
            part.items().iter().all(found)
        }
        (Val::Text(whole), Val::Text(part)) => {
            meter::tick_bytes(whole.as_str().len());
            whole.as_str().contains(part.as_str())
        }
        (whole, part) => whole == part,
    }
}

fn alike(left: &Val, right: &Val) -> bool {
    left.kind() == right.kind()
}

fn search(array: &Val, item: &Val) -> ValR {
    let place = match items(array, "searched from")?.binary_search(item) {
        Ok(place) => Val::count(place),
        Err(place) => Val::int(-1 - i64::try_from(place).unwrap_or(i64::MAX)),
    };
    Ok(place)
}

fn join(array: &Val, separator: &Val) -> ValR {
    let mut text = String::new();
    for (index, item) in array.clone().values().enumerate() {
        meter::tick(1);
        let item = item?;
        if index > 0 {
            match separator {
                Val::Text(separator) => text.push_str(separator.as_str()),
                Val::Null => {}
                other => return Val::text(text) + other.clone(),
            }
        }
        match item {
            Val::Null => {}
            Val::Text(item) => text.push_str(item.as_str()),
            Val::Bool(_) | Val::Number(_) => text.push_str(&item.to_string()),
            other => return Val::text(text) + other,
        }
        check_bytes(text.len());
    }
    Ok(Val::text(text))
}

fn flatten(array: Val, depth: &Val) -> ValR {
    let depth = number(depth)?.to_f64();
    if depth < 0.0 {
        return Err(fail("flatten depth must not be negative".to_owned()));
    }
    let mut flat = Vec::new();
    for item in array.values() {
        flatten_into(&mut flat, item?, depth)?;
    }
    Ok(flat.into_iter().collect())
}

/// As deep as values go.
fn flatten_into(flat: &mut Vec<Val>, item: Val, depth: f64) -> Result<(), Error> {
    meter::tick(1);
    match item {
        Val::Array(array) if depth > 0.0 => {
            for item in Array::take(array) {
                flatten_into(flat, item, depth - 1.0)?;
            }
        }
        item => flat.push(item),
    }
    Ok(())
}

fn split(text: &Val, separator: &Val) -> ValR {
    match (text, separator) {
        (Val::Text(text), Val::Text(separator)) => {
            Ok(super::arithmetic::split(text.as_str(), separator.as_str()))
        }
        _ => Err(fail("split input and separator must be strings".to_owned())),
    }
}

fn affix<'v>(name: &str, text: &'v Val, part: &'v Val) -> Result<(&'v str, &'v str), Error> {
    let both = text.as_text().zip(part.as_text());
    both.ok_or_else(|| fail(format!("{name}() requires string inputs")))
}

/// Leaves what is no text as it is, as jq did before 1.8: data is seldom all of one kind.
fn trim(text: Val, part: &Val, strip: impl for<'t> Fn(&'t str, &str) -> Option<&'t str>) -> Val {
    let stripped = text
        .as_text()
        .zip(part.as_text())
        .and_then(|(text, part)| strip(text, part))
        .inspect(|rest| meter::tick_bytes(rest.len()));
    stripped.map(Val::text).unwrap_or(text)
}

/// `side` is negative for the beginning, positive for the end, zero for both.
fn trim_space(text: &Val, side: &Val) -> ValR {
    let trimmed = text
        .as_text()
        .ok_or_else(|| fail("trim input must be a string".to_owned()))?;
    meter::tick_bytes(trimmed.len());
    let side = number(side)?.to_f64();
    let trimmed = if side <= 0.0 {
        trimmed.trim_start()
    } else {
        trimmed
    };
    Ok(Val::text(if side >= 0.0 {
        trimmed.trim_end()
    } else {
        trimmed
    }))
}

/// The last paths first, so that none moves before its turn.
pub(super) fn delete_paths(value: Val, paths: Val) -> ValR {
    let mut paths = items(&paths, "taken as paths")?.to_vec();
    paths.sort();
    paths.dedup();
    paths.into_iter().rev().try_fold(value, |value, path| {
        delete(value, items(&path, "taken as a path")?)
    })
}

/// As deep as values go: a path ends where there is nothing.
fn delete(value: Val, path: &[Val]) -> ValR {
    meter::tick(1);
    match path {
        [] => Ok(Val::Null),
        [last] => delete_at(value, last),
        [first, rest @ ..] => {
            let below = find(&value, first)?.unwrap_or_default();
            if let Val::Null = below {
                return Ok(value);
            }
            let below = delete(below, rest)?;
            let put = |_| std::iter::once(Ok(below.clone()));
            let changed = value.map_index(first, jaq_core::path::Opt::Essential, put);
            changed.map_err(|exception| match exception.get_err() {
                Ok(error) => error,
                Err(_) => fail("Cannot delete here".to_owned()),
            })
        }
    }
}

fn delete_at(value: Val, index: &Val) -> ValR {
    match (value, index) {
        (Val::Null, _) => Ok(Val::Null),
        (Val::Object(mut object), Val::Text(key)) => {
            if object.get(key.as_str()).is_some() {
                Object::remove(&mut object, key.as_str());
            }
            Ok(Val::Object(object))
        }
        (Val::Array(mut array), Val::Number(index)) => {
            if let Some(place) = access::place(*index, array.items().len()) {
                Array::change(&mut array, |items, sums| {
                    meter::tick(items.len() as u64 / 32);
                    sums.left(&items.remove(place));
                });
            }
            Ok(Val::Array(array))
        }
        (Val::Array(mut array), Val::Object(range)) => {
            let places = access::slice(access::as_slice(range)?, array.items().len())?;
            Array::change(&mut array, |items, sums| {
                items.drain(places).for_each(|item| sums.left(&item))
            });
            Ok(Val::Array(array))
        }
        (value, index) => Err(fail(format!(
            "Cannot delete field at {} of {}",
            describe(index),
            value.kind()
        ))),
    }
}

/// What `tostring` gives.
pub(super) fn text_of(value: &Val) -> Rc<Text> {
    match value {
        Val::Text(text) => text.clone(),
        other => Rc::new(Text::new(json::to_text(other))),
    }
}
