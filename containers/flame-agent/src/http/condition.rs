//! Conditions on fields of a run's input and output, as `where` writes them.

use flame_store::{Comparison, FieldCondition, Payload};
use serde_json::Value;

use super::failure::Failure;
use super::parameter::invalid;

/// Conditions of one search.
const CONDITIONS_MAX: usize = 10;

/// By their signs; those of two characters before those that they begin with.
const COMPARISONS: [(&str, Comparison); 7] = [
    ("!=", Comparison::NotEqual),
    ("<=", Comparison::LessOrEqual),
    (">=", Comparison::GreaterOrEqual),
    ("=", Comparison::Equal),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
    ("~", Comparison::Contains),
];

/// All conditions of a `where`: `input/customer/id=42 and output/state~paid`.
pub(super) fn all(text: &str) -> Result<Vec<FieldCondition>, Failure> {
    let conditions: Vec<FieldCondition> = parts(text).map(one).collect::<Result<_, _>>()?;
    if conditions.len() > CONDITIONS_MAX {
        return Err(refused(
            text,
            &format!("more than {CONDITIONS_MAX} conditions"),
        ));
    }
    Ok(conditions)
}

/// Splits at ` and `, but not inside quotes.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = text.match_indices(" and ").find(|(at, _)| {
            let quotes = text[..*at].bytes().scan(false, |escaped, byte| {
                let quote = byte == b'"' && !*escaped;
                *escaped = byte == b'\\' && !*escaped;
                Some(quote)
            });
            quotes.filter(|quote| *quote).count().is_multiple_of(2)
        });
        let (part, left) = match end {
            Some((at, word)) => (&text[..at], Some(&text[at + word.len()..])),
            None => (text, None),
        };
        rest = left;
        Some(part.trim())
    })
}

fn one(text: &str) -> Result<FieldCondition, Failure> {
    let at = comparison_at(text).ok_or_else(|| refused(text, "no comparison"))?;
    let (field, rest) = text.split_at(at);
    let (payload, pointer) = [("input", Payload::Input), ("output", Payload::Output)]
        .into_iter()
        .find_map(|(word, payload)| Some((payload, field.trim_end().strip_prefix(word)?)))
        .filter(|(_, pointer)| pointer.is_empty() || pointer.starts_with('/'))
        .ok_or_else(|| refused(text, "a field that is neither of input nor of output"))?;
    let (comparison, value) = COMPARISONS
        .iter()
        .find_map(|(sign, comparison)| Some((*comparison, rest.strip_prefix(sign)?)))
        .ok_or_else(|| refused(text, "no comparison"))?;
    Ok(FieldCondition {
        payload,
        pointer: pointer.to_owned(),
        comparison,
        values: values(comparison, value.trim()),
    })
}

/// Where the comparison stands. `~0` and `~1` belong to the pointer.
fn comparison_at(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let begins = |at: usize| match bytes[at] {
        b'~' => !matches!(bytes.get(at + 1), Some(b'0' | b'1')),
        byte => b"!=<>".contains(&byte),
    };
    (0..bytes.len()).find(|at| begins(*at))
}

/// JSON as it is, and where it is no text in quotes the text itself too.
fn values(comparison: Comparison, text: &str) -> Vec<Value> {
    let plain = Value::from(text);
    match flame_types::json::from_str(text) {
        Ok(value @ Value::String(_)) => vec![value],
        Ok(_) if comparison == Comparison::Contains => vec![plain],
        Ok(value) => vec![value, plain],
        Err(_) => vec![plain],
    }
}

fn refused(text: &str, problem: &str) -> Failure {
    invalid(format!("where has {text:?}: {problem}")).hint(
        "Write a field, a comparison and a value, such as input/customer/id=42; join several with \
         \" and \".",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn conditions_are_read_with_their_field_comparison_and_value() {
        for (text, payload, pointer, comparison, values) in [
            (
                "input/a/b=42",
                Payload::Input,
                "/a/b",
                Comparison::Equal,
                vec![json!(42), json!("42")],
            ),
            (
                "output = \"42\"",
                Payload::Output,
                "",
                Comparison::Equal,
                vec![json!("42")],
            ),
            (
                "input/a != null",
                Payload::Input,
                "/a",
                Comparison::NotEqual,
                vec![json!(null), json!("null")],
            ),
            (
                "input/a>=1.5",
                Payload::Input,
                "/a",
                Comparison::GreaterOrEqual,
                vec![json!(1.5), json!("1.5")],
            ),
            (
                "input/a~Ada L",
                Payload::Input,
                "/a",
                Comparison::Contains,
                vec![json!("Ada L")],
            ),
            (
                "input/a~1b~0c~7",
                Payload::Input,
                "/a~1b~0c",
                Comparison::Contains,
                vec![json!("7")],
            ),
            (
                "input/a~1b=x",
                Payload::Input,
                "/a~1b",
                Comparison::Equal,
                vec![json!("x")],
            ),
        ] {
            let expected = FieldCondition {
                payload,
                pointer: pointer.to_owned(),
                comparison,
                values,
            };
            assert_eq!(all(text).unwrap(), [expected], "{text}");
        }
    }

    #[test]
    fn and_joins_conditions_but_not_inside_quotes() {
        let found =
            all("input/a=x and output/b=\"salt and \\\" and pepper\" and input/c<3").unwrap();
        assert_eq!(found.len(), 3);
        assert_eq!(found[1].values, [json!("salt and \" and pepper")]);
    }

    #[test]
    fn what_is_no_condition_is_refused_with_its_text() {
        for bad in [
            "",
            "customer=1",
            "input/a",
            "input/a~1b",
            "inputs=1",
            "input/a=1 and ",
            "input.a=1",
        ] {
            let failure = format!("{:?}", all(bad).unwrap_err());
            assert!(failure.contains("where has"), "{bad}: {failure}");
        }
        let many = ["input/a=1"; 11].join(" and ");
        assert!(all(&many).is_err());
    }
}
