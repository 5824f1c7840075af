//! What the patterns of a schema cost: the states of their automata, and whether they may go back.

use std::collections::HashMap;

use regex_automata::nfa::thompson::{Compiler, Config};
use regex_syntax::hir::{Hir, HirKind};
use serde_json::{Map, Value};

use super::Costly;
use super::counted::{Costs, TextCosts};
use super::idle::Idle;
use crate::source::pointer_step;

/// Bytes of one compiled pattern.
pub(super) const PROGRAM_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes of all compiled patterns of a schema.
const PROGRAMS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Taken for what goes back and is beyond us.
const STATES_UNKNOWN: u64 = 4_096;

/// All patterns of a schema and of what it refers to. Also what only looks like one counts.
#[derive(Default)]
pub(super) struct Patterns {
    known: HashMap<String, Measure>,
    bytes: usize,
    /// The dearest pattern that reads texts.
    text: Measure,
    /// All that read names, of the object with the dearest.
    name: Measure,
}

#[derive(Debug, Clone, Copy, Default)]
struct Measure {
    states: u64,
    /// Patterns that may go back.
    backs: u64,
    back_states: u64,
}

impl Patterns {
    /// Takes all patterns of a document; their places are told if it is the schema itself.
    pub(super) fn read(&mut self, document: &Value, own: bool) -> Result<(), Costly> {
        self.read_at(document, "").map_err(|mut costly| {
            costly.pointer = costly.pointer.filter(|_| own);
            costly
        })
    }

    /// What reading a text costs where a search may go back `limit` times.
    pub(super) fn costs(&self, limit: u64, idle: Idle) -> Costs {
        let of = |measure: Measure| TextCosts {
            states: measure.states,
            backs: measure.backs.saturating_mul(limit),
            back_states: measure.back_states,
        };
        Costs {
            idle,
            text: of(self.text),
            name: of(self.name),
        }
    }

    pub(super) fn go_back(&self) -> bool {
        self.text.backs + self.name.backs > 0
    }

    fn read_at(&mut self, node: &Value, pointer: &str) -> Result<(), Costly> {
        match node {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.read_at(item, &format!("{pointer}/{index}"))?;
                }
            }
            Value::Object(members) => {
                self.own(members, pointer)?;
                for (name, member) in members {
                    self.read_at(member, &pointer_step(pointer, name))?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn own(&mut self, members: &Map<String, Value>, pointer: &str) -> Result<(), Costly> {
        if let Some(Value::String(pattern)) = members.get("pattern") {
            let measure = self.measure(pattern, || pointer_step(pointer, "pattern"))?;
            self.text = self.text.most(measure);
        }
        if let Some(Value::Object(patterns)) = members.get("patternProperties") {
            let mut all = Measure::default();
            for pattern in patterns.keys() {
                let place = || pointer_step(&pointer_step(pointer, "patternProperties"), pattern);
                all = all.and(self.measure(pattern, place)?);
            }
            self.name = self.name.most(all);
        }
        Ok(())
    }

    fn measure(
        &mut self,
        pattern: &str,
        place: impl FnOnce() -> String,
    ) -> Result<Measure, Costly> {
        if let Some(known) = self.known.get(pattern) {
            return Ok(*known);
        }
        let costly = |message| Costly {
            pointer: Some(place()),
            value: Some(pattern.to_owned()),
            message,
            hint: "write less repetition ('{0,500}' is the same 500 times over); 'maxLength' bounds a text at no cost",
        };
        // What is no pattern is the library's to refuse.
        let Ok(written) = jsonschema_regex::to_rust_regex(pattern) else {
            return Ok(Measure::default());
        };
        let (measure, bytes) = match automaton(&written) {
            Automaton::Has { states, bytes } => {
                let backs = 0;
                let back_states = 0;
                let measure = Measure {
                    states,
                    backs,
                    back_states,
                };
                (measure, bytes)
            }
            Automaton::TooLarge => {
                return Err(costly("a pattern that is too large when it is written out"));
            }
            Automaton::None => {
                let (back_states, bytes) = match automaton(&without_looking(&written)) {
                    Automaton::Has { states, bytes } => (states, bytes),
                    Automaton::TooLarge => {
                        return Err(costly("a pattern that is too large when it is written out"));
                    }
                    Automaton::None => (STATES_UNKNOWN, 0),
                };
                let measure = Measure {
                    states: 0,
                    backs: 1,
                    back_states,
                };
                (measure, bytes)
            }
        };
        self.bytes += bytes;
        if self.bytes > PROGRAMS_BYTES_MAX {
            return Err(costly(
                "patterns that together are too large when they are written out",
            ));
        }
        self.known.insert(pattern.to_owned(), measure);
        Ok(measure)
    }
}

impl Measure {
    fn most(self, other: Self) -> Self {
        Self {
            states: self.states.max(other.states),
            backs: self.backs.max(other.backs),
            back_states: self.back_states.max(other.back_states),
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            states: self.states + other.states,
            backs: self.backs + other.backs,
            back_states: self.back_states.max(other.back_states),
        }
    }
}

enum Automaton {
    Has {
        states: u64,
        bytes: usize,
    },
    TooLarge,
    /// It looks around or back, or is no pattern.
    None,
}

fn automaton(pattern: &str) -> Automaton {
    let Ok(hir) = regex_syntax::parse(pattern) else {
        return Automaton::None;
    };
    let config = Config::new().nfa_size_limit(Some(PROGRAM_BYTES_MAX));
    match Compiler::new().configure(config).build_from_hir(&hir) {
        Ok(nfa) => Automaton::Has {
            states: states(&hir),
            bytes: nfa.memory_usage(),
        },
        Err(_) => Automaton::TooLarge,
    }
}

/// In how many places of the pattern, written out, a search can be at a time.
fn states(hir: &Hir) -> u64 {
    let all = |parts: &[Hir]| parts.iter().map(states).fold(0, u64::saturating_add);
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 0,
        HirKind::Literal(text) => text.0.len() as u64,
        HirKind::Class(_) => 1,
        HirKind::Repetition(repeated) => {
            let times = repeated.max.unwrap_or(repeated.min + 1).max(1);
            states(&repeated.sub).saturating_mul(times.into())
        }
        HirKind::Capture(group) => states(&group.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => all(parts),
    }
}

/// The pattern as if what it looks around at were in its place, and what it looks back at nowhere.
fn without_looking(pattern: &str) -> String {
    let plain = ["(?<=", "(?<!", "(?=", "(?!", "(?>"]
        .into_iter()
        .fold(pattern.to_owned(), |pattern, sign| {
            pattern.replace(sign, "(?:")
        });
    let mut without = String::with_capacity(plain.len());
    let mut characters = plain.chars();
    while let Some(character) = characters.next() {
        let mut after = characters.clone();
        match after.next() {
            Some('1'..='9') if character == '\\' => characters = after,
            Some(escaped) if character == '\\' => {
                without.extend([character, escaped]);
                characters = after;
            }
            _ => without.push(character),
        }
    }
    without
}
