//! Identifiers in SQL: names out of documents are text everywhere, never syntax.

use crate::Fault;

/// Longest identifier that is taken. PostgreSQL cuts at 63 bytes in silence, so longer is refused.
const IDENTIFIER_BYTES_MAX: usize = 63;

/// Quotes one identifier by the SQL standard. `what` names it in the fault, such as `column`.
pub fn quote_identifier(what: &str, name: &str) -> Result<String, Fault> {
    let problem = if name.is_empty() {
        "it is empty"
    } else if name.len() > IDENTIFIER_BYTES_MAX {
        "it is longer than 63 bytes"
    } else if name.chars().any(char::is_control) {
        "it has a control character"
    } else {
        return Ok(format!("\"{}\"", name.replace('"', "\"\"")));
    };
    Err(Fault::validation(format!(
        "{name:?} can't be the name of a {what}: {problem}."
    )))
}

#[cfg(test)]
mod tests {
    use super::quote_identifier;

    #[test]
    fn quotes_stay_inside_the_identifier() {
        let quoted = quote_identifier("table", "a\"; drop table b; --").unwrap();
        assert_eq!(quoted, "\"a\"\"; drop table b; --\"");
    }

    #[test]
    fn names_that_a_database_would_cut_or_stop_at_are_refused() {
        for bad in ["", "a\0b", "line\nbreak", &"x".repeat(64)] {
            assert!(quote_identifier("table", bad).is_err(), "{bad:?}");
        }
    }
}
