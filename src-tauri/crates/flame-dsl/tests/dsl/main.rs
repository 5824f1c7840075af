//! Tests of the document reader through its public interface.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod compensations;
mod editor;
mod examples;
mod host;
mod limits;
mod loose;
mod messages;
mod model;
mod oracle;
mod shared;
mod stack;
mod standard;
