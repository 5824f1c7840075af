//! An expression is shared between threads, whatever stack they have.

use serde_json::json;

use super::Expression;

fn shared<T: Send + Sync + Clone + std::fmt::Debug>(_: &T) {}

#[test]
fn many_threads_evaluate_one_expression() {
    let expression = Expression::compile(
        "[.[] | select(test(\"^a\")) | . * 2] | sort | join($separator)",
        &["separator"],
    )
    .unwrap();
    shared(&expression);
    let separator = json!("-");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let expression = expression.clone();
                for _ in 0..20 {
                    let result =
                        expression.evaluate(&json!(["b", "ac", "ab"]), &|_| Some(&separator));
                    assert_eq!(result, Ok(json!("abab-acac")));
                }
            });
        }
    });
}

#[test]
fn a_small_stack_is_enough() {
    let evaluate = || {
        let source = "def deep: if . > 0 then 1 + (. - 1 | deep) else 0 end; deep";
        Expression::compile(source, &[])
            .unwrap()
            .evaluate(&json!(1000), &|_| None)
    };
    let thread = std::thread::Builder::new()
        .stack_size(192 * 1024)
        .spawn(evaluate)
        .unwrap();
    assert_eq!(thread.join().unwrap(), Ok(json!(1000)));
}

#[test]
fn a_larger_evaluation_gives_what_a_small_one_would() {
    let expression = Expression::compile("map(. * 2 | tostring) | length", &[]).unwrap();
    for length in [1, 100_000, 1, 50_000] {
        let input = json!(vec![1; length]);
        assert_eq!(expression.evaluate(&input, &|_| None), Ok(json!(length)));
    }
}
