//! jq's manual as a table: every construct and filter, with what it gives.

use serde_json::Value;

use super::{Expression, ExpressionError, evaluate_by_jaq};

/// Expression, input, output or `! ` and an error's message; an empty line ends a case.
const TABLE: &str = include_str!("manual.txt");

#[test]
fn the_manual_holds() {
    let mut wrong = Vec::new();
    let lines: Vec<_> = TABLE
        .lines()
        .filter(|line| !line.starts_with("# ") && !line.is_empty())
        .collect();
    for case in lines.chunks(3) {
        let [source, input, output] = case else {
            panic!("half a case: {case:?}")
        };
        let input: Value = serde_json::from_str(input).unwrap();
        let expression =
            Expression::compile(source, &[]).unwrap_or_else(|error| panic!("{source}: {error}"));
        let expected = match output.strip_prefix("! ") {
            Some(message) => Err(ExpressionError::Failed {
                message: message.to_owned(),
            }),
            None => Ok(serde_json::from_str(output).unwrap()),
        };
        // Compared as text too, which tells the order of names and `1` from `1.0`.
        let text = |result: &Result<Value, _>| result.as_ref().map(Value::to_string).ok();
        for (way, result) in [
            ("", expression.evaluate(&input, &|_| None)),
            ("by jaq: ", evaluate_by_jaq(&expression, &input)),
        ] {
            if result != expected || text(&result) != text(&expected) {
                wrong.push(format!(
                    "{way}{source}\n  of {input}\n  gives {result:?}\n  not {expected:?}"
                ));
            }
        }
    }
    assert!(
        lines.len() > 3 * 300 && wrong.is_empty(),
        "{}",
        wrong.join("\n")
    );
}

#[test]
fn variables_come_from_the_scope_and_only_when_used() {
    let context = serde_json::json!({"a": [1, 2]});
    let asked = std::cell::RefCell::new(Vec::new());
    let lookup = |name: &str| {
        asked.borrow_mut().push(name.to_owned());
        (name == "context").then_some(&context)
    };
    let expression = Expression::compile(
        "[$context.a[1], $nothing, (1 as $own | $own), \"\\($context.a | length)\"]",
        &["unused", "nothing", "context", "own"],
    );
    let result = expression.unwrap().evaluate(&Value::Null, &lookup);
    assert_eq!(result, Ok(serde_json::json!([2, null, 1, "2"])));
    let asked = asked.into_inner();
    assert!(!asked.contains(&"unused".to_owned()), "{asked:?}");
}

#[test]
fn a_definition_may_use_the_scope() {
    let limit = serde_json::json!(3);
    let source = "def over: . > $limit; [.[] | select(over)]";
    let result = Expression::compile(source, &["limit"])
        .unwrap()
        .evaluate(&serde_json::json!([1, 5, 3, 4]), &|_| Some(&limit));
    assert_eq!(result, Ok(serde_json::json!([5, 4])));
}
