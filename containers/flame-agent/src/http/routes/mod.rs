//! The handlers, one file for each group of the API.

pub(super) mod agent;
pub(super) mod compensations;
pub(super) mod connections;
pub(super) mod containers;
pub(super) mod dead_letters;
pub(super) mod events;
pub(super) mod host_execution;
pub(super) mod people;
pub(super) mod pipelines;
pub(super) mod runs;
pub(super) mod test_runs;
pub(super) mod workflows;
