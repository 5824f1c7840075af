//! Every example of the standard is read.

use flame_dsl::{Format, parse};

use crate::shared::examples;

#[test]
fn every_example_is_read() {
    for release in ["1.0.3", "next"] {
        for (name, text) in examples(release) {
            if let Err(problems) = parse(&text, Format::Yaml) {
                panic!("{release}/{name}: {}", problems[0]);
            }
        }
    }
}
