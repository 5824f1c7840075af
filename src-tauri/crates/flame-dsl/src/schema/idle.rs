//! What a schema does with a value without looking at it, known before any value is there.
//!
//! A part of a schema that only refers on (`allOf`, `$ref`) reads nothing of the value, and where it doubles by
//! reference, ever more such parts are gone through. Parts that come back to themselves are cut off by the library,
//! which reads the value's identity there.

use std::collections::{HashMap, HashSet};

use jsonschema::{Draft, Registry, Retrieve, Uri};
use referencing::{List, Resolver};
use serde_json::{Map, Value};

use super::Costly;
use crate::expression::meter;

/// Work of going over a schema: its parts, each as often as ways lead to it through other resources, times the
/// resources on such a way.
const WORK_MAX: usize = 2_000_000;

/// Parts within each other that there is stack for.
const DEPTH_MAX: usize = 50_000;

/// Parts that may be gone through for one value without looking at it.
const IDLE_MAX: u64 = 100_000;

/// What is taken where nothing is known.
const MOST: Idle = Idle {
    parts: IDLE_MAX,
    chain: IDLE_MAX,
};

/// Keywords that hold the value itself against the schemas below them.
const LISTS: [&str; 3] = ["allOf", "anyOf", "oneOf"];
const SINGLE: [&str; 4] = ["not", "if", "then", "else"];
const BY_NAME: [&str; 2] = ["dependentSchemas", "dependencies"];
const REFERENCES: [&str; 3] = ["$ref", "$dynamicRef", "$recursiveRef"];

/// The most parts that are gone through for one value and do not look at it. The most there may be, where the schema
/// can't be read: compiling it will tell.
pub(super) fn most(
    source: &Value,
    base: Option<&str>,
    retriever: impl Retrieve + 'static,
) -> Result<Idle, Costly> {
    let draft = Draft::default().detect(source);
    let root = draft.create_resource_ref(source);
    let base = base.or_else(|| root.id()).unwrap_or("json-schema:///");
    let base = base.trim_end_matches('#');
    let registry = Registry::new().retriever(retriever).draft(draft);
    let registry = registry
        .add(base, root)
        .and_then(|registry| registry.prepare());
    let (Ok(registry), Ok(base)) = (registry, jsonschema::uri::from_str(base)) else {
        return Ok(MOST);
    };
    let mut parts = Parts::default();
    let resolver = registry.resolver(base);
    if meter::run_on_large_stack(|| parts.walk(source, &resolver, draft)).is_err() {
        return Ok(MOST);
    }
    if parts.most.parts > IDLE_MAX {
        return Err(costly(
            "a schema that refers on more than 100000 times for one value",
        ));
    }
    if parts.is_too_much {
        return Err(costly(
            "a schema whose parts refer to each other in too many ways or too deep",
        ));
    }
    Ok(parts.most)
}

fn costly(message: &'static str) -> Costly {
    Costly {
        pointer: None,
        value: None,
        message,
        hint: "let each part of the schema refer to another one once",
    }
}

/// What one part of a schema, with those that it refers on to, does with one value.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Idle {
    /// Parts that are gone through and do not look at the value.
    pub parts: u64,
    /// Parts that are within each other.
    pub chain: u64,
}

impl Idle {
    fn most(self, other: Self) -> Self {
        Self {
            parts: self.parts.max(other.parts),
            chain: self.chain.max(other.chain),
        }
    }

    /// With a part that it goes on to.
    fn with(self, below: Self) -> Self {
        Self {
            parts: self.parts.saturating_add(below.parts),
            chain: self.chain.max(below.chain + 1),
        }
    }
}

#[derive(Default)]
struct Parts {
    /// By part and the resources on the way to it.
    known: HashMap<(usize, List<Uri<String>>), Idle>,
    /// Those that are being walked. What comes back to one of them ends there: the way to it would only get longer.
    open: HashSet<usize>,
    most: Idle,
    work: usize,
    is_too_much: bool,
}

impl Parts {
    fn walk<'r>(&mut self, schema: &'r Value, resolver: &Resolver<'r>, draft: Draft) -> Idle {
        let Value::Object(members) = schema else {
            return Idle { parts: 1, chain: 0 };
        };
        let draft = draft.detect(schema);
        let Ok(resolver) = resolver.in_subresource(draft.create_resource_ref(schema)) else {
            return Idle::default();
        };
        let part = std::ptr::from_ref(schema).addr();
        if self.is_too_much || self.open.contains(&part) {
            return Idle::default();
        }
        let way = resolver.dynamic_scope();
        self.work += 1 + way.iter().count();
        self.is_too_much = self.work > WORK_MAX || self.open.len() > DEPTH_MAX;
        let key = (part, way);
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        self.open.insert(part);
        let mut idle = Idle {
            parts: u64::from(!looks(members, draft)),
            chain: 0,
        };
        let referred = |name: &&str| members.get(*name)?.as_str();
        for reference in REFERENCES.iter().filter_map(referred) {
            if let Ok(target) = resolver.lookup(reference) {
                let (contents, resolver, draft) = target.into_inner();
                idle = idle.with(self.walk(contents, &resolver, draft));
            }
        }
        // Older drafts ignore what stands beside a reference, except where something refers to it.
        let alone = members.contains_key("$ref") && is_classic(draft);
        for (name, below) in children(members) {
            let of = self.walk(below, &resolver, draft);
            if holds_the_value_itself(name) && !alone {
                idle = idle.with(of);
            }
        }
        // What is unevaluated is found by going through the rest once more.
        if members.keys().any(|name| name.starts_with("unevaluated")) {
            idle.parts = idle.parts.saturating_mul(4);
        }
        self.open.remove(&part);
        self.most = self.most.most(idle);
        self.known.insert(key, idle);
        idle
    }
}

/// All that may be a schema below a schema, by keyword. More than that does no harm.
fn children(members: &Map<String, Value>) -> impl Iterator<Item = (&str, &Value)> {
    members.iter().flat_map(|(name, below)| {
        let within: Vec<&Value> = match below {
            _ if matches!(name.as_str(), "const" | "enum" | "default" | "examples") => Vec::new(),
            Value::Array(items) => items.iter().collect(),
            Value::Object(members) if is_map(name) => members.values().collect(),
            Value::Object(_) => vec![below],
            Value::Bool(_) if holds_the_value_itself(name) => vec![below],
            _ => Vec::new(),
        };
        within.into_iter().map(|below| (name.as_str(), below))
    })
}

fn is_map(name: &str) -> bool {
    BY_NAME.contains(&name)
        || matches!(
            name,
            "$defs" | "definitions" | "properties" | "patternProperties"
        )
}

fn holds_the_value_itself(name: &str) -> bool {
    LISTS.contains(&name) || SINGLE.contains(&name) || BY_NAME.contains(&name)
}

fn is_classic(draft: Draft) -> bool {
    matches!(draft, Draft::Draft4 | Draft::Draft6 | Draft::Draft7)
}

/// Whether a part surely looks at the value before it goes on to others.
fn looks(members: &Map<String, Value>, draft: Draft) -> bool {
    // Its meta-schema may do without any keyword; and a reference of old stands alone.
    if draft == Draft::Unknown || (is_classic(draft) && members.contains_key("$ref")) {
        return false;
    }
    let has = |name: &str| match members.get(name) {
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::Object(members)) => !members.is_empty(),
        Some(_) => true,
        None => false,
    };
    [
        "type",
        "enum",
        "required",
        "properties",
        "pattern",
        "minimum",
        "maximum",
    ]
    .into_iter()
    .any(has)
        || (members.contains_key("const") && draft != Draft::Draft4)
}
