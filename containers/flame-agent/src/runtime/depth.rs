//! How deep data may be nested. What comes in is bounded here, expressions bound themselves, so a journal
//! can always be read again: its reader stops at 128 levels.

use flame_dsl::expression::DEPTH_MAX;
use serde_json::Value;

/// Levels that a journal may have. More than data may have, because records and templates wrap it.
pub(super) const JOURNAL_DEPTH_MAX: usize = 125;

/// Whether data that comes in is nested deeper than data may be.
pub(super) fn is_too_deep(value: &Value) -> bool {
    is_deeper(value, DEPTH_MAX)
}

fn is_deeper(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels == 0 || items.iter().any(|item| is_deeper(item, levels - 1)),
        Value::Object(members) => {
            levels == 0 || members.values().any(|member| is_deeper(member, levels - 1))
        }
        _ => false,
    }
}

/// Whether JSON text could not be read again.
pub(super) fn is_unreadable(json: &[u8]) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                if depth > JOURNAL_DEPTH_MAX {
                    return true;
                }
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(levels: usize) -> Value {
        (0..levels).fold(Value::from(1), |inner, _| Value::Array(vec![inner]))
    }

    #[test]
    fn data_has_a_limit_of_levels() {
        assert!(!is_too_deep(&nested(DEPTH_MAX)));
        assert!(is_too_deep(&nested(DEPTH_MAX + 1)));
        assert!(!is_too_deep(&Value::from("[[[[[")));
    }

    #[test]
    fn what_passes_can_be_read_again() {
        for levels in 100..140 {
            let text = nested(levels).to_string();
            if !is_unreadable(text.as_bytes()) {
                assert!(serde_json::from_str::<Value>(&text).is_ok(), "{levels}");
            }
        }
        assert!(is_unreadable(nested(126).to_string().as_bytes()));
        assert!(!is_unreadable(
            format!("\"{}\\\"{}\"", "[".repeat(300), "{".repeat(300)).as_bytes()
        ));
    }
}
