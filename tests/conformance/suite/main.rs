//! Whether the agent does what the standard says: its examples, and a case for each row of its reference.
//!
//! A row says what goes in, which calls other systems see and answer, which events come, and exactly what
//! comes out (`row.rs`). Deliberately absent: mocks. The real agent runs the texts as they stand; the hosts
//! that they name are answered by a server of the test's (`partners.rs`), what is more than HTTP by servers that
//! others wrote (`counterparts.rs`).

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod boxes;
mod cases;
mod counterparts;
mod coverage;
mod examples;
mod partners;
mod row;
mod stage;
