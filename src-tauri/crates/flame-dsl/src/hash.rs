//! The hash that a run is pinned to: SHA-256 over the document's canonical JSON.

use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// Hex of the SHA-256 of the JSON with sorted keys and no white space: the same for YAML and JSON of one
/// document, whatever the order of its keys.
pub(crate) fn definition_hash(definition: &Value) -> String {
    let mut canonical = String::new();
    write_canonical(definition, &mut canonical);
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(canonical.as_bytes()) {
        write!(hex, "{byte:02x}").expect("a String takes whatever is written");
    }
    hex
}

fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort_unstable();
            out.push('{');
            for (at, name) in names.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(name.clone()).to_string());
                out.push(':');
                write_canonical(&members[name], out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_order_of_keys_does_not_count_and_everything_else_does() {
        let a = json!({"b": [1, {"d": 2, "c": 3}], "a": "x"});
        let b = json!({"a": "x", "b": [1, {"c": 3, "d": 2}]});
        assert_eq!(definition_hash(&a), definition_hash(&b));
        for other in [
            json!({"a": "x", "b": [{"c": 3, "d": 2}, 1]}),
            json!({"a": "x"}),
            json!(null),
        ] {
            assert_ne!(definition_hash(&a), definition_hash(&other));
        }
        assert_eq!(
            definition_hash(&json!({})),
            "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
        );
    }
}
