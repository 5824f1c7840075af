//! Our verdict and that of the published schema agree, over the examples and over what is made of them by
//! one wrong step: a key deleted or renamed, a value of another type.
//!
//! Where the schema refuses, we refuse. Where it accepts, we accept, or refuse for a rule of our own
//! ([`Rule::Shape`] and [`Rule::Syntax`] are the schema's). Each refusal says where, which value and what to do.

use std::sync::OnceLock;

use flame_dsl::{Format, Problem, Rule, parse};
use flame_testkit::open_workflow;
use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::shared::examples;

const EVERYTHING: &str = include_str!("fixtures/everything.yaml");

/// The schemas of the release and of what comes after it; `None` where the files are absent.
fn published() -> Option<&'static [Validator]> {
    static SCHEMAS: OnceLock<Option<Vec<Validator>>> = OnceLock::new();
    let schemas = SCHEMAS.get_or_init(|| {
        let folder = open_workflow()?;
        let validators = ["1.0.3", "next"].map(|release| {
            let path = folder.join(release).join("schema/workflow.json");
            let schema: Value =
                serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
            jsonschema::validator_for(&schema).unwrap()
        });
        Some(validators.into())
    });
    schemas.as_deref()
}

/// The document as JSON, for the schema and for mutations.
fn to_json(text: &str) -> Value {
    let yaml = flame_dsl::to_json(text, Format::Yaml).unwrap();
    serde_json::from_str(&yaml.to_string()).unwrap()
}

/// What the verdicts differ in, or what a refusal leaves open; `None` where there is neither.
fn difference(schemas: &[Validator], document: &Value) -> Option<String> {
    let document = &without_quirks(document);
    let accepted = schemas.iter().any(|schema| schema.is_valid(document));
    // A value on each line, so that places differ.
    let text = format!("{document:#}");
    let problems = match parse(&text, Format::Json) {
        Ok(_) if accepted => return None,
        Ok(_) => return Some("the published schema refuses what we accept".to_owned()),
        Err(problems) => problems,
    };
    let stricter = problems
        .iter()
        .find(|problem| accepted && matches!(problem.rule, Rule::Shape | Rule::Syntax))
        .map(|problem| format!("the published schema accepts, but {problem}"));
    stricter.or_else(|| problems.iter().find_map(|problem| unsaid(problem, &text)))
}

/// What a problem leaves a person to find out: where it is, with which value, what to do about it.
fn unsaid(problem: &Problem, text: &str) -> Option<String> {
    let (line, column) = (problem.line as usize, problem.column as usize);
    let there = line.checked_sub(1).and_then(|line| text.lines().nth(line));
    let in_text = there.is_some_and(|there| (1..=there.chars().count()).contains(&column));
    let is_start = (line, column) == (1, 1);
    let is_blank = |said: &Option<String>| said.as_deref().is_none_or(str::is_empty);
    let missing = match problem {
        _ if !in_text || (is_start && !problem.pointer.is_empty()) => "where it is",
        _ if is_blank(&problem.value) => "the value",
        _ if is_blank(&problem.hint) => "what to do",
        _ => return None,
    };
    Some(format!("nothing says {missing}: {problem}"))
}

/// The document without what the published schemas themselves get wrong.
///
/// An event's `time` and an error's `instance` are "text or an expression", exactly one of the two, so an
/// expression, which is text as well, is refused. An error filter has `details` in 1.0.3 and `detail` in
/// what comes next, where `details` may then be anything.
fn without_quirks(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(without_quirks).collect(),
        Value::Object(members) => members
            .iter()
            .filter(|(key, value)| key.as_str() != "details" || value.is_string())
            .map(|(key, value)| match (key.as_str(), value.as_str()) {
                ("time" | "instance", Some(text)) if text.contains("${") => {
                    (key.clone(), json!("/text"))
                }
                _ => (key.clone(), without_quirks(value)),
            })
            .collect(),
        scalar => scalar.clone(),
    }
}

/// Documents to start from: ours, and the examples that this release runs.
fn seeds() -> &'static [Value] {
    static SEEDS: OnceLock<Vec<Value>> = OnceLock::new();
    SEEDS.get_or_init(|| {
        let texts = examples("1.0.3")
            .into_iter()
            .chain(examples("next"))
            .map(|(_, text)| text);
        let read = texts.filter(|text| parse(text, Format::Yaml).is_ok());
        std::iter::once(EVERYTHING.to_owned())
            .chain(read)
            .map(|text| to_json(&text))
            .collect()
    })
}

/// Pointers of every value below the root.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    let mut add = |step: String, value: &Value| {
        let at = format!("{at}/{}", step.replace('~', "~0").replace('/', "~1"));
        found.push(at.clone());
        pointers(value, &at, found);
    };
    match value {
        Value::Object(members) => members
            .iter()
            .for_each(|(key, value)| add(key.clone(), value)),
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(at, value)| add(at.to_string(), value));
        }
        _ => {}
    }
}

#[derive(Debug, Clone)]
enum Step {
    Delete,
    Rename,
    Replace(Value),
}

fn steps() -> Vec<Step> {
    let values = [
        json!(null),
        json!(7),
        json!("text"),
        json!([]),
        json!({}),
        json!(true),
        json!(1.5),
        json!("${ . }"),
        json!([{"a": {"set": {"b": 1}}}]),
    ];
    [Step::Delete, Step::Rename]
        .into_iter()
        .chain(values.into_iter().map(Step::Replace))
        .collect()
}

