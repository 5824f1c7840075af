//! The engine over parsed documents, driven by scripts instead of a world.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod calls;
mod clocks;
mod compensations;
mod control;
mod crashes;
mod data_flow;
mod driver;
mod extensions;
mod forks;
mod functions;
mod generations;
mod histories;
mod laws;
mod lifecycles;
mod listens;
mod lists;
mod loops;
mod replays;
mod runs;
mod secrets;
mod simulation;
mod subscriptions;
mod test_runs;
mod timelines;
mod timeouts;
mod tries;
