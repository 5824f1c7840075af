//! The filters that an expression may call: those written in jq (`prelude.jq`), those written here, and the
//! harmless ones of jaq. An expression carries only what it needs of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use jaq_core::load::parse::{Def, Term};
use jaq_core::native::Fun;

use super::machine::{self, Machine};
use super::syntax;
use super::{formats, matching, natives, updates};

/// jaq's filters that neither read nor change anything outside, and whose cost is that of what they make.
const JAQ: &[&str] = &[
    // paths and streams
    "error_empty",
    "path",
    "path_value",
    "keys_unsorted",
    "key_values",
    "first",
    "last",
    // arrays and text
    "sort",
    "group_by",
    "min_by_or_empty",
    "max_by_or_empty",
    "explode",
    "utf8bytelength",
    "ascii_downcase",
    "ascii_upcase",
    // numbers
    "floor",
    "round",
    "ceil",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "cbrt",
    "cos",
    "cosh",
    "exp",
    "exp10",
    "exp2",
    "expm1",
    "fabs",
    "frexp",
    "ilogb",
    "j0",
    "j1",
    "lgamma",
    "log",
    "log10",
    "log1p",
    "log2",
    "modf",
    "rint",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
    "tgamma",
    "trunc",
    "y0",
    "y1",
    "atan2",
    "copysign",
    "fdim",
    "fmax",
    "fmin",
    "fmod",
    "hypot",
    "nextafter",
    "pow",
    "remainder",
    "fma",
    // time
    "fromdateiso8601",
];

/// jaq's filters that the prelude guards under the plain name.
const GUARDED: &[(&str, &str)] = &[
    ("range", "_range"),
    ("sort_by", "_sort_by"),
    ("ldexp", "_ldexp"),
    ("scalbln", "_scalbln"),
    ("limit", "_limit"),
    ("skip", "_skip"),
    ("gmtime", "_gmtime"),
    ("mktime", "_mktime"),
    ("strftime", "_strftime"),
    ("strptime", "_strptime"),
    ("todateiso8601", "_todateiso8601"),
];

/// Parts that jaq names plainly.
const PARTS: &[&str] = &[
    "error_empty",
    "path_value",
    "key_values",
    "min_by_or_empty",
    "max_by_or_empty",
];

/// A definition with the names that it calls.
struct Entry {
    definition: Def<&'static str>,
    calls: BTreeSet<&'static str>,
}

/// The definitions by name, with their places in the prelude, in whose order they must stay.
struct Library {
    entries: BTreeMap<&'static str, Vec<(usize, Entry)>>,
    /// What jq source may not call, because it is a part of the library's own making.
    hidden: BTreeSet<&'static str>,
}

fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let definitions = jaq_core::load::parse(include_str!("prelude.jq"), |parser| parser.defs());
        let definitions = definitions.expect("the prelude parses, or no test would pass");
        let mut entries = BTreeMap::<_, Vec<_>>::new();
        for (place, mut definition) in definitions.into_iter().enumerate() {
            let mut calls = BTreeSet::new();
            syntax::visit(&mut definition.body, &mut |term| calls.extend(called(term)));
            entries
                .entry(definition.name)
                .or_default()
                .push((place, Entry { definition, calls }));
        }
        let names = entries
            .keys()
            .copied()
            .chain(natives().map(|(name, ..)| name));
        let hidden = names
            .filter(|name| name.starts_with('_') || PARTS.contains(name))
            .collect();
        Library { entries, hidden }
    })
}

/// The filter that a term calls by itself, not through the terms within.
pub(super) fn called<'s>(term: &Term<&'s str>) -> Option<&'s str> {
    match term {
        Term::Call(name, _) | Term::Str(Some(name), _) => Some(name),
        _ => None,
    }
}

/// What is behind the names: definitions in order, with all that those call, and filters.
pub(super) fn needed<'s>(
    names: impl IntoIterator<Item = &'s str>,
) -> (Vec<Def<&'static str>>, Vec<Fun<Machine>>) {
    let mut wanted: Vec<&str> = names.into_iter().collect();
    let mut seen = BTreeSet::new();
    let mut found = BTreeMap::new();
    while let Some(name) = wanted.pop() {
        if !seen.insert(name) {
            continue;
        }
        for (place, entry) in library().entries.get(name).into_iter().flatten() {
            found.insert(*place, &entry.definition);
            wanted.extend(entry.calls.iter().copied());
        }
    }
    let natives = natives().filter(|(name, ..)| seen.contains(name)).collect();
    (found.into_values().cloned().collect(), natives)
}

/// Every filter that is not written in jq.
fn natives() -> impl Iterator<Item = Fun<Machine>> {
    let own = natives::natives()
        .into_iter()
        .chain(formats::formats())
        .chain(matching::filters());
    let jaq = jaq_core::funs()
        .chain(jaq_std::funs())
        .filter_map(|(name, arguments, filter)| {
            let guarded = GUARDED
                .iter()
                .find(|(plain, _)| *plain == name)
                .map(|(_, guarded)| *guarded);
            let name = guarded.or_else(|| JAQ.contains(&name).then_some(name))?;
            Some((name, arguments, filter))
        });
    own.map(jaq_core::native::run::<Machine>).chain(jaq).chain([
        machine::entered(),
        updates::reduced(),
        updates::updated(),
    ])
}

pub(super) fn is_hidden(name: &str) -> bool {
    library().hidden.contains(name)
}
