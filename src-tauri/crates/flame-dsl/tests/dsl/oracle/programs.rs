//! Made-up programs on made-up inputs.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use super::{Answer, Libjq, ours, same};

/// The same programs every time; `PROPTEST_CASES` asks for more.
const SEED: [u8; 32] = *b"jq and libjq mean the same by it";

const LEAVES: &[&str] = &[
    ".",
    ".",
    ".a",
    ".b",
    ".a.b?",
    ".[0]?",
    ".[-1]?",
    ".[1:]?",
    ".[]?",
    ".a[]?",
    ".b[0]?",
    "..",
    "$x",
    "$x.a?",
    "1",
    "0",
    "-1",
    "2.5",
    "3",
    "\"a\"",
    "\"ab\"",
    "\"\"",
    "\"a,b\"",
    "null",
    "true",
    "false",
    "[]",
    "{}",
    "[1, 2]",
    "{a: 1}",
    "[[1], 2, \"a\"]",
    "{a: [0, {b: null}]}",
    "empty",
    "range(3)",
    "(1, 2)",
    "(\"a\", \"b\")",
    "error(\"x\")?",
];

/// Terms with `@` for the terms within and `%` for a path.
const TERMS: &[&str] = &[
    "(@, @)",
    "(@ | @)",
    "(@ | @)",
    "(@ + @)?",
    "(@ - @)?",
    "(@ * 2)?",
    "(@ / @)?",
    "(@ % 3)?",
    "(@ == @)",
    "(@ != @)",
    "(@ < @)",
    "(@ >= @)",
    "(@ and @)",
    "(@ or @)",
    "(@ | not)",
    "(@ // @)",
    "[@]",
    "[@, @]",
    "{a: @, b: [@]}",
    "{(@ | tostring): [@]}",
    "{\"a\\(@)\": 1}",
    "(if @ then @ else @ end)",
    "(if @ then @ elif @ then @ end)",
    "(try @ catch \"c\")",
    "(@)?",
    "(error(@))?",
    "(try error(@) catch .)",
    "(reduce @ as $x (0; @))",
    "(reduce @ as [$x, $y] (.; [., $x, @]))?",
    "[foreach @ as $x (.; @)]",
    "[foreach @ as $x (0; @; [$x, @])]",
    "(@ as $x | @)",
    "(@ as [$x, $y] | [$y, @])?",
    "(@ as {a: $x} | @)?",
    "(@ as {$a: [$x]} | [$a, @])?",
    "[limit(3; @)]",
    "[skip(1; @)]",
    "[first(@)]",
    "[last(@)]",
    "[nth(1; @)]",
    "isempty(@)",
    "any(@; @)",
    "all(@; @)",
    "(label $f | @, break $f, @)",
    "(def f: @; f | @)",
    "(def f(g): @ | g; f(@))",
    "(def f($v): [v, $v, @]; f(@))",
    "(def f(g; $v): [g, $v]; f(@; @))",
    "\"x\\(@)y\"",
    "\"\\(@) \\(@)\"",
    "@json \"v: \\(@)\"",
    "(-(@))?",
    "[path(%)]?",
    "((%) = @)?",
    "((%) |= @)?",
    "((%) |= empty)?",
    "((%) += @)?",
    "((%) //= @)?",
    "((%) -= 1)?",
    "del(%)?",
    "pick(%)?",
    "(@ | del(%))?",
    "(@ | ((%) = @))?",
    "(@ | ((%) |= @))?",
    "[paths]",
    "[paths(@)]",
    "(@ | delpaths([path(%)]))?",
    "(@ | to_entries)?",
    "(@ | getpath([\"a\", 0]))?",
    "(@ | setpath([\"b\"]; @))?",
    "(@ | arrays | sort)",
    "(@ | arrays | unique)",
    "(@ | arrays | reverse)",
    "(@ | add)?",
    "(@ | length)?",
    "(@ | keys)?",
    "(@ | tostring)",
    "(@ | tojson | fromjson)",
    "(@ | type)",
    "(@ | arrays | min, max)",
    "(@ | flatten)?",
    "(@ | flatten(1))?",
    "(@ | any, all)?",
    "(@ | strings | explode | implode)",
    "(@ | ascii_upcase)?",
    "(@ | tonumber)?",
    "(@ | transpose)?",
    "(@ | objects | with_entries(.value |= @))?",
    "(@ | map(@))?",
    "(@ | map_values(@))?",
    "(@ | select(@))",
    "(@ | sort_by(@))?",
    "(@ | group_by(@))?",
    "(@ | unique_by(@))?",
    "(@ | min_by(@))?",
    "(@ | max_by(@))?",
    "(@ | walk(@))?",
    "(@ | walk(if type == \"number\" then . + 1 else . end))",
    "[@ | recurse]",
    "(@ | join(\",\"))?",
    "(@ | strings | split(\",\"))",
    "(@ | strings | ltrimstr(\"a\"))",
    "(@ | test(\"a.?\"))?",
    "(@ | gsub(\"a\"; @ | tostring))?",
    "[@ | splits(\"[,b]\")]?",
    "[@ | match(\"(a)|b\"; \"g\")]?",
    "(@ | @base64)",
    "(@ | @uri)",
    "(@ | @csv)?",
    "(@ | @sh)?",
    "(@ | @html)",
    "(@ | index(@))?",
    "(@ | indices(@))?",
    "(@ | inside(@))?",
    "(@ | contains(@))?",
    "(@ | has(@))?",
    "(@ | .[@])?",
    "(@ | .[@:@])?",
    "[@ | tostream]",
    "fromstream(@ | tostream)",
    "(@ | combinations)?",
    "(@ | INDEX(@))?",
    "(@ | IN(@))",
    "(@ | floor)?",
    "(@ | sqrt | floor)?",
    "(@ | abs)?",
    "(@ | tojson | length)",
    "(@ | ascii_downcase | utf8bytelength)?",
    "(@ | splits(\"a\"; \"g\"))?",
    "(@ | objects | to_entries | from_entries)",
    "(@ | limit(2; .[]?))",
    "(@ | until(type != \"array\"; .[0]))",
    "[limit(4; @ | while(type == \"array\"; .[0]))]",
    "(@ | bsearch(@))?",
    "(@ | trim)?",
    "(@ | toboolean)?",
    "({} | .a.b |= @)",
    "([@] | first, last)",
    "(@ | @text)",
    "add(@)?",
    "($__loc__ | .line)",
];

