//! Every example of the standard is read, or refused with a reason that is right.

use flame_dsl::{Format, Rule, parse};

use crate::shared::examples;

/// What an example's first problem says must not be there yet; `None` where it is read.
fn expected(name: &str) -> Option<&'static str> {
    let table: &[(&str, &str)] = &[(
        "call-asyncapi-subscribe-consume-forever-foreach",
        "'foreach' of a subscription is",
    )];
    table
        .iter()
        .find(|(start, _)| name.starts_with(start))
        .map(|(_, reason)| *reason)
}

#[test]
fn every_example_is_read_or_refused_by_name() {
    for release in ["1.0.3", "next"] {
        for (name, text) in examples(release) {
            match (parse(&text, Format::Yaml), expected(&name)) {
                (Ok(_), None) => {}
                (Ok(_), Some(reason)) => panic!("{release}/{name} is read, but {reason} not there"),
                (Err(problems), None) => panic!("{release}/{name}: {}", problems[0]),
                (Err(problems), Some(reason)) => {
                    let message = &problems[0].message;
                    assert_eq!(
                        *message,
                        format!("{reason} not supported yet"),
                        "{release}/{name}"
                    );
                    for problem in problems {
                        assert_eq!(
                            problem.rule,
                            Rule::Unsupported,
                            "{release}/{name}:{problem}"
                        );
                    }
                }
            }
        }
    }
}
