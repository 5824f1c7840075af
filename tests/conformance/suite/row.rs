//! What a row of the tables says: what goes in and what must come out.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// Stands for a value that differs from run to run, such as an id or a time.
const ANY: &str = "<any>";

/// One workflow's way through the agent.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    #[serde(default = "nothing")]
    pub(crate) input: Value,
    /// Workflows that are there beside it.
    #[serde(default)]
    pub(crate) beside: Vec<Value>,
    /// Secrets that it may use, by name.
    #[serde(default)]
    pub(crate) secrets: BTreeMap<String, Value>,
    /// Files of the agent's resources folder, by their place in it.
    #[serde(default)]
    pub(crate) resources: BTreeMap<String, String>,
    /// What other systems are asked, and what they answer; in order where one thing is asked more than once.
    #[serde(default)]
    pub(crate) calls: Vec<Exchange>,
    /// What a WebSocket server says to whoever connects, by its host and path.
    #[serde(default)]
    pub(crate) sockets: BTreeMap<String, Vec<Value>>,
    /// Host and port at which the gRPC service of `counterparts.rs` answers.
    pub(crate) grpc: Option<String>,
    /// Programs that the agent finds on its path, by name: modules of Node that may import the SDK of MCP.
    #[serde(default)]
    pub(crate) programs: BTreeMap<String, String>,
    /// Events that start the run in place of a call of the API.
    #[serde(default)]
    pub(crate) starts: Vec<Value>,
    /// The n-th batch comes once the n-th listener listens.
    #[serde(default)]
    pub(crate) events: Vec<Vec<Value>>,
    /// Workflow beside it of which a run is begun, suspended, resumed and cancelled once the first listener listens.
    pub(crate) interrupts: Option<String>,
    /// What the run emits, in order; the keys that are named must be so.
    #[serde(default)]
    pub(crate) emits: Vec<Value>,
    /// The run's lifecycle events, in order: the middle of the type, and data whose named keys must be so; not
    /// looked at where empty.
    #[serde(default)]
    pub(crate) lifecycle: Vec<(String, Value)>,
    /// Milliseconds that the run's timers were set to, in order; not looked at where absent.
    pub(crate) timers_ms: Option<Vec<u64>>,
    /// Its scripts and programs may run on this machine.
    #[serde(default)]
    pub(crate) allowed: bool,
    /// Whether it needs Podman; passed over, which is printed, where there is none.
    #[serde(default)]
    pub(crate) podman: bool,
    /// Why the standard's own outcome can't be had here; printed.
    pub(crate) because: Option<String>,
    pub(crate) expect: Expectation,
}

pub(crate) fn nothing() -> Value {
    Value::Object(serde_json::Map::new())
}

/// A call that another system sees.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exchange {
    /// Method and address, such as `GET https://example.com/a?b=c`.
    pub(crate) ask: String,
    /// Headers that must be there, in small letters; a value may end with `<any>`.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Option<Value>,
    #[serde(default)]
    pub(crate) answer: Answer,
    /// It need not come: the loser of a race.
    #[serde(default)]
    pub(crate) optional: bool,
    /// It is never answered.
    #[serde(default)]
    pub(crate) held: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answer {
    pub(crate) status: Option<u16>,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// JSON, unless `text` or `bytes` is given.
    pub(crate) body: Option<Value>,
    pub(crate) text: Option<String>,
    pub(crate) bytes: Option<Vec<u8>>,
}

/// How it ends.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Expectation {
    /// The run completes with this.
    Output(Value),
    /// The run faults with this; the keys that are named must be so.
    Error(Value),
    /// The run waits at this task for ever, or until a timer of the row; it is cancelled then.
    Waits(String),
    /// The text is refused; a problem says this.
    Refused(String),
    /// No run starts: the input does not fit, for this reason.
    NotStarted(String),
    /// The schedule's next start is within a day, at this time of UTC.
    NextStart(String),
    /// The schedule starts one run after the other; each completes with this.
    Repeats(Value),
}

impl Row {
    /// Whether servers or programs that others wrote have a part in it, besides those of its marks.
    pub(crate) fn has_counterparts(&self) -> bool {
        !self.sockets.is_empty() || self.grpc.is_some() || !self.programs.is_empty()
    }
}

impl Exchange {
    /// Whether a header with this value is one that was expected.
    pub(crate) fn takes_header(&self, name: &str, found: Option<&str>) -> bool {
        let expected = self.headers.get(name).map(String::as_str);
        match expected.map(|expected| (expected, expected.strip_suffix(ANY))) {
            Some((_, Some(start))) => found.is_some_and(|found| found.starts_with(start)),
            Some((expected, None)) => found == Some(expected),
            None => true,
        }
    }
}

/// Whether `found` is what was expected.
pub(crate) fn agrees(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::String(text), _) if text == ANY => true,
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len() && expected.iter().zip(found).all(|(e, f)| agrees(e, f))
        }
        (Value::Object(expected), Value::Object(found)) => {
            expected.len() == found.len() && includes(expected, found)
        }
        (Value::Number(expected), Value::Number(found)) => expected.as_f64() == found.as_f64(),
        _ => expected == found,
    }
}

/// Whether each key of `expected` is in `found`, with its value.
pub(crate) fn has(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => includes(expected, found),
        _ => agrees(expected, found),
    }
}

fn includes(
    expected: &serde_json::Map<String, Value>,
    found: &serde_json::Map<String, Value>,
) -> bool {
    let agreed =
        |(key, value): (&String, &Value)| found.get(key).is_some_and(|found| agrees(value, found));
    expected.iter().all(agreed)
}
