//! Regular expressions for `test`, `match`, `sub` and their like: `regex-automata` compiles, and the
//! simulation of its automaton that is here runs, so that every step counts and no pattern outlives its
//! budget.
//!
//! Deliberately absent: look-around and back references, which no automaton has; see `backtracking`.

use std::cell::RefCell;
use std::rc::Rc;

use regex_automata::nfa::thompson::{BuildError, Compiler, Config, NFA, State};
use regex_automata::util::primitives::{PatternID, StateID};
use regex_automata::util::syntax;

use super::access::{Error, fail};
use super::backtracking::Backtracking;
use super::meter::{self, Resource};

/// Bytes of a compiled pattern.
const PROGRAM_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of a pattern's source.
const PATTERN_BYTES_MAX: usize = 16 * 1024;

/// States times capture slots of a pattern.
const SLOTS_MAX: usize = 1024 * 1024;

/// Patterns that a thread keeps compiled.
const KEPT_MAX: usize = 16;

/// Signs of what no automaton has: look-around, atomic groups, conditions.
const BEYOND: [&str; 6] = ["(?=", "(?!", "(?<=", "(?<!", "(?>", "(?("];

/// jq's flags; `g` and `n` are for whoever goes over the matches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Flags {
    pub global: bool,
    pub ignore_empty: bool,
    pub ignore_case: bool,
    pub extended: bool,
    pub dot_matches_newline: bool,
    pub longest: bool,
}

impl Flags {
    pub(super) fn parse(flags: &str) -> Result<Self, Error> {
        let mut parsed = Self::default();
        for flag in flags.chars() {
            match flag {
                'g' => parsed.global = true,
                'n' => parsed.ignore_empty = true,
                'i' => parsed.ignore_case = true,
                'x' => parsed.extended = true,
                // `^` and `$` mean the ends of the text anyway.
                's' => {}
                'p' => parsed.dot_matches_newline = true,
                'l' => parsed.longest = true,
                _ => return Err(fail(format!("{flags} is not a valid modifier string"))),
            }
        }
        Ok(parsed)
    }
}

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Program {
    nfa: NFA,
    /// What runs instead of the automaton.
    backtracking: Option<Backtracking>,
    /// By group, the whole match first.
    pub names: Vec<Option<String>>,
    longest: bool,
}

/// Where a match and its groups begin and end, in bytes, by slot.
pub(super) type Slots = Vec<Option<usize>>;

struct Kept {
    pattern: String,
    flags: Flags,
    program: Rc<Program>,
    /// The evaluation that has paid for it.
    evaluation: u64,
}

thread_local! {
    static KEPT: RefCell<Vec<Kept>> = const { RefCell::new(Vec::new()) };
}

impl Program {
    /// Compiles, or takes what has been compiled before. Every evaluation pays for compiling once, kept or
    /// not: what it costs must not depend on what ran before.
    pub(super) fn get(pattern: &str, flags: Flags) -> Result<Rc<Self>, Error> {
        let evaluation = meter::evaluation();
        let kept = KEPT.with_borrow_mut(|kept| {
            let found = kept
                .iter_mut()
                .find(|kept| kept.pattern == pattern && kept.flags == flags)?;
            let paid = std::mem::replace(&mut found.evaluation, evaluation) == evaluation;
            Some((found.program.clone(), paid))
        });
        if let Some((program, paid)) = kept {
            if !paid {
                program.pay();
            }
            return Ok(program);
        }
        let program = Rc::new(Self::compile(pattern, flags)?);
        program.pay();
        KEPT.with_borrow_mut(|kept| {
            if kept.len() >= KEPT_MAX {
                kept.remove(0);
            }
            kept.push(Kept {
                pattern: pattern.to_owned(),
                flags,
                program: program.clone(),
                evaluation,
            });
        });
        Ok(program)
    }

