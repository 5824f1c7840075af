//! Tests of the document reader through its public interface.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod examples;
mod shared;
