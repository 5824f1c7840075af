//! Cuts large values out of JSON and puts them back, byte for byte.
//!
//! What is cut out is the smallest value over the limit, so that a large payload that many records carry
//! along, each in an object of its own, is the same bytes everywhere. Deliberately absent: where the cut
//! out bytes are kept (that is `blob`), and reading JSON: what does not look like it stays as it is.

use std::ops::Range;

use sha2::{Digest, Sha256};

/// Bytes of JSON that stay where they are.
pub(crate) const INLINE_BYTES_MAX: usize = 64 * 1024;

/// The first byte of a text with holes; no JSON begins with it.
const MARK: u8 = 0;
/// Mark and number of holes.
const HEAD_BYTES: usize = 1 + 4;
/// Where in what is left the hole is, how much goes there, and which blob.
const HOLE_BYTES: usize = 4 + 4 + 32;

pub(crate) type Hash = [u8; 32];

/// What kind of JSON a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One value.
    Value,
    /// A list of records; their members are values.
    Records,
}

/// A text as it is stored.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Spilled<'t> {
    /// What is left of the text, and the places of the holes.
    pub(crate) kept: Vec<u8>,
    pub(crate) blobs: Vec<(Hash, &'t [u8])>,
}

/// The text without its large values; `None` where it has none.
pub(crate) fn spill(text: &[u8], kind: Kind) -> Option<Spilled<'_>> {
    if text.len() <= INLINE_BYTES_MAX || u32::try_from(text.len()).is_err() {
        return None;
    }
    let cuts = cuts(text, kind);
    if cuts.is_empty() {
        return None;
    }
    let mut blobs = Vec::with_capacity(cuts.len());
    let mut kept = vec![MARK];
    kept.extend(number(cuts.len()));
    let mut cut_before = 0;
    for cut in &cuts {
        let body = &text[cut.clone()];
        let hash: Hash = Sha256::digest(body).into();
        kept.extend(number(cut.start - cut_before));
        kept.extend(number(body.len()));
        kept.extend(hash);
        cut_before += body.len();
        blobs.push((hash, body));
    }
    let mut from = 0;
    for cut in &cuts {
        kept.extend_from_slice(&text[from..cut.start]);
        from = cut.end;
    }
    kept.extend_from_slice(&text[from..]);
    Some(Spilled { kept, blobs })
}

/// The text as it was; `fetch` gives a blob's bytes. `None` where the holes make no sense.
pub(crate) fn join<E>(
    stored: Vec<u8>,
    mut fetch: impl FnMut(&Hash) -> Result<Vec<u8>, E>,
) -> Result<Option<Vec<u8>>, E> {
    if stored.first() != Some(&MARK) {
        return Ok(Some(stored));
    }
    let Some(holes) = holes(&stored) else {
        return Ok(None);
    };
    let kept = &stored[HEAD_BYTES + holes.len() * HOLE_BYTES..];
    let bytes = holes.iter().map(|hole| hole.bytes).sum::<usize>();
    let mut text = Vec::with_capacity(kept.len() + bytes);
    let mut from = 0;
    for hole in &holes {
        let Some(before) = kept.get(from..hole.at) else {
            return Ok(None);
        };
        text.extend_from_slice(before);
        text.extend(fetch(&hole.hash)?);
        from = hole.at;
    }
    text.extend_from_slice(&kept[from..]);
    Ok((text.len() == kept.len() + bytes).then_some(text))
}

struct Hole {
    at: usize,
    bytes: usize,
    hash: Hash,
}

fn holes(stored: &[u8]) -> Option<Vec<Hole>> {
    let count = read_number(stored.get(1..HEAD_BYTES)?)?;
    let table = stored
        .get(HEAD_BYTES..)?
        .get(..count.checked_mul(HOLE_BYTES)?)?;
    table
        .chunks_exact(HOLE_BYTES)
        .map(|hole| {
            Some(Hole {
                at: read_number(&hole[..4])?,
                bytes: read_number(&hole[4..8])?,
                hash: hole[8..].try_into().ok()?,
            })
        })
        .collect()
}

/// Texts are shorter than 4 GiB, which `spill` has checked.
fn number(value: usize) -> [u8; 4] {
    u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes()
}

fn read_number(bytes: &[u8]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(bytes.try_into().ok()?)).ok()
}

/// Values over the limit that hold no such value, and what is large between those, in order.
fn cuts(text: &[u8], kind: Kind) -> Vec<Range<usize>> {
    // A list of records and its records are no values themselves.
    let levels = match kind {
        Kind::Value => 0,
        Kind::Records => 2,
    };
    let mut cuts: Vec<Range<usize>> = Vec::new();
    // Where each open list or object begins, and how many cuts there were.
    let mut open: Vec<(usize, usize)> = Vec::new();
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'"' => {
                let begin = at;
                at = end_of_text(text, at + 1);
                if at - begin > INLINE_BYTES_MAX && open.len() >= levels {
                    cuts.push(begin..at);
                }
                continue;
            }
            b'[' | b'{' => open.push((at, cuts.len())),
            b']' | b'}' => {
                if let Some((begin, before)) = open.pop()
                    && at + 1 - begin > INLINE_BYTES_MAX
                    && open.len() >= levels
                {
                    let inside = cuts.split_off(before);
                    cuts.extend(around(begin..at + 1, inside));
                }
            }
            _ => {}
        }
        at += 1;
    }
    cuts
}

