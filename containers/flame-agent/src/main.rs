//! The runtime: engine, store and connectors behind one HTTP API.
fn main() {}
