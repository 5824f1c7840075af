//! What one value takes in a journal, and how much it may take.

use std::io;

use serde_json::Value;

use crate::error::{Error, StandardError};

/// Bytes of JSON that one value may have. A larger one could be decided and not be kept.
pub const VALUE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// A character takes six bytes at most, a number four times what [`rough`] says.
const ROUGH_FACTOR: usize = 6;

/// Refuses a value that a journal does not take; `property` names its place for the message.
pub(crate) fn check(value: &Value, property: &str) -> Result<(), Error> {
    if rough(value) <= VALUE_BYTES_MAX / ROUGH_FACTOR {
        return Ok(());
    }
    let bytes = exact(value);
    if bytes <= VALUE_BYTES_MAX {
        return Ok(());
    }
    Err(StandardError::Runtime.with(
        "Value too large",
        format!(
            "{property} gave {bytes} bytes of JSON; one value may have {VALUE_BYTES_MAX}. Keep large data \
             in a file or a database and pass on where it is"
        ),
    ))
}

/// Roughly what a value takes in JSON.
pub(crate) fn rough(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => 2 + items.iter().map(rough).sum::<usize>(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| name.len() + 4 + rough(value))
            .sum::<usize>(),
    }
}

fn exact(value: &Value) -> usize {
    let mut count = Count(0);
    // Counting does not fail, and a value always serialises.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

struct Count(usize);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