/// The cuts inside a value, and with them what is large before, between and after them.
fn around(value: Range<usize>, inside: Vec<Range<usize>>) -> Vec<Range<usize>> {
    let mut cuts = Vec::with_capacity(inside.len() + 1);
    let mut from = value.start;
    let end = std::iter::once(value.end..value.end);
    for cut in inside.into_iter().chain(end) {
        if cut.start - from > INLINE_BYTES_MAX {
            cuts.push(from..cut.start);
        }
        from = cut.end;
        if !cut.is_empty() {
            cuts.push(cut);
        }
    }
    cuts
}

/// Behind the closing quote.
fn end_of_text(text: &[u8], mut at: usize) -> usize {
    while at < text.len() {
        match text[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn there_and_back(text: &[u8], kind: Kind) -> usize {
        let Some(spilled) = spill(text, kind) else {
            return 0;
        };
        let blobs: BTreeMap<Hash, &[u8]> = spilled.blobs.iter().copied().collect();
        let joined = join(spilled.kept.clone(), |hash| {
            Ok::<_, ()>(blobs[hash].to_vec())
        });
        assert_eq!(joined.unwrap().as_deref(), Some(text));
        spilled.blobs.len()
    }

    fn text(bytes: usize) -> Value {
        Value::from("x".repeat(bytes))
    }

    #[test]
    fn the_smallest_large_value_is_cut_out() {
        let carried = json!({"rows": [text(70_000), 1], "n": 1});
        let again = json!({"n": 2, "rows": [text(70_000), 1], "more": {"a": "\\\"]"}});
        let (first, second) = (carried.to_string(), again.to_string());
        let first = spill(first.as_bytes(), Kind::Value).unwrap();
        let second = spill(second.as_bytes(), Kind::Value).unwrap();
        assert_eq!(first.blobs, second.blobs);
        assert!(first.kept.len() < 100 && second.kept.len() < 120);
    }

    #[test]
    fn many_small_records_stay_together_and_many_small_items_do_not() {
        let items: Vec<Value> = (0..20_000).map(|n| json!({"n": n})).collect();
        let small = Value::from(items).to_string();
        assert_eq!(there_and_back(small.as_bytes(), Kind::Records), 0);
        assert_eq!(there_and_back(small.as_bytes(), Kind::Value), 1);
        let mixed =
            json!([{"data": [serde_json::from_str::<Value>(&small).unwrap(), text(70_000), 1]}]);
        assert_eq!(
            there_and_back(mixed.to_string().as_bytes(), Kind::Records),
            2
        );
    }

    #[test]
    fn what_is_between_large_values_is_cut_out_too() {
        let few = "y".repeat(1_000);
        let mut items = vec![json!(few); 100];
        items.insert(50, text(70_000));
        items.insert(20, text(70_001));
        let spilled = Value::from(items).to_string();
        // 30 items between the two do not come to the limit; 20 before and 50 after do not either.
        assert_eq!(there_and_back(spilled.as_bytes(), Kind::Value), 2);
        let mut items = vec![json!(few); 200];
        items.insert(100, text(70_000));
        let spilled = Value::from(items).to_string();
        assert_eq!(there_and_back(spilled.as_bytes(), Kind::Value), 3);
    }

    #[test]
    fn damage_is_noticed() {
        let value = json!([text(70_000)]).to_string();
        let spilled = spill(value.as_bytes(), Kind::Value).unwrap();
        let short = join(spilled.kept.clone(), |_| Ok::<_, ()>(Vec::new()));
        assert_eq!(short, Ok(None));
        assert_eq!(join(vec![MARK, 9, 0, 0, 0], |_| Err(())), Ok(None));
        assert_eq!(
            join(vec![MARK, 0xff, 0xff, 0xff, 0xff], |_| Err(())),
            Ok(None)
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn any_json_comes_back(value in values()) {
            let text = json!([{"data": value}]).to_string();
            there_and_back(text.as_bytes(), Kind::Records);
            there_and_back(text.as_bytes(), Kind::Value);
        }

        #[test]
        fn any_bytes_come_back(bytes in prop::collection::vec(any::<u8>(), 0..200), times in 1_usize..900) {
            // What begins with the mark is not JSON, and the store is given none.
            prop_assume!(bytes.first().is_some_and(|first| *first != MARK));
            let text = bytes.repeat(times);
            there_and_back(&text, Kind::Value);
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            "[a-z\"\\\\\\[{]{0,12}".prop_map(Value::from),
            (60_000_usize..70_000).prop_map(text),
        ];
        leaf.prop_recursive(4, 24, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::hash_map("[a-z]{1,4}", inner, 0..4)
                    .prop_map(|members| members.into_iter().collect::<Value>()),
            ]
        })
    }
}