fn mutated(document: &Value, pointer: &str, step: &Step) -> Value {
    let mut document = document.clone();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let key = key.replace("~1", "/").replace("~0", "~");
    match (document.pointer_mut(parent).unwrap(), step) {
        (Value::Object(members), Step::Delete) => drop(members.remove(&key)),
        (Value::Object(members), Step::Rename) => {
            let value = members.remove(&key).unwrap();
            members.insert(format!("{key}x"), value);
        }
        (Value::Object(members), Step::Replace(value)) => {
            members.insert(key, value.clone());
        }
        (Value::Array(items), Step::Replace(value)) => {
            items[key.parse::<usize>().unwrap()] = value.clone();
        }
        (Value::Array(items), _) => drop(items.remove(key.parse().unwrap())),
        _ => {}
    }
    document
}

#[test]
fn over_the_examples() {
    let Some(schemas) = published() else { return };
    for release in ["1.0.3", "next"] {
        for (name, text) in examples(release) {
            assert_eq!(
                difference(schemas, &to_json(&text)),
                None,
                "{release}/{name}"
            );
        }
    }
}

/// A document with a few tasks of the one that has every construct, so that reading it takes a moment.
struct Piece {
    document: Value,
    /// Where its tasks stand in the whole document.
    first: usize,
    /// Its places that have no other piece.
    places: Vec<String>,
}

/// Tasks at the beginning that lead to each other.
const TASKS_TOGETHER: usize = 4;

/// Every place of the document that has every construct stands in one of them.
fn pieces(whole: &Value) -> Vec<Piece> {
    let tasks = whole["do"].as_array().unwrap();
    let mut head = whole.clone();
    head["do"] = json!([]);
    let mut places = Vec::new();
    pointers(&head, "", &mut places);
    let mut pieces = vec![Piece {
        document: head,
        first: 0,
        places,
    }];
    let (together, others) = tasks.split_at(TASKS_TOGETHER);
    let mut first = 0;
    for tasks in std::iter::once(together).chain(others.chunks(1)) {
        let document = json!({
            "document": whole["document"], "use": used(&whole["use"], tasks), "do": tasks,
        });
        let mut places = Vec::new();
        pointers(&document["do"], "/do", &mut places);
        pieces.push(Piece {
            document,
            first,
            places,
        });
        first += tasks.len();
    }
    pieces
}

/// What the tasks name of all that can be named, and the secrets.
fn used(all: &Value, tasks: &[Value]) -> Value {
    let text = json!(tasks).to_string();
    let mut used = all.clone();
    let kinds = used.as_object_mut().unwrap();
    kinds.retain(|kind, _| kind != "extensions");
    for named in kinds.values_mut().filter_map(Value::as_object_mut) {
        named.retain(|name, _| text.contains(&format!("\"{name}\"")));
    }
    used
}

/// The place of a piece as the whole document has it.
fn in_whole(place: &str, first: usize) -> String {
    let Some(below) = place.strip_prefix("/do/") else {
        return place.to_owned();
    };
    let at = below.split('/').next().unwrap();
    let rest = &below[at.len()..];
    format!("/do/{}{rest}", first + at.parse::<usize>().unwrap())
}

#[test]
fn the_pieces_are_right_and_have_every_place() {
    let whole = to_json(EVERYTHING);
    let mut places = Vec::new();
    pointers(&whole, "", &mut places);
    let mut found = Vec::new();
    for Piece {
        document,
        first,
        places,
    } in pieces(&whole)
    {
        let read = parse(&document.to_string(), Format::Json);
        assert_eq!(read.err(), None, "{document:#}");
        found.extend(places.iter().map(|place| in_whole(place, first)));
    }
    places.sort();
    found.sort();
    assert_eq!(found, places);
}

/// Takes every wrong step at every `take`th place of the document that has every construct.
fn over_everything(take: usize) {
    // It has constructs that only the coming release knows.
    let Some([_, next @ ..]) = published() else {
        return;
    };
    let mut differences = Vec::new();
    for Piece {
        document,
        first,
        places,
    } in pieces(&to_json(EVERYTHING))
    {
        assert_eq!(difference(next, &document), None);
        for place in places.iter().skip(take).step_by(2) {
            for step in steps() {
                if let Some(difference) = difference(next, &mutated(&document, place, &step)) {
                    let place = in_whole(place, first);
                    differences.push(format!("{step:?} at {place}: {difference}"));
                }
            }
        }
    }
    assert_eq!(differences, Vec::<String>::new());
}

/// In two halves, since tests run side by side.
#[test]
fn over_everything_with_one_wrong_step() {
    over_everything(0);
}

#[test]
fn over_everything_with_one_wrong_step_in_between() {
    over_everything(1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn over_examples_with_a_few_wrong_steps(
        seed in any::<prop::sample::Index>(),
        wrong in prop::collection::vec((any::<prop::sample::Index>(), 0..11_usize), 1..4),
    ) {
        let Some(schemas) = published() else { return Ok(()) };
        let mut document = seed.get(seeds()).clone();
        let mut taken = Vec::new();
        for (place, step) in wrong {
            let mut places = Vec::new();
            pointers(&document, "", &mut places);
            if places.is_empty() {
                break;
            }
            let pointer = place.get(&places).clone();
            let step = &steps()[step];
            document = mutated(&document, &pointer, step);
            taken.push(format!("{step:?} at {pointer}"));
        }
        prop_assert_eq!(difference(schemas, &document), None, "{:?}\n{:#}", taken, document);
    }
}
