//! The engine over parsed documents, driven by scripts instead of a world.

mod calls;
mod control;
mod data_flow;
mod driver;
mod forks;
mod laws;
mod lists;
mod loops;
mod replays;
mod simulation;
mod timelines;
mod timeouts;
mod tries;
