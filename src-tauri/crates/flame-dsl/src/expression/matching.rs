//! What jq sees of regular expressions: `_match`, `_split` and `_edits`, on which the prelude builds.

use jaq_core::Cv;
use jaq_core::native::{bome, v};

use super::access::{Error, ValR, describe, fail};
use super::machine::Machine;
use super::meter;
use super::natives::Native;
use super::regex::{Flags, Program, Slots};
use super::value::{Key, Val};

pub(super) fn filters() -> Vec<Native> {
    vec![
        ("_test", v(2), |cv| {
            bome(run(cv, |_, _, matches| Ok((!matches.is_empty()).into())))
        }),
        ("_match", v(2), |cv| {
            bome(run(cv, |text, program, matches| {
                Ok(objects(text, program, matches))
            }))
        }),
        ("_split", v(2), |cv| {
            bome(run(cv, |text, _, matches| Ok(split(text, matches))))
        }),
        ("_edits", v(2), |cv| {
            bome(run(cv, |text, program, matches| {
                Ok(edits(text, program, matches))
            }))
        }),
    ]
}

/// Runs with the input as text and the arguments `(pattern; flags)`; flags may be null.
fn run(mut cv: Cv<'_, Machine>, answer: impl Fn(&str, &Program, &[Slots]) -> ValR) -> ValR {
    let (flags, pattern) = (cv.0.pop_var(), cv.0.pop_var());
    let text =
        cv.1.as_text()
            .ok_or_else(|| unfit(&cv.1, "be matched, as it is not a string"))?;
    let pattern = pattern
        .as_text()
        .ok_or_else(|| unfit(&pattern, "be matched, as it is not a string"))?;
    let flags = match &flags {
        Val::Null => Flags::default(),
        Val::Text(flags) => Flags::parse(flags.as_str())?,
        other => return Err(unfit(other, "be flags, as it is not a string")),
    };
    let program = Program::get(pattern, flags)?;
    let matches = program.matches(text, flags)?;
    answer(text, &program, &matches)
}

fn unfit(value: &Val, what: &str) -> Error {
    fail(format!("{} cannot {what}", describe(value)))
}

/// Counts characters up to places that come in order.
#[derive(Default)]
struct Characters {
    byte: usize,
    character: usize,
}

impl Characters {
    fn up_to(&mut self, text: &str, byte: usize) -> usize {
        self.character += count(&text[self.byte..byte]);
        self.byte = byte;
        self.character
    }
}

fn count(text: &str) -> usize {
    meter::tick_bytes(text.len());
    text.chars().count()
}

fn objects(text: &str, program: &Program, matches: &[Slots]) -> Val {
    let keys = ["offset", "length", "string", "name", "captures"].map(Key::new);
    let [offset_key, length_key, string_key, name_key, captures_key] = &keys;
    let group = |offset: Val, length: usize, string: Val| {
        [
            (offset_key.clone(), offset),
            (length_key.clone(), Val::count(length)),
            (string_key.clone(), string),
        ]
    };
    let mut characters = Characters::default();
    let object = |slots: &Slots| {
        let (start, end) = (slots[0].unwrap_or(0), slots[1].unwrap_or(0));
        let offset = characters.up_to(text, start);
        let captures = slots.chunks_exact(2).zip(&program.names).skip(1);
        let captures = captures.map(|(slots, name)| {
            let members = match (slots[0], slots[1]) {
                (Some(from), Some(to)) => {
                    let offset = offset + count(&text[start..from]);
                    group(
                        Val::count(offset),
                        count(&text[from..to]),
                        Val::text(&text[from..to]),
                    )
                }
                _ => group(Val::int(-1), 0, Val::Null),
            };
            let name = name.as_deref().map_or(Val::Null, Val::text);
            Val::object(
                members
                    .into_iter()
                    .chain([(name_key.clone(), name)])
                    .collect(),
            )
        });
        let captures = captures.collect();
        let members = group(
            Val::count(offset),
            count(&text[start..end]),
            Val::text(&text[start..end]),
        );
        Val::object(
            members
                .into_iter()
                .chain([(captures_key.clone(), captures)])
                .collect(),
        )
    };
    matches.iter().map(object).collect()
}

fn bounds(slots: &Slots) -> (usize, usize) {
    (slots[0].unwrap_or(0), slots[1].unwrap_or(0))
}

fn split(text: &str, matches: &[Slots]) -> Val {
    let mut from = 0;
    let mut parts = Vec::with_capacity(matches.len() + 1);
    for slots in matches {
        let (start, end) = bounds(slots);
        parts.push(Val::text(&text[from..start]));
        from = end;
    }
    parts.push(Val::text(&text[from..]));
    parts.into_iter().collect()
}

/// The text between matches as strings, and for each match an object of its named groups.
fn edits(text: &str, program: &Program, matches: &[Slots]) -> Val {
    let mut from = 0;
    let mut parts = Vec::with_capacity(matches.len() * 2 + 1);
    for slots in matches {
        let (start, end) = bounds(slots);
        parts.push(Val::text(&text[from..start]));
        let groups = slots
            .chunks_exact(2)
            .zip(&program.names)
            .filter_map(|(slots, name)| {
                let string = slots[0]
                    .zip(slots[1])
                    .map_or(Val::Null, |(from, to)| Val::text(&text[from..to]));
                Some((Key::new(name.as_deref()?), string))
            });
        parts.push(Val::object(groups.collect()));
        from = end;
    }
    parts.push(Val::text(&text[from..]));
    parts.into_iter().collect()
}