    fn compile(pattern: &str, flags: Flags) -> Result<Self, Error> {
        if pattern.len() > PATTERN_BYTES_MAX {
            return Err(fail(format!(
                "a regular expression may have {PATTERN_BYTES_MAX} bytes"
            )));
        }
        // Even what fails to compile has been tried.
        meter::tick(100 + pattern.len() as u64);
        let syntax = syntax::Config::new()
            .case_insensitive(flags.ignore_case)
            .ignore_whitespace(flags.extended)
            .dot_matches_new_line(flags.dot_matches_newline)
            .nest_limit(100);
        let config = Config::new().nfa_size_limit(Some(PROGRAM_BYTES_MAX));
        let built = Compiler::new()
            .syntax(syntax)
            .configure(config)
            .build(pattern);
        let nfa = match built {
            Ok(nfa) => nfa,
            Err(error) => return Self::without_automaton(pattern, flags, &error),
        };
        if nfa.states().len() * nfa.group_info().slot_len() > SLOTS_MAX {
            meter::exceed(Resource::Memory);
        }
        let names = nfa.group_info().pattern_names(PatternID::ZERO);
        let names = names.map(|name| name.map(str::to_owned)).collect();
        Ok(Self {
            nfa,
            backtracking: None,
            names,
            longest: flags.longest,
        })
    }

    /// What an automaton cannot do may still be a pattern; if not, its error stands.
    fn without_automaton(pattern: &str, flags: Flags, error: &BuildError) -> Result<Self, Error> {
        if error.size_limit().is_some() {
            meter::tick(PROGRAM_BYTES_MAX as u64 / 32);
        }
        let backtracking = match Backtracking::compile(pattern, flags) {
            Ok(backtracking) => backtracking,
            Err(refused) if BEYOND.iter().any(|sign| pattern.contains(sign)) => {
                return Err(refused);
            }
            Err(_) => {
                let error = std::error::Error::source(error)
                    .map_or_else(|| error.to_string(), ToString::to_string);
                return Err(fail(format!("{pattern} is not a valid regex: {error}")));
            }
        };
        Ok(Self {
            nfa: NFA::never_match(),
            names: backtracking.names(),
            backtracking: Some(backtracking),
            longest: false,
        })
    }

    /// All matches, or the first one.
    pub(super) fn matches(&self, text: &str, flags: Flags) -> Result<Vec<Slots>, Error> {
        if let Some(backtracking) = &self.backtracking {
            return each(text, flags, |from| backtracking.find(text, from));
        }
        let mut search = Search::new(self, text);
        each(text, flags, |from| Ok(search.find(from)))
    }

    fn pay(&self) {
        meter::tick(self.nfa.memory_usage() as u64 / 32);
    }
}

/// The states that a search is in at one place of the text, the preferred first, each with its slots.
struct Threads {
    order: Vec<StateID>,
    /// Place of a state in `order`; only right if that place holds the state.
    places: Vec<usize>,
    slots: Vec<Option<usize>>,
    slot_count: usize,
}

impl Threads {
    fn new(nfa: &NFA) -> Self {
        let (states, slot_count) = (nfa.states().len(), nfa.group_info().slot_len());
        meter::tick((states * (slot_count + 1)) as u64 / 32);
        Self {
            order: Vec::with_capacity(states),
            places: vec![0; states],
            slots: vec![None; states * slot_count],
            slot_count,
        }
    }

    fn insert(&mut self, state: StateID) -> bool {
        let place = self.places[state];
        if self.order.get(place) == Some(&state) {
            return false;
        }
        self.places[state] = self.order.len();
        self.order.push(state);
        true
    }

    fn slots(&self, state: StateID) -> &[Option<usize>] {
        let from = state.as_usize() * self.slot_count;
        &self.slots[from..from + self.slot_count]
    }

    fn set_slots(&mut self, state: StateID, slots: &[Option<usize>]) {
        let from = state.as_usize() * self.slot_count;
        self.slots[from..from + self.slot_count].copy_from_slice(slots);
    }
}

/// Goes from match to match, by what finds the first one at a place or later.
fn each(
    text: &str,
    flags: Flags,
    mut find: impl FnMut(usize) -> Result<Option<Slots>, Error>,
) -> Result<Vec<Slots>, Error> {
    let mut matches = Vec::new();
    let mut from = 0;
    while from <= text.len() {
        let Some(slots) = find(from)? else { break };
        let (Some(start), Some(end)) = (slots[0], slots[1]) else {
            break;
        };
        let after = text[end..].chars().next().map_or(1, char::len_utf8);
        from = if start == end { end + after } else { end };
        if !(flags.ignore_empty && start == end) {
            meter::tick(slots.len() as u64);
            matches.push(slots);
            if !flags.global {
                break;
            }
        }
    }
    Ok(matches)
}

