//! The chores of the repository: run, test, check, codegen, images, bench.
fn main() {}
