//! Patterns with look-around or back references, which no automaton has: `fancy-regex` runs them. It counts
//! how often it goes back, so each search is paid for by as often as it may.

use std::cell::OnceCell;

use fancy_regex::{Regex, RegexBuilder};

use super::access::{Error, fail};
use super::meter::{self, Resource};
use super::regex::{Flags, Slots};

/// Bytes of such a pattern's source.
const PATTERN_BYTES_MAX: usize = 2 * 1024;

/// Bytes of a compiled part.
const PART_BYTES_MAX: usize = 256 * 1024;

/// How often a search may go back; one that needs more is tried again with the next.
const LIMITS: [usize; 5] = [100, 500, 4_000, 40_000, 400_000];

/// Steps of going back once, for each [`SCANNED_BYTES`] that a part of the pattern may have scanned.
const BACK_STEPS: u64 = 4;

const SCANNED_BYTES: usize = 512;

/// A pattern, compiled once for each limit that has been needed.
#[derive(Debug)]
pub(super) struct Backtracking {
    builder: Pattern,
    regexes: [OnceCell<Regex>; LIMITS.len()],
}

#[derive(Debug)]
struct Pattern {
    source: String,
    flags: Flags,
}

impl Backtracking {
    pub(super) fn compile(pattern: &str, flags: Flags) -> Result<Self, Error> {
        if pattern.len() > PATTERN_BYTES_MAX {
            return Err(fail(format!(
                "a regular expression with look-around or back references may have {PATTERN_BYTES_MAX} bytes"
            )));
        }
        if flags.longest {
            return Err(fail(
                "the flag l does not go with look-around and back references".to_owned(),
            ));
        }
        let builder = Pattern {
            source: pattern.to_owned(),
            flags,
        };
        let first = builder.build(LIMITS[0])?;
        let regexes: [OnceCell<Regex>; LIMITS.len()] = Default::default();
        regexes[0].set(first).ok();
        Ok(Self { builder, regexes })
    }

    /// By group, the whole match first.
    pub(super) fn names(&self) -> Vec<Option<String>> {
        let first = self.regexes[0].get();
        let names = first.into_iter().flat_map(Regex::capture_names);
        names.map(|name| name.map(str::to_owned)).collect()
    }

    /// The first match that begins at `from` or later.
    pub(super) fn find(&self, text: &str, from: usize) -> Result<Option<Slots>, Error> {
        let weight = BACK_STEPS * (1 + ((text.len() - from) / SCANNED_BYTES) as u64);
        for (limit, regex) in LIMITS.into_iter().zip(&self.regexes) {
            meter::tick(limit as u64 * weight);
            let regex = match regex.get() {
                Some(regex) => regex,
                None => {
                    let built = self.builder.build(limit)?;
                    regex.get_or_init(|| built)
                }
            };
            if let Ok(found) = regex.captures_from_pos(text, from) {
                return Ok(found.map(|captures| {
                    let group = |group| {
                        let found = captures
                            .get(group)
                            .map(|found| (found.start(), found.end()));
                        [found.map(|(start, _)| start), found.map(|(_, end)| end)]
                    };
                    (0..captures.len()).flat_map(group).collect()
                }));
            }
        }
        meter::exceed(Resource::Steps)
    }
}

impl Pattern {
    fn build(&self, limit: usize) -> Result<Regex, Error> {
        meter::tick(500 + 8 * self.source.len() as u64);
        let regex = RegexBuilder::new(&self.source)
            .case_insensitive(self.flags.ignore_case)
            .ignore_whitespace(self.flags.extended)
            .dot_matches_new_line(self.flags.dot_matches_newline)
            .backtrack_limit(limit)
            .delegate_size_limit(PART_BYTES_MAX)
            .build();
        regex.map_err(|error| fail(format!("{} is not a valid regex: {error}", self.source)))
    }
}