enum Follow {
    Explore(StateID),
    Restore(usize, Option<usize>),
}

/// Searches one text with one program.
struct Search<'p> {
    program: &'p Program,
    text: &'p str,
    current: Threads,
    next: Threads,
    stack: Vec<Follow>,
}

impl<'p> Search<'p> {
    fn new(program: &'p Program, text: &'p str) -> Self {
        let (current, next) = (Threads::new(&program.nfa), Threads::new(&program.nfa));
        Self {
            program,
            text,
            current,
            next,
            stack: Vec::new(),
        }
    }

    /// The first match that begins at `from` or later.
    fn find(&mut self, from: usize) -> Option<Slots> {
        let nfa = &self.program.nfa;
        let mut found: Option<Slots> = None;
        let mut slots = vec![None; self.current.slot_count];
        self.current.order.clear();
        for at in from..=self.text.len() {
            let lost = nfa.is_always_start_anchored() && at > 0;
            if self.current.order.is_empty() && (found.is_some() || lost) {
                break;
            }
            if found.is_none() && self.text.is_char_boundary(at) {
                slots.fill(None);
                explore(
                    self.program,
                    self.text,
                    &mut self.stack,
                    &mut self.current,
                    nfa.start_anchored(),
                    at,
                    &mut slots,
                );
            }
            self.next.order.clear();
            self.step(at, &mut found, &mut slots);
            std::mem::swap(&mut self.current, &mut self.next);
        }
        found
    }

    /// Moves every state over the byte at `at`, the preferred first; a match cuts off the rest.
    fn step(&mut self, at: usize, found: &mut Option<Slots>, slots: &mut [Option<usize>]) {
        meter::tick(1 + self.current.order.len() as u64);
        let bytes = self.text.as_bytes();
        for &state in &self.current.order {
            let target = match self.program.nfa.state(state) {
                State::ByteRange { trans } => trans.matches(bytes, at).then_some(trans.next),
                State::Sparse(sparse) => sparse.matches(bytes, at),
                State::Dense(dense) => dense.matches(bytes, at),
                State::Match { .. } => {
                    let slots = self.current.slots(state);
                    if !self.program.longest {
                        *found = Some(slots.to_vec());
                        return;
                    }
                    let rank = |slots: &[Option<usize>]| (std::cmp::Reverse(slots[0]), slots[1]);
                    if found.as_ref().is_none_or(|best| rank(slots) > rank(best)) {
                        *found = Some(slots.to_vec());
                    }
                    None
                }
                _ => None,
            };
            if let Some(target) = target {
                slots.copy_from_slice(self.current.slots(state));
                explore(
                    self.program,
                    self.text,
                    &mut self.stack,
                    &mut self.next,
                    target,
                    at + 1,
                    slots,
                );
            }
        }
    }
}

/// Adds what can be reached from a state without reading on.
fn explore(
    program: &Program,
    text: &str,
    stack: &mut Vec<Follow>,
    threads: &mut Threads,
    state: StateID,
    at: usize,
    slots: &mut [Option<usize>],
) {
    stack.push(Follow::Explore(state));
    while let Some(follow) = stack.pop() {
        let mut state = match follow {
            Follow::Restore(slot, old) => {
                slots[slot] = old;
                continue;
            }
            Follow::Explore(state) => state,
        };
        while threads.insert(state) {
            meter::tick(1);
            state = match program.nfa.state(state) {
                State::Look { look, next } => {
                    if !program
                        .nfa
                        .look_matcher()
                        .matches(*look, text.as_bytes(), at)
                    {
                        break;
                    }
                    *next
                }
                State::Union { alternates } => {
                    let Some((first, rest)) = alternates.split_first() else {
                        break;
                    };
                    stack.extend(rest.iter().rev().copied().map(Follow::Explore));
                    *first
                }
                State::BinaryUnion { alt1, alt2 } => {
                    stack.push(Follow::Explore(*alt2));
                    *alt1
                }
                State::Capture { next, slot, .. } => {
                    let slot = slot.as_usize();
                    stack.push(Follow::Restore(slot, slots[slot]));
                    slots[slot] = Some(at);
                    *next
                }
                _ => {
                    threads.set_slots(state, slots);
                    break;
                }
            };
        }
    }
}