const PATHS: &[&str] = &[
    ".",
    ".a",
    ".b",
    ".a.b",
    ".[0]",
    ".a[0]",
    ".[-1]",
    ".[]",
    ".[]?",
    ".a[]?",
    "..",
    ".a?",
    "(.a, .b)",
    "(.[0], .[1])?",
    "(.a // .b)",
    "(.[]? | select(. == 1))",
    ".[]?.a?",
    "getpath([\"a\", 0])?",
    "first(.[]?)",
    "limit(2; .[]?)",
    ".[1:]",
    ".[:1]?",
    "(if .a? then .a else .b? end)",
    "recurse",
    "empty",
    "(.a?, .[0]?)",
    "(.. | select(type == \"number\"))",
    ".[\"a\", \"b\"]?",
    "(.a | .b)?",
    "(.[]? | .[0]?)",
    "(.a | select(. != null))?",
    "to_entries",
    "(.a, .a.b)?",
];

fn term() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(LEAVES).prop_map(str::to_owned);
    leaf.prop_recursive(4, 12, 3, |inner| {
        let within = prop::collection::vec(inner, 4);
        let path = prop::sample::select(PATHS);
        (prop::sample::select(TERMS), within, path)
            .prop_map(|(shape, within, path)| fill(shape, &within, path))
    })
}

/// Puts terms where `@` stands by itself, and the path for `%`.
fn fill(shape: &str, within: &[String], path: &str) -> String {
    let mut within = within.iter().cycle();
    let mut filled = String::new();
    let mut characters = shape.chars().peekable();
    while let Some(character) = characters.next() {
        let alone = characters.peek().is_none_or(|next| !next.is_alphanumeric());
        match character {
            '@' if alone => filled.extend(within.next().map(String::as_str)),
            '%' if alone && filled.ends_with('(') => filled.push_str(path),
            other => filled.push(other),
        }
    }
    filled
}

fn input() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..10).prop_map(Value::from),
        Just(json!(0.5)),
        "[ab,1]{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[ab]", inner), 0..3).prop_map(Value::from_iter),
        ]
    })
}

#[test]
fn made_up_programs_give_what_libjq_gives() {
    let Some(libjq) = Libjq::start() else {
        return;
    };
    let libjq = std::cell::RefCell::new(libjq);
    let config = Config {
        failure_persistence: None,
        max_shrink_iters: 2000,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &SEED);
    let programs = (term(), input());
    let result = TestRunner::new_with_rng(config, rng).run(&programs, |(term, input)| {
        let program = format!(". as $x | [{term}]");
        let (ours, theirs) = (
            ours(&program, &input),
            libjq.borrow_mut().ask(&program, &input),
        );
        let agree = match (&ours, &theirs) {
            (Answer::Value(ours), Answer::Value(theirs)) => {
                let read = |text: &str| -> Value { serde_json::from_str(text).unwrap() };
                same(&read(ours), &read(theirs))
            }
            (Answer::Failed(_), Answer::Failed(_)) => true,
            _ => false,
        };
        prop_assert!(
            agree,
            "{program}\n of {input}\n gives {ours:?}\n libjq {theirs:?}"
        );
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}
