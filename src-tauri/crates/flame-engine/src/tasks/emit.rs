//! `emit`: a CloudEvent, stored in the commit of its record; the output is the event.

use std::sync::Arc;

use flame_dsl::{Task, Template};
use serde_json::{Map, Value};

use crate::error::{Error, StandardError};
use crate::record::{FrameId, Record};
use crate::scope::excerpt;
use crate::turn::Turn;

pub(crate) fn advance(turn: &mut Turn<'_>, id: FrameId, task: &Task, template: &Template) {
    let attributes = turn.scope(id, task).template(template, "emit.event.with");
    match attributes.and_then(|attributes| event(turn, id, attributes)) {
        Ok((event, record)) => {
            let mut event = event;
            turn.secrets.mask(&mut event);
            let event = Arc::new(event);
            turn.emitted.push(Arc::clone(&event));
            turn.emit(record);
            turn.complete(id, task, event, task.then);
        }
        Err(error) => turn.fault(id, error),
    }
}

/// Fills in what CloudEvents 1.0 requires and the document leaves out.
fn event(turn: &Turn<'_>, frame: FrameId, attributes: Value) -> Result<(Value, Record), Error> {
    let Value::Object(attributes) = attributes else {
        return Err(invalid(format!(
            "emit.event.with gave {}; it needs an object",
            excerpt(&attributes)
        )));
    };
    let default = |name: &str| match name {
        "specversion" => Value::from("1.0"),
        "id" => Value::from(event_id(turn, frame)),
        "source" => Value::from(format!("/{}", turn.workflow.id)),
        _ => Value::from(turn.moment.now.to_string()),
    };
    let mut event = Map::new();
    for name in ["specversion", "id", "source", "type", "time"] {
        match attributes.get(name) {
            Some(Value::String(text)) if !text.is_empty() => {
                event.insert(name.to_owned(), Value::from(text.as_str()))
            }
            None | Some(Value::Null) if name != "type" => {
                event.insert(name.to_owned(), default(name))
            }
            other => {
                return Err(invalid(format!(
                    "the event's {name} is {}; it needs a text that is not empty",
                    other.map_or_else(|| "missing".to_owned(), excerpt)
                )));
            }
        };
    }
    let given = attributes.into_iter().filter(|(_, value)| !value.is_null());
    for (name, value) in given {
        event.entry(name).or_insert(value);
    }
    let text = |name: &str| {
        event
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let record = Record::EventEmitted {
        frame,
        id: text("id"),
        kind: text("type"),
        at: turn.moment.now,
    };
    Ok((Value::Object(event), record))
}

/// In the form of a version 4 UUID, of this decision's dice.
fn event_id(turn: &Turn<'_>, frame: FrameId) -> String {
    let (high, low) = (turn.roll(frame.0 << 1), turn.roll((frame.0 << 1) | 1));
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        (low >> 48) & 0x3fff | 0x8000,
        low & 0xffff_ffff_ffff
    )
}

fn invalid(detail: String) -> Error {
    StandardError::Validation.with("Not a CloudEvent", detail)
}
